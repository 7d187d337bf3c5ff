// SPDX-License-Identifier: Apache-2.0
// Activation memory: 64-bit words in eight byte lanes, read and written by groups of eight channels.
//
// Byte b of word A lies in lane (b + A) mod 8, so that the same byte of consecutive words lies in different lanes:
// a group is n bytes of one word (containers), or byte b of n consecutive words (Planes, one word a bit plane), and
// either takes one cycle. Words are read as a whole with rgroup_i = 0 and rbyte_i = 0.
// Latency of a read 2 cycles; one read and one write a cycle. A group begins at byte rbyte_i of word raddr_i.
module bitsys_memory #(
    parameter int unsigned Depth  = 1024,
    parameter bit          Planes = 1'b0
) (
    input  logic        clk_i,
    input  logic        re_i,
    input  logic        rgroup_i,
    input  logic [15:0] raddr_i,
    input  logic [ 2:0] rbyte_i,
    output logic [63:0] rdata_o,
    input  logic        we_i,
    input  logic [15:0] waddr_i,
    input  logic [ 2:0] wbyte_i,
    input  logic [ 3:0] wcount_i,
    input  logic [63:0] wdata_i
);
  localparam int unsigned AddrBits = $clog2(Depth);
  logic [2:0] rturn, rturn_q, wturn;
  logic [63:0] lanes, rdata_q;
  assign rturn = rbyte_i + raddr_i[2:0];
  assign wturn = wbyte_i + waddr_i[2:0];

  for (genvar l = 0; l < 8; l++) begin : g_lane
    logic [2:0] ri, wi, ro;
    logic [15:0] raddr, waddr;
    assign ri = 3'(l) - rturn;
    assign wi = 3'(l) - wturn;
    assign ro = 3'(l) + rturn_q;
    assign raddr = raddr_i + (Planes && rgroup_i ? {13'd0, ri} : 16'd0);
    assign waddr = waddr_i + (Planes ? {13'd0, wi} : 16'd0);
    ram_sdp #(
        .Width(8),
        .Depth(Depth)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (we_i && {1'b0, wi} < wcount_i),
        .waddr_i(waddr[AddrBits-1:0]),
        .wdata_i(wdata_i[8*wi+:8]),
        .re_i   (re_i),
        .raddr_i(raddr[AddrBits-1:0]),
        .rdata_o(lanes[8*l+:8])
    );
    always_ff @(posedge clk_i) rdata_q[8*l+:8] <= lanes[8*ro+:8];
  end
  always_ff @(posedge clk_i) if (re_i) rturn_q <= rturn;
  assign rdata_o = rdata_q;
endmodule
