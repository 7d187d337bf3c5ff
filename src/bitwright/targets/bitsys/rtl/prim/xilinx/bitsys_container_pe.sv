// SPDX-License-Identifier: Apache-2.0
// Element of the container array: acc <= (first ? 0 : acc) + scale * sum over channels of a * b. Xilinx version.
//
// Eight-bit containers of 8/n channels, n = 1, 2, 4 or 8 bits (bitsys_container_decode); the channels of b are in
// reversed order, so that all channel products have weight 2^(8-n) and one adder tree sums them:
// scale = 2^0, 2^4, 2^6, 2^6 for n = 8, 4, 2, 1 (a 1-bit product counts +1 or -1).
// Latency 5 cycles from the operands to acc_o, II 1: operand_i comes with a_i and b_i, invert_i one cycle later,
// constant_i two, valid_i and first_i four. a_o and b_o are the operands one cycle later. en_i low: all holds,
// provided that the masks operand_i[2:0] are low too.
// Two rows of partial products share the LUT pairs of one carry chain: 8 + 36 + 13 + 32 LUTs. Python: units.container.
module bitsys_container_pe (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [ 7:0] a_i,
    input  logic [ 7:0] b_i,
    input  logic [ 4:0] operand_i,
    input  logic [14:0] invert_i,
    input  logic [ 3:0] constant_i,
    input  logic        valid_i,
    input  logic        first_i,
    output logic [ 7:0] a_o,
    output logic [ 7:0] b_o,
    output logic [31:0] acc_o
);
  `include "bitsys_lut.svh"
  `include "bitsys_container_cells.svh"

  // Stage 1: a, b once for each mask, and the antidiagonal products (XNOR in 1-bit mode).
  logic [7:0] a_q, b1_q, b2_q, b3_q, diagonal, diagonal_q;
  for (genvar j = 0; j < 8; j++) begin : g_diagonal
    localparam int unsigned Mask = diagonal_mask(j);
    lut6_2 #(
        .Init((I2 & ~(I0 ^ I1)) | (~I2 & ((I3 & I4) ^ (I0 & I1))))
    ) u_lut (
        .addr_i({1'b0, Mask == 3 ? 1'b1 : operand_i[Mask], operand_i[3+diagonal_signed_b(j)], operand_i[2], b_i[j],
                 a_i[7-j]}),
        .o6_o  (diagonal[j]),
        .o5_o  ()
    );
  end
  bitsys_container_operands u_operands (
    .clk_i(clk_i), .en_i(en_i), .a_i(a_i), .b_i(b_i), .mask_i(operand_i[2:0]), .diagonal_i(diagonal),
    .a_o(a_q), .b_o(b_o), .b1_o(b1_q), .b2_o(b2_q), .b3_o(b3_q), .diagonal_o(diagonal_q)
  );
  assign a_o = a_q;

  // Stage 2: sum[k] = row 2k + 2 * row 2k+1.
  // Three positions borrow a product: (2, 7) from pair 1 itself, (6, 3) from pair 0, (6, 7) from pair 2.
  logic [9:0] sum_q[4];
  logic [2:0] lent;
  for (genvar k = 0; k < 4; k++) begin : g_row
    logic [9:0] sum;
    logic [2:0] lend;
    logic spare;
    case (k)
      0: assign lend = {invert_i[invert_index(6, 3)], b2_q[6], a_q[3]};
      1: assign lend = {invert_i[invert_index(2, 7)], b2_q[2], a_q[7]};
      2: assign lend = {invert_i[invert_index(6, 7)], b3_q[6], a_q[7]};
      default: assign lend = 3'd0;
    endcase
    if (k < 3) assign lent[k] = spare;
    bitsys_container_rows #(
        .Pair(k)
    ) u_rows (
        .a_i(a_q),
        .b1_i(b1_q),
        .b2_i(b2_q),
        .b3_i(b3_q),
        .diagonal_i(diagonal_q),
        .invert_i(invert_i),
        .lend_i(lend),
        .borrowed_i(k == 1 ? {1'b0, lent[1]} : {lent[2], lent[0]}),
        .lent_o(spare),
        .sum_o(sum)
    );
    always_ff @(posedge clk_i) if (en_i) sum_q[k] <= sum;
  end

  // Stage 3: three rows and the constant, a ternary adder from bit 2 on; row 3 is added with the accumulator.
  logic [15:0] x, y, z, carry, low_s, low, low_q;
  logic [ 9:0] high_q;
  assign x = {constant_i[3], {3{constant_i[2]}}, constant_i[1:0], sum_q[0]};
  assign y = {4'd0, sum_q[1], 2'd0};
  assign z = {2'd0, sum_q[2], 4'd0};
  assign carry[2:0] = 3'd0;
  for (genvar i = 2; i < 15; i++) begin : g_low
    lut6_2 #(
        .Init(pair(I0 ^ I1 ^ I2 ^ I3, (I0 & I1) | (I0 & I2) | (I1 & I2)))
    ) u_lut (
        .addr_i({2'b10, carry[i], z[i], y[i], x[i]}),
        .o6_o  (low_s[i]),
        .o5_o  (carry[i+1])
    );
  end
  assign low_s[15] = x[15];
  assign low_s[1:0] = 2'd0;
  carry_chain #(
      .Width(14)
  ) u_low (
      .ci_i(1'b0),
      .s_i (low_s[15:2]),
      .di_i({1'b0, carry[14:2]}),
      .o_o (low[15:2])
  );
  assign low[1:0] = sum_q[0][1:0];
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      low_q  <= low;
      high_q <= sum_q[3];
    end
  end

  // Stage 4 keeps step with the generic version; keep: no shift registers in LUTs.
  logic [15:0] low_qq;
  logic [ 9:0] high_qq;
  (* keep *)
  always_ff @(posedge clk_i) if (en_i) {low_qq, high_qq} <= {low_q, high_q};

  // Stage 5: accumulator, a ternary adder again.
  logic [31:0] t, h, acc_q, acc_s, acc_d;
  logic [32:0] acc_c;
  assign t = {{16{low_qq[15]}}, low_qq};
  assign h = {16'd0, high_qq, 6'd0};
  assign acc_c[0] = 1'b0;
  for (genvar i = 0; i < 32; i++) begin : g_acc
    lut6_2 #(
        .Init(pair(I0 ^ I1 ^ (I2 & ~I3) ^ I4, (I0 & I1) | ((I0 | I1) & I2 & ~I3)))
    ) u_lut (
        .addr_i({1'b1, acc_c[i], first_i, acc_q[i], h[i], t[i]}),
        .o6_o  (acc_s[i]),
        .o5_o  (acc_c[i+1])
    );
  end
  carry_chain #(
      .Width(32)
  ) u_acc (
      .ci_i(1'b0),
      .s_i (acc_s),
      .di_i(acc_c[31:0]),
      .o_o (acc_d)
  );
  always_ff @(posedge clk_i) if (en_i && valid_i) acc_q <= acc_d;
  assign acc_o = acc_q;
endmodule
