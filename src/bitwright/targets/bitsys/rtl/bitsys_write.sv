// SPDX-License-Identifier: Apache-2.0
// A group of eight elements to the byte lanes of the activation memory: bytes, address and enable of every lane and bank.
//
// Latency 4 cycles, one group a cycle: the group, offset and packing, address and turn, rotation. pixel_i: first word of the pixel.
// word_i: elements_i is the word at pixel_i, whole, whatever else is said; group_i is 0. With several PortWords, both halves
// of 16-bit storage are written at once, high_i to the word behind; half_i is 0.
module bitsys_write #(
    parameter bit Planes = 1'b0,
    parameter int unsigned PortWords = 1
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
    input  logic [ 63:0] high_i,
    // Lane l of bank b: k = 8 * b + l, bits 16 * k, 8 * k and k
    output logic [  8*PortWords-1:0] we_o,
    output logic [128*PortWords-1:0] addr_o,
    output logic [ 64*PortWords-1:0] data_o
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
  // The high half, as its group goes.
  logic [191:0] high_q;
  logic [1:0] both_q;
  if (PortWords > 1) begin : g_high
    always_ff @(posedge clk_i) begin
      high_q <= {high_q[127:0], high_i};
      both_q <= {both_q[0], wide_q};
    end
  end else begin : g_halves
    assign {high_q, both_q} = '0;
    logic unused;
    assign unused = ^high_i;
  end
  for (genvar l = 0; l < 8; l++) begin : g_lane
    logic [2:0] index, behind;  // of the lane's byte in the word, in the word behind
    assign index = 3'(l) - turn_q;
    assign behind = index - 3'd1;
    for (genvar b = 0; b < PortWords; b++) begin : g_bank
      logic [7:0] data_q;
      logic [15:0] lane_addr_q;
      logic lane_we_q, own, next;  // whether the word lies in the bank, or the one behind it
      assign own = PortWords == 1 || (addr_q[2:0] & 3'(PortWords - 1)) == 3'(b);
      assign next = PortWords > 1 && both_q[1] && ((addr_q[2:0] + 3'd1) & 3'(PortWords - 1)) == 3'(b);
      // keep: lanes with the same address each have theirs, near their blocks.
      (* keep *)
      always_ff @(posedge clk_i) begin
        if (PortWords == 1) lane_addr_q <= addr_q + (Planes && !whole_q ? {13'd0, index} : 16'd0);
        else lane_addr_q <= addr_q + 16'(next);
      end
      always_ff @(posedge clk_i) begin
        lane_we_q <= we_qq && ((own && {1'b0, index} < count_qq) || next);
        data_q <= next ? high_q[128+8*behind+:8] : bytes_qq[8*index+:8];
      end
      assign we_o[8*b+l] = lane_we_q;
      assign addr_o[16*(8*b+l)+:16] = lane_addr_q;
      assign data_o[8*(8*b+l)+:8] = data_q;
    end
  end
endmodule
