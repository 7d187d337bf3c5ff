// SPDX-License-Identifier: Apache-2.0
// Table lookup (Python op Lookup): y = table[c][x], any function of a few bits.
//
// A stream of words of Lanes channels, Tiles words a pixel. Latency 1, one word a cycle. Shared: one table for all
// channels. x addresses the table as an unsigned word; lookup.py orders the entries so.
//
// Files: <File>_l<lll>.mem (lane 000 alone where Shared) has Tiles * 2**InBits words (2**InBits where Shared),
// word tile * 2**InBits + x.
module lookup #(
    parameter int unsigned InBits  = 4,
    parameter int unsigned OutBits = 4,
    parameter int unsigned Lanes   = 1,
    parameter int unsigned Tiles   = 1,
    parameter bit          Shared  = 1,
    parameter File = "lookup"
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [ Lanes*InBits-1:0] s_data_i,
    input  logic                     s_valid_i,
    output logic                     s_ready_o,
    output logic [Lanes*OutBits-1:0] m_data_o,
    output logic                     m_valid_o,
    input  logic                     m_ready_i
);
  if (InBits < 1 || InBits > 20 || OutBits < 1 || Lanes < 1 || Lanes > 1000 || Tiles < 1) begin : g_illegal
    $error("lookup: legal are 1..20 input bits, 1..1000 lanes, sizes of at least 1");
  end

  localparam int unsigned TableTiles = Shared ? 1 : Tiles;
  localparam int unsigned Depth = TableTiles << InBits;
  localparam int unsigned AddressBits = $clog2(Depth);

  logic en, unused_enter;
  logic [(TableTiles > 1 ? $clog2(TableTiles) : 1)-1:0] tile;
  pipe_control #(
      .Stages(1),
      .Tiles (TableTiles)
  ) u_pipe (
      .en_o(en),
      .enter_o(unused_enter),
      .tile_o(tile),
      .*
  );

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    localparam int unsigned FileLane = Shared ? 0 : l;
    rom #(
        .Width(OutBits),
        .Depth(Depth),
        .File ({File, "_l", 8'(48 + FileLane / 100), 8'(48 + FileLane / 10 % 10), 8'(48 + FileLane % 10), ".mem"})
    ) u_table (
        .clk_i,
        .re_i  (en),
        .addr_i(AddressBits'({tile, s_data_i[l*InBits+:InBits]})),
        .data_o(m_data_o[l*OutBits+:OutBits])
    );
  end
  logic unused;
  assign unused = &{1'b0, tile, unused_enter};
endmodule
