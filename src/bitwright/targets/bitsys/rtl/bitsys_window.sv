// SPDX-License-Identifier: Apache-2.0
// Walks over the windows of a layer: frames, rows, columns of the result, `outer` rounds, taps, `inner` items.
//
// The current item stands at the outputs while active_o; next_i goes to the next one. addr_o is the first word of the
// tap's pixel; inside_o tells two cycles later that the tap lies in the image, and of PortWords - 1 pixels right of it,
// with near_i, that each of them does; without it that the tap does. All strides come ready from the
// descriptor: no products. What a loop ends with is known one or two steps ahead. layer_i, base_i, outer_i and inner_i must
// be there a cycle before start_i.
module bitsys_window #(
    parameter int unsigned PortWords = 1
) (
    input  logic           clk_i,
    input  logic           rst_i,
    input  logic           start_i,
    input  logic [32*28-1:0] layer_i,
    input  logic [   15:0] base_i,
    input  logic [   11:0] outer_i,
    input  logic [    9:0] inner_i,
    input  logic           near_i,
    input  logic           next_i,
    output logic           active_o,
    output logic [   15:0] addr_o,
    output logic [PortWords-1:0] inside_o,
    output logic [   11:0] outer_o,
    output logic [    9:0] inner_o,
    output logic           first_o,       // of a round
    output logic           last_inner_o,
    output logic           row_end_o,     // the last of a row of taps
    output logic           last_o,        // of a round
    output logic           pixel_end_o,   // the last of a window
    output logic           last_outer_o,
    output logic           last_pixel_o
);
  `include "bitsys_registers.svh"
  // Of counters, what they are one step before their last, and whether one step is all; two steps, and whether two, of those
  // whose end is known two steps ahead: inner, kx, ky, outer.
  logic two_inner_q, two_kx_q, two_ky_q, two_outer_q;
  logic [11:0] outer_end_q, ox_end_q, oy_end_q;
  logic [9:0] inner_end_q;
  logic [7:0] kx_end_q, ky_end_q, frame_end_q;
  logic one_inner_q, one_kx_q, one_ky_q, one_outer_q, one_ox_q, one_oy_q, one_frame_q;
  logic [12:0] left_q, top_q;
  logic [15:0] base_q;
  always_ff @(posedge clk_i) begin
    inner_end_q <= inner_i - 10'd3;
    kx_end_q <= layer_i[FKernelW+:WKernelW] - 8'd3;
    ky_end_q <= layer_i[FKernelH+:WKernelH] - 8'd3;
    outer_end_q <= outer_i - 12'd3;
    two_inner_q <= inner_i == 10'd2;
    two_kx_q <= layer_i[FKernelW+:WKernelW] == 8'd2;
    two_ky_q <= layer_i[FKernelH+:WKernelH] == 8'd2;
    two_outer_q <= outer_i == 12'd2;
    ox_end_q <= layer_i[FOutW+:WOutW] - 12'd2;
    oy_end_q <= layer_i[FOutH+:WOutH] - 12'd2;
    frame_end_q <= layer_i[FFrames+:WFrames] - 8'd2;
    one_inner_q <= inner_i == 10'd1;
    one_kx_q <= layer_i[FKernelW+:WKernelW] == 8'd1;
    one_ky_q <= layer_i[FKernelH+:WKernelH] == 8'd1;
    one_outer_q <= outer_i == 12'd1;
    one_ox_q <= layer_i[FOutW+:WOutW] == 12'd1;
    one_oy_q <= layer_i[FOutH+:WOutH] == 12'd1;
    one_frame_q <= layer_i[FFrames+:WFrames] == 8'd1;
    left_q <= 13'd0 - 13'(layer_i[FPadLeft+:WPadLeft]);
    top_q <= 13'd0 - 13'(layer_i[FPadTop+:WPadTop]);
    base_q <= base_i;
  end

  logic active_q, first_q;
  logic [15:0] pixel_q, tap_q;
  logic [12:0] y_q, x_q, ky_off_q, tap_y_q;
  logic [11:0] ox_q, oy_q, outer_q;
  logic [7:0] frame_q, kx_q, ky_q;
  logic [9:0] inner_q;
  logic last_inner_q, last_kx_q, last_ky_q, last_tap_q, last_outer_q, last_ox_q, last_oy_q, last_of_frame_q, last_frame_q;
  logic before_inner_q, before_kx_q, before_ky_q, before_outer_q;
  logic last_all_q, pixel_end_q;  // of a round, of a pixel
  logic next_inner, next_kx, next_ky, next_tap, next_all, next_outer, next_ox, next_oy, tap_done, row_done, outer_done, pixel_done;
  assign next_inner = last_inner_q ? one_inner_q : before_inner_q;
  assign next_tap = last_inner_q ? next_kx && next_ky : last_tap_q;
  assign next_all = next_inner && next_tap;
  assign next_outer = !last_all_q ? last_outer_q : last_outer_q ? one_outer_q : before_outer_q;
  assign next_kx = last_kx_q ? one_kx_q : before_kx_q;
  assign next_ky = !last_kx_q ? last_ky_q : last_ky_q ? one_ky_q : before_ky_q;
  assign next_ox = last_ox_q ? one_ox_q : ox_q == ox_end_q;
  assign next_oy = !last_ox_q ? last_oy_q : last_oy_q ? one_oy_q : oy_q == oy_end_q;
  assign tap_done = next_i && last_inner_q;
  assign row_done = next_i && last_inner_q && last_kx_q;
  assign outer_done = next_i && last_all_q;
  assign pixel_done = next_i && pixel_end_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) active_q <= 1'b0;
    else if (start_i) active_q <= 1'b1;
    else if (pixel_done && last_pixel_o) active_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      inner_q <= 10'd0;
      last_inner_q <= one_inner_q;
      before_inner_q <= two_inner_q;
      first_q <= 1'b1;
      last_all_q <= one_inner_q && one_kx_q && one_ky_q;
      pixel_end_q <= one_inner_q && one_kx_q && one_ky_q && one_outer_q;
    end else if (next_i) begin
      inner_q <= last_inner_q ? 10'd0 : inner_q + 10'd1;
      last_inner_q <= next_inner;
      before_inner_q <= last_inner_q ? two_inner_q : inner_q == inner_end_q;
      first_q <= last_all_q;
      last_all_q <= next_all;
      pixel_end_q <= next_all && next_outer;
    end
    if (start_i) begin
      kx_q <= 8'd0;
      last_kx_q <= one_kx_q;
      before_kx_q <= two_kx_q;
      last_tap_q <= one_kx_q && one_ky_q;
      tap_q <= 16'd0;
    end else if (tap_done) begin
      kx_q <= last_kx_q ? 8'd0 : kx_q + 8'd1;
      last_kx_q <= next_kx;
      before_kx_q <= last_kx_q ? two_kx_q : kx_q == kx_end_q;
      last_tap_q <= next_kx && next_ky;
      tap_q <= last_tap_q ? 16'd0 : tap_q + 16'(last_kx_q ? layer_i[FTapY+:WTapY] : layer_i[FTapX+:WTapX]);
    end
    if (start_i) begin
      ky_q <= 8'd0;
      last_ky_q <= one_ky_q;
      before_ky_q <= two_ky_q;
      ky_off_q <= 13'd0;
    end else if (row_done) begin
      ky_q <= last_ky_q ? 8'd0 : ky_q + 8'd1;
      last_ky_q <= next_ky;
      before_ky_q <= last_ky_q ? two_ky_q : ky_q == ky_end_q;
      ky_off_q <= last_ky_q ? 13'd0 : ky_off_q + 13'(layer_i[FDilationY+:WDilationY]);
    end
    if (start_i) begin
      outer_q <= 12'd0;
      last_outer_q <= one_outer_q;
      before_outer_q <= two_outer_q;
    end else if (outer_done) begin
      outer_q <= last_outer_q ? 12'd0 : outer_q + 12'd1;
      last_outer_q <= next_outer;
      before_outer_q <= last_outer_q ? two_outer_q : outer_q == outer_end_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      pixel_q <= base_q;
      ox_q <= 12'd0;
      last_ox_q <= one_ox_q;
      last_of_frame_q <= one_ox_q && one_oy_q;
      x_q <= left_q;
    end else if (pixel_done) begin
      ox_q <= last_ox_q ? 12'd0 : ox_q + 12'd1;
      last_ox_q <= next_ox;
      last_of_frame_q <= next_ox && next_oy;
      x_q <= last_ox_q ? left_q : x_q + 13'(layer_i[FStrideX+:WStrideX]);
      pixel_q <= pixel_q + 16'(!last_ox_q ? layer_i[FStepX+:WStepX] : last_oy_q ? layer_i[FStepF+:WStepF]
        : layer_i[FStepY+:WStepY]);
    end
    if (start_i) begin
      oy_q <= 12'd0;
      last_oy_q <= one_oy_q;
      y_q <= top_q;
    end else if (pixel_done && last_ox_q) begin
      oy_q <= last_oy_q ? 12'd0 : oy_q + 12'd1;
      last_oy_q <= next_oy;
      y_q <= last_oy_q ? top_q : y_q + 13'(layer_i[FStrideY+:WStrideY]);
    end
    if (start_i) begin
      frame_q <= 8'd0;
      last_frame_q <= one_frame_q;
    end else if (pixel_done && last_of_frame_q) begin
      frame_q <= frame_q + 8'd1;
      last_frame_q <= frame_q == frame_end_q;
    end
  end

  always_ff @(posedge clk_i) tap_y_q <= y_q + ky_off_q;
  for (genvar k = 0; k < PortWords; k++) begin : g_pixel
    logic [12:0] first, kx_off_q, tap_x_q;
    assign first = near_i ? 13'(k) : 13'd0;
    always_ff @(posedge clk_i) begin
      if (start_i) kx_off_q <= first;
      else if (tap_done) kx_off_q <= last_kx_q ? first : kx_off_q + 13'(layer_i[FDilationX+:WDilationX]);
      tap_x_q <= x_q + kx_off_q;
      inside_o[k] <= tap_y_q < {1'b0, layer_i[FInH+:WInH]} && tap_x_q < {1'b0, layer_i[FInW+:WInW]};
    end
  end
  assign addr_o = pixel_q + tap_q;
  assign active_o = active_q;
  assign outer_o = outer_q;
  assign inner_o = inner_q;
  assign first_o = first_q;
  assign last_inner_o = last_inner_q;
  assign row_end_o = last_inner_q && last_kx_q;
  assign last_o = last_all_q;
  assign pixel_end_o = pixel_end_q;
  assign last_outer_o = last_outer_q;
  assign last_pixel_o = last_of_frame_q && last_frame_q;
endmodule
