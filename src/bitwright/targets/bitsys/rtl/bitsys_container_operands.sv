// SPDX-License-Identifier: Apache-2.0
// First registers of an element of the container array: the operands, b once more for each mask, antidiagonal products.
//
// mask_i[2], [1], [0] clear b1_o, b2_o and b3_o; en_i low: all holds, provided that the masks are low too. Latency 1, II 1.
module bitsys_container_operands (
    input  logic       clk_i,
    input  logic       en_i,
    input  logic [7:0] a_i,
    input  logic [7:0] b_i,
    input  logic [2:0] mask_i,
    input  logic [7:0] diagonal_i,
    output logic [7:0] a_o,
    output logic [7:0] b_o,
    output logic [7:0] b1_o,
    output logic [7:0] b2_o,
    output logic [7:0] b3_o,
    output logic [7:0] diagonal_o
);
  logic [7:0] a_q, b_q, b1_q, b2_q, b3_q, diagonal_q;
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      a_q <= a_i;
      b_q <= b_i;
      diagonal_q <= diagonal_i;
    end
    if (mask_i[2]) b1_q <= 8'd0;
    else if (en_i) b1_q <= b_i;
    if (mask_i[1]) b2_q <= 8'd0;
    else if (en_i) b2_q <= b_i;
    if (mask_i[0]) b3_q <= 8'd0;
    else if (en_i) b3_q <= b_i;
  end
  assign a_o = a_q;
  assign b_o = b_q;
  assign b1_o = b1_q;
  assign b2_o = b2_q;
  assign b3_o = b3_q;
  assign diagonal_o = diagonal_q;
endmodule
