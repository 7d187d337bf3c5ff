// SPDX-License-Identifier: Apache-2.0
// Two rows of the container unit's partial products on one carry chain of LUT pairs; combinational, 9 LUTs.
//
//   sum_o = row(2 * Pair) + 2 * row(2 * Pair + 1) + constants,  row(j) = sum over i of product(j, i) * 2^i
//
// product(j, i) = a[i] & b[j] under its mask, inverted where its sign signal says so, or the registered antidiagonal
// product. Constants: invert_i[14] adds 2^8 in pair 0; invert_i[13] adds 2 in pair 3 through the chain's start:
// with carry-in 1 and both chain inputs set by it, bit 0 stays product(6, 0) and the carry out of it is always 1.
// Position p adds product (2k, p) to product (2k+1, p-1). Where two sign signals meet, the sum needs all six inputs
// of a LUT; the product that the chain then lacks, borrowed_i, comes out of the half-empty LUT of position 0 of
// another pair: lent_o = lend_i[0] & lend_i[1] ^ lend_i[2], pairs 0 to 2.
module bitsys_container_rows #(
    parameter int unsigned Pair = 0
) (
    input  logic [ 7:0] a_i,
    input  logic [ 7:0] b1_i,
    input  logic [ 7:0] b2_i,
    input  logic [ 7:0] b3_i,
    input  logic [ 7:0] diagonal_i,
    input  logic [14:0] invert_i,
    input  logic [ 2:0] lend_i,
    input  logic [ 1:0] borrowed_i,
    output logic        lent_o,
    output logic [ 9:0] sum_o
);
  `include "bitsys_lut.svh"
  `include "bitsys_container_cells.svh"
  localparam int unsigned Even = 2 * Pair;
  localparam int unsigned Odd = Even + 1;

  logic [15:0] invert;
  logic [9:0] s, di;
  assign invert = {1'b0, invert_i};

  function automatic logic masked(input int unsigned j, input int unsigned i, input logic [7:0] b1,
                                  input logic [7:0] b2, input logic [7:0] b3);
    case (mask_class(j, i))
      1: masked = b1[j];
      2: masked = b2[j];
      default: masked = b3[j];
    endcase
  endfunction

  for (genvar p = 0; p < 9; p++) begin : g_position
    localparam int unsigned InvX = p < 8 ? invert_index(Even, p) : 15;
    localparam int unsigned InvY = p > 0 ? invert_index(Odd, p - 1) : 15;
    localparam logic [63:0] X = I0 & I1;
    localparam logic [63:0] Y = I2 & I3;
    logic bx, by;
    if (p < 8) assign bx = masked(Even, p, b1_i, b2_i, b3_i);
    if (p > 0) assign by = masked(Odd, p - 1, b1_i, b2_i, b3_i);
    if (p == 0 && Pair == 3) begin : g_start
      lut6_2 #(
          .Init(pair(X ^ I2, I2))
      ) u_lut (
          .addr_i({3'b100, invert_i[13], bx, a_i[0]}),
          .o6_o  (s[0]),
          .o5_o  (di[0])
      );
      assign lent_o = 1'b0;
    end else if (p == 0) begin : g_start
      lut6_2 #(
          .Init(pair(X, Y ^ I4))
      ) u_lut (
          .addr_i({1'b1, lend_i[2], lend_i[1], lend_i[0], bx, a_i[0]}),
          .o6_o  (s[0]),
          .o5_o  (lent_o)
      );
      assign di[0] = 1'b0;
    end else if (p == 8) begin : g_last
      lut6_2 #(
          .Init(pair(Y ^ I4 ^ I0, I0))
      ) u_lut (
          .addr_i({1'b1, invert[InvY], by, a_i[7], 1'b0, Pair == 0 & invert_i[14]}),
          .o6_o  (s[8]),
          .o5_o  (di[8])
      );
    end else if (Even + p == 7) begin : g_diagonal
      lut6_2 #(
          .Init(pair(I0 ^ I1, I0))
      ) u_lut (
          .addr_i({4'b1000, diagonal_i[Odd], diagonal_i[Even]}),
          .o6_o  (s[p]),
          .o5_o  (di[p])
      );
    end else if (InvX != 15 && InvY != 15) begin : g_two_signs
      lut6_2 #(
          .Init(X ^ Y ^ I4 ^ I5)
      ) u_sum (
          .addr_i({invert[InvX], invert[InvY], by, a_i[p-1], bx, a_i[p]}),
          .o6_o  (s[p]),
          .o5_o  ()
      );
      assign di[p] = borrowed_i[Pair == 3 && p == 7];
    end else begin : g_pair
      lut6_2 #(
          .Init(pair(X ^ Y ^ I4, InvX != 15 ? X ^ I4 : X))
      ) u_lut (
          .addr_i({1'b1, invert[InvX] | invert[InvY], by, a_i[p-1], bx, a_i[p]}),
          .o6_o  (s[p]),
          .o5_o  (di[p])
      );
    end
  end

  assign s[9] = 1'b0;
  assign di[9] = 1'b0;
  carry_chain #(
      .Width(10)
  ) u_chain (
      .ci_i(Pair == 3 & invert_i[13]),
      .s_i (s),
      .di_i(di),
      .o_o (sum_o)
  );
endmodule
