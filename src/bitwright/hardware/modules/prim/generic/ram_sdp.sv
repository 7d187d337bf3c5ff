// SPDX-License-Identifier: Apache-2.0
// Simple dual-port memory: one write port, one read port, one clock.
//
//   mem[waddr_i] <= wdata_i where we_i;   rdata_o <= mem[raddr_i] where re_i, else it holds.
//
// Latency 1, one write and one read a cycle. Reading the address that is written in the same cycle yields
// either word; users never do. Inferred: the attributes select block RAM or LUT RAM in Vivado and Yosys.
// Style: 0 by size (block RAM where Depth > 64 and Width * Depth > 4096 bits), 1 block RAM, 2 LUT RAM.
module ram_sdp #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 32,
    parameter int unsigned Style = 0,
    localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                clk_i,
    input  logic                we_i,
    input  logic [AddrBits-1:0] waddr_i,
    input  logic [   Width-1:0] wdata_i,
    input  logic                re_i,
    input  logic [AddrBits-1:0] raddr_i,
    output logic [   Width-1:0] rdata_o
);
  if (Width < 1 || Depth < 1 || Style > 2) begin : g_illegal
    $error("ram_sdp: Width, Depth >= 1 and Style 0..2 are legal");
  end

  localparam bit Block = Style == 1 || (Style == 0 && Depth > 64 && Depth > 4096 / Width);

  logic [Width-1:0] rdata_q;
  assign rdata_o = rdata_q;

  if (Block) begin : g_block
    (* ram_style = "block", no_rw_check *)
    logic [Width-1:0] mem[Depth];
    always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= wdata_i;
    always_ff @(posedge clk_i) if (re_i) rdata_q <= mem[raddr_i];
  end else begin : g_lut
    (* ram_style = "distributed", no_rw_check *)
    logic [Width-1:0] mem[Depth];
    always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= wdata_i;
    always_ff @(posedge clk_i) if (re_i) rdata_q <= mem[raddr_i];
  end
endmodule
