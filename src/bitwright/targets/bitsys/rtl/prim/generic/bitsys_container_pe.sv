// SPDX-License-Identifier: Apache-2.0
// Element of the container array: acc <= (first ? 0 : acc) + scale * sum over channels of a * b. Generic version.
//
// Eight-bit containers of 8/n channels, n = 1, 2, 4 or 8 bits (bitsys_container_decode); the channels of b are in
// reversed order, so that all channel products have weight 2^(8-n) and one adder tree sums them:
// scale = 2^0, 2^4, 2^6, 2^6 for n = 8, 4, 2, 1 (a 1-bit product counts +1 or -1).
// Latency 5 cycles from the operands to acc_o, II 1: operand_i comes with a_i and b_i, invert_i one cycle later,
// constant_i two, valid_i and first_i four. a_o and b_o are the operands one cycle later. en_i low: all holds,
// provided that the masks operand_i[2:0] are low too.
// Binary adders of registered operands, no ternary ones. Python: units.container.
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
  `include "bitsys_container_cells.svh"

  // Stage 1: a, b once for each mask, and the antidiagonal products (XNOR in 1-bit mode).
  logic [7:0] a_q, b1_q, b2_q, b3_q, diagonal, diagonal_q;
  for (genvar j = 0; j < 8; j++) begin : g_diagonal
    localparam int unsigned Mask = diagonal_mask(j);
    logic sign;
    assign sign = operand_i[3+diagonal_signed_b(j)] & (Mask == 3 ? 1'b1 : operand_i[Mask]);
    assign diagonal[j] = operand_i[2] ? ~(a_i[7-j] ^ b_i[j]) : sign ^ (a_i[7-j] & b_i[j]);
  end

  bitsys_container_operands u_operands (
    .clk_i(clk_i), .en_i(en_i), .a_i(a_i), .b_i(b_i), .mask_i(operand_i[2:0]), .diagonal_i(diagonal),
    .a_o(a_q), .b_o(b_o), .b1_o(b1_q), .b2_o(b2_q), .b3_o(b3_q), .diagonal_o(diagonal_q)
  );
  assign a_o = a_q;

  // Stage 2: sum[k] = row 2k + 2 * row 2k+1. The constant of weight 2 in pair 3 is the carry out of an extra bit below
  // the sum of weights 2 and more, to which row 6's bit 0 does not belong.
  logic [7:0] row[8];
  logic [9:0] sum_q[4];
  logic [9:0] sum3;
  logic [15:0] invert;
  assign sum3 = {1'b0, row[7], invert_i[13]} + {2'd0, row[6][7:1], invert_i[13]};
  assign invert = {1'b0, invert_i};
  for (genvar j = 0; j < 8; j++) begin : g_row
    for (genvar i = 0; i < 8; i++) begin : g_product
      case (mask_class(j, i))
        0: assign row[j][i] = diagonal_q[j];
        1: assign row[j][i] = invert[invert_index(j, i)] ^ (a_q[i] & b1_q[j]);
        2: assign row[j][i] = invert[invert_index(j, i)] ^ (a_q[i] & b2_q[j]);
        default: assign row[j][i] = invert[invert_index(j, i)] ^ (a_q[i] & b3_q[j]);
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      sum_q[0] <= {1'b0, row[1], 1'b0} + {1'b0, invert_i[14], row[0]};
      sum_q[1] <= {2'd0, row[2]} + {1'b0, row[3], 1'b0};
      sum_q[2] <= {2'd0, row[4]} + {1'b0, row[5], 1'b0};
      sum_q[3] <= {sum3[9:1], row[6][0]};
    end
  end

  // Stages 3 and 4: sum of the rows, at most 17 bits.
  logic [31:0] base, acc_q;
  logic [15:0] low_q;
  logic [11:0] high_q;
  logic [16:0] sum_all_q;
  // keep: no shift register in LUTs for the two bits that nothing is added to.
  (* keep *)
  always_ff @(posedge clk_i)
    if (en_i) low_q <= {constant_i[3], {3{constant_i[2]}}, constant_i[1:0], sum_q[0]} + {4'd0, sum_q[1], 2'd0};
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      high_q <= {2'd0, sum_q[2]} + {sum_q[3], 2'd0};
      sum_all_q <= {low_q[15], low_q} + {1'b0, high_q, 4'd0};
    end
  end

  // Stage 5: accumulator.
  assign base = first_i ? 32'd0 : acc_q;
  always_ff @(posedge clk_i) if (en_i && valid_i) acc_q <= {{15{sum_all_q[16]}}, sum_all_q} + base;
  assign acc_o = acc_q;
endmodule
