// SPDX-License-Identifier: Apache-2.0
// Sum of each window's activations, counted while bit planes are loaded; read by tile and row, latency 2.
//
// Plane p of a word adds 2^p times its number of ones, the top plane of a signed source subtracts. The sums of 2 * Slots
// tiles are kept: the loader is never further ahead of the drain.
module bitsys_sums #(
    parameter int unsigned Rows  = 4,
    parameter int unsigned Slots = 4,
    localparam int unsigned RowBits = $clog2(Rows),
    localparam int unsigned TileBits = $clog2(Slots) + 1
) (
    input  logic                clk_i,
    input  logic                start_i,
    input  logic [  32*28-1:0]  layer_i,
    input  logic                we_i,
    input  logic [         7:0] row_i,
    input  logic [         3:0] plane_i,
    input  logic                last_i,
    input  logic                tile_end_i,
    input  logic [        63:0] data_i,
    input  logic [TileBits-1:0] rtile_i,
    input  logic [ RowBits-1:0] rrow_i,
    output logic [        31:0] sum_o
);
  `include "bitsys_registers.svh"
  logic [3:0] we_q, last_q, tile_end_q;
  logic [4*RowBits-1:0] row_q;
  logic [3:0] plane_q, plane_qq;
  logic [8*4-1:0] count8_q;
  logic [6:0] count_q;
  logic negative_q;
  logic [31:0] term_q, sum_q;
  logic fresh_q, write_q;
  logic [RowBits-1:0] write_row_q;
  logic [TileBits-1:0] tile_q, write_tile_q;

  always_ff @(posedge clk_i) begin
    if (start_i) we_q <= 4'd0;
    else we_q <= {we_q[2:0], we_i};
    last_q <= {last_q[2:0], last_i};
    tile_end_q <= {tile_end_q[2:0], tile_end_i};
    row_q <= {row_q[3*RowBits-1:0], row_i[RowBits-1:0]};
    plane_q <= plane_i;
    plane_qq <= plane_q;
    for (int k = 0; k < 8; k++) begin
      count8_q[4*k+:4] <= 4'(data_i[8*k]) + 4'(data_i[8*k+1]) + 4'(data_i[8*k+2]) + 4'(data_i[8*k+3])
        + 4'(data_i[8*k+4]) + 4'(data_i[8*k+5]) + 4'(data_i[8*k+6]) + 4'(data_i[8*k+7]);
    end
    count_q <= 7'(count8_q[3:0]) + 7'(count8_q[7:4]) + 7'(count8_q[11:8]) + 7'(count8_q[15:12])
      + 7'(count8_q[19:16]) + 7'(count8_q[23:20]) + 7'(count8_q[27:24]) + 7'(count8_q[31:28]);
    negative_q <= layer_i[FSignedA] && plane_q + 4'd1 == layer_i[FStoredA+:WStoredA];
    term_q <= negative_q ? -(32'(count_q) << plane_qq) : 32'(count_q) << plane_qq;
  end
  always_ff @(posedge clk_i) begin
    write_q <= 1'b0;
    if (start_i) begin
      fresh_q <= 1'b1;
      tile_q  <= '0;
    end else if (we_q[2]) begin
      sum_q <= term_q + (fresh_q ? 32'd0 : sum_q);
      fresh_q <= last_q[2];
      write_q <= last_q[2];
      write_row_q <= row_q[2*RowBits+:RowBits];
      write_tile_q <= tile_q;
      if (tile_end_q[2]) tile_q <= tile_q + 1'b1;
    end
  end
  logic [TileBits+RowBits-1:0] raddr_q;
  always_ff @(posedge clk_i) raddr_q <= {rtile_i, rrow_i};
  ram_sdp #(
      .Width(32),
      .Depth((2 * Slots) << RowBits),
      .Style(2)
  ) u_ram (
      .clk_i  (clk_i),
      .we_i   (write_q),
      .waddr_i({write_tile_q, write_row_q}),
      .wdata_i(sum_q),
      .re_i   (1'b1),
      .raddr_i(raddr_q),
      .rdata_o(sum_o)
  );
endmodule
