// SPDX-License-Identifier: Apache-2.0
// Multi-threshold activation (Python op Threshold): y = base[c] + step[c] * (number of k with x >= T[c, k]).
//
// A stream of words of Lanes channels, Tiles words a pixel. Binary search, one pipeline stage a bit of the count:
// stage s holds 2**s thresholds of each channel and compares with the one that the bits found so far select.
// Latency CountBits + 1, one more where base and step need an adder. One word a cycle.
//
// The count is below 2**CountBits; threshold.py fills up with thresholds that are never
// reached and writes T - 1, so that the test is x > T - 1. Wide: T - 1 has one bit more than x and is signed
// (thresholds that even the smallest x reaches). Signed levels are written as offset binary, with the sign bit
// turned over. Shared: all channels have the same thresholds.
// Uniform: y = Base + count, or Base - count where Falling; otherwise a memory gives {falling, base} per channel.
// A bipolar output is one bit with base 0 or 1: 0 stands for -1.
//
// Files (nn stage, lll lane; lane 000 alone where Shared): <File>_s<nn>_l<lll>.mem has Tiles * 2**nn words (2**nn
// where Shared), word tile * 2**nn + bits so far; <File>_b<lll>.mem has Tiles words {falling, base}.
module threshold #(
    parameter int unsigned InBits    = 8,
    parameter int unsigned OutBits   = 2,
    parameter int unsigned Lanes     = 1,
    parameter int unsigned Tiles     = 1,
    parameter int unsigned CountBits = 2,
    parameter bit          InSigned  = 1,
    parameter bit          Wide      = 0,
    parameter bit          Shared    = 0,
    parameter bit          Uniform   = 1,
    parameter logic [OutBits-1:0] Base = '0,
    parameter bit          Falling   = 0,
    parameter File = "threshold"
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
  if (InBits < 1 || OutBits < 1 || Lanes < 1 || Lanes > 1000 || Tiles < 1 || CountBits < 1 || CountBits > 16)
  begin : g_illegal
    $error("threshold: legal are 1..1000 lanes, 1..16 count bits, sizes of at least 1");
  end

  localparam bit Adjust = !Uniform || (OutBits > 1 && (Base != '0 || Falling));
  localparam int unsigned Stages = CountBits + 1 + (Adjust ? 1 : 0);
  localparam int unsigned TileBits = Tiles > 1 ? $clog2(Tiles) : 1;

  logic [Stages-1:0] en, enter;
  pipe_control #(
      .Stages(Stages)
  ) u_pipe (
      .clk_i,
      .rst_i,
      .s_valid_i,
      .s_ready_o,
      .m_valid_o,
      .m_ready_i,
      .en_o(en),
      .enter_o(enter)
  );

  // tile[s]: the tile of the word that enters stage s
  logic [CountBits:0][TileBits-1:0] tile;
  tile_pipe #(
      .Tiles (Tiles),
      .Stages(CountBits)
  ) u_tile (
      .clk_i,
      .rst_i,
      .take_i(enter[0]),
      .en_i  (en[CountBits-1:0]),
      .tile_o(tile)
  );

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    localparam int unsigned FileLane = Shared ? 0 : l;
    threshold_lane #(
        .InBits(InBits),
        .OutBits(OutBits),
        .Tiles(Tiles),
        .CountBits(CountBits),
        .InSigned(InSigned),
        .Wide(Wide),
        .Shared(Shared),
        .Uniform(Uniform),
        .Base(Base),
        .Falling(Falling),
        .Adjust(Adjust),
        .File(File),
        .SearchLane({8'(48 + FileLane / 100), 8'(48 + FileLane / 10 % 10), 8'(48 + FileLane % 10)}),
        .BaseLane({8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10)})
    ) u_lane (
        .clk_i,
        .en_i  (en),
        .tile_i(tile),
        .x_i   (s_data_i[l*InBits+:InBits]),
        .y_o   (m_data_o[l*OutBits+:OutBits])
    );
  end
  logic unused;
  assign unused = &{1'b0, enter};
endmodule
