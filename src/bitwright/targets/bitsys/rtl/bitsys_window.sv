// SPDX-License-Identifier: Apache-2.0
// Walks over the windows of a layer: frames, rows, columns of the result, `outer` rounds, taps, `inner` items.
//
// The current item stands at the outputs while active_o; next_i goes to the next one. addr_o is the first word of the
// tap's pixel, inside_o tells that the tap lies in the image. All strides come ready from the descriptor: no products.
module bitsys_window (
    input  logic           clk_i,
    input  logic           rst_i,
    input  logic           start_i,
    input  logic [32*28-1:0] layer_i,
    input  logic [   15:0] base_i,
    input  logic [   11:0] outer_i,
    input  logic [    9:0] inner_i,
    input  logic           next_i,
    output logic           active_o,
    output logic [   15:0] addr_o,
    output logic           inside_o,
    output logic [   11:0] outer_o,
    output logic [    9:0] inner_o,
    output logic           first_tap_o,
    output logic           last_tap_o,
    output logic           last_inner_o,
    output logic           last_outer_o,
    output logic           last_pixel_o
);
  `include "bitsys_registers.svh"
  logic active_q;
  logic [19:0] pixel_q, tap_q;
  logic [12:0] y_q, x_q, ky_off_q, kx_off_q, y, x;
  logic [11:0] ox_q, oy_q, outer_q;
  logic [7:0] frame_q, kx_q, ky_q;
  logic [9:0] inner_q;
  logic last_kx, last_ky, last_ox, last_oy, last_frame, tap_done, outer_done, pixel_done;

  assign last_inner_o = inner_q + 10'd1 == inner_i;
  assign last_kx = kx_q + 8'd1 == layer_i[FKernelW+:WKernelW];
  assign last_ky = ky_q + 8'd1 == layer_i[FKernelH+:WKernelH];
  assign last_tap_o = last_kx && last_ky;
  assign first_tap_o = kx_q == 8'd0 && ky_q == 8'd0;
  assign last_outer_o = outer_q + 12'd1 == outer_i;
  assign last_ox = ox_q + 12'd1 == layer_i[FOutW+:WOutW];
  assign last_oy = oy_q + 12'd1 == layer_i[FOutH+:WOutH];
  assign last_frame = frame_q + 8'd1 == layer_i[FFrames+:WFrames];
  assign last_pixel_o = last_ox && last_oy && last_frame;
  assign tap_done = next_i && last_inner_o;
  assign outer_done = tap_done && last_tap_o;
  assign pixel_done = outer_done && last_outer_o;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= 1'b0;
    end else if (start_i) begin
      active_q <= 1'b1;
    end else if (pixel_done && last_pixel_o) begin
      active_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      inner_q <= 10'd0;
      kx_q <= 8'd0;
      ky_q <= 8'd0;
      outer_q <= 12'd0;
      tap_q <= 20'd0;
      kx_off_q <= 13'd0;
      ky_off_q <= 13'd0;
    end else if (next_i) begin
      inner_q <= last_inner_o ? 10'd0 : inner_q + 10'd1;
      if (last_inner_o) begin
        kx_q <= last_kx ? 8'd0 : kx_q + 8'd1;
        kx_off_q <= last_kx ? 13'd0 : kx_off_q + 13'(layer_i[FDilationX+:WDilationX]);
        tap_q <= last_tap_o ? 20'd0 : tap_q + (last_kx ? layer_i[FTapY+:WTapY] : layer_i[FTapX+:WTapX]);
        if (last_kx) begin
          ky_q <= last_ky ? 8'd0 : ky_q + 8'd1;
          ky_off_q <= last_ky ? 13'd0 : ky_off_q + 13'(layer_i[FDilationY+:WDilationY]);
        end
        if (last_tap_o) outer_q <= last_outer_o ? 12'd0 : outer_q + 12'd1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      pixel_q <= {4'd0, base_i};
      ox_q <= 12'd0;
      oy_q <= 12'd0;
      frame_q <= 8'd0;
      x_q <= 13'd0 - 13'(layer_i[FPadLeft+:WPadLeft]);
      y_q <= 13'd0 - 13'(layer_i[FPadTop+:WPadTop]);
    end else if (pixel_done) begin
      ox_q <= last_ox ? 12'd0 : ox_q + 12'd1;
      x_q <= last_ox ? 13'd0 - 13'(layer_i[FPadLeft+:WPadLeft]) : x_q + 13'(layer_i[FStrideX+:WStrideX]);
      if (!last_ox) begin
        pixel_q <= pixel_q + layer_i[FStepX+:WStepX];
      end else begin
        oy_q <= last_oy ? 12'd0 : oy_q + 12'd1;
        y_q <= last_oy ? 13'd0 - 13'(layer_i[FPadTop+:WPadTop]) : y_q + 13'(layer_i[FStrideY+:WStrideY]);
        pixel_q <= pixel_q + (last_oy ? layer_i[FStepF+:WStepF] : layer_i[FStepY+:WStepY]);
        if (last_oy) frame_q <= frame_q + 8'd1;
      end
    end
  end

  assign y = y_q + ky_off_q;
  assign x = x_q + kx_off_q;
  assign inside_o = y < {1'b0, layer_i[FInH+:WInH]} && x < {1'b0, layer_i[FInW+:WInW]};
  assign addr_o = pixel_q[15:0] + tap_q[15:0];
  assign active_o = active_q;
  assign outer_o = outer_q;
  assign inner_o = inner_q;
endmodule
