// SPDX-License-Identifier: Apache-2.0
// Row buffers: the windows of a tile's pixels, two halves, read by all rows of the array with systolic delay.
//
// Writes: word pos_i of row row_i, row r a further r cycles later: rows pass them on. Reads: raddr_i counts operand words (bytes, or 64-bit planes where Planes) in half
// rhalf_i; row r is read r cycles after row 0, which is the operands' skew without any waste. Latency 3 + r cycles.
module bitsys_rows #(
    parameter int unsigned Rows   = 8,
    parameter int unsigned Words  = 256,
    parameter bit          Planes = 1'b0,
    localparam int unsigned WordBits = Planes ? 64 : 8
) (
    input  logic                     clk_i,
    input  logic                     we_i,
    input  logic                     whalf_i,
    input  logic [              7:0] row_i,
    input  logic [              9:0] pos_i,
    input  logic [             63:0] wdata_i,
    input  logic                     rhalf_i,
    input  logic [             15:0] raddr_i,
    output logic [Rows*WordBits-1:0] operand_o
);
  localparam int unsigned PosBits = $clog2(Words);
  localparam int unsigned WriteBits = 1 + 1 + 8 + PosBits + 64;
  logic [16:0] address[Rows];
  logic [WriteBits-1:0] write[Rows];
  assign address[0] = {rhalf_i, raddr_i};
  assign write[0] = {we_i, row_i, whalf_i, pos_i[PosBits-1:0], wdata_i};
  for (genvar r = 0; r < Rows; r++) begin : g_row
    logic [16:0] address_q;
    logic [63:0] word;
    logic [PosBits-1:0] pos;
    logic [WriteBits-1:0] write_q;
    logic we;
    logic [7:0] row;
    logic [PosBits:0] waddr;
    logic [63:0] wdata;
    if (r > 0) begin : g_delay
      always_ff @(posedge clk_i) begin
        address_q <= address[r-1];
        write_q <= write[r-1];
      end
      assign address[r] = address_q;
      assign write[r] = write_q;
    end
    assign {we, row, waddr, wdata} = write[r];
    assign pos = Planes ? address[r][PosBits-1:0] : address[r][PosBits+2:3];
    ram_sdp #(
        .Width(64),
        .Depth(2 * Words),
        .Latency(2)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (we && row == 8'(r)),
        .waddr_i(waddr),
        .wdata_i(wdata),
        .re_i   (1'b1),
        .raddr_i({address[r][16], pos}),
        .rdata_o(word)
    );
    logic [WordBits-1:0] operand_q;
    if (Planes) begin : g_plane
      always_ff @(posedge clk_i) operand_q <= word;
    end else begin : g_byte
      logic [2:0] byte_q, byte_qq;
      always_ff @(posedge clk_i) begin
        byte_q <= address[r][2:0];
        byte_qq <= byte_q;
        operand_q <= word[8*byte_qq+:8];
      end
    end
    assign operand_o[WordBits*r+:WordBits] = operand_q;
  end
endmodule
