// SPDX-License-Identifier: Apache-2.0
// One channel lane of the post stage: y = clamp(round((x * multiplier + bias) / 2^shift) + zero_point).
//
// Pipeline of six registers from x_i and the parameters to code_o, II 1. Rounding: 0 floor, 1 half up, 2 half to even,
// 3 half away from zero; shifts up to 32. Python: Requantize.
module bitsys_post_lane #(
    parameter int unsigned MultiplierBits = 25
) (
    input  logic               clk_i,
    input  logic signed [31:0] x_i,
    input  logic        [95:0] param_i,
    input  logic        [ 1:0] rounding_i,
    input  logic signed [31:0] zero_point_i,
    input  logic signed [31:0] low_i,
    input  logic signed [31:0] high_i,
    output logic        [31:0] code_o
);
  localparam int unsigned Bits = 58, MostShift = 32;
  logic signed [MultiplierBits-1:0] multiplier;
  logic signed [Bits-1:0] product_q, bias_q, value_q, value_qq, whole, whole_q, y, y_q;
  logic [5:0] shift_q, shift_qq, shift_qqq;
  logic up, tie, up_q, tie_q, carry_q, unused;
  logic [31:0] code_q;
  assign multiplier = param_i[MultiplierBits-1:0];
  round_up #(
      .Bits(MostShift)
  ) u_round (
      .rounding_i({1'b0, rounding_i}),
      .value_i(value_q[MostShift-1:0]),
      .mask_i(~(~MostShift'(0) << shift_qq)),
      .negative_i(value_q[Bits-1]),
      .draw_i('0),
      .up_o(up),
      .tie_o(tie)
  );
  assign whole = value_qq >>> shift_qqq;
  assign {y, unused} = {whole_q, 1'b1} + {Bits'(zero_point_i), carry_q};  // one carry chain
  always_ff @(posedge clk_i) begin
    product_q <= x_i * multiplier;
    bias_q <= param_i[32+:Bits];
    shift_q <= param_i[95:90];
    value_q <= product_q + bias_q;
    shift_qq <= shift_q;
    value_qq <= value_q;
    shift_qqq <= shift_qq;
    up_q <= up;
    tie_q <= tie;
    whole_q <= whole;
    carry_q <= up_q || (tie_q && whole[0]);
    y_q <= y;
    code_q <= y_q < Bits'(low_i) ? low_i : y_q > Bits'(high_i) ? high_i : y_q[31:0];
  end
  assign code_o = code_q;
endmodule
