// SPDX-License-Identifier: Apache-2.0
// Accumulators of one lane of an element: both halves, updated in place in one cycle, with a second read for the slots.
//
//   mem[addr_i] <= first_i ? value_i : max_i ? max(mem[addr_i], value_i) : mem[addr_i] + value_i   where we_i
module rap_accumulators #(
    parameter int unsigned Count = 32,
    localparam int unsigned AddrBits = $clog2(Count)
) (
    input  logic                       clk_i,
    input  logic                       we_i,
    input  logic                       first_i,
    input  logic                       max_i,
    input  logic        [AddrBits-1:0] addr_i,
    input  logic signed [        31:0] value_i,
    output logic        [        31:0] old_o,         // mem[addr_i]
    input  logic        [AddrBits-1:0] drain_addr_i,
    output logic        [        31:0] drain_o
);
  (* ram_style = "distributed" *)
  logic [31:0] mem[Count];
  logic signed [31:0] old, sum;
  assign old = mem[addr_i];
  always_comb begin
    sum = old + value_i;
    if (first_i || (max_i && value_i > old)) sum = value_i;
    else if (max_i) sum = old;
  end
  always_ff @(posedge clk_i) if (we_i) mem[addr_i] <= sum;
  assign old_o   = old;
  assign drain_o = mem[drain_addr_i];
endmodule
