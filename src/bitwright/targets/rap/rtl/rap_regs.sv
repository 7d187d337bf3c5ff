// SPDX-License-Identifier: Apache-2.0
// Register file of an element: two reads without latency, one write.
module rap_regs #(
    parameter int unsigned Count = 16,
    localparam int unsigned AddrBits = $clog2(Count)
) (
    input  logic                clk_i,
    input  logic                we_i,
    input  logic [AddrBits-1:0] waddr_i,
    input  logic [        15:0] wdata_i,
    input  logic [AddrBits-1:0] raddr0_i,
    input  logic [AddrBits-1:0] raddr1_i,
    output logic [        15:0] rdata0_o,
    output logic [        15:0] rdata1_o
);
  (* ram_style = "distributed" *)
  logic [15:0] mem[Count];
  always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= wdata_i;
  assign rdata0_o = mem[raddr0_i];
  assign rdata1_o = mem[raddr1_i];
endmodule
