// SPDX-License-Identifier: Apache-2.0
// Accumulators of one lane of an element: both halves, updated in place in two stages, with a second read for the
// slots.
//
//   sum:     old <= first_i ? what any value replaces : same_i ? new : mem[addr_i]
//   update:  mem[waddr_i] <= new where we_i;   new = max_now_i ? max(old, value_i) : old + value_i
// One a cycle; same_i: the operation before writes the same accumulator.
module rap_accumulators #(
    parameter int unsigned Count = 32,
    localparam int unsigned AddrBits = $clog2(Count)
) (
    input  logic                       clk_i,
    // stage sum
    input  logic                       first_i,
    input  logic                       max_i,
    input  logic                       same_i,
    input  logic        [AddrBits-1:0] addr_i,
    // stage update
    input  logic                       we_i,
    input  logic                       max_now_i,
    input  logic        [AddrBits-1:0] waddr_i,
    input  logic signed [        31:0] value_i,
    output logic        [        31:0] old_o,
    // second read
    input  logic        [AddrBits-1:0] drain_addr_i,
    output logic        [        31:0] drain_o
);
  (* ram_style = "distributed" *)
  logic [31:0] mem[Count];
  logic signed [31:0] old_q;
  logic [31:0] sum, changed;
  logic below;
  logic [31:0] unused;
  assign sum = old_q + value_i;
  assign {below, unused} = 33'(old_q) - 33'(value_i);  // a sum ends in one carry chain, a compare in logic behind it
  assign changed = !max_now_i ? sum : below ? value_i : old_q;
  always_ff @(posedge clk_i) begin
    if (first_i) old_q <= {max_i, 31'd0};
    else old_q <= same_i ? changed : mem[addr_i];
  end
  always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= changed;
  assign old_o   = old_q;
  assign drain_o = mem[drain_addr_i];
endmodule
