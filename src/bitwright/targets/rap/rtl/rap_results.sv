// SPDX-License-Identifier: Apache-2.0
// Slots of all rows: accumulators to packed words for the banks (instructions POST, LIMIT and DRAIN).
//
// Stage 1 takes what rap_drain announces, with the rows' accumulators and the parameter word. A word leaves when it is
// full or the pixel ends, nine cycles behind its last parameter word; elements of 32 bits leave as two words, low first.
module rap_results #(
    parameter int unsigned Size = 4
) (
    input  logic               clk_i,
    input  logic               rst_i,
    // slot registers
    input  logic               post_we_i,
    input  logic               limit_we_i,
    input  logic               we_slot_i,
    input  logic [        1:0] mode_i,
    input  logic [        2:0] rounding_i,
    input  logic [        1:0] store_i,
    input  logic [        9:0] words_i,
    input  logic [        1:0] which_i,
    input  logic [       32:0] limit_i,
    output logic [        1:0] stochastic_o,  // by slot
    output logic [        1:0] params_o,      // by slot: it reads parameters
    output logic [       19:0] words_o,
    // stage 1
    input  logic               valid_i,
    input  logic               slot_i,
    input  logic               first_i,
    input  logic               last_i,
    input  logic               end_i,
    input  logic               seed_i,
    input  logic               seed_word_i,
    input  logic [32*Size-1:0] acc_i,
    input  logic [      127:0] param_i,
    // packed words
    output logic               valid_o,
    output logic               slot_o,
    output logic [16*Size-1:0] word_o
);
  logic [3:0] mode_q, store_q;
  logic [5:0] rounding_q;
  logic [19:0] words_q;
  logic [65:0] low_q, high_q, zero_q;
  always_ff @(posedge clk_i) begin
    for (int s = 0; s < 2; s++) begin
      if (post_we_i && we_slot_i == 1'(s)) begin
        mode_q[2*s+:2] <= mode_i;
        rounding_q[3*s+:3] <= rounding_i;
        store_q[2*s+:2] <= store_i;
        words_q[10*s+:10] <= words_i;
      end
      if (limit_we_i && we_slot_i == 1'(s)) begin
        if (which_i == 2'd0) low_q[33*s+:33] <= limit_i;
        if (which_i == 2'd1) high_q[33*s+:33] <= limit_i;
        if (which_i == 2'd2) zero_q[33*s+:33] <= limit_i;
      end
    end
  end
  // Of the slot at hand; a choice of two, as an index times a width would be a multiplier.
  logic [1:0] mode;
  logic [2:0] rounding;
  assign mode = slot_i ? mode_q[3:2] : mode_q[1:0];
  assign rounding = slot_i ? rounding_q[5:3] : rounding_q[2:0];
  for (genvar s = 0; s < 2; s++) begin : g_slot
    assign stochastic_o[s] = mode_q[2*s+:2] == 2'd1 && rounding_q[3*s+:3] == 3'd4;
    assign params_o[s] = mode_q[2*s+:2] != 2'd0;
  end
  assign words_o = words_q;

  // What accompanies an element from stage 1 to the packing at stage 9.
  logic [7:0] valid_q, end_q, slot_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= '0;
    else valid_q <= {valid_q[6:0], valid_i && last_i};
    end_q  <= {end_q[6:0], end_i};
    slot_q <= {slot_q[6:0], slot_i};
  end

  logic [32*Size-1:0] y;
  for (genvar r = 0; r < Size; r++) begin : g_row
    rap_post u_post (
        .clk_i,
        .valid_i,
        .first_i,
        .last_i,
        .seed_we_i (seed_i && seed_word_i == 1'(r / 4)),
        .seed_i    (param_i[32*(r%4)+:32]),
        .mode_i    (mode),
        .rounding_i(mode == 2'd1 ? rounding : 3'd0),
        .acc_i     (acc_i[32*r+:32]),
        .param_i,
        .low_i     (slot_q[6] ? low_q[65:33] : low_q[32:0]),
        .high_i    (slot_q[6] ? high_q[65:33] : high_q[32:0]),
        .zero_i    (slot_q[5] ? zero_q[65:33] : zero_q[32:0]),
        .y_o       (y[32*r+:32])
    );
  end

  // Packing.
  logic [1:0] store, place_q;
  logic full, high_q1, valid10_q, slot10_q;
  assign store = store_q[2*slot_q[7]+:2];
  always_comb begin
    case (store)
      2'd1: full = place_q[0];
      2'd2: full = &place_q;
      default: full = 1'b1;
    endcase
  end
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      place_q <= '0;
      high_q1 <= 1'b0;
      valid10_q <= 1'b0;
    end else begin
      if (valid_q[7]) place_q <= full || end_q[7] ? '0 : place_q + 2'd1;
      high_q1   <= valid_q[7] && store == 2'd3;
      valid10_q <= (valid_q[7] && (full || end_q[7])) || high_q1;
    end
    if (valid_q[7]) slot10_q <= slot_q[7];
  end
  for (genvar r = 0; r < Size; r++) begin : g_pack
    logic [15:0] word_q, upper_q, word_d, kept;
    assign kept = place_q == '0 ? '0 : word_q;
    always_comb begin
      case (store)
        2'd1: word_d = kept | 16'({8'd0, y[32*r+:8]} << {place_q[0], 3'd0});
        2'd2: word_d = kept | 16'({12'd0, y[32*r+:4]} << {place_q, 2'd0});
        default: word_d = y[32*r+:16];
      endcase
      if (high_q1) word_d = upper_q;
    end
    always_ff @(posedge clk_i) begin
      word_q <= valid_q[7] || high_q1 ? word_d : word_q;
      if (valid_q[7]) upper_q <= y[32*r+16+:16];
    end
    assign word_o[16*r+:16] = word_q;
  end
  assign valid_o = valid10_q;
  assign slot_o  = slot10_q;
endmodule
