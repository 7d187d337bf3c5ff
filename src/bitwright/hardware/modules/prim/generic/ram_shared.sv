// SPDX-License-Identifier: Apache-2.0
// True dual-port memory: a port that reads, and one that writes or reads; one clock.
//
//   mem[addr_i] <= wdata_i where we_i;   rdata_o: mem[raddr_i];   data_o: mem[addr_i], undefined where we_i
//
// Latency 2: a read, then the block's output register. Reading the address that the other port writes in the same cycle
// yields either word; users never do. Inferred as block RAM.
module ram_shared #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 1024,
    localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                clk_i,
    input  logic [AddrBits-1:0] raddr_i,
    output logic [   Width-1:0] rdata_o,
    input  logic                we_i,
    input  logic [AddrBits-1:0] addr_i,
    input  logic [   Width-1:0] wdata_i,
    output logic [   Width-1:0] data_o
);
  if (Width < 1 || Depth < 1) begin : g_illegal
    $error("ram_shared: Width, Depth >= 1 are legal");
  end
  (* ram_style = "block", no_rw_check *)
  logic [Width-1:0] mem[Depth];
  logic [Width-1:0] rdata_q, data_q;
  always_ff @(posedge clk_i) rdata_q <= mem[raddr_i];
  always_ff @(posedge clk_i) begin
    if (we_i) mem[addr_i] <= wdata_i;
    else data_q <= mem[addr_i];
  end
  always_ff @(posedge clk_i) {rdata_o, data_o} <= {rdata_q, data_q};
endmodule
