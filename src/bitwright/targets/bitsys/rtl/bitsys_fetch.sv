// SPDX-License-Identifier: Apache-2.0
// Reads a layer's source: windows into the row buffers (array layer) or groups into the vector accumulator.
//
// Array layer: for each tile of Rows pixels, pixel by pixel, one word a cycle goes to row buffer `row`, word `pos`; a
// half of the row buffers is free while half_free_i;
// claim_o takes it with the last word's read, loaded_o comes with its last write. Vector layer: for each pixel, group and tap, one 8-bit half of an
// operand a cycle; groups start at least `interval` cycles apart. Words outside the image are marked.
// The memory answers Read cycles after the address; the tags at the outputs are delayed as much.
module bitsys_fetch #(
    parameter int unsigned Rows   = 8,
    parameter bit          Planes = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             start_i,
    input  logic [32*28-1:0] layer_i,
    input  logic [     15:0] base_a_i,
    input  logic [     15:0] base_b_i,
    output logic             busy_o,
    output logic             read_group_o,
    output logic [     15:0] read_addr_o,
    output logic [      2:0] read_byte_o,
    // Array layer
    input  logic [      1:0] half_free_i,
    output logic             row_we_o,
    output logic             row_half_o,
    output logic [      7:0] row_o,
    output logic [      9:0] row_pos_o,
    output logic [      3:0] row_plane_o,
    output logic             row_inside_o,
    output logic             row_last_o,
    output logic             claim_o,
    output logic             loaded_o,
    // Vector layer
    output logic             item_valid_o,
    output logic             item_inside_o,
    output logic             item_first_o,
    output logic             item_last_o,
    output logic             item_b_o,
    output logic             item_half_o,
    output logic [     11:0] item_group_o,
    output logic             item_pixel_last_o
);
  `include "bitsys_registers.svh"
  logic vector, active, next, in_image, first_tap, last_tap, last_inner, last_outer, last_pixel;
  logic [15:0] addr;
  logic [11:0] outer, outer_count;
  logic [9:0] inner, inner_count, vector_items;
  logic add, wide_a, wide_b, is_b, half;
  assign vector = layer_i[FVector];
  assign add = layer_i[FAdd];
  assign wide_a = layer_i[FWideA];
  assign wide_b = layer_i[FWideB];
  assign vector_items = 10'd1 + 10'(wide_a) + (add ? 10'd1 + 10'(wide_b) : 10'd0);
  assign inner_count = vector ? vector_items : layer_i[FInner+:WInner];
  assign outer_count = vector ? layer_i[FGroups+:WGroups] : 12'd1;

  bitsys_window u_window (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .start_i(start_i),
      .layer_i(layer_i),
      .base_i(base_a_i),
      .outer_i(outer_count),
      .inner_i(inner_count),
      .next_i(next),
      .active_o(active),
      .addr_o(addr),
      .inside_o(in_image),
      .outer_o(outer),
      .inner_o(inner),
      .first_tap_o(first_tap),
      .last_tap_o(last_tap),
      .last_inner_o(last_inner),
      .last_outer_o(last_outer),
      .last_pixel_o(last_pixel)
  );

  // Issue: a free half of the row buffers, or the time of the next group.
  logic group_first, pixel_end;
  logic [9:0] wait_q;
  logic half_q;
  assign group_first = first_tap && inner == 10'd0;
  assign pixel_end = last_tap && last_inner && last_outer;
  assign next = active && (vector ? !group_first || wait_q == 10'd0 : half_free_i[half_q]);
  always_ff @(posedge clk_i) begin
    if (start_i) wait_q <= 10'd0;
    else if (next && vector && group_first) wait_q <= layer_i[FInterval+:WInterval] - 10'd1;
    else if (wait_q != 10'd0) wait_q <= wait_q - 10'd1;
  end

  // Position in the row buffers.
  logic [7:0] row_q;
  logic [9:0] pos_q;
  logic [3:0] plane_q;
  logic tile_end;
  assign tile_end = pixel_end && (row_q == 8'(Rows - 1) || last_pixel);
  always_ff @(posedge clk_i) begin
    if (start_i) begin
      row_q <= 8'd0;
      pos_q <= 10'd0;
      plane_q <= 4'd0;
      half_q <= 1'b0;
    end else if (next) begin
      pos_q <= pixel_end ? 10'd0 : pos_q + 10'd1;
      plane_q <= plane_q + 4'd1 == layer_i[FStoredA+:WStoredA] ? 4'd0 : plane_q + 4'd1;
      if (pixel_end) row_q <= tile_end ? 8'd0 : row_q + 8'd1;
      if (tile_end) half_q <= !half_q;
    end
  end

  // Second operand of an addition: its pixels follow each other.
  logic [15:0] pixel_b_q, offset;
  assign is_b = inner > 10'(wide_a);
  assign half = is_b ? inner == 10'd2 + 10'(wide_a) : inner == 10'd1;
  always_ff @(posedge clk_i) begin
    if (start_i) pixel_b_q <= base_b_i;
    else if (next && pixel_end) pixel_b_q <= pixel_b_q + layer_i[FSrcbPitch+:WSrcbPitch];
  end
  logic [2:0] offset_byte;
  bitsys_group_offset #(
      .Planes(Planes)
  ) u_offset (
      .group_i(outer),
      .stored_i(is_b ? layer_i[FStoredB+:WStoredB] : layer_i[FStoredA+:WStoredA]),
      .wide_i(is_b ? wide_b : wide_a),
      .half_i(half),
      .word_o(offset),
      .byte_o(offset_byte)
  );
  assign read_group_o = vector;
  assign read_addr_o = vector ? (is_b ? pixel_b_q : addr) + offset : addr + 16'(inner);
  assign read_byte_o = vector ? offset_byte : 3'd0;

  // Tags travel with the read.
  localparam int unsigned TagBits = 44;
  localparam int unsigned Read = 4;
  logic [TagBits-1:0] tag, tag_q[Read];
  logic [Read-1:0] valid_q;
  assign tag = {
    half_q, row_q, pos_q, plane_q, in_image, pixel_end, tile_end, group_first, last_tap && last_inner, is_b, half, outer,
    last_outer, vector
  };
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= '0;
    else valid_q <= {valid_q[Read-2:0], next};
  end
  always_ff @(posedge clk_i) begin
    tag_q[0] <= tag;
    for (int k = 1; k < Read; k++) tag_q[k] <= tag_q[k-1];
  end
  logic vector_r, last_outer_r, tile_end_r, pixel_end_r;
  assign {row_half_o, row_o, row_pos_o, row_plane_o, row_inside_o, pixel_end_r, tile_end_r, item_first_o, item_last_o,
          item_b_o, item_half_o, item_group_o, last_outer_r, vector_r} = tag_q[Read-1];
  assign item_inside_o = row_inside_o;
  assign item_pixel_last_o = last_outer_r;
  assign row_last_o = pixel_end_r;
  assign row_we_o = valid_q[Read-1] && !vector_r;
  assign loaded_o = row_we_o && tile_end_r;
  assign item_valid_o = valid_q[Read-1] && vector_r;
  assign claim_o = next && tile_end && !vector;
  assign busy_o = active || valid_q != '0;
endmodule
