// SPDX-License-Identifier: Apache-2.0
// Simple dual-port memory: one write port, one read port, one clock.
//
//   mem[waddr_i] <= wdata_i where we_i;   read <= mem[raddr_i] where re_i, else it holds.
//
// rdata_o is `read` (Latency 1) or, with Latency 2, a register behind it that takes `read` where oe_i: in block RAM its
// own output register, at a fifth of the delay. One write and one read a cycle. Reading the address that is written in
// the same cycle yields either word; users never do. Inferred: the attributes select block RAM or LUT RAM in Vivado and
// Yosys; Vivado packs the register into the block, and bitwright.synthesis does so behind Yosys. LUT RAM of Latency 2 has
// a register behind every 64 words, and chooses among those; of Latency 1 it does so with Late, and has no other.
// Style: 0 by size (block RAM where Depth > 64 and Width * Depth > 4096 bits), 1 block RAM, 2 LUT RAM.
module ram_sdp #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 32,
    parameter int unsigned Style = 0,
    parameter int unsigned Latency = 1,
    parameter bit Late = 1'b0,
    localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                clk_i,
    input  logic                we_i,
    input  logic [AddrBits-1:0] waddr_i,
    input  logic [   Width-1:0] wdata_i,
    input  logic                re_i,
    input  logic [AddrBits-1:0] raddr_i,
    // verilator lint_off UNUSEDSIGNAL
    input  logic                oe_i = 1'b1,  // of Latency 2
    // verilator lint_on UNUSEDSIGNAL
    output logic [   Width-1:0] rdata_o
);
  if (Width < 1 || Depth < 1 || Style > 2 || Latency < 1 || Latency > 2) begin : g_illegal
    $error("ram_sdp: Width, Depth >= 1, Style 0..2 and Latency 1..2 are legal");
  end

  localparam bit Block = Style == 1 || (Style == 0 && Depth > 64 && Depth > 4096 / Width);

  localparam int unsigned Banks = (Latency == 2 || Late) && !Block ? (Depth + 63) / 64 : 1;

  logic [Banks-1:0][Width-1:0] rdata_q;
  logic [Width-1:0] choice;

  if (Latency == 2) begin : g_output
    logic [Width-1:0] output_q;
    always_ff @(posedge clk_i) if (oe_i) output_q <= choice;
    assign rdata_o = output_q;
  end else begin : g_direct
    assign rdata_o = choice;
  end

  if (Banks > 1) begin : g_banks
    logic [AddrBits-7:0] bank_q;
    for (genvar b = 0; b < Banks; b++) begin : g_bank
      (* ram_style = "distributed", no_rw_check *)
      logic [Width-1:0] mem[64];
      always_ff @(posedge clk_i) if (we_i && 32'(waddr_i[AddrBits-1:6]) == b) mem[waddr_i[5:0]] <= wdata_i;
      always_ff @(posedge clk_i) if (re_i) rdata_q[b] <= mem[raddr_i[5:0]];
    end
    always_ff @(posedge clk_i) if (re_i) bank_q <= raddr_i[AddrBits-1:6];
    assign choice = rdata_q[bank_q];
  end else if (Block) begin : g_block
    (* ram_style = "block", no_rw_check *)
    logic [Width-1:0] mem[Depth];
    always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= wdata_i;
    always_ff @(posedge clk_i) if (re_i) rdata_q <= mem[raddr_i];
    assign choice = rdata_q;
  end else begin : g_lut
    (* ram_style = "distributed", no_rw_check *)
    logic [Width-1:0] mem[Depth];
    always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= wdata_i;
    always_ff @(posedge clk_i) if (re_i) rdata_q <= mem[raddr_i];
    assign choice = rdata_q;
  end
endmodule
