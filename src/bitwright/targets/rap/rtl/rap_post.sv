// SPDX-License-Identifier: Apache-2.0
// Slot datapath of one row: an accumulator and its parameters to a result (bitwright Requantize and Threshold).
//
//   raw:         y = acc
//   requantize:  y = clamp(round((acc * multiplier + bias) / 2**shift) + zero); parameter word requantize_t
//   threshold:   y = base + step * (number of thresholds not above acc); first word threshold_t, then four thresholds
//                a word
// The result leaves 9 cycles after the last parameter word of its element (valid_i and last_i at stage 1); one word a
// cycle. Its first word holds the operands of the product.
module rap_post (
    input  logic         clk_i,
    input  logic         valid_i,
    input  logic         first_i,
    input  logic         last_i,
    input  logic         seed_we_i,   // this row's seed is seed_i
    input  logic  [31:0] seed_i,
    input  logic   [1:0] mode_i,      // mode_e
    input  logic   [2:0] rounding_i,  // rounding_e
    input  logic  [31:0] acc_i,
    input  logic [127:0] param_i,
    input  logic  [32:0] zero_i,      // at stage 7; 0 but for requantize
    input  logic  [32:0] low_i,       // limits at stage 8, and their low bits at stage 9
    input  logic  [32:0] high_i,
    input  logic  [31:0] least_i,
    input  logic  [31:0] most_i,
    output logic  [31:0] y_o
);
  // Random draws: element by element from the seed of the pixel.
  logic [31:0] draw_q;
  lfsr32 u_draw (
      .clk_i,
      .load_i(seed_we_i),
      .seed_i,
      .step_i(valid_i && last_i && rounding_i == rap_pkg::RoundingStochastic),
      .draw_o(draw_q)
  );

  // Stage 1: compare.
  rap_pkg::requantize_t requantize;
  rap_pkg::threshold_t threshold;
  assign requantize = param_i;
  assign threshold  = param_i;
  logic [3:0] hit, hit2_q;
  for (genvar j = 0; j < 4; j++) begin : g_compare
    assign hit[j] = $signed(acc_i) >= $signed(param_i[32*j+:32]) && (j < 3 || !first_i);
  end
  logic [31:0] acc2_q, acc3_q;
  logic [63:0] bias2_q, bias3_q;
  logic [5:0] shift2_q, shift3_q, shift4_q, shift5_q;
  logic [3:0] shift6_q;
  logic [31:0] draw2_q, draw3_q, draw4_q, draw5_q;
  logic [1:0] mode2_q, mode3_q, mode4_q, mode5_q, mode6_q, mode7_q, mode8_q, mode9_q;
  logic [2:0] round2_q, round3_q, round4_q, round5_q;
  logic first2_q, valid2_q, twice2_q, minus2_q;
  logic signed [15:0] base2_q;
  always_ff @(posedge clk_i) begin
    hit2_q <= hit;
    acc2_q <= acc_i;
    if (first_i) bias2_q <= requantize.bias;
    if (first_i) shift2_q <= requantize.shift;
    base2_q <= threshold.base;
    twice2_q <= !threshold.step[0];
    minus2_q <= threshold.step[15];
    first2_q <= first_i;
    valid2_q <= valid_i;
    mode2_q <= mode_i;
    round2_q <= rounding_i;
    draw2_q <= draw_q;
  end

  // Products of halves of the accumulator and the multiplier, from stage 1 to stage 3; a low half is not negative.
  logic signed [1:0][16:0] acc_half, mult_half;
  logic [3:0][33:0] product3;  // low low, high low, low high, high high
  assign acc_half  = {acc_i[31], acc_i[31:16], 1'b0, acc_i[15:0]};
  assign mult_half = {requantize.multiplier[31], requantize.multiplier[31:16], 1'b0, requantize.multiplier[15:0]};
  for (genvar i = 0; i < 4; i++) begin : g_product
    multiply_pipe #(
        .ABits(17),
        .BBits(17)
    ) u_product (
        .clk_i,
        .en_i({1'b1, first_i}),
        .a_i(acc_half[i%2]),
        .b_i(mult_half[i/2]),
        .p_o(product3[i])
    );
  end

  // Stage 2: count the thresholds.
  logic [12:0] count3_q;
  logic signed [15:0] base3_q;
  logic twice3_q, minus3_q;
  logic [2:0] hits;
  assign hits = 3'(hit2_q[0]) + 3'(hit2_q[1]) + 3'(hit2_q[2]) + 3'(hit2_q[3]);
  always_ff @(posedge clk_i) begin
    acc3_q <= acc2_q;
    if (valid2_q) count3_q <= (first2_q ? '0 : count3_q) + 13'(hits);
    if (valid2_q && first2_q) {base3_q, twice3_q, minus3_q} <= {base2_q, twice2_q, minus2_q};
    bias3_q <= bias2_q;
    shift3_q <= shift2_q;
    mode3_q <= mode2_q;
    round3_q <= round2_q;
    draw3_q <= draw2_q;
  end

  // Stage 3: the outer products and the bias; what is neither multiplied nor rounded joins.
  logic [13:0] steps;
  logic signed [16:0] counted;
  logic signed [63:0] value4_q, outer;
  logic signed [34:0] middle4_q;
  assign steps = twice3_q ? {count3_q, 1'b0} : {1'b0, count3_q};
  assign counted = 17'(base3_q) + ($signed({3'd0, steps}) ^ {17{minus3_q}}) + $signed({16'd0, minus3_q});
  assign outer = $signed({product3[3][31:0], product3[0][31:0]}) + $signed(bias3_q);
  always_ff @(posedge clk_i) begin
    case (mode3_q)
      rap_pkg::ModeRaw: value4_q <= 64'($signed(acc3_q));
      rap_pkg::ModeRequantize: value4_q <= outer;
      default: value4_q <= 64'(counted);
    endcase
    middle4_q <= mode3_q == rap_pkg::ModeRequantize ? 35'($signed(product3[1])) + 35'($signed(product3[2])) : '0;
    shift4_q <= mode3_q == rap_pkg::ModeRequantize ? shift3_q : '0;
    mode4_q <= mode3_q;
    round4_q <= round3_q;
    draw4_q <= draw3_q;
  end

  // Stage 4: the middle products; a mask of the bits that are rounded.
  logic signed [63:0] value5_q;
  logic [62:0] mask5_q;
  always_ff @(posedge clk_i) begin
    value5_q <= value4_q + {64'(middle4_q) << 16};
    mask5_q <= ~63'd0 >> ~shift4_q;  // 63 - shift places down
    shift5_q <= shift4_q;
    mode5_q <= mode4_q;
    round5_q <= round4_q;
    draw5_q <= draw4_q;
  end

  // Stage 5: decide on the rounding; shift by whole 16 bits.
  logic signed [63:0] value6_q;
  logic up, tie, up6_q, tie6_q;
  round_up #(
      .Bits(63)
  ) u_round (
      .rounding_i(round5_q),
      .value_i(value5_q[62:0]),
      .mask_i(mask5_q),
      .negative_i(value5_q[63]),
      .draw_i(draw5_q),
      .up_o(up),
      .tie_o(tie)
  );
  always_ff @(posedge clk_i) begin
    value6_q <= value5_q >>> {shift5_q[5:4], 4'd0};
    up6_q <= up;
    tie6_q <= tie;
    shift6_q <= shift5_q[3:0];
    mode6_q <= mode5_q;
  end

  // Stages 6 to 9: shift by the rest, zero point, compare with the limits, clamp.
  logic signed [63:0] whole, whole7_q, value8_d, value8_q;
  logic carry7_q, above9_q, below9_q, unused;
  logic [31:0] y9_q, y10_q;
  assign whole = value6_q >>> shift6_q;
  assign {value8_d, unused} = {whole7_q, 1'b1} + {64'($signed(zero_i)), carry7_q};
  always_ff @(posedge clk_i) begin
    whole7_q <= whole;
    carry7_q <= up6_q || (tie6_q && whole[0]);
    mode7_q <= mode6_q;
    value8_q <= value8_d;
    mode8_q <= mode7_q;
    above9_q <= value8_q > 64'($signed(high_i));
    below9_q <= value8_q < 64'($signed(low_i));
    y9_q <= value8_q[31:0];
    mode9_q <= mode8_q;
    if (mode9_q == rap_pkg::ModeRequantize && above9_q) y10_q <= most_i;
    else if (mode9_q == rap_pkg::ModeRequantize && below9_q) y10_q <= least_i;
    else y10_q <= y9_q;
  end
  assign y_o = y10_q;
  logic unused_params;
  assign unused_params = ^{requantize, threshold, product3};
endmodule
