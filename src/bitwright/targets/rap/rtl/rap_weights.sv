// SPDX-License-Identifier: Apache-2.0
// Banks B: a bank of 16-bit words for every column, with one address for all.
//
// The words are at data_o three cycles behind re_i (read, output register, choice) and stay until the next. With given_i
// all have word_i, one cycle later.
module rap_weights #(
    parameter  int unsigned Size     = 4,
    parameter  int unsigned Words    = 1024,
    localparam int unsigned AddrBits = $clog2(Words)
) (
    input  logic                      clk_i,
    input  logic                      re_i,
    input  logic [AddrBits-1:0]       raddr_i,
    input  logic                      given_i,
    input  logic [        15:0]       word_i,
    output logic [    Size-1:0][15:0] data_o,
    input  logic [    Size-1:0]       we_i,
    input  logic [AddrBits-1:0]       waddr_i,
    input  logic [Size-1:0][15:0] wdata_i
);
  logic [Size-1:0][15:0] word, data_q;
  logic read_q;
  for (genvar b = 0; b < Size; b++) begin : g_bank
    ram_sdp #(
        .Width  (16),
        .Depth  (Words),
        .Latency(2)
    ) u_ram (
        .clk_i,
        .we_i   (we_i[b]),
        .waddr_i,
        .wdata_i(wdata_i[b]),
        .re_i,
        .raddr_i,
        .oe_i   (read_q),
        .rdata_o(word[b])
    );
  end
  always_ff @(posedge clk_i) begin
    read_q <= re_i;
    data_q <= given_i ? {Size{word_i}} : word;
  end
  assign data_o = data_q;
endmodule
