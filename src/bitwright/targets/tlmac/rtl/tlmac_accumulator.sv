// SPDX-License-Identifier: Apache-2.0
// Digit-serial accumulator, most significant digit first:  acc = sum + (clear ? 0 : shift ? acc << DigitBits : acc)
//
// Single: every word is a whole result (acc = sum) and no adder is built. The result must fit Bits.
// Latency 1, II 1, moves only while en_i. Part of Conv2d and Dense.
module tlmac_accumulator #(
    parameter int unsigned Bits = 1,
    parameter int unsigned InBits = 1,
    parameter int unsigned DigitBits = 1,
    parameter bit Shifts = 1'b0,
    parameter bit Single = 1'b0
) (
    input  logic              clk_i,
    input  logic              en_i,
    input  logic              clear_i,
    input  logic              shift_i,
    input  logic [InBits-1:0] sum_i,
    output logic [Bits-1:0]   acc_o
);
  logic [Bits-1:0] acc_q, kept;
  if (Single) begin : gen_single
    assign kept = '0;
    always_ff @(posedge clk_i) if (en_i) acc_q <= Bits'(sum_i);
  end else begin : gen_sum
    logic [Bits-1:0] moved;
    assign moved = (Shifts && shift_i) ? acc_q << DigitBits : acc_q;
    assign kept  = moved & {Bits{!clear_i}};
    // The sum stands first: its bits feed the carry chain directly, and the choice of `kept` shares the adder's LUTs.
    always_ff @(posedge clk_i) if (en_i) acc_q <= Bits'(sum_i) + kept;
  end
  assign acc_o = acc_q;
endmodule
