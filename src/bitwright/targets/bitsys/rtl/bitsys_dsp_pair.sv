// SPDX-License-Identifier: Apache-2.0
// Two 8-bit multiply-accumulates whose operands a share an operand b, in one multiplier of 25 x 18 bits.
//
// a_i packs two operands x1, x0 of 9 bits in two's complement: {x1 - (x0 < 0), x0}. With the sign of x0 spread over the
// bits between they are x1 * 2^16 + x0, and so P = x1 * b * 2^16 + x0 * b. |x0 * b| < 2^15, or x0 * b < 2^16 where neither
// is signed (plain_i, with the product): its sign is bit 15 of P, and what it borrows from x1 * b comes back as the carry of
// its accumulator.
// b_i comes a cycle before a_i; plain_i, and bit 0 of valid_i and of first_i, 3 cycles behind a_i; bits 1 a cycle later. The
// low half of acc_o holds the sum of x0 * b 4 cycles behind a_i, the high half that of x1 * b 5. a_o is a_i a cycle
// later, b_o is b_i two cycles later. Initiation interval 1.
module bitsys_dsp_pair (
    input  logic        clk_i,
    input  logic [17:0] a_i,
    input  logic [ 8:0] b_i,
    input  logic        plain_i,
    input  logic [ 1:0] valid_i,
    input  logic [ 1:0] first_i,
    output logic [17:0] a_o,
    output logic [ 8:0] b_o,
    output logic [63:0] acc_o
);
  localparam int unsigned Shift = 16;
  logic [17:0] a_q;
  logic signed [8:0] b_q, b_qq;
  logic signed [24:0] operand;
  logic signed [33:0] product_q, product_qq;
  logic signed [17:0] high_q;
  logic negative, borrow_q;
  logic [31:0] low, high, kept0, kept1, sum0, sum1, acc0_q, acc1_q;
  assign operand = {a_q[17:9], {7{a_q[8]}}, a_q[8:0]};
  assign negative = product_qq[Shift-1] && !plain_i;
  assign low = {{Shift{negative}}, product_qq[Shift-1:0]};
  assign high = 32'(high_q);
  assign kept0 = first_i[0] ? 32'd0 : acc0_q;
  assign kept1 = first_i[1] ? 32'd0 : acc1_q;
  carry_chain #(
      .Width(32)
  ) u_sum0 (
      .ci_i(1'b0),
      .s_i (low ^ kept0),
      .di_i(low),
      .o_o (sum0)
  );
  carry_chain #(
      .Width(32)
  ) u_sum1 (
      .ci_i(borrow_q),
      .s_i (high ^ kept1),
      .di_i(high),
      .o_o (sum1)
  );
  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
    b_qq <= b_q;
    product_q <= operand * b_qq;
    product_qq <= product_q;
    high_q <= product_qq[33:Shift];
    borrow_q <= negative;
    if (valid_i[0]) acc0_q <= sum0;
    if (valid_i[1]) acc1_q <= sum1;
  end
  assign a_o = a_q;
  assign b_o = b_qq;
  assign acc_o = {acc1_q, acc0_q};
endmodule
