// SPDX-License-Identifier: Apache-2.0
// Feeds the array: for every tile of pixels and of channels the operand addresses and control of one dot product.
//
// Order: pixel tiles, channel tiles, pairs of planes by falling weight (one pair in the container array), taps, words.
// A tile starts when its pixels are loaded and a result slot is free, at best right after the one before, and takes at
// least Rows cycles, in which its sums leave. Depthwise: a_ahead_i is where the pixel tile begins behind the one that begins
// with its last channels (next_tile_o), and taps go on from the end of the ring of rows to its start. layer_i must be there a cycle before start_i. start_o marks the first word (of a layer's tile), which the cycle counter of the array uses.
module bitsys_steps #(
    parameter int unsigned Rows   = 4,
    parameter bit          Planes = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             start_i,
    input  logic [32*28-1:0] layer_i,
    output logic             busy_o,
    input  logic             loaded_i,
    output logic             next_tile_o,
    input  logic [     15:0] a_ahead_i,
    input  logic             slot_free_i,
    output logic             claim_slot_o,
    output logic             release_half_o,
    output logic             next_half_o,
    output logic             half_o,
    output logic             valid_o,
    output logic             first_o,
    output logic             last_o,
    output logic             shift_o,
    output logic             negate_o,
    output logic [     15:0] a_addr_o,
    output logic [     19:0] w_addr_o
);
  `include "bitsys_registers.svh"
  // Of counters, what they are one step before their last, and whether one step is all.
  logic [15:0] words_end_q, taps_end_q, tiles_n_end_q;
  logic [19:0] tiles_m_end_q, w_base_q, w_ahead;
  logic one_word_q, one_tap_q, one_n_q, one_m_q;
  always_ff @(posedge clk_i) begin
    words_end_q <= layer_i[FTapWords+:WTapWords] - 16'd2;
    taps_end_q <= layer_i[FTaps+:WTaps] - 16'd2;
    tiles_n_end_q <= layer_i[FTilesN+:WTilesN] - 16'd2;
    tiles_m_end_q <= layer_i[FTilesM+:WTilesM] - 20'd2;
    one_word_q <= layer_i[FTapWords+:WTapWords] == 16'd1;
    one_tap_q <= layer_i[FTaps+:WTaps] == 16'd1;
    one_n_q <= layer_i[FTilesN+:WTilesN] == 16'd1;
    one_m_q <= layer_i[FTilesM+:WTilesM] == 20'd1;
    w_base_q <= layer_i[FWeightBase+:WWeightBase] + w_ahead;
  end

  // The next tile to start: pending_q that there is one, ready_q that it may start.
  logic pending_q, ready_q, half_q, last_n_q, last_m_q;
  logic [19:0] m_q, w_start_q;
  logic [15:0] n_q, a_start_q, a_ahead;
  logic [7:0] gap_q;
  // The tile at work
  logic active_q, fresh_q, shift, last_word_q, last_tap_q, last_pair, tile_half_q, tile_last_n_q, pair_end, tile_end, go;
  logic [15:0] tap_q, word_q, a_q, a_pair, a_next;
  logic depthwise;
  logic [19:0] w_q, w_pair;
  assign pair_end = last_word_q && last_tap_q;
  assign tile_end = active_q && pair_end && last_pair;
  assign go = ready_q && (!active_q || tile_end);

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      pending_q <= 1'b0;
      active_q  <= 1'b0;
    end else if (start_i) begin
      pending_q <= !layer_i[FVector];
      active_q  <= 1'b0;
    end else if (go) begin
      pending_q <= !(last_n_q && last_m_q);
      active_q  <= 1'b1;
    end else if (tile_end) begin
      active_q <= 1'b0;
    end
    ready_q <= pending_q && gap_q <= 8'd1 && loaded_i && slot_free_i && !go && !start_i && !rst_i;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      m_q <= 20'd0;
      n_q <= 16'd0;
      last_m_q <= one_m_q;
      last_n_q <= one_n_q;
      half_q <= 1'b0;
      a_start_q <= layer_i[FTileStart+:WTileStart];
      w_start_q <= w_base_q;
    end else if (go) begin
      n_q <= last_n_q ? 16'd0 : n_q + 16'd1;
      last_n_q <= last_n_q ? one_n_q : n_q == tiles_n_end_q;
      a_start_q <= !last_n_q ? a_start_q + layer_i[FTileStep+:WTileStep]
        : depthwise ? a_ahead_i : layer_i[FTileStart+:WTileStart];
      w_start_q <= last_n_q ? w_base_q : w_start_q + 20'(layer_i[FTileWords+:WTileWords]);
      if (last_n_q) begin
        m_q <= m_q + 20'd1;
        last_m_q <= m_q == tiles_m_end_q;
        half_q <= !half_q;
      end
    end
    if (go) begin
      tile_half_q <= half_q;
      tile_last_n_q <= last_n_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go) begin
      fresh_q <= 1'b1;
      tap_q <= 16'd0;
      word_q <= 16'd0;
      last_tap_q <= one_tap_q;
      last_word_q <= one_word_q;
      a_q <= a_start_q + a_ahead;
      w_q <= w_start_q;
    end else if (active_q) begin
      fresh_q <= 1'b0;
      word_q <= last_word_q ? 16'd0 : word_q + 16'd1;
      last_word_q <= last_word_q ? one_word_q : word_q == words_end_q;
      if (last_word_q) begin
        tap_q <= last_tap_q ? 16'd0 : tap_q + 16'd1;
        last_tap_q <= last_tap_q ? one_tap_q : tap_q == taps_end_q;
      end
      a_q <= depthwise ? a_next : pair_end ? a_pair : a_q + (last_word_q ? layer_i[FTapStep+:WTapStep] : layer_i[FWordStep+:WWordStep]);
      w_q <= pair_end ? w_pair : w_q + 20'd1;
    end
  end

  if (Planes) begin : g_pairs
    // Pairs of planes (i, j): along the diagonal of a weight, where words follow each other, from (i0, j0) on; then
    // from the start of the next lower weight. A tile begins with the highest planes.
    logic [3:0] top_a_q, top_b_q, i_q, j_q, i0_q, j0_q, next_i, next_j, next_i0, next_j0;
    logic [15:0] tile_a_q;
    logic [19:0] plane_q, w0_q, next_w0;
    logic shift_q, last_pair_q, last_diagonal_q, negate_q;
    assign w_ahead = 20'(layer_i[FTileWords+:WTileWords]) - 20'(layer_i[FPlaneWords+:WPlaneWords]);
    assign a_ahead = 16'(top_a_q);
    assign next_i0 = j0_q != 4'd0 ? i0_q : i0_q - 4'd1;
    assign next_j0 = j0_q != 4'd0 ? j0_q - 4'd1 : 4'd0;
    assign next_w0 = j0_q != 4'd0 ? w0_q - plane_q : w0_q;
    assign next_i = last_pair_q ? next_i0 : i_q - 4'd1;
    assign next_j = last_pair_q ? next_j0 : j_q + 4'd1;
    assign a_pair = tile_a_q + 16'(next_i);
    assign w_pair = last_pair_q ? next_w0 : w_q + 20'd1;
    always_ff @(posedge clk_i) begin
      top_a_q <= layer_i[FStoredA+:WStoredA] - 4'd1;
      top_b_q <= layer_i[FStoredB+:WStoredB] - 4'd1;
      plane_q <= 20'(layer_i[FPlaneWords+:WPlaneWords]);
      shift_q <= active_q && pair_end && last_pair_q && !go;  // the first word of a weight
      if (go) begin
        tile_a_q <= a_start_q;
        {i_q, i0_q} <= {2{top_a_q}};
        {j_q, j0_q} <= {2{top_b_q}};
        w0_q <= w_start_q;
        last_pair_q <= 1'b1;
        last_diagonal_q <= top_a_q == 4'd0 && top_b_q == 4'd0;
        negate_q <= layer_i[FSignedA] != layer_i[FSignedB];
      end else if (active_q && pair_end) begin
        i_q <= next_i;
        j_q <= next_j;
        last_pair_q <= next_i == 4'd0 || next_j == top_b_q;
        negate_q <= (layer_i[FSignedA] && next_i == top_a_q) != (layer_i[FSignedB] && next_j == top_b_q);
        if (last_pair_q) begin
          i0_q <= next_i0;
          j0_q <= next_j0;
          w0_q <= next_w0;
          last_diagonal_q <= next_i0 == 4'd0 && next_j0 == 4'd0;
        end
      end
    end
    assign depthwise = 1'b0;
    assign a_next = '0;
    assign last_pair = last_pair_q && last_diagonal_q;
    assign shift = shift_q;
    assign negate_o = negate_q;
  end else begin : g_one_pair
    // Where the tap behind the current one of a depthwise layer lies, of the tile at work and of the next one.
    logic [15:0] step_q, step_back_q, start_next_q, next_q;
    function automatic logic [15:0] ringed(input logic [15:0] at, input logic [15:0] step, input logic [15:0] back);
      logic [15:0] passed;
      passed = at + back;
      ringed = passed[15] ? at + step : passed;
    endfunction
    always_ff @(posedge clk_i) begin
      depthwise <= layer_i[FDepthwise];
      step_q <= layer_i[FTapStep+:WTapStep];
      step_back_q <= layer_i[FTapStep+:WTapStep] - {1'b0, layer_i[FRingWords+:WRingWords], 3'd0};
      start_next_q <= ringed(a_start_q, step_q, step_back_q);
      next_q <= go ? start_next_q : ringed(next_q, step_q, step_back_q);
    end
    assign a_next = next_q;
    assign {w_ahead, a_ahead, a_pair, w_pair} = '0;
    assign last_pair = 1'b1;
    assign shift = 1'b0;
    assign negate_o = 1'b0;
  end

  // Distance between the ends of two tiles: the rows' sums leave one a cycle.
  always_ff @(posedge clk_i) begin
    if (rst_i) gap_q <= 8'd0;
    else if (go) gap_q <= 8'(Rows - 1);
    else if (gap_q != 8'd0) gap_q <= gap_q - 8'd1;
  end

  assign busy_o = pending_q || active_q;
  assign claim_slot_o = go;
  assign next_tile_o = go && last_n_q;
  assign release_half_o = tile_end && tile_last_n_q;
  assign next_half_o = half_q;
  assign half_o = tile_half_q;
  assign valid_o = active_q;
  assign first_o = fresh_q;
  assign last_o = tile_end;
  assign shift_o = shift;
  assign a_addr_o = a_q;
  assign w_addr_o = w_q;
endmodule
