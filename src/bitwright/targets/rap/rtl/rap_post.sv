// SPDX-License-Identifier: Apache-2.0
// Slot datapath of one row: an accumulator and its parameters to a result (bitwright Requantize and Threshold).
//
//   raw:         y = acc
//   requantize:  y = clamp(round((acc * multiplier + bias) / 2**shift) + zero); parameter word {bias, shift, multiplier}
//   threshold:   y = base + step * (number of thresholds not above acc); first word {step, base, three thresholds},
//                further words four thresholds each
// The result of an element leaves 8 cycles behind its last parameter word (valid_i and last_i at stage 1); one word a cycle.
module rap_post (
    input  logic         clk_i,
    input  logic         valid_i,
    input  logic         first_i,
    input  logic         last_i,
    input  logic         seed_we_i,   // this row's seed is seed_i
    input  logic [ 31:0] seed_i,
    input  logic [  1:0] mode_i,      // 0 raw, 1 requantize, 2 threshold
    input  logic [  2:0] rounding_i,  // 0 floor, 1 half_up, 2 half_even, 3 half_away, 4 stochastic
    input  logic [ 31:0] acc_i,
    input  logic [127:0] param_i,
    input  logic [ 32:0] low_i,       // limits at the stage of the clamp
    input  logic [ 32:0] high_i,
    input  logic [ 32:0] zero_i,
    output logic [ 31:0] y_o
);
  // Random draws: element by element from the seed of the pixel.
  logic [31:0] draw_q, draw_d;
  always_comb begin
    draw_d = draw_q;
    for (int i = 0; i < 16; i++) draw_d = {1'b0, draw_d[31:1]} ^ (draw_d[0] ? 32'hA3000000 : 32'h0);
  end
  always_ff @(posedge clk_i) begin
    if (seed_we_i) draw_q <= seed_i;
    else if (valid_i && last_i && rounding_i == 3'd4) draw_q <= draw_d;
  end

  // Stage 1: compare; hold the operands of the multiplication.
  logic [2:0] hits_d, hits2_q;
  logic [3:0] hit;
  for (genvar j = 0; j < 4; j++) begin : g_compare
    assign hit[j] = $signed(acc_i) >= $signed(param_i[32*j+:32]) && (j < 3 || !first_i);
  end
  assign hits_d = 3'(hit[0]) + 3'(hit[1]) + 3'(hit[2]) + 3'(hit[3]);
  logic signed [31:0] acc2_q, mult2_q;
  logic [63:0] bias2_q, bias3_q, bias4_q;
  logic [5:0] shift2_q, shift3_q, shift4_q, shift5_q, shift6_q;
  logic [31:0] draw2_q, draw3_q, draw4_q, draw5_q;
  logic [1:0] mode2_q, mode3_q, mode4_q, mode5_q, mode6_q, mode7_q, mode8_q;
  logic [2:0] round2_q, round3_q, round4_q, round5_q;
  logic first2_q, valid2_q;
  logic [127:96] head2_q;
  always_ff @(posedge clk_i) begin
    hits2_q <= hits_d;
    acc2_q <= acc_i;
    if (first_i) mult2_q <= param_i[31:0];
    if (first_i) bias2_q <= param_i[127:64];
    if (first_i) shift2_q <= param_i[37:32];
    head2_q <= param_i[127:96];
    first2_q <= first_i;
    valid2_q <= valid_i;
    mode2_q <= mode_i;
    round2_q <= rounding_i;
    draw2_q <= draw_q;
  end

  // Stage 2: multiply; count the thresholds.
  logic signed [63:0] product3_q;
  logic [12:0] count3_q;
  logic signed [15:0] base3_q;
  logic [2:0] step3_q;
  logic [31:0] acc3_q;
  always_ff @(posedge clk_i) begin
    product3_q <= acc2_q * mult2_q;
    acc3_q <= acc2_q;
    if (valid2_q) count3_q <= (first2_q ? '0 : count3_q) + 13'(hits2_q);
    if (valid2_q && first2_q) base3_q <= head2_q[111:96];
    if (valid2_q && first2_q) step3_q <= head2_q[114:112];
    bias3_q <= bias2_q;
    shift3_q <= shift2_q;
    mode3_q <= mode2_q;
    round3_q <= round2_q;
    draw3_q <= draw2_q;
  end

  // Stage 3: what is neither multiplied nor rounded joins.
  logic signed [16:0] steps;
  logic signed [63:0] value4_q;
  always_comb begin
    steps = $signed({4'd0, count3_q});
    if (step3_q[0] == 1'b0) steps = steps <<< 1;
    if (step3_q[2]) steps = -steps;
  end
  always_ff @(posedge clk_i) begin
    case (mode3_q)
      2'd0: value4_q <= 64'($signed(acc3_q));
      2'd1: value4_q <= product3_q;
      default: value4_q <= 64'(steps) + 64'(base3_q);
    endcase
    bias4_q <= mode3_q == 2'd1 ? bias3_q : '0;
    shift4_q <= mode3_q == 2'd1 ? shift3_q : '0;
    mode4_q <= mode3_q;
    round4_q <= round3_q;
    draw4_q <= draw3_q;
  end

  // Stage 4: add the bias.
  logic signed [63:0] value5_q;
  logic [63:0] half5_q;
  always_ff @(posedge clk_i) begin
    value5_q <= value4_q + $signed(bias4_q);
    half5_q <= (64'd1 << shift4_q) >> 1;
    shift5_q <= shift4_q;
    mode5_q <= mode4_q;
    round5_q <= round4_q;
    draw5_q <= draw4_q;
  end

  // Stage 5: add what turns the floor into the rounding.
  logic signed [63:0] value6_q;
  logic [63:0] addend, mask;
  logic minus;
  assign mask = (half5_q << 1) - 64'd1;
  always_comb begin
    addend = half5_q;
    minus = 1'b0;
    case (round5_q)
      3'd1: minus = 1'b0;
      3'd2: minus = (value5_q & (half5_q << 1)) == '0;
      3'd3: minus = value5_q[63];
      3'd4: addend = {32'd0, draw5_q} & mask;
      default: addend = '0;
    endcase
    if (shift5_q == '0) begin
      addend = '0;
      minus  = 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    value6_q <= value5_q + $signed(addend) - 64'($signed({1'b0, minus}));
    shift6_q <= shift5_q;
    mode6_q  <= mode5_q;
  end

  // Stages 6 to 8: shift, zero point, clamp.
  logic signed [63:0] value7_q, value8_q;
  logic [31:0] y9_q;
  always_ff @(posedge clk_i) begin
    value7_q <= value6_q >>> shift6_q;
    mode7_q <= mode6_q;
    value8_q <= mode7_q == 2'd1 ? value7_q + 64'($signed(zero_i)) : value7_q;
    mode8_q <= mode7_q;
    if (mode8_q == 2'd1 && value8_q > 64'($signed(high_i))) y9_q <= high_i[31:0];
    else if (mode8_q == 2'd1 && value8_q < 64'($signed(low_i))) y9_q <= low_i[31:0];
    else y9_q <= value8_q[31:0];
  end
  assign y_o = y9_q;
endmodule
