// SPDX-License-Identifier: Apache-2.0
// Multi-threshold activation (Python op Threshold): y = base[c] + step[c] * (number of k with x >= T[c, k]).
//
// A stream of words of Lanes channels, Tiles words a pixel. Binary search: for bit s of the count, of 2**s thresholds of
// each channel the one that the bits found so far select is read, and compared in the next stage. Latency two cycles a
// bit, one more for each deep memory, two for each in block RAM, whose words come too late for a compare in their cycle,
// and one more where base and step need an adder. One word a cycle.
//
// The count is below 2**CountBits; threshold.py fills up with thresholds that are never
// reached and writes T - 1, so that the test is x > T - 1. Wide: T - 1 has one bit more than x and is signed
// (thresholds that even the smallest x reaches). Signed levels are written as offset binary, with the sign bit
// turned over. Shared: all channels have the same thresholds.
// Uniform: y = Base + count, or Base - count where Falling; otherwise a memory gives {falling, base} per channel.
// A bipolar output is one bit with base 0 or 1: 0 stands for -1.
//
// Files (nn bit, lll lane; lane 000 alone where Shared): <File>_s<nn>_l<lll>.mem has Tiles * 2**nn words (2**nn
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
  localparam int unsigned LevelBits = InBits + (Wide ? 1 : 0);
  localparam int unsigned Search = entry(CountBits);  // stages of the search
  localparam int unsigned Stages = Search + (Adjust ? 1 : 0);
  localparam int unsigned BaseLatency = latency(OutBits + 1, Tiles);

  // Registers of a memory: block RAM (as module rom chooses it) has one more, and so have more than 128 words.
  function automatic bit block(input int unsigned width, input int unsigned depth);
    block = depth > 64 && depth > 4096 / width;
  endfunction
  function automatic int unsigned latency(input int unsigned width, input int unsigned depth);
    latency = block(width, depth) || depth > 128 ? 2 : 1;
  endfunction

  // The stage in which the threshold of bit s is read.
  function automatic int unsigned entry(input int unsigned s);
    entry = 0;
    for (int unsigned i = 0; i < s; i++) begin
      entry += 1 + latency(LevelBits, (Shared ? 1 : Tiles) << i);
      if (block(LevelBits, (Shared ? 1 : Tiles) << i)) entry++;
    end
  endfunction

  logic [Stages-1:0] en, unused_enter;
  logic [Stages-1:0][(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] tile;  // of the word that enters each stage
  pipe_control #(
      .Stages(Stages),
      .Tiles (Tiles)
  ) u_pipe (
      .en_o(en),
      .enter_o(unused_enter),
      .tile_o(tile),
      .*
  );

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    localparam logic [23:0] Name = {8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10)};
    localparam logic [23:0] SearchName = Shared ? "000" : Name;

    // x and the bits of the count found so far, of the word that enters each stage
    logic [InBits-1:0] x[Search+1];
    logic [CountBits-1:0] count[Search+1], found[Search];
    assign x[0] = s_data_i[l*InBits+:InBits];
    assign count[0] = '0;
    for (genvar s = 0; s < Search; s++) begin : g_stage
      always_ff @(posedge clk_i) begin
        if (en[s]) begin
          x[s+1] <= x[s];
          count[s+1] <= found[s];
        end
      end
    end

    for (genvar s = 0; s < CountBits; s++) begin : g_bit
      localparam int unsigned Depth = (Shared ? 1 : Tiles) << s;
      localparam int unsigned Read = entry(s);
      localparam int unsigned Compare = entry(s + 1) - 1;
      localparam int unsigned Latency = latency(LevelBits, Depth);
      logic [LevelBits-1:0] read, level, value;
      logic [(Depth > 1 ? $clog2(Depth) : 1)-1:0] address;
      if (Shared || Tiles == 1) begin : g_shared
        assign address = count[Read][(s > 0 ? s : 1)-1:0];
      end else if (s == 0) begin : g_first
        assign address = tile[0];
      end else begin : g_later
        assign address = {tile[Read], count[Read][s-1:0]};
      end
      rom #(
          .Width(LevelBits),
          .Depth(Depth),
          .File ({File, "_s", 8'(48 + s / 10), 8'(48 + s % 10), "_l", SearchName, ".mem"}),
          .Latency(Latency)
      ) u_levels (
          .clk_i,
          .re_i  (en[Read]),
          .addr_i(address),
          .oe_i  (en[Read+Latency-1]),
          .data_o(read)
      );
      if (Compare - Read > Latency) begin : g_late
        always_ff @(posedge clk_i) if (en[Compare-1]) level <= read;
      end else begin : g_level
        assign level = read;
      end

      // Offset binary: signed numbers with their sign bit turned over compare as unsigned ones.
      if (Wide) begin : g_wide
        assign value = {!(InSigned && x[Compare][InBits-1]), x[Compare]};
      end else begin : g_narrow
        assign value = x[Compare] ^ (InSigned ? InBits'(1) << (InBits - 1) : '0);
      end
      for (genvar p = Read; p < Compare; p++) begin : g_read
        assign found[p] = count[p];
      end
      assign found[Compare] = (count[Compare] << 1) | CountBits'(value > level);
    end

    logic [OutBits-1:0] y_q;
    if (Adjust && Uniform) begin : g_constant
      always_ff @(posedge clk_i)
        if (en[Search]) y_q <= Falling ? Base - OutBits'(count[Search]) : Base + OutBits'(count[Search]);
    end else if (Adjust) begin : g_channel
      logic falling;
      logic [OutBits-1:0] base;
      rom #(
          .Width(OutBits + 1),
          .Depth(Tiles),
          .File ({File, "_b", Name, ".mem"}),
          .Latency(BaseLatency)
      ) u_base (
          .clk_i,
          .re_i  (en[Search-BaseLatency]),
          .addr_i(tile[Search-BaseLatency]),
          .oe_i  (en[Search-1]),
          .data_o({falling, base})
      );
      always_ff @(posedge clk_i)
        if (en[Search]) y_q <= base + (OutBits'(count[Search]) ^ {OutBits{falling}}) + OutBits'(falling);
    end else begin : g_plain
      assign y_q = OutBits'(count[Search]) ^ (Uniform ? Base : '0);  // Base is 0, or one bit
    end
    assign m_data_o[l*OutBits+:OutBits] = y_q;

    logic unused;
    assign unused = &{1'b0, Name, x[Search]};
  end
  logic unused;
  assign unused = &{1'b0, tile, unused_enter};
endmodule
