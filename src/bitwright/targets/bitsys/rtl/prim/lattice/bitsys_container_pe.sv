// SPDX-License-Identifier: Apache-2.0
// Element of the container array: acc <= (first ? 0 : acc) + scale * sum over channels of a * b. ECP5 version.
//
// Eight-bit containers of 8/n channels, n = 1, 2, 4 or 8 bits (bitsys_container_decode); the channels of b are in
// reversed order, so that all channel products have weight 2^(8-n) and one adder tree sums them:
// scale = 2^0, 2^4, 2^6, 2^6 for n = 8, 4, 2, 1 (a 1-bit product counts +1 or -1).
// Latency 5 cycles from the operands to acc_o, II 1: operand_i comes with a_i and b_i, invert_i one cycle later,
// constant_i two, valid_i and first_i four. a_o and b_o are the operands one cycle later. en_i low: all holds,
// provided that the masks operand_i[2:0] are low too.
// A CCU2C has the LUTs of two carry positions: two products of the operands' registers enter a chain without a LUT
// before it, and so does the accumulator's choice of 0. Python: units.container.
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

  // Stage 1: a, b once for each mask, and the antidiagonal products (XNOR in 1-bit mode) with their signs.
  logic [7:0] a_q, b1_q, b2_q, b3_q, diagonal, diagonal_q, sign_q;
  for (genvar j = 0; j < 8; j++) begin : g_diagonal
    localparam int unsigned Mask = diagonal_mask(j);
    assign diagonal[j] = operand_i[2] ? ~(a_i[7-j] ^ b_i[j]) : a_i[7-j] & b_i[j];
    always_ff @(posedge clk_i) begin
      if (operand_i[2]) sign_q[j] <= 1'b0;
      else if (en_i) sign_q[j] <= operand_i[3+diagonal_signed_b(j)] & (Mask == 3 ? 1'b1 : operand_i[Mask]);
    end
  end

  bitsys_container_operands u_operands (
    .clk_i(clk_i), .en_i(en_i), .a_i(a_i), .b_i(b_i), .mask_i(operand_i[2:0]), .diagonal_i(diagonal),
    .a_o(a_q), .b_o(b_o), .b1_o(b1_q), .b2_o(b2_q), .b3_o(b3_q), .diagonal_o(diagonal_q)
  );
  assign a_o = a_q;
  logic [7:0] masked[4];
  assign masked[0] = 8'd0;
  assign masked[1] = b1_q;
  assign masked[2] = b2_q;
  assign masked[3] = b3_q;

  // The other products that a sign may invert, registered in stage 1 under their masks: stage 2 has no LUT before its chains.
  logic [63:0] product_q;
  for (genvar j = 0; j < 8; j++) begin : g_signed_row
    for (genvar i = 0; i < 8; i++) begin : g_signed
      if (invert_index(j, i) != 15) begin : g_product
        always_ff @(posedge clk_i) begin
          if (operand_i[3-mask_class(j, i)]) product_q[8*j+i] <= 1'b0;
          else if (en_i) product_q[8*j+i] <= a_i[i] & b_i[j];
        end
      end else begin : g_none
        assign product_q[8*j+i] = 1'b0;
      end
    end
  end

  // Stage 2: sum[k] = row 2k + 2 * row 2k+1. Position p adds product (2k, p) to product (2k+1, p-1), f and g: its LUT
  // propagates f ^ g, and generates f where it does not. A factor pair is {x, y}: a product as x & y, a signed one as
  // x ^ y, a single bit with y = 1. The constant of weight 2 in pair 3 is the carry out of position 0, whose own bit is
  // product (6, 0) alone.
  logic [15:0] invert;
  logic [ 9:0] sum_q[4];
  assign invert = {1'b0, invert_i};

  function automatic logic is_signed(input int unsigned j, input int unsigned i);
    is_signed = i < 8 && (invert_index(j, i) != 15 || mask_class(j, i) == 0);
  endfunction
  // INIT[8*d + 4*c + 2*b + a] = f(a, b) ^ g(c, d); the lowest four entries, with g = 0, are what is generated.
  function automatic logic [15:0] init(input logic signed_f, input logic signed_g);
    for (int unsigned v = 0; v < 16; v++)
      init[v] = (signed_f ? v[0] ^ v[1] : v[0] & v[1]) ^ (signed_g ? v[2] ^ v[3] : v[2] & v[3]);
  endfunction

  for (genvar k = 0; k < 4; k++) begin : g_row
    logic [9:0] fx, fy, gx, gy, sum;
    logic [5:0] carry;
    assign carry[0] = 1'b0;
    for (genvar p = 0; p < 10; p++) begin : g_position
      localparam bit F = p < 8 && !(k == 3 && p == 0);
      localparam bit G = p > 0 && p < 9;
      localparam int unsigned Even = 8 * 2 * k + p;
      localparam int unsigned Odd = 8 * (2 * k + 1) + p - 1;
      if (!F) assign {fx[p], fy[p]} = {k == 0 && p == 8 ? invert[14] : k == 3 && p == 0 ? invert[13] : 1'b0, 1'b1};
      else if (mask_class(2 * k, p) == 0) assign {fx[p], fy[p]} = {diagonal_q[2*k], sign_q[2*k]};
      else if (is_signed(2 * k, p)) assign {fx[p], fy[p]} = {product_q[Even], invert[invert_index(2*k, p)]};
      else assign {fx[p], fy[p]} = {a_q[p], masked[mask_class(2*k, p)][2*k]};
      if (!G) assign {gx[p], gy[p]} = {k == 3 && p == 0 ? invert[13] : 1'b0, 1'b1};
      else if (mask_class(2 * k + 1, p - 1) == 0) assign {gx[p], gy[p]} = {diagonal_q[2*k+1], sign_q[2*k+1]};
      else if (is_signed(2 * k + 1, p - 1))
        assign {gx[p], gy[p]} = {product_q[Odd], invert[invert_index(2*k+1, p-1)]};
      else assign {gx[p], gy[p]} = {a_q[p-1], masked[mask_class(2*k+1, p-1)][2*k+1]};
    end
    for (genvar c = 0; c < 5; c++) begin : g_cell
      CCU2C #(
          .INIT0(init(is_signed(2*k, 2*c), c > 0 && is_signed(2*k+1, 2*c-1))),
          .INIT1(init(is_signed(2*k, 2*c+1), is_signed(2*k+1, 2*c))),
          .INJECT1_0("NO"),
          .INJECT1_1("NO")
      ) u_carry (
          .CIN(carry[c]),
          .A0(fx[2*c]),
          .B0(fy[2*c]),
          .C0(gx[2*c]),
          .D0(gy[2*c]),
          .A1(fx[2*c+1]),
          .B1(fy[2*c+1]),
          .C1(gx[2*c+1]),
          .D1(gy[2*c+1]),
          .S0(sum[2*c]),
          .S1(sum[2*c+1]),
          .COUT(carry[c+1])
      );
    end
    always_ff @(posedge clk_i) if (en_i) sum_q[k] <= {sum[9:1], k == 3 ? a_q[0] & b1_q[6] : sum[0]};
  end

  // Stages 3 and 4: sum of the rows, at most 17 bits.
  logic [31:0] term, sum, acc_q;
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

  // Stage 5: accumulator; a position propagates A ^ (B & ~C), and generates A where it does not.
  logic [16:0] carry;
  assign term = {{15{sum_all_q[16]}}, sum_all_q};
  assign carry[0] = 1'b0;
  for (genvar c = 0; c < 16; c++) begin : g_acc
    CCU2C #(
        .INIT0(16'hA6AA),
        .INIT1(16'hA6AA),
        .INJECT1_0("NO"),
        .INJECT1_1("NO")
    ) u_carry (
        .CIN(carry[c]),
        .A0(term[2*c]),
        .B0(acc_q[2*c]),
        .C0(first_i),
        .D0(1'b1),
        .A1(term[2*c+1]),
        .B1(acc_q[2*c+1]),
        .C1(first_i),
        .D1(1'b1),
        .S0(sum[2*c]),
        .S1(sum[2*c+1]),
        .COUT(carry[c+1])
    );
  end
  always_ff @(posedge clk_i) if (en_i && valid_i) acc_q <= sum;
  assign acc_o = acc_q;
endmodule
