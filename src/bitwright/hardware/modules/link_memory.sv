// SPDX-License-Identifier: Apache-2.0
// Bytes in a block memory: one port writes, one reads. data_o follows addr_i by one cycle.
// Constraint: Depth is a power of two.
module link_memory #(
    parameter int unsigned Depth = 2048
) (
    input  logic                     clk_i,
    input  logic                     we_i,
    input  logic [$clog2(Depth)-1:0] waddr_i,
    input  logic [              7:0] data_i,
    input  logic [$clog2(Depth)-1:0] addr_i,
    output logic [              7:0] data_o
);
  logic [7:0] memory[Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) memory[waddr_i] <= data_i;
    data_o <= memory[addr_i];
  end
endmodule
