// SPDX-License-Identifier: Apache-2.0
// Takes the sums of finished tiles out of the result buffer: pixel by pixel, eight channels every `interval` cycles.
// A tile has Rows pixels of Columns channels; depthwise, as many pixels as the last one, of eight channels, and the tiles of
// a strip lie below each other.
//
// Slots are claimed when a tile starts, become ready when its last sum is written, and are free again when the tile has
// left. A group leaves as its number in the parameters (channel group of the layer) and the first word of its pixel's
// result. Latency from the read of the result buffer to valid_o 3 cycles, to group_o 2; value_o is the sum, unscaled:
//   containers: acc >> 6, 6, 4, 0 in modes 0 to 3;  planes: acc, or 2 * acc - sum of the activations (correct), doubled
module bitsys_drain #(
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 8,
    parameter int unsigned Slots   = 4,
    parameter bit          Planes  = 1'b0,
    localparam int unsigned RowBits = $clog2(Rows),
    localparam int unsigned SlotBits = $clog2(Slots),
    localparam int unsigned Groups = Columns / 8
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic                  start_i,
    input  logic [   32*28-1:0]   layer_i,
    output logic                  busy_o,
    input  logic                  claim_i,
    input  logic                  written_i,
    output logic                  slot_free_o,
    output logic [  SlotBits-1:0] rslot_o,
    output logic [   RowBits-1:0] rrow_o,
    input  logic [32*Columns-1:0] rdata_i,
    output logic [    SlotBits:0] sum_tile_o,
    input  logic [          31:0] sum_i,
    output logic                  valid_o,
    output logic [         255:0] value_o,
    output logic [          15:0] group_o,  // a cycle before the rest
    output logic [          15:0] pixel_o
);
  `include "bitsys_registers.svh"
  logic busy_q, wait_over_q, searches;
  logic [SlotBits:0] used_q, ready_q, tile_q;
  logic [SlotBits-1:0] slot_q;
  logic [19:0] m_left_q;
  logic [15:0] n_left_q, group_base_q, tile_pixel_q, pixel_q, next_pixel;
  logic [7:0] row_q, row_left_q, column_q, groups_q, rows_q, groups_all_q, step_q;
  logic depthwise_q, depthwise;
  assign depthwise = !Planes && layer_i[FDepthwise];
  logic [9:0] wait_q;
  logic last_n_q, last_m_q, next_last_m_q, last_row_q, next_last_n, next_in_last_m, last_group, issue, row_end, tile_end;
  // Groups that search among thresholds enter the post stage `interval` cycles apart, or a multiple of 3 more.
  assign searches = layer_i[FTableBits+:WTableBits] > 4'd1 && !layer_i[FLookup];
  assign last_group = Groups == 1 || column_q == groups_q;
  assign issue = ready_q != '0 && wait_over_q;
  assign row_end = issue && last_group;
  assign tile_end = row_end && last_row_q;
  // Of the tile behind this one; it is never asked for behind the last one.
  assign next_last_n = last_n_q ? layer_i[FTilesN+:WTilesN] == 16'd1 : n_left_q == 16'd1;
  assign next_in_last_m = last_n_q ? next_last_m_q : last_m_q;
  assign next_pixel = pixel_q + layer_i[FOutPitch+:WOutPitch];
  // The tile below, or the first one of the next strip, which lies right of that of this one.
  logic [15:0] strip_next_q, below_q, other_tile;
  logic [7:0] strip_q, strip_last_q;
  logic strip_end_q, one_of_strip_q, follows;
  assign follows = strip_end_q && one_of_strip_q;  // the next tile begins behind the last pixel of this one
  assign other_tile = strip_end_q ? strip_next_q : below_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      busy_q <= 1'b0;
      used_q <= '0;
      ready_q <= '0;
      slot_q <= '0;
    end else begin
      if (start_i) busy_q <= !layer_i[FVector];
      else if (tile_end && last_n_q && last_m_q) busy_q <= 1'b0;
      used_q <= used_q + (SlotBits + 1)'(claim_i) - (SlotBits + 1)'(tile_end);
      ready_q <= ready_q + (SlotBits + 1)'(written_i) - (SlotBits + 1)'(tile_end);
      if (tile_end) slot_q <= slot_q + 1'b1;
    end
  end
  assign slot_free_o = used_q < (SlotBits + 1)'(Slots);

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      wait_over_q <= 1'b1;
    end else if (issue) begin
      wait_q <= layer_i[FInterval+:WInterval] - 10'd2;
      wait_over_q <= layer_i[FInterval+:WInterval] == 10'd1;
    end else if (!wait_over_q) begin
      wait_q <= wait_q - 10'd1;
      wait_over_q <= wait_q == 10'd0;
    end else if (searches) begin
      wait_q <= 10'd1;
      wait_over_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    next_last_m_q <= m_left_q == 20'd1;
    rows_q <= depthwise ? layer_i[FRowsLast+:WRowsLast] - 8'd1 : 8'(Rows - 1);
    depthwise_q <= depthwise;
    strip_last_q <= layer_i[FStripRows+:WStripRows] - 8'd2;
    one_of_strip_q <= !depthwise || layer_i[FStripRows+:WStripRows] == 8'd1;
    groups_all_q <= depthwise ? 8'd0 : 8'(Groups - 1);
    step_q <= depthwise ? 8'd1 : 8'(Groups);
    below_q <= tile_pixel_q + layer_i[FOutDown+:WOutDown];  // in time: tiles end two cycles apart, at least
    if (start_i) begin
      m_left_q <= layer_i[FTilesM+:WTilesM] - 20'd1;
      last_m_q <= layer_i[FTilesM+:WTilesM] == 20'd1;
      n_left_q <= layer_i[FTilesN+:WTilesN] - 16'd1;
      last_n_q <= layer_i[FTilesN+:WTilesN] == 16'd1;
      row_q <= 8'd0;
      row_left_q <= layer_i[FTilesM+:WTilesM] == 20'd1 ? layer_i[FRowsLast+:WRowsLast] - 8'd1 : rows_q;
      last_row_q <= (layer_i[FTilesM+:WTilesM] == 20'd1 || depthwise_q) && layer_i[FRowsLast+:WRowsLast] == 8'd1;
      column_q <= 8'd0;
      groups_q <= layer_i[FTilesN+:WTilesN] == 16'd1 ? layer_i[FGroupsLast+:WGroupsLast] - 8'd1 : groups_all_q;
      group_base_q <= 16'(layer_i[FFirstGroup+:WFirstGroup]);
      tile_q <= '0;
      strip_q <= 8'd0;
      strip_end_q <= one_of_strip_q;
      tile_pixel_q <= layer_i[FOutBase+:WOutBase];
      pixel_q <= layer_i[FOutBase+:WOutBase];
    end else if (issue) begin
      column_q <= last_group ? 8'd0 : column_q + 8'd1;
      if (row_end) begin
        row_q <= last_row_q ? 8'd0 : row_q + 8'd1;
        row_left_q <= !last_row_q ? row_left_q - 8'd1 : next_in_last_m ? layer_i[FRowsLast+:WRowsLast] - 8'd1 : rows_q;
        last_row_q <= !last_row_q ? row_left_q == 8'd1
          : (next_in_last_m || depthwise_q) && layer_i[FRowsLast+:WRowsLast] == 8'd1;
        pixel_q <= !last_row_q || (last_n_q && follows) ? next_pixel : last_n_q ? other_tile : tile_pixel_q;
      end
      if (tile_end) begin
        groups_q <= next_last_n ? layer_i[FGroupsLast+:WGroupsLast] - 8'd1 : groups_all_q;
        last_n_q <= next_last_n;
        if (last_n_q) begin
          n_left_q <= layer_i[FTilesN+:WTilesN] - 16'd1;
          group_base_q <= 16'(layer_i[FFirstGroup+:WFirstGroup]);
          m_left_q <= m_left_q - 20'd1;
          last_m_q <= next_last_m_q;
          tile_q <= tile_q + 1'b1;
          tile_pixel_q <= follows ? next_pixel : other_tile;
          strip_q <= strip_end_q ? 8'd0 : strip_q + 8'd1;
          strip_end_q <= strip_end_q ? one_of_strip_q : strip_q == strip_last_q;
          if (strip_q == 8'd0) strip_next_q <= next_pixel;
        end else begin
          n_left_q <= n_left_q - 16'd1;
          group_base_q <= group_base_q + 16'(step_q);
        end
      end
    end
  end

  // Read, then choose the eight columns and scale.
  logic [2:0] valid_q;
  logic [7:0] column_qq, column_qqq;
  logic [15:0] group_qq, group_qqq, pixel_qq, pixel_qqq, pixel_qqqq;
  logic [255:0] chosen, value_q;
  assign rslot_o = slot_q;
  assign rrow_o = row_q[RowBits-1:0];
  assign sum_tile_o = tile_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 3'd0;
    else valid_q <= {valid_q[1:0], issue};
  end
  if (Groups > 1) begin : g_choose
    assign chosen = rdata_i[256*column_qqq[$clog2(Groups)-1:0]+:256];
  end else begin : g_all
    assign chosen = rdata_i;
  end
  always_ff @(posedge clk_i) begin
    {column_qqq, column_qq} <= {column_qq, column_q};
    {group_qqq, group_qq} <= {group_qq, group_base_q + 16'(column_q)};
    {pixel_qqqq, pixel_qqq, pixel_qq} <= {pixel_qqq, pixel_qq, pixel_q};
  end
  for (genvar k = 0; k < 8; k++) begin : g_lane
    logic signed [31:0] acc;
    assign acc = chosen[32*k+:32];
    if (Planes) begin : g_planes
      logic [31:0] corrected;
      assign corrected = layer_i[FCorrect] ? {acc[30:0], 1'b0} - sum_i : acc;
      always_ff @(posedge clk_i) value_q[32*k+:32] <= layer_i[FDouble] ? {corrected[30:0], 1'b0} : corrected;
    end else begin : g_containers
      always_ff @(posedge clk_i) begin
        case (layer_i[FMode+:WMode])
          2'd3: value_q[32*k+:32] <= acc;
          2'd2: value_q[32*k+:32] <= acc >>> 4;
          default: value_q[32*k+:32] <= acc >>> 6;
        endcase
      end
    end
  end
  assign busy_o = busy_q || valid_q != 3'd0;
  assign valid_o = valid_q[2];
  assign value_o = value_q;
  assign group_o = group_qqq;
  assign pixel_o = pixel_qqqq;
endmodule
