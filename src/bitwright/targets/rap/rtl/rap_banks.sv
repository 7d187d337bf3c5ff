// SPDX-License-Identifier: Apache-2.0
// Banks A: a bank of 16-bit words for every row, read by lines of Size words; row r reads bank (r + turn) mod Size.
//
// The words of a line have the same address but for its low bits. Column c of row r gets word c of its line at
// data_o[r][c] where wide_i, else that of raddr_i, four cycles behind re_i (read, output register, word, turn); it stays
// until the next. Rows that are not valid_i get the pad word. With given_i all get word_i, one cycle later. Writes: the
// word of row r into bank (r + wturn) mod Size where we_i of that bank.
module rap_banks #(
    parameter  int unsigned Size     = 4,
    parameter  int unsigned Words    = 1024,
    localparam int unsigned Room     = Words > 2 * Size ? Words : 2 * Size,
    localparam int unsigned AddrBits = $clog2(Room),
    localparam int unsigned ColBits  = $clog2(Size)
) (
    input  logic                                clk_i,
    input  logic                                re_i,
    input  logic [AddrBits-1:0]                 raddr_i,
    input  logic                                wide_i,
    input  logic [ ColBits-1:0]                 rturn_i,
    input  logic [    Size-1:0]                 valid_i,
    input  logic [        15:0]                 pad_i,
    input  logic                                given_i,
    input  logic [        15:0]                 word_i,
    output logic [    Size-1:0][Size-1:0][15:0] data_o,
    input  logic [    Size-1:0]                 we_i,
    input  logic [AddrBits-1:0]                 waddr_i,
    input  logic [ ColBits-1:0]                 wturn_i,
    input  logic [    Size-1:0][    15:0]       wdata_i
);
  logic [Size-1:0][Size-1:0][15:0] line, word_d, word_q, data_d, data_q;  // of bank or row, and column
  logic [Size-1:0][ColBits-1:0] place;  // which word of its line each column gets
  logic [1:0][Size-1:0][ColBits-1:0] place_q;
  logic read_q;
  logic [2:0][ColBits-1:0] rturn_q;
  logic [2:0][Size-1:0] valid_q;
  for (genvar b = 0; b < Size; b++) begin : g_bank
    logic [ColBits-1:0] row;
    assign row = ColBits'(b) - wturn_i;
    for (genvar c = 0; c < Size; c++) begin : g_word
      ram_sdp #(
          .Width  (16),
          .Depth  ((Room + Size - 1) / Size),
          .Latency(2)
      ) u_ram (
          .clk_i,
          .we_i   (we_i[b] && waddr_i[ColBits-1:0] == ColBits'(c)),
          .waddr_i(waddr_i[AddrBits-1:ColBits]),
          .wdata_i(wdata_i[row]),
          .re_i,
          .raddr_i(raddr_i[AddrBits-1:ColBits]),
          .oe_i   (read_q),
          .rdata_o(line[b][c])
      );
      assign word_d[b][c] = line[b][place_q[1][c]];
    end
  end
  for (genvar r = 0; r < Size; r++) begin : g_row
    logic [ColBits-1:0] bank;
    assign bank = ColBits'(r) + rturn_q[2];
    for (genvar c = 0; c < Size; c++) begin : g_col
      assign data_d[r][c] = given_i ? word_i : valid_q[2][r] ? word_q[bank][c] : pad_i;
    end
  end
  for (genvar c = 0; c < Size; c++) begin : g_place
    assign place[c] = wide_i ? ColBits'(c) : raddr_i[ColBits-1:0];
  end
  always_ff @(posedge clk_i) begin
    read_q <= re_i;
    if (re_i) begin
      rturn_q[0] <= rturn_i;
      valid_q[0] <= valid_i;
      place_q[0] <= place;
    end
    if (read_q) begin
      rturn_q[1] <= rturn_q[0];
      valid_q[1] <= valid_q[0];
      place_q[1] <= place_q[0];
    end
    rturn_q[2] <= rturn_q[1];
    valid_q[2] <= valid_q[1];
    word_q <= word_d;
    data_q <= data_d;
  end
  assign data_o = data_q;
endmodule
