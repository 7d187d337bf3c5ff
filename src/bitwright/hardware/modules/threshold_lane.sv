// SPDX-License-Identifier: Apache-2.0
// One lane of module threshold, which see: the pipelined binary search of one channel at a time.
module threshold_lane #(
    parameter int unsigned InBits    = 8,
    parameter int unsigned OutBits   = 2,
    parameter int unsigned Tiles     = 1,
    parameter int unsigned CountBits = 2,
    parameter bit          InSigned  = 1,
    parameter bit          Wide      = 0,
    parameter bit          Shared    = 0,
    parameter bit          Uniform   = 1,
    parameter logic [OutBits-1:0] Base = '0,
    parameter bit          Falling   = 0,
    parameter bit          Adjust    = 0,
    parameter File = "threshold",
    parameter logic [23:0] SearchLane = "000",
    parameter logic [23:0] BaseLane = "000",
    localparam int unsigned TileBits = Tiles > 1 ? $clog2(Tiles) : 1
) (
    input  logic                              clk_i,
    input  logic [CountBits+Adjust:0]         en_i,
    input  logic [CountBits:0][TileBits-1:0]  tile_i,
    input  logic [InBits-1:0]                 x_i,
    output logic [OutBits-1:0]                y_o
);
  localparam int unsigned LevelBits = InBits + (Wide ? 1 : 0);

  // x and the bits of the count found so far, of the word that enters stage s
  logic [CountBits:0][InBits-1:0] x;
  logic [CountBits:0][CountBits-1:0] count;
  assign x[0] = x_i;
  assign count[0] = '0;

  for (genvar s = 0; s < CountBits; s++) begin : g_stage
    localparam int unsigned Depth = (Shared ? 1 : Tiles) << s;
    logic [LevelBits-1:0] level, value;
    logic [(Depth > 1 ? $clog2(Depth) : 1)-1:0] address;
    logic [CountBits-1:0] count_q;
    logic more;

    if (Shared || Tiles == 1) begin : g_shared
      assign address = count[s][(s > 0 ? s : 1)-1:0];
    end else if (s == 0) begin : g_first
      assign address = tile_i[0];
    end else begin : g_later
      assign address = {tile_i[s], count[s][s-1:0]};
    end
    rom #(
        .Width(LevelBits),
        .Depth(Depth),
        .File ({File, "_s", 8'(48 + s / 10), 8'(48 + s % 10), "_l", SearchLane, ".mem"})
    ) u_levels (
        .clk_i,
        .re_i  (en_i[s]),
        .addr_i(address),
        .data_o(level)
    );

    always_ff @(posedge clk_i) begin
      if (en_i[s]) begin
        x[s+1]  <= x[s];
        count_q <= count[s];
      end
    end
    // Offset binary: signed numbers with their sign bit turned over compare as unsigned ones.
    if (Wide) begin : g_wide
      assign value = {!(InSigned && x[s+1][InBits-1]), x[s+1]};
    end else begin : g_narrow
      assign value = x[s+1] ^ (InSigned ? InBits'(1) << (InBits - 1) : '0);
    end
    assign more = value > level;
    assign count[s+1] = (count_q << 1) | CountBits'(more);
  end

  logic [CountBits-1:0] count_q;
  always_ff @(posedge clk_i) if (en_i[CountBits]) count_q <= count[CountBits];

  if (Adjust && Uniform) begin : g_constant
    always_ff @(posedge clk_i)
      if (en_i[CountBits+1]) y_o <= Falling ? Base - OutBits'(count_q) : Base + OutBits'(count_q);
  end else if (Adjust) begin : g_channel
    logic falling;
    logic [OutBits-1:0] base;
    rom #(
        .Width(OutBits + 1),
        .Depth(Tiles),
        .File ({File, "_b", BaseLane, ".mem"})
    ) u_base (
        .clk_i,
        .re_i  (en_i[CountBits]),
        .addr_i(tile_i[CountBits]),
        .data_o({falling, base})
    );
    always_ff @(posedge clk_i)
      if (en_i[CountBits+1]) y_o <= base + (OutBits'(count_q) ^ {OutBits{falling}}) + OutBits'(falling);
  end else begin : g_plain
    assign y_o = OutBits'(count_q) ^ (Uniform ? Base : '0);  // Base is 0, or one bit
  end

  logic unused;
  assign unused = &{1'b0, tile_i, BaseLane, x[CountBits]};
endmodule
