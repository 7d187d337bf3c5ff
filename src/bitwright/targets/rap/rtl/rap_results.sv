// SPDX-License-Identifier: Apache-2.0
// Slots of all rows: accumulators to packed words for the banks (instructions POST, LIMIT and DRAIN).
//
// Stage 1 takes what rap_drain announces, with the rows' accumulators and the parameter word. A word leaves when it is
// full or the pixel ends, ten cycles after its last parameter word; elements of 32 bits leave as two words, low first.
module rap_results #(
    parameter int unsigned Size = 4
) (
    input  logic                               clk_i,
    input  logic                               rst_i,
    // slot registers
    input  logic                               post_we_i,
    input  logic                               limit_we_i,
    input  rap_pkg::post_t                     post_i,
    input  rap_pkg::limit_t                    limit_i,
    output logic                         [1:0] stochastic_o,  // by slot
    output logic                         [1:0] params_o,      // by slot: it reads parameters
    output logic                    [1:0][9:0] words_o,
    // stage 1
    input  rap_pkg::element_t                  element_i,
    input  logic              [Size-1:0][31:0] acc_i,
    input  logic                       [127:0] param_i,
    // packed words
    output logic                               valid_o,
    output logic                               slot_o,
    output logic              [Size-1:0][15:0] word_o
);
  logic [1:0][1:0] mode_q, store_q;
  logic [1:0][2:0] rounding_q;
  logic [1:0][9:0] words_q;
  logic [1:0][32:0] low_q, high_q, zero_q;
  for (genvar s = 0; s < 2; s++) begin : g_slot
    always_ff @(posedge clk_i) begin
      if (post_we_i && post_i.slot == 1'(s)) begin
        mode_q[s] <= post_i.mode;
        rounding_q[s] <= post_i.rounding;
        store_q[s] <= post_i.store;
        words_q[s] <= post_i.words;
      end
      if (limit_we_i && limit_i.slot == 1'(s)) begin
        if (limit_i.which == rap_pkg::LimitLow) low_q[s] <= limit_i.value;
        if (limit_i.which == rap_pkg::LimitHigh) high_q[s] <= limit_i.value;
        if (limit_i.which == rap_pkg::LimitZero) zero_q[s] <= limit_i.value;
      end
    end
    assign stochastic_o[s] = mode_q[s] == rap_pkg::ModeRequantize && rounding_q[s] == rap_pkg::RoundingStochastic;
    assign params_o[s] = mode_q[s] != rap_pkg::ModeRaw;
  end
  // Of the slot at hand; a choice of two, as an index times a width would be a multiplier.
  logic [1:0] mode;
  logic [2:0] rounding;
  assign mode = element_i.slot ? mode_q[1] : mode_q[0];
  assign rounding = element_i.slot ? rounding_q[1] : rounding_q[0];
  assign words_o = words_q;

  // What accompanies an element from stage 1 to the packing at stage 10: bit i is that of stage i + 2.
  logic [8:0] valid_q, end_q, slot_q;
  logic [4:0] requantize_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= '0;
    else valid_q <= {valid_q[7:0], element_i.valid && element_i.last};
    end_q  <= {end_q[7:0], element_i.pixel_end};
    slot_q <= {slot_q[7:0], element_i.slot};
    requantize_q <= {requantize_q[3:0], mode == rap_pkg::ModeRequantize};
  end
  // Zero point and limits at the stages that take them.
  logic [32:0] zero7_q, low8_q, high8_q;
  always_ff @(posedge clk_i) begin
    zero7_q <= !requantize_q[4] ? '0 : slot_q[4] ? zero_q[1] : zero_q[0];
    low8_q  <= slot_q[5] ? low_q[1] : low_q[0];
    high8_q <= slot_q[5] ? high_q[1] : high_q[0];
  end

  logic [Size-1:0][31:0] y;
  for (genvar r = 0; r < Size; r++) begin : g_row
    rap_post u_post (
        .clk_i,
        .valid_i   (element_i.valid),
        .first_i   (element_i.first),
        .last_i    (element_i.last),
        .seed_we_i (element_i.seed && element_i.seed_word == 1'(r / 4)),
        .seed_i    (param_i[32*(r%4)+:32]),
        .mode_i    (mode),
        .rounding_i(mode == rap_pkg::ModeRequantize ? rounding : rap_pkg::RoundingFloor),
        .acc_i     (acc_i[r]),
        .param_i,
        .zero_i    (zero7_q),
        .low_i     (low8_q),
        .high_i    (high8_q),
        .least_i   (slot_q[7] ? low_q[1][31:0] : low_q[0][31:0]),
        .most_i    (slot_q[7] ? high_q[1][31:0] : high_q[0][31:0]),
        .y_o       (y[r])
    );
  end

  // Packing.
  logic [1:0] store_d, store, place_d, place_q;  // store: of stage 10
  logic full, high_d, high_q1, valid11_q, slot11_q;
  assign store_d = slot_q[7] ? store_q[1] : store_q[0];
  assign high_d = valid_q[8] && store == rap_pkg::StoreS32 && !rst_i;
  assign place_d = rst_i ? '0 : !valid_q[8] ? place_q : full || end_q[8] ? '0 : place_q + 2'd1;
  always_ff @(posedge clk_i) store <= store_d;
  always_comb begin
    case (store)
      rap_pkg::StoreS8: full = place_q[0];
      rap_pkg::StoreS4: full = &place_q;
      default: full = 1'b1;
    endcase
  end
  always_ff @(posedge clk_i) begin
    place_q <= place_d;
    high_q1 <= high_d;
    valid11_q <= !rst_i && ((valid_q[8] && (full || end_q[8])) || high_q1);
    if (valid_q[8]) slot11_q <= slot_q[8];
  end
  // What each nibble of the word takes at stage 10: its own of the result, that of the low half, the lowest, or none.
  logic [3:0] own_d, half_d, low_d, keep_d, own_q, half_q, low_q1, keep_q;
  for (genvar n = 0; n < 4; n++) begin : g_choice
    always_comb begin
      own_d[n]  = 1'b1;
      half_d[n] = 1'b0;
      low_d[n]  = 1'b0;
      if (store_d == rap_pkg::StoreS8) begin
        own_d[n]  = n < 2 && !place_d[0];
        half_d[n] = n >= 2 && place_d[0];
      end else if (store_d == rap_pkg::StoreS4) begin
        own_d[n] = 1'b0;
        low_d[n] = place_d == 2'(n);
      end
      keep_d[n] = !valid_q[7] || (place_d != '0 && !own_d[n] && !half_d[n] && !low_d[n]);
    end
  end
  always_ff @(posedge clk_i) begin
    own_q  <= own_d & {4{valid_q[7] && !high_d}};
    half_q <= half_d & {4{valid_q[7] && !high_d}};
    low_q1 <= low_d & {4{valid_q[7] && !high_d}};
    keep_q <= keep_d & {4{!high_d}};
  end
  for (genvar r = 0; r < Size; r++) begin : g_pack
    logic [15:0] word_q, upper_q;
    for (genvar n = 0; n < 4; n++) begin : g_nibble
      always_ff @(posedge clk_i) begin
        word_q[4*n+:4] <= (y[r][4*n+:4] & {4{own_q[n]}}) | (y[r][4*(n%2)+:4] & {4{half_q[n]}})
            | (y[r][3:0] & {4{low_q1[n]}}) | (upper_q[4*n+:4] & {4{high_q1}}) | (word_q[4*n+:4] & {4{keep_q[n]}});
      end
    end
    always_ff @(posedge clk_i) if (valid_q[8]) upper_q <= y[r][31:16];
    assign word_o[r] = word_q;
  end
  assign valid_o = valid11_q;
  assign slot_o  = slot11_q;
endmodule
