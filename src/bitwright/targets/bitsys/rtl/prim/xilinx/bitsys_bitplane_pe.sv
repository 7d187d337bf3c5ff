// SPDX-License-Identifier: Apache-2.0
// Element of the bit-plane array: acc <= (first ? 0 : shift ? 2 * acc : acc) +- popcount(a & b). Xilinx version.
//
// Operands are bit planes of 64 channels; taking the pairs of planes by falling weight, shift with each step down,
// and negate where one plane of the two is a sign plane gives the dot product of any two widths.
// Latency 7 cycles from the operands to acc_o, II 1: negate_i comes five cycles after a_i and b_i; valid_i, first_i,
// shift_i and negate_acc_i (negate_i again) six. a_o and b_o are the operands one cycle later. en_i low: all holds.
// Three products share two LUTs, the last enters a counter; 6:3 counters of two LUTs on a carry chain, the complement
// inside the ternary adder, one LUT a bit of the accumulator: 42 + 14 + 6 + 4 + 6 + 32 LUTs.
// Python: units.bitplane.
module bitsys_bitplane_pe (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [63:0] a_i,
    input  logic [63:0] b_i,
    input  logic        negate_i,
    input  logic        negate_acc_i,
    input  logic        valid_i,
    input  logic        first_i,
    input  logic        shift_i,
    output logic [63:0] a_o,
    output logic [63:0] b_o,
    output logic [31:0] acc_o
);
  `include "bitsys_lut.svh"
  localparam logic [63:0] Sum3 = (I0 & I3) ^ (I1 & I4) ^ (I2 & I5);
  localparam logic [63:0] Carry3 = (I0 & I3 & I1 & I4) | (I0 & I3 & I2 & I5) | (I1 & I4 & I2 & I5);
  localparam logic [63:0] FullAdder = pair(I0 ^ I1 ^ I2, (I0 & I1) | (I0 & I2) | (I1 & I2));

  // Stage 1: operands. Stage 2: products in threes, weights 1 and 2 (21 bits each).
  logic [63:0] a_q, b_q;
  logic [20:0] p1, p1_q, p2, p2_q;
  assign a_o = a_q;
  assign b_o = b_q;
  for (genvar t = 0; t < 21; t++) begin : g_products
    lut6_2 #(
        .Init(Sum3)
    ) u_sum (
        .addr_i({b_q[3*t+:3], a_q[3*t+:3]}),
        .o6_o  (p1[t]),
        .o5_o  ()
    );
    lut6_2 #(
        .Init(Carry3)
    ) u_carry (
        .addr_i({b_q[3*t+:3], a_q[3*t+:3]}),
        .o6_o  (p2[t]),
        .o5_o  ()
    );
  end

  // Stage 3: weights 1 (4 bits), 2 (8), 4 (7), 8 (3).
  logic [3:0] q1, q1_q;
  logic [7:0] q2, q2_q;
  logic [6:0] q4, q4_q;
  logic [2:0] q8, q8_q;
  for (genvar k = 0; k < 3; k++) begin : g_count
    bitsys_count6 u_ones (.x_i(p1_q[6*k+:6]), .count_o({q4[k], q2[k], q1[k]}));
    bitsys_count6 u_twos (.x_i(p2_q[6*k+:6]), .count_o({q8[k], q4[3+k], q2[3+k]}));
  end
  lut6_2 #(.Init(FullAdder)) u_ones (.addr_i({3'b100, p1_q[20:18]}), .o6_o(q1[3]), .o5_o(q2[6]));
  lut6_2 #(.Init(FullAdder)) u_twos (.addr_i({3'b100, p2_q[20:18]}), .o6_o(q2[7]), .o5_o(q4[6]));

  // Stage 4: weights 1 (1 bit), 2 (4), 4 (4), 8 (5), 16 (1). The operands of the last product have waited for it.
  logic [1:0] last_q, last_qq;
  logic r1, r1_q, r16, r16_q;
  logic [3:0] r2, r2_q, r4, r4_q;
  logic [4:0] r8, r8_q;
  bitsys_count6 #(
      .Product(1'b1)
  ) u_r1 (
      .x_i({last_qq[1], last_qq[0], q1_q}),
      .count_o({r4[0], r2[0], r1})
  );
  bitsys_count6 u_r2 (.x_i(q2_q[5:0]), .count_o({r8[0], r4[1], r2[1]}));
  bitsys_count6 u_r4 (.x_i(q4_q[5:0]), .count_o({r16, r8[1], r4[2]}));
  assign r2[3:2] = q2_q[7:6];
  assign r4[3] = q4_q[6];
  assign r8[4:2] = q8_q;

  // Stage 5: at most three bits of a weight.
  logic s1_q, s32, s32_q;
  logic [1:0] s2, s2_q, s8, s8_q, s16, s16_q;
  logic [2:0] s4, s4_q;
  lut6_2 #(.Init(FullAdder)) u_s2 (.addr_i({3'b100, r2_q[2:0]}), .o6_o(s2[0]), .o5_o(s4[0]));
  lut6_2 #(.Init(FullAdder)) u_s4 (.addr_i({3'b100, r4_q[2:0]}), .o6_o(s4[1]), .o5_o(s8[0]));
  bitsys_count6 u_s8 (.x_i({1'b0, r8_q}), .count_o({s32, s16[0], s8[1]}));
  assign s2[1] = r2_q[3];
  assign s4[2] = r4_q[3];
  assign s16[1] = r16_q;

  // Stage 6: ternary adder x + y + 4 * z modulo 128. Complemented (n) it is
  //   -x - y - 4 * z - 1 = ~x + ~y + 124 * z + 34 (mod 128)  over the bits that x and y have; z = s4_q[2],
  // where 34 stands in the free bits y[5] and z[1], and 124 * z in z[6:2]. Bit 0 is complemented in the accumulator.
  localparam logic [63:0] X = I0 ^ I4;
  localparam logic [63:0] Y = I1 ^ I4;
  localparam logic [63:0] N = I4;
  logic [6:0] term, term_q, pop_s;
  logic [7:0] pop_c;
  logic [5:0] x, y;
  assign x = {s32_q, s16_q[0], s8_q[0], s4_q[0], s2_q[0], s1_q};
  assign y = {1'b0, s16_q[1], s8_q[1], s4_q[1], s2_q[1], 1'b0};
  assign pop_c[1:0] = 2'd0;
  assign pop_s[0] = x[0];
  for (genvar i = 1; i < 7; i++) begin : g_pop
    localparam logic [63:0] A = i == 6 ? '0 : X;
    localparam logic [63:0] B = i == 6 ? '0 : Y;
    localparam logic [63:0] C = i == 1 ? N : i == 2 ? I2 : I2 & N;
    lut6_2 #(
        .Init(pair(A ^ B ^ C ^ I3, (A & B) | (A & C) | (B & C)))
    ) u_lut (
        .addr_i({1'b1, negate_i, pop_c[i], s4_q[2], i < 6 ? y[i%6] : 1'b0, i < 6 ? x[i%6] : 1'b0}),
        .o6_o  (pop_s[i]),
        .o5_o  (pop_c[i+1])
    );
  end
  carry_chain #(.Width(7)) u_pop (.ci_i(1'b0), .s_i(pop_s), .di_i(pop_c[6:0]), .o_o(term));

  // Stage 7: accumulator; bit 0 has no neighbor below it, and takes the complement's signal there.
  logic [31:0] acc_q, acc_s, acc_di, acc_d;
  for (genvar i = 0; i < 32; i++) begin : g_acc
    localparam logic [63:0] Base = ((I2 & (i > 0 ? I1 : '0)) | (~I2 & I0)) & ~I3;
    lut6_2 #(
        .Init(pair(Base ^ I4 ^ (i > 0 ? '0 : I1), Base))
    ) u_lut (
        .addr_i({1'b1, i < 7 ? term_q[i%7] : negate_acc_i, first_i, shift_i, i > 0 ? acc_q[(i+31)%32] : negate_acc_i,
                 acc_q[i]}),
        .o6_o  (acc_s[i]),
        .o5_o  (acc_di[i])
    );
  end
  carry_chain #(.Width(32)) u_acc (.ci_i(negate_acc_i), .s_i(acc_s), .di_i(acc_di), .o_o(acc_d));
  assign acc_o = acc_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      a_q <= a_i;
      b_q <= b_i;
      {p1_q, p2_q} <= {p1, p2};
      {q1_q, q2_q, q4_q, q8_q} <= {q1, q2, q4, q8};
      {r1_q, r2_q, r4_q, r8_q, r16_q} <= {r1, r2, r4, r8, r16};
      term_q <= term;
      if (valid_i) acc_q <= acc_d;
    end
  end
  // keep: no shift registers in LUTs for the bits that a stage only passes on.
  (* keep *)
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      {last_qq, last_q} <= {last_q, b_q[63], a_q[63]};
      {s1_q, s2_q, s4_q, s8_q, s16_q, s32_q} <= {r1_q, s2, s4, s8, s16, s32};
    end
  end
endmodule
