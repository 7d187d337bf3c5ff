// SPDX-License-Identifier: Apache-2.0
// Row buffers: the windows of a tile's pixels, two halves, read by all rows of the array with systolic delay.
//
// Writes: PortWords words from word pos_i on, a multiple of PortWords, of row row_i, row r a further r cycles later: rows pass
// them on. Depthwise: words for several rows,
// row_i its column in the window of all; row r takes it as column row_i - r * step_i of its own window, where that is less
// than taps_i, at {whalf_i, pos_i} - r * words_i, words_i a multiple of PortWords, too. Reads: raddr_i counts operand words (bytes, or 64-bit planes where Planes) in half
// rhalf_i; row r is read r cycles after row 0, which is the operands' skew without any waste. Latency 3 + r cycles, with
// several PortWords one more; word_o is the whole word of a byte.
module bitsys_rows #(
    parameter int unsigned Rows   = 8,
    parameter int unsigned Words  = 256,
    parameter bit          Planes = 1'b0,
    parameter int unsigned PortWords = 1,
    localparam int unsigned WordBits = Planes ? 64 : 8
) (
    input  logic                     clk_i,
    input  logic                     we_i,
    input  logic                     whalf_i,
    input  logic [              7:0] row_i,
    input  logic [              9:0] pos_i,
    input  logic [ 64*PortWords-1:0] wdata_i,
    input  logic                     depthwise_i,
    input  logic [              3:0] step_i,
    input  logic [              3:0] taps_i,
    input  logic [             10:0] words_i,
    input  logic                     rhalf_i,
    input  logic [             15:0] raddr_i,
    output logic [Rows*WordBits-1:0] operand_o,
    output logic [      Rows*64-1:0] word_o
);
  localparam int unsigned PosBits = $clog2(Words);
  localparam int unsigned InPort = $clog2(PortWords);  // bits of a word's number among those of the port
  localparam int unsigned ColumnBits = 9;  // of a column left of a row's window, too
  localparam int unsigned WriteBits = 1 + 1 + ColumnBits + 1 + PosBits + 64 * PortWords;
  logic [16:0] address[Rows];
  logic [WriteBits-1:0] write[Rows];
  assign address[0] = {rhalf_i, raddr_i};
  // From row to row: a step of one row and a window of one, or those of the layer.
  logic [ColumnBits-1:0] step_q, end_q, taps_q;
  logic [PosBits:0] words_q;
  if (Planes) begin : g_rows_apart
    assign step_q = ColumnBits'(1);
    assign end_q = ColumnBits'(2);
    assign taps_q = ColumnBits'(1);
    assign words_q = '0;
  end else begin : g_shared
    always_ff @(posedge clk_i) begin
      step_q <= depthwise_i ? ColumnBits'(step_i) : ColumnBits'(1);
      taps_q <= depthwise_i ? ColumnBits'(taps_i) : ColumnBits'(1);
      end_q <= step_q + taps_q;
      words_q <= depthwise_i ? words_i[PosBits:0] : '0;
    end
  end
  logic [ColumnBits-1:0] column;
  assign column = {1'b0, row_i};
  assign write[0] = {we_i, column < taps_q, column, whalf_i, pos_i[PosBits-1:0], wdata_i};
  for (genvar r = 0; r < Rows; r++) begin : g_row
    logic [16:0] address_q;
    logic [64*PortWords-1:0] words;
    logic [63:0] word;
    logic [PosBits-1:0] pos;
    logic we, own;
    logic [ColumnBits-1:0] own_column;
    logic [PosBits:0] waddr;
    logic [64*PortWords-1:0] wdata;
    if (r > 0) begin : g_delay
      logic we_q, own_q;
      logic [ColumnBits-1:0] column_q;
      logic [PosBits:0] pos_q;
      logic [64*PortWords-1:0] wdata_q;
      always_ff @(posedge clk_i) begin
        address_q <= address[r-1];
        we_q <= g_row[r-1].we;
        own_q <= g_row[r-1].own_column >= step_q && g_row[r-1].own_column < end_q;
        column_q <= g_row[r-1].own_column - step_q;
        pos_q <= g_row[r-1].waddr - words_q;
        wdata_q <= g_row[r-1].wdata;
      end
      assign address[r] = address_q;
      assign write[r] = {we_q, own_q, column_q, pos_q, wdata_q};
    end
    assign {we, own, own_column, waddr, wdata} = write[r];
    assign pos = Planes ? address[r][PosBits-1:0] : address[r][PosBits+2:3];
    ram_sdp #(
        .Width(64 * PortWords),
        .Depth(2 * Words / PortWords),
        .Latency(2)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (we && own),
        .waddr_i(waddr[PosBits:InPort]),
        .wdata_i(wdata),
        .re_i   (1'b1),
        .raddr_i({address[r][16], pos[PosBits-1:InPort]}),
        .rdata_o(words)
    );
    logic [2:0] byte_late;
    if (PortWords > 1) begin : g_choose
      logic [InPort-1:0] word_q, word_qq;
      always_ff @(posedge clk_i) begin
        {word_qq, word_q} <= {word_q, pos[InPort-1:0]};
        word <= words[64*word_qq+:64];
        byte_late <= address[r][2:0];
      end
    end else begin : g_one
      assign word = words;
      assign byte_late = address[r][2:0];
    end
    logic [WordBits-1:0] operand_q;
    if (Planes) begin : g_plane
      always_ff @(posedge clk_i) operand_q <= word;
      assign word_o[64*r+:64] = operand_q;
    end else begin : g_byte
      logic [2:0] byte_q, byte_qq;
      logic [63:0] word_q;
      always_ff @(posedge clk_i) begin
        byte_q <= byte_late;
        byte_qq <= byte_q;
        operand_q <= word[8*byte_qq+:8];
        word_q <= word;
      end
      assign word_o[64*r+:64] = word_q;
    end
    assign operand_o[WordBits*r+:WordBits] = operand_q;
  end
endmodule
