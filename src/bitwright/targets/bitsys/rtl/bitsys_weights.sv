// SPDX-License-Identifier: Apache-2.0
// Weight memory: a line of one operand word for each column, read by all columns with systolic delay.
//
// Writes: 64-bit word windex_i = LineWords * line + word, its halves by we_i; a half holds four columns' containers or
// half a column's plane. Column c is written 1 + c cycles later: columns pass them on.
// Column c is read c cycles after column 0. Latency 3 + c cycles.
module bitsys_weights #(
    parameter int unsigned Columns = 8,
    parameter int unsigned Lines   = 1024,
    parameter bit          Planes  = 1'b0,
    localparam int unsigned WordBits = Planes ? 64 : 8
) (
    input  logic                        clk_i,
    input  logic [                 1:0] we_i,
    input  logic [                18:0] windex_i,
    input  logic [                63:0] wdata_i,
    input  logic [                19:0] raddr_i,
    output logic [Columns*WordBits-1:0] operand_o
);
  localparam int unsigned LineWords = Columns * WordBits / 64;
  localparam int unsigned IndexBits = LineWords > 1 ? $clog2(LineWords) : 1;
  localparam int unsigned LineBits = $clog2(Lines);
  localparam int unsigned Part = Planes ? 32 : 8;
  localparam int unsigned WriteBits = 2 + LineBits + IndexBits + 64;
  logic [LineBits-1:0] address[Columns], line;
  logic [IndexBits-1:0] index;
  logic [WriteBits-1:0] write[Columns+1];
  assign write[0] = {we_i, line, index, wdata_i};
  assign address[0] = raddr_i[LineBits-1:0];
  if (LineWords > 1) begin : g_words
    assign index = windex_i[IndexBits-1:0];
    assign line  = LineBits'(windex_i >> IndexBits);
  end else begin : g_single
    assign index = 1'b0;
    assign line  = LineBits'(windex_i);
  end
  for (genvar c = 0; c < Columns; c++) begin : g_column
    logic [LineBits-1:0] address_q;
    logic [WordBits-1:0] word, operand_q;
    logic [1:0] we_q;
    logic [LineBits-1:0] line_q;
    logic [IndexBits-1:0] index_q;
    logic [63:0] wdata_q;
    always_ff @(posedge clk_i) {we_q, line_q, index_q, wdata_q} <= write[c];
    assign write[c+1] = {we_q, line_q, index_q, wdata_q};
    if (c > 0) begin : g_delay
      always_ff @(posedge clk_i) address_q <= address[c-1];
      assign address[c] = address_q;
    end
    for (genvar k = 0; k < WordBits / Part; k++) begin : g_part
      localparam int unsigned Slice = Planes ? 2 * c + k : c / 4;
      localparam int unsigned Low = 32 * (Slice % 2) + (Planes ? 0 : 8 * (c % 4));
      ram_sdp #(
          .Width(Part),
          .Depth(Lines),
          .Latency(2)
      ) u_ram (
          .clk_i  (clk_i),
          .we_i   (we_q[Slice%2] && index_q == IndexBits'(Slice / 2)),
          .waddr_i(line_q),
          .wdata_i(wdata_q[Low+:Part]),
          .re_i   (1'b1),
          .raddr_i(address[c]),
          .rdata_o(word[Part*k+:Part])
      );
    end
    always_ff @(posedge clk_i) operand_q <= word;
    assign operand_o[WordBits*c+:WordBits] = operand_q;
  end
endmodule
