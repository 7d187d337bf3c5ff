// SPDX-License-Identifier: Apache-2.0
// A memory of Size banks with one address for all, 16-bit words; every row reads bank (row + turn) mod Size.
//
// The word of row r is at data_o[r] three cycles behind re_i (read, output register, turn), and stays until the next;
// rows that are not valid_i read the pad word. With given_i all rows have word_i, one cycle later. Writes: row r into
// bank (r + wturn) mod Size where we_i[r].
module rap_banks #(
    parameter  int unsigned Size     = 4,
    parameter  int unsigned Words    = 1024,
    localparam int unsigned AddrBits = $clog2(Words),
    localparam int unsigned TurnBits = $clog2(Size)
) (
    input  logic                      clk_i,
    input  logic                      re_i,
    input  logic [AddrBits-1:0]       raddr_i,
    input  logic [TurnBits-1:0]       rturn_i,
    input  logic [    Size-1:0]       valid_i,
    input  logic [        15:0]       pad_i,
    input  logic                      given_i,
    input  logic [        15:0]       word_i,
    output logic [    Size-1:0][15:0] data_o,
    input  logic [    Size-1:0]       we_i,
    input  logic [AddrBits-1:0]       waddr_i,
    input  logic [TurnBits-1:0]       wturn_i,
    input  logic [    Size-1:0][15:0] wdata_i
);
  logic [Size-1:0][15:0] word, data_d, data_q;
  logic read_q;
  logic [1:0][TurnBits-1:0] rturn_q;
  logic [1:0][Size-1:0] valid_q;
  for (genvar b = 0; b < Size; b++) begin : g_bank
    logic [TurnBits-1:0] row;
    assign row = TurnBits'(b) - wturn_i;
    ram_sdp #(
        .Width  (16),
        .Depth  (Words),
        .Latency(2)
    ) u_ram (
        .clk_i,
        .we_i   (we_i[row]),
        .waddr_i,
        .wdata_i(wdata_i[row]),
        .re_i,
        .raddr_i,
        .oe_i   (read_q),
        .rdata_o(word[b])
    );
  end
  for (genvar r = 0; r < Size; r++) begin : g_row
    logic [TurnBits-1:0] bank;
    assign bank = TurnBits'(r) + rturn_q[1];
    assign data_d[r] = given_i ? word_i : valid_q[1][r] ? word[bank] : pad_i;
  end
  always_ff @(posedge clk_i) begin
    read_q <= re_i;
    if (re_i) begin
      rturn_q[0] <= rturn_i;
      valid_q[0] <= valid_i;
    end
    if (read_q) begin
      rturn_q[1] <= rturn_q[0];
      valid_q[1] <= valid_q[0];
    end
    data_q <= data_d;
  end
  assign data_o = data_q;
endmodule
