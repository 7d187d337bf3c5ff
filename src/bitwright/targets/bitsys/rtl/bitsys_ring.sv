// SPDX-License-Identifier: Apache-2.0
// Rows of taps in the row buffers of a depthwise layer: which may be read, which tiles are loaded, where they begin.
//
// Tiles of a strip lie below each other and share rows of taps; row j of the layer lies in place j mod ring_rows. A row is
// claimed with its last read (claim_i) and there with its last write (loaded_i); one_free_o, two_free_o: places that rows
// may still claim. next_i: the first tile that has not begun begins with its last channels; loaded_o tells whether all its
// rows are there, ahead_o is the byte where the tile behind it begins, from two cycles after next_i on. tile_i comes with
// the begin of every channel tile, release_i with the end of the last one of a tile.
module bitsys_ring (
    input  logic             clk_i,
    input  logic             start_i,
    input  logic [32*28-1:0] layer_i,
    input  logic             claim_i,
    input  logic             loaded_i,
    input  logic             tile_i,
    input  logic             next_i,
    input  logic             release_i,
    output logic             one_free_o,
    output logic             two_free_o,
    output logic             loaded_o,
    output logic [     15:0] ahead_o
);
  `include "bitsys_registers.svh"
  // From a tile to the one below, and from the last of a strip to the next strip: bytes, less the ring where they pass it.
  logic [15:0] down_q, next_q, down_back_q, next_back_q, base_q, ahead_q, sum, sum_back, ring;
  logic [3:0] rows_down, rows_next;
  assign ring = {1'b0, layer_i[FRingWords+:WRingWords], 3'd0};
  assign rows_down = layer_i[FTileDown+:WTileDown];
  assign rows_next = layer_i[FTileTaps+:WTileTaps];
  always_ff @(posedge clk_i) begin
    down_q <= {1'b0, layer_i[FRingDown+:WRingDown], 3'd0};
    next_q <= {1'b0, layer_i[FRingNext+:WRingNext], 3'd0};
    down_back_q <= {1'b0, layer_i[FRingDown+:WRingDown], 3'd0} - ring;
    next_back_q <= {1'b0, layer_i[FRingNext+:WRingNext], 3'd0} - ring;
  end

  // Tiles of a strip; of the channel tile at work, whether its tile ends one.
  logic [7:0] tile_q, end_q;
  logic last_q, one_q, working_last_q;
  always_ff @(posedge clk_i) begin
    end_q <= layer_i[FStripRows+:WStripRows] - 8'd2;
    one_q <= layer_i[FStripRows+:WStripRows] == 8'd1;
    if (start_i) begin
      tile_q <= 8'd0;
      last_q <= one_q;
    end else if (next_i) begin
      tile_q <= last_q ? 8'd0 : tile_q + 8'd1;
      last_q <= last_q ? one_q : tile_q == end_q;
    end
    if (tile_i) working_last_q <= last_q;
  end

  assign sum = base_q + (last_q ? next_q : down_q);
  assign sum_back = base_q + (last_q ? next_back_q : down_back_q);
  always_ff @(posedge clk_i) begin
    ahead_q <= sum_back[15] ? sum : sum_back;
    if (start_i) base_q <= 16'd0;
    else if (next_i) base_q <= ahead_q;
  end
  assign ahead_o = ahead_q;

  // Rows that are there, less those that the first tile needs; places that are free.
  logic [7:0] there_q;
  logic [5:0] free_q;
  always_ff @(posedge clk_i) begin
    if (start_i) there_q <= 8'd0 - 8'(rows_next);
    else there_q <= there_q + 8'(loaded_i) - (next_i ? 8'(last_q ? rows_next : rows_down) : 8'd0);
    if (start_i) free_q <= layer_i[FRingRows+:WRingRows];
    else free_q <= free_q - 6'(claim_i) + (release_i ? 6'(working_last_q ? rows_next : rows_down) : 6'd0);
  end
  assign loaded_o = !there_q[7];
  assign one_free_o = free_q != 6'd0;
  assign two_free_o = free_q > 6'd1;
endmodule
