// SPDX-License-Identifier: Apache-2.0
// Memory of wide words, in slices that one block RAM of 16 kbit holds at this depth: no slice is stacked, so that the
// register behind each is the block's own.
//
// Latency 2: read, output register, which re_i moves on together. The compiler's cost model counts the slices (cost.py).
module rap_memory #(
    parameter int unsigned Width = 64,
    parameter int unsigned Depth = 1024,
    localparam int unsigned AddrBits = $clog2(Depth)
) (
    input  logic                clk_i,
    input  logic                we_i,
    input  logic [AddrBits-1:0] waddr_i,
    input  logic [   Width-1:0] wdata_i,
    input  logic                re_i,
    input  logic [AddrBits-1:0] raddr_i,
    output logic [   Width-1:0] rdata_o
);
  localparam int unsigned Slice = Depth <= 1024 ? Width : Depth <= 2048 ? 9 : Depth <= 4096 ? 4 : Depth <= 8192 ? 2 : 1;
  for (genvar s = 0; s < (Width + Slice - 1) / Slice; s++) begin : g_slice
    localparam int unsigned Bits = (s + 1) * Slice <= Width ? Slice : Width - s * Slice;
    ram_sdp #(
        .Width  (Bits),
        .Depth  (Depth),
        .Latency(2)
    ) u_ram (
        .clk_i,
        .we_i,
        .waddr_i,
        .wdata_i(wdata_i[s*Slice+:Bits]),
        .re_i,
        .raddr_i,
        .oe_i   (re_i),
        .rdata_o(rdata_o[s*Slice+:Bits])
    );
  end
endmodule
