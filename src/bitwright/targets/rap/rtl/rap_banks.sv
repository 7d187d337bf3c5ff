// SPDX-License-Identifier: Apache-2.0
// A memory of Size banks with one address for all, 16-bit words; every row reads bank (row + turn) mod Size.
//
// Read latency 1 and another for the turn: word of row r at data_o[16*r+:16] two cycles behind re_i; rows that are
// not valid_i read the pad word. Writes: row r into bank (r + wturn) mod Size where we_i[r].
module rap_banks #(
    parameter int unsigned Size  = 4,
    parameter int unsigned Words = 1024,
    localparam int unsigned AddrBits = $clog2(Words)
) (
    input  logic                clk_i,
    input  logic                re_i,
    input  logic [AddrBits-1:0] raddr_i,
    input  logic [         2:0] rturn_i,
    input  logic [    Size-1:0] valid_i,
    input  logic [        15:0] pad_i,
    output logic [ 16*Size-1:0] data_o,
    input  logic [    Size-1:0] we_i,
    input  logic [AddrBits-1:0] waddr_i,
    input  logic [         2:0] wturn_i,
    input  logic [ 16*Size-1:0] wdata_i
);
  logic [16*Size-1:0] word;
  logic [2:0] rturn_q;
  logic [Size-1:0] valid_q;
  logic [16*Size-1:0] data_d, data_q;
  for (genvar b = 0; b < Size; b++) begin : g_bank
    logic [2:0] row;
    assign row = (3'(b) - wturn_i) & 3'(Size - 1);
    ram_sdp #(
        .Width(16),
        .Depth(Words)
    ) u_ram (
        .clk_i,
        .we_i   (we_i[row[$clog2(Size)-1:0]]),
        .waddr_i,
        .wdata_i(wdata_i[16*row[$clog2(Size)-1:0]+:16]),
        .re_i,
        .raddr_i,
        .rdata_o(word[16*b+:16])
    );
  end
  for (genvar r = 0; r < Size; r++) begin : g_row
    logic [2:0] bank;
    assign bank = (3'(r) + rturn_q) & 3'(Size - 1);
    assign data_d[16*r+:16] = valid_q[r] ? word[16*bank[$clog2(Size)-1:0]+:16] : pad_i;
  end
  always_ff @(posedge clk_i) begin
    if (re_i) begin
      rturn_q <= rturn_i;
      valid_q <= valid_i;
    end
    data_q <= data_d;
  end
  assign data_o = data_q;
endmodule
