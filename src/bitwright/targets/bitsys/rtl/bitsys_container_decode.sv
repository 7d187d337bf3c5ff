// SPDX-License-Identifier: Apache-2.0
// Control of the container unit from the mode and the signs, shared by a whole array.
//
//   mode_i 0: eight 1-bit channels (bipolar, 1 is +1), 1: four of 2 bits, 2: two of 4 bits, 3: one of 8 bits;
//   signed_a_i, signed_b_i: the operands are in two's complement (no effect in mode 0)
//
// operand_o goes with the operands (combinational): masks that clear registers, {1-bit mode, less than 4 bits, not 8
// bits} in bits 2..0, all low while en_i is low; en_i = !busy_i || ready_i, from whose parts the masks are made in one
// step; the signs {signed_b, signed_a} in bits 4 and 3.
// invert_o comes one cycle later, constant_o two. Bits 0..13 of invert_o are the Baugh-Wooley inversions of the
// partial products, see bitsys_container_cells.svh; the inversion of a masked product adds a constant of its weight:
// product (2, 7) adds 2^9 in modes 0 and 1, (4, 5) adds 2^9 in modes 1 and 2; bit 14 adds 2^8, bit 13 also adds 2^7.
// constant_o holds bits 10, 11, 12..14 and 15 of the constant. With n bits a channel all constants add up to
//   (8/n)(2^8 - 2^(7+n)) both signed, (8/n)(2^7 - 2^(7+n)) one signed, -2^9 in mode 0.
// Single conditions are sets and resets of the registers; the other functions share LUT pairs.
module bitsys_container_decode (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic        busy_i,
    input  logic        ready_i,
    input  logic [ 1:0] mode_i,
    input  logic        signed_a_i,
    input  logic        signed_b_i,
    output logic [ 4:0] operand_o,
    output logic [14:0] invert_o,
    output logic [ 3:0] constant_o
);
  // All functions of {sb, sa, mode}.
  function automatic logic [15:4] decode(input logic [3:0] x);
    logic sa, sb, one, both, any, m2, m4, m8;
    sb = x[3];
    sa = x[2];
    one = sa ^ sb;
    both = sa & sb;
    any = sa | sb;
    m2 = x[1:0] == 2'd1;
    m4 = x[1:0] == 2'd2;
    m8 = x[1:0] == 2'd3;
    decode = {
      any,
      any & ~m8,
      any & m2,
      m8 & both | m4 & one,
      one,
      m8 & sb | m4 & one,
      m8 & sa | m4 & one,
      m4 & both | m2 & sb,
      m4 & sb | m2 & one,
      m4 & sa | m2 & one,
      (m8 | m4) & sb | m2 & one,
      (m8 | m4) & sa | m2 & one
    };
  endfunction

  function automatic logic [63:0] table_pair(input int unsigned k);
    logic [15:0] word;
    table_pair = 64'd0;
    for (int unsigned v = 0; v < 32; v++) begin
      word = {decode(v[3:0]), 4'd0};
      table_pair[v] = word[2*k];
      table_pair[32+v] = word[2*k+1];
    end
  endfunction

  logic [15:4] word;
  for (genvar k = 2; k < 8; k++) begin : g_pair
    lut6_2 #(
        .Init(table_pair(k))
    ) u_lut (
        .addr_i({2'b10, signed_b_i, signed_a_i, mode_i}),
        .o6_o  (word[2*k+1]),
        .o5_o  (word[2*k])
    );
  end
  logic not8, not84, only1, not4;
  bitsys_masks u_masks (
      .busy_i (busy_i),
      .ready_i(ready_i),
      .mode_i (mode_i),
      .masks_o({not4, only1, not84, not8})
  );
  assign operand_o = {signed_b_i, signed_a_i, only1, not84, not8};

  logic a8_q, b8_q, one8_q, b84_q, a4_q, b4_q, a842_q, any_q, any42_q, any2_q, only1_q;
  logic i17_q, i71_q, i53_q, i35_q, i45_q, i37_q, i73_q, c8_q;
  logic [3:0] constant_q;
  always_ff @(posedge clk_i) begin
    if (not8) {a8_q, b8_q, one8_q} <= 3'd0;
    else if (en_i) {a8_q, b8_q, one8_q} <= {signed_a_i, signed_b_i, word[11]};
    if (not84) b84_q <= 1'b0;
    else if (en_i) b84_q <= signed_b_i;
    if (not4) {a4_q, b4_q} <= 2'd0;
    else if (en_i) {a4_q, b4_q} <= {signed_a_i, signed_b_i};
    if (only1) {a842_q, any_q, any42_q, any2_q} <= 4'hF;
    else if (en_i) {a842_q, any_q, any42_q, any2_q} <= {signed_a_i, word[15:13]};
    if (en_i) begin
      only1_q <= only1;
      {i17_q, i71_q, i53_q, i35_q, i45_q, i37_q, i73_q, c8_q} <= {word[4], word[5], word[6], word[7], word[8],
        word[9], word[10], word[12]};
      constant_q <= {any_q, any42_q, any2_q, only1_q};
    end
  end
  assign invert_o = {
    c8_q, one8_q, b8_q, i73_q, b84_q, a4_q, i71_q, a8_q, i45_q, i53_q, i37_q, b4_q, i35_q, a842_q, i17_q
  };
  assign constant_o = constant_q;
endmodule
