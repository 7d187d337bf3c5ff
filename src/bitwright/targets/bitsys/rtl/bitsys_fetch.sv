// SPDX-License-Identifier: Apache-2.0
// Reads a layer's source: windows into the row buffers (array layer) or groups into the vector accumulator.
//
// Array layer: for each tile of Rows pixels, pixel by pixel, PortWords words a cycle go to row buffer `row`, from word `pos`
// on: those of the layer's pixel, PortWords at a time, or with `near` of as many pixels next to each other; a half of the row buffers is free while half_free_i;
// claim_o takes it with the last word's read, loaded_o comes with its last write. Depthwise: a strip of tiles is walked as
// one wide and high window, whose words come once: `row` is then the column in it, `pos` the place for row buffer 0 in a
// ring of rows; each row of words is claimed and loaded by itself, while one is free. Vector layer: for each pixel, group and tap, one 8-bit half of an
// operand a cycle, or with several PortWords an operand; groups start at least `interval` cycles apart. Words outside the image are marked.
// An address takes two cycles, the memory Read more: what stands at the outputs comes with its answer. Of the fields of
// layer_i and the bases, all must be there a cycle before start_i.
module bitsys_fetch #(
    parameter int unsigned Rows   = 8,
    parameter bit          Planes = 1'b0,
    parameter int unsigned PortWords = 1
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
    input  logic             one_free_i,
    input  logic             two_free_i,
    output logic             row_we_o,
    output logic             row_half_o,
    output logic [      7:0] row_o,
    output logic [     10:0] row_pos_o,
    output logic [      3:0] row_plane_o,
    output logic [PortWords-1:0] row_inside_o,
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
  localparam int unsigned Read = 5;
  localparam int unsigned Stages = 2 + Read;
  logic vector, depthwise, active, next, first, last, last_inner, row_end, last_outer, pixel_end, last_pixel;
  logic [PortWords-1:0] in_image;
  logic [15:0] addr;
  logic [11:0] outer, outer_count;
  logic [9:0] inner, inner_count, vector_items;
  logic add, wide_a, wide_b;
  assign vector = layer_i[FVector];
  assign depthwise = !Planes && layer_i[FDepthwise];
  assign add = layer_i[FAdd];
  // Operands whose halves come one after the other: where only one word is read at once.
  assign wide_a = PortWords == 1 && layer_i[FWideA];
  assign wide_b = PortWords == 1 && layer_i[FWideB];
  assign vector_items = 10'd1 + 10'(wide_a) + (add ? 10'd1 + 10'(wide_b) : 10'd0);
  assign inner_count = vector ? vector_items : layer_i[FInner+:WInner];
  assign outer_count = vector ? layer_i[FGroups+:WGroups] : 12'd1;

  bitsys_window #(
      .PortWords(PortWords)
  ) u_window (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .start_i(start_i),
      .layer_i(layer_i),
      .base_i(base_a_i),
      .outer_i(outer_count),
      .inner_i(inner_count),
      .near_i(layer_i[FNear]),
      .next_i(next),
      .active_o(active),
      .addr_o(addr),
      .inside_o(in_image),
      .outer_o(outer),
      .inner_o(inner),
      .first_o(first),
      .last_inner_o(last_inner),
      .row_end_o(row_end),
      .last_o(last),
      .pixel_end_o(pixel_end),
      .last_outer_o(last_outer),
      .last_pixel_o(last_pixel)
  );

  // Issue, decided a cycle ahead: a free half of the row buffers, or the time of the next group.
  logic [9:0] wait_q, wait_start_q;
  logic half_q, depthwise_q, next_q, wait_end_q, wait_end, one_wait_q, tile_end, part_end, going, free;
  assign next = next_q;
  assign going = active && !(next && pixel_end && last_pixel);
  assign free = vector || (depthwise_q ? (next && row_end ? two_free_i : one_free_i) : half_free_i[half_q^(next && tile_end)]);
  assign wait_end = next && first && vector ? one_wait_q : wait_end_q || wait_q == 10'd1;
  always_ff @(posedge clk_i) begin
    depthwise_q <= depthwise;
    next_q <= !rst_i && (start_i || (going && free && (wait_end || !(next ? last : first))));
    wait_start_q <= layer_i[FInterval+:WInterval] - 10'd1;
    one_wait_q <= layer_i[FInterval+:WInterval] == 10'd1;
    wait_end_q <= start_i || wait_end;
    if (next && first) wait_q <= wait_start_q;
    else wait_q <= wait_q - 10'd1;
  end

  // Tiles of Rows pixels.
  localparam int unsigned RowBits = $clog2(Rows);
  logic [RowBits-1:0] count_q;
  logic last_row_q;
  assign tile_end = pixel_end && (last_row_q || last_pixel);
  assign part_end = depthwise_q ? row_end : tile_end;
  always_ff @(posedge clk_i) begin
    if (start_i) begin
      count_q <= '0;
      last_row_q <= 1'b0;
      half_q <= 1'b0;
    end else if (next && pixel_end) begin
      count_q <= last_row_q ? '0 : count_q + 1'b1;
      last_row_q <= count_q == RowBits'(Rows - 2);
      half_q <= half_q ^ tile_end;
    end
  end

  // Second operand of an addition: its pixels follow each other. Vector items: a, its high half, b, its high half.
  logic [15:0] base_b_q, pixel_b_q, offset;
  logic [2:0] offset_byte;
  logic [1:0] item, after_a;
  logic next_b, is_b_q, half_item_q, wide_q;
  logic [3:0] stored_q;
  assign after_a = 2'd1 + 2'(wide_a);
  assign item = start_i || last_inner ? 2'd0 : inner[1:0] + 2'd1;
  assign next_b = vector && item >= after_a;
  always_ff @(posedge clk_i) begin
    base_b_q <= base_b_i;
    if (start_i || next) begin
      is_b_q <= next_b;
      half_item_q <= next_b ? item != after_a : item[0];
      stored_q <= next_b ? layer_i[FStoredB+:WStoredB] : layer_i[FStoredA+:WStoredA];
      wide_q <= next_b ? layer_i[FWideB] : layer_i[FWideA];
    end
    if (start_i) pixel_b_q <= base_b_q;
    else if (next && pixel_end) pixel_b_q <= pixel_b_q + layer_i[FSrcbPitch+:WSrcbPitch];
  end
  bitsys_group_offset #(
      .Planes(Planes)
  ) u_offset (
      .group_i(outer),
      .stored_i(stored_q),
      .wide_i(wide_q),
      .half_i(half_item_q),
      .word_o(offset),
      .byte_o(offset_byte)
  );

  // Address: first word of the pixel and the offset in it, then their sum.
  logic [15:0] pixel_1_q, offset_1_q;
  logic [2:0] byte_1_q;
  always_ff @(posedge clk_i) begin
    pixel_1_q <= is_b_q ? pixel_b_q : addr;
    offset_1_q <= vector ? offset : 16'(inner) << $clog2(PortWords);
    byte_1_q <= vector ? offset_byte : 3'd0;
    read_addr_o <= pixel_1_q + offset_1_q;
    read_byte_o <= byte_1_q;
  end
  assign read_group_o = vector;

  // Tags travel with the read; inside joins them behind two stages.
  localparam int unsigned TagBits = 9;
  logic [TagBits-1:0] tag_q[Stages];
  logic [Stages-1:0] valid_q;
  logic [Read*PortWords-1:0] inside_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= '0;
    else valid_q <= {valid_q[Stages-2:0], next};
    tag_q[0] <= {
      depthwise_q ? last_inner : pixel_end,
      depthwise_q && row_end,
      !depthwise_q && pixel_end,
      part_end,
      first,
      last,
      is_b_q,
      half_item_q,
      last_outer
    };
    for (int k = 1; k < Stages; k++) tag_q[k] <= tag_q[k-1];
    inside_q <= (Read * PortWords)'({inside_q, in_image});
  end
  logic row_next_r, row_end_r, pixel_end_r, part_end_r, valid;
  assign valid = valid_q[Stages-1];
  assign {
    row_next_r, row_end_r, pixel_end_r, part_end_r, item_first_o, item_last_o, item_b_o, item_half_o, item_pixel_last_o
  } = tag_q[Stages-1];
  assign row_inside_o = inside_q[(Read-1)*PortWords+:PortWords];
  assign item_inside_o = inside_q[(Read-1)*PortWords];

  // What comes: its position in the row buffers, or its group.
  logic [7:0] row_q;
  logic [10:0] pos_q, back_q;
  logic [5:0] place_q, place_end_q;
  logic last_place_q;
  logic [3:0] plane_q;
  logic row_half_q;
  logic [11:0] group_q;
  always_ff @(posedge clk_i) begin
    if (start_i) begin
      row_q <= 8'd0;
      pos_q <= 11'd0;
      place_q <= 6'd0;
      last_place_q <= layer_i[FRingRows+:WRingRows] == 6'd1;
      plane_q <= 4'd0;
      row_half_q <= 1'b0;
      group_q <= 12'd0;
    end else if (valid) begin
      pos_q <= pixel_end_r || (row_end_r && last_place_q) ? 11'd0 : pos_q + (row_end_r ? back_q : 11'(PortWords));
      if (row_end_r) begin
        place_q <= last_place_q ? 6'd0 : place_q + 6'd1;
        last_place_q <= last_place_q ? layer_i[FRingRows+:WRingRows] == 6'd1 : place_q == place_end_q;
      end
      plane_q <= plane_q + 4'd1 == layer_i[FStoredA+:WStoredA] ? 4'd0 : plane_q + 4'd1;
      if (part_end_r) row_q <= 8'd0;
      else if (row_next_r) row_q <= row_q + 8'd1;
      row_half_q <= row_half_q ^ part_end_r;
      if (item_last_o) group_q <= item_pixel_last_o ? 12'd0 : group_q + 12'd1;
    end
  end
  // Behind a row of words: the next place of the ring.
  always_ff @(posedge clk_i) begin
    back_q <= 11'(PortWords) - layer_i[FRowBack+:WRowBack];
    place_end_q <= layer_i[FRingRows+:WRingRows] - 6'd2;
  end
  assign row_o = row_q;
  assign row_pos_o = pos_q;
  assign row_plane_o = plane_q;
  assign row_half_o = row_half_q;
  assign row_last_o = pixel_end_r;
  assign item_group_o = group_q;
  assign row_we_o = valid && !vector;
  assign loaded_o = row_we_o && part_end_r;
  assign item_valid_o = valid && vector;
  assign claim_o = next && part_end && !vector;
  assign busy_o = active || valid_q != '0;
endmodule
