// SPDX-License-Identifier: Apache-2.0
// Element of the bit-plane array: acc <= (first ? 0 : shift ? 2 * acc : acc) +- popcount(a & b). Generic version.
//
// Operands are bit planes of 64 channels; taking the pairs of planes by falling weight, shift with each step down,
// and negate where one plane of the two is a sign plane gives the dot product of any two widths.
// Latency 7 cycles from the operands to acc_o, II 1: negate_i comes five cycles after a_i and b_i; valid_i, first_i,
// shift_i and negate_acc_i (negate_i again) six. a_o and b_o are the operands one cycle later. en_i low: all holds.
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
  logic [63:0] a_q, b_q, product;
  logic [16*3-1:0] count4_q;
  logic [8*4-1:0] count8_q;
  logic [4*5-1:0] count16_q;
  logic [2*6-1:0] count32_q;
  logic [6:0] term_q;
  logic [31:0] acc_q, base;
  assign a_o = a_q;
  assign b_o = b_q;
  assign acc_o = acc_q;
  assign product = a_q & b_q;
  assign base = first_i ? 32'd0 : shift_i ? {acc_q[30:0], 1'b0} : acc_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      a_q <= a_i;
      b_q <= b_i;
      for (int k = 0; k < 16; k++)
        count4_q[3*k+:3] <= 3'(product[4*k]) + 3'(product[4*k+1]) + 3'(product[4*k+2]) + 3'(product[4*k+3]);
      for (int k = 0; k < 8; k++) count8_q[4*k+:4] <= 4'(count4_q[6*k+:3]) + 4'(count4_q[6*k+3+:3]);
      for (int k = 0; k < 4; k++) count16_q[5*k+:5] <= 5'(count8_q[8*k+:4]) + 5'(count8_q[8*k+4+:4]);
      for (int k = 0; k < 2; k++) count32_q[6*k+:6] <= 6'(count16_q[10*k+:5]) + 6'(count16_q[10*k+5+:5]);
      // ~(x + y) = ~x + ~y + 1; acc adds the 1 that makes it -(x + y).
      term_q <= {negate_i, count32_q[5:0] ^ {6{negate_i}}} + {negate_i, count32_q[11:6] ^ {6{negate_i}}} + 7'(negate_i);
      if (valid_i) acc_q <= base + {{25{negate_acc_i}}, term_q} + 32'(negate_acc_i);
    end
  end
endmodule
