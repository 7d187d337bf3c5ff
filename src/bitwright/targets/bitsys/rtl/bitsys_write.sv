// SPDX-License-Identifier: Apache-2.0
// A group of eight elements to the byte lanes of the activation memory: bytes, address and enable of every lane.
//
// Latency 4 cycles, one group a cycle: the group, offset and packing, address and turn, rotation. pixel_i: first word of the pixel.
// word_i: elements_i is the word at pixel_i, whole, whatever else is said; group_i is 0.
module bitsys_write #(
    parameter bit Planes = 1'b0
) (
    input  logic         clk_i,
    input  logic         we_i,
    input  logic [ 15:0] pixel_i,
    input  logic [ 11:0] group_i,
    input  logic [  3:0] stored_i,
    input  logic         wide_i,
    input  logic         half_i,
    input  logic         word_i,
    input  logic [ 63:0] elements_i,
    // Lane l: bits 16 * l, 8 * l and l
    output logic [  7:0] we_o,
    output logic [127:0] addr_o,
    output logic [ 63:0] data_o
);
  // The group
  logic in_we_q, wide_q, half_q, in_word_q, word_whole_q, whole_q;
  logic [15:0] in_pixel_q;
  logic [11:0] group_q;
  logic [3:0] stored_q;
  logic [63:0] elements_q;
  always_ff @(posedge clk_i) begin
    in_we_q <= we_i;
    {in_pixel_q, group_q, stored_q, wide_q, half_q} <= {pixel_i, group_i, stored_i, wide_i, half_i};
    elements_q <= elements_i;
    in_word_q <= Planes && word_i;
  end

  logic [15:0] word, word_q, pixel_q, addr, addr_q;
  logic [2:0] first, first_q, turn_q;
  logic [63:0] packed_bytes, bytes_q, bytes_qq;
  logic [3:0] count, count_q, count_qq;
  logic we_q, we_qq;
  bitsys_group_offset #(
      .Planes(Planes)
  ) u_offset (
      .group_i(group_q),
      .stored_i(stored_q),
      .wide_i(wide_q),
      .half_i(half_q),
      .word_o(word),
      .byte_o(first)
  );
  bitsys_pack #(
      .Planes(Planes)
  ) u_pack (
      .elements_i(elements_q),
      .stored_i(stored_q),
      .wide_i(wide_q),
      .bytes_o(packed_bytes),
      .count_o(count)
  );
  assign addr = pixel_q + word_q;
  always_ff @(posedge clk_i) begin
    we_q <= in_we_q;
    pixel_q <= in_pixel_q;
    word_q <= word;
    first_q <= first;
    bytes_q <= in_word_q ? elements_q : packed_bytes;
    count_q <= in_word_q ? 4'd8 : count;
    word_whole_q <= in_word_q;
    whole_q <= word_whole_q;
    we_qq <= we_q;
    addr_q <= addr;
    turn_q <= first_q + addr[2:0];
    bytes_qq <= bytes_q;
    count_qq <= count_q;
  end
  for (genvar l = 0; l < 8; l++) begin : g_lane
    logic [2:0] index;
    logic [7:0] data_q;
    logic [15:0] lane_addr_q;
    logic lane_we_q;
    assign index = 3'(l) - turn_q;
    // keep: lanes with the same address each have theirs, near their blocks.
    (* keep *)
    always_ff @(posedge clk_i) lane_addr_q <= addr_q + (Planes && !whole_q ? {13'd0, index} : 16'd0);
    always_ff @(posedge clk_i) begin
      lane_we_q <= we_qq && {1'b0, index} < count_qq;
      data_q <= bytes_qq[8*index+:8];
    end
    assign we_o[l] = lane_we_q;
    assign addr_o[16*l+:16] = lane_addr_q;
    assign data_o[8*l+:8] = data_q;
  end
endmodule
