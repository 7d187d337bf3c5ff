// SPDX-License-Identifier: Apache-2.0
// Feeds the array: for every tile of pixels and of channels the operand addresses and control of one dot product.
//
// Order: pixel tiles, channel tiles, pairs of planes by falling weight (one pair in the container array), taps, words.
// A tile starts when its pixels are loaded and a result slot is free, at best right after the one before, and takes at
// least Rows cycles, in which its sums leave. start_o marks the first word (of a layer's tile), which the cycle counter of the array uses.
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
  logic [3:0] bits_a, bits_b;
  assign bits_a = Planes ? layer_i[FStoredA+:WStoredA] : 4'd1;
  assign bits_b = Planes ? layer_i[FStoredB+:WStoredB] : 4'd1;

  // The next tile to start; `tile` is the one at work, pending_q that there is a next one.
  logic pending_q, half_q;
  logic [19:0] m_q, w_start_q;
  logic [15:0] n_q, a_start_q;
  logic active_q, fresh_q, shift_q, tile_half_q, tile_last_n_q;
  logic [15:0] tap_q, word_q, a_q, tile_a_q;
  logic [19:0] w_q, tile_w_q;
  logic [3:0] i_q, j_q, i0_q, j0_q;
  logic [7:0] gap_q;
  logic last_word, last_tap, last_pair, last_diagonal, last_n, last_m, tile_end, go;
  assign last_word = word_q + 16'd1 == layer_i[FTapWords+:WTapWords];
  assign last_tap = tap_q + 16'd1 == layer_i[FTaps+:WTaps];
  assign last_pair = i_q == 4'd0 || j_q + 4'd1 == bits_b;
  assign last_diagonal = i0_q == 4'd0 && j0_q == 4'd0;
  assign last_n = n_q + 16'd1 == layer_i[FTilesN+:WTilesN];
  assign last_m = m_q + 20'd1 == layer_i[FTilesM+:WTilesM];
  assign tile_end = active_q && last_word && last_tap && last_pair && last_diagonal;
  assign go = pending_q && (!active_q || tile_end) && gap_q == 8'd0 && loaded_i && slot_free_i;

  // The next pair of planes: along the diagonal of a weight, then to the start of the next lower weight.
  logic [3:0] next_i, next_j, next_i0, next_j0;
  assign next_i0 = j0_q != 4'd0 ? i0_q : i0_q - 4'd1;
  assign next_j0 = j0_q != 4'd0 ? j0_q - 4'd1 : 4'd0;
  assign next_i = last_pair ? next_i0 : i_q - 4'd1;
  assign next_j = last_pair ? next_j0 : j_q + 4'd1;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      pending_q <= 1'b0;
      active_q  <= 1'b0;
    end else if (start_i) begin
      pending_q <= !layer_i[FVector];
      active_q  <= 1'b0;
    end else if (go) begin
      pending_q <= !(last_n && last_m);
      active_q  <= 1'b1;
    end else if (tile_end) begin
      active_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      m_q <= 20'd0;
      n_q <= 16'd0;
      half_q <= 1'b0;
      a_start_q <= layer_i[FTileStart+:WTileStart];
      w_start_q <= layer_i[FWeightBase+:WWeightBase];
    end else if (go) begin
      n_q <= last_n ? 16'd0 : n_q + 16'd1;
      a_start_q <= last_n ? layer_i[FTileStart+:WTileStart] : a_start_q + layer_i[FTileStep+:WTileStep];
      w_start_q <= last_n ? layer_i[FWeightBase+:WWeightBase] : w_start_q + 20'(layer_i[FTileWords+:WTileWords]);
      if (last_n) begin
        m_q <= m_q + 20'd1;
        half_q <= !half_q;
      end
    end
    if (go) begin
      tile_a_q <= a_start_q;
      tile_w_q <= w_start_q;
      tile_half_q <= half_q;
      tile_last_n_q <= last_n;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go) begin
      fresh_q <= 1'b1;
      shift_q <= 1'b0;
      tap_q <= 16'd0;
      word_q <= 16'd0;
      {i_q, i0_q} <= {2{bits_a - 4'd1}};
      {j_q, j0_q} <= {2{bits_b - 4'd1}};
      a_q <= a_start_q + 16'(bits_a - 4'd1);
      w_q <= w_start_q + 20'(bits_b - 4'd1) * 20'(layer_i[FPlaneWords+:WPlaneWords]);
    end else if (active_q) begin
      fresh_q <= 1'b0;
      shift_q <= 1'b0;
      word_q <= last_word ? 16'd0 : word_q + 16'd1;
      w_q <= w_q + 20'd1;
      a_q <= a_q + layer_i[FWordStep+:WWordStep];
      if (last_word) begin
        tap_q <= last_tap ? 16'd0 : tap_q + 16'd1;
        a_q <= a_q + layer_i[FTapStep+:WTapStep];
      end
      if (last_word && last_tap) begin
        i_q <= next_i;
        j_q <= next_j;
        if (last_pair) begin
          i0_q <= next_i0;
          j0_q <= next_j0;
          shift_q <= 1'b1;
        end
        a_q <= tile_a_q + 16'(next_i);
        w_q <= tile_w_q + 20'(next_j) * 20'(layer_i[FPlaneWords+:WPlaneWords]);
      end
    end
  end

  // Distance between the ends of two tiles: the rows' sums leave one a cycle.
  always_ff @(posedge clk_i) begin
    if (rst_i) gap_q <= 8'd0;
    else if (go) gap_q <= 8'(Rows - 1);
    else if (gap_q != 8'd0) gap_q <= gap_q - 8'd1;
  end

  assign busy_o = pending_q || active_q;
  assign claim_slot_o = go;
  assign release_half_o = tile_end && tile_last_n_q;
  assign next_half_o = half_q;
  assign half_o = tile_half_q;
  assign valid_o = active_q;
  assign first_o = fresh_q;
  assign last_o = tile_end;
  assign shift_o = shift_q;
  assign negate_o = Planes && (layer_i[FSignedA] && i_q + 4'd1 == bits_a) != (layer_i[FSignedB] && j_q + 4'd1 == bits_b);
  assign a_addr_o = a_q;
  assign w_addr_o = w_q;
endmodule
