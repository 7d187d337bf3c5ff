// SPDX-License-Identifier: Apache-2.0
// Takes the sums of finished tiles out of the result buffer: pixel by pixel, eight channels every `interval` cycles.
//
// Slots are claimed when a tile starts, become ready when its last sum is written, and are free again when the tile has
// left. A group leaves as its number in the parameters (channel group of the layer) and the first word of its pixel's
// result. Latency from the read of the result buffer to valid_o 2 cycles; value_o is the sum, unscaled:
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
    output logic [          15:0] group_o,
    output logic [          15:0] pixel_o
);
  `include "bitsys_registers.svh"
  logic busy_q;
  logic [SlotBits:0] used_q, ready_q;
  logic [SlotBits-1:0] slot_q;
  logic [19:0] m_q;
  logic [15:0] n_q, group_base_q, tile_pixel_q, pixel_q;
  logic [7:0] row_q, column_q, row_count, group_count;
  logic [9:0] wait_q;
  logic last_n, last_m, last_row, last_group, issue, tile_end;
  assign last_n = n_q + 16'd1 == layer_i[FTilesN+:WTilesN];
  assign last_m = m_q + 20'd1 == layer_i[FTilesM+:WTilesM];
  assign row_count = last_m ? layer_i[FRowsLast+:WRowsLast] : 8'(Rows);
  assign group_count = last_n ? layer_i[FGroupsLast+:WGroupsLast] : 8'(Groups);
  assign last_row = row_q + 8'd1 == row_count;
  assign last_group = column_q + 8'd1 == group_count;
  assign issue = ready_q != '0 && wait_q == 10'd0;
  assign tile_end = issue && last_row && last_group;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      busy_q <= 1'b0;
      used_q <= '0;
      ready_q <= '0;
      slot_q <= '0;
      wait_q <= 10'd0;
    end else begin
      if (start_i) busy_q <= !layer_i[FVector];
      else if (tile_end && last_n && last_m) busy_q <= 1'b0;
      used_q <= used_q + (SlotBits + 1)'(claim_i) - (SlotBits + 1)'(tile_end);
      ready_q <= ready_q + (SlotBits + 1)'(written_i) - (SlotBits + 1)'(tile_end);
      if (tile_end) slot_q <= slot_q + 1'b1;
      if (issue) wait_q <= layer_i[FInterval+:WInterval] - 10'd1;
      else if (wait_q != 10'd0) wait_q <= wait_q - 10'd1;
    end
  end
  assign slot_free_o = used_q < (SlotBits + 1)'(Slots);

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      m_q <= 20'd0;
      n_q <= 16'd0;
      row_q <= 8'd0;
      column_q <= 8'd0;
      group_base_q <= 16'(layer_i[FFirstGroup+:WFirstGroup]);
      tile_pixel_q <= layer_i[FOutBase+:WOutBase];
      pixel_q <= layer_i[FOutBase+:WOutBase];
    end else if (issue) begin
      column_q <= last_group ? 8'd0 : column_q + 8'd1;
      if (last_group) begin
        row_q <= last_row ? 8'd0 : row_q + 8'd1;
        pixel_q <= pixel_q + layer_i[FOutPitch+:WOutPitch];
      end
      if (tile_end) begin
        n_q <= last_n ? 16'd0 : n_q + 16'd1;
        group_base_q <= last_n ? 16'(layer_i[FFirstGroup+:WFirstGroup]) : group_base_q + 16'(Groups);
        if (!last_n) pixel_q <= tile_pixel_q;
        if (last_n) begin
          m_q <= m_q + 20'd1;
          tile_pixel_q <= pixel_q + layer_i[FOutPitch+:WOutPitch];
        end
      end
    end
  end

  // Read, then choose the eight columns and scale.
  logic [1:0] valid_q;
  logic [7:0] column_qq;
  logic [15:0] group_qq, group_qqq, pixel_qq, pixel_qqq;
  logic [255:0] chosen, value_q;
  assign rslot_o = slot_q;
  assign rrow_o = row_q[RowBits-1:0];
  assign sum_tile_o = m_q[SlotBits:0];
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 2'd0;
    else valid_q <= {valid_q[0], issue};
  end
  if (Groups > 1) begin : g_choose
    assign chosen = rdata_i[256*column_qq[$clog2(Groups)-1:0]+:256];
  end else begin : g_all
    assign chosen = rdata_i;
  end
  always_ff @(posedge clk_i) begin
    column_qq <= column_q;
    group_qq <= group_base_q + 16'(column_q);
    pixel_qq <= pixel_q;
    group_qqq <= group_qq;
    pixel_qqq <= pixel_qq;
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
  assign busy_o = busy_q || valid_q != 2'd0;
  assign valid_o = valid_q[1];
  assign value_o = value_q;
  assign group_o = group_qqq;
  assign pixel_o = pixel_qqq;
endmodule
