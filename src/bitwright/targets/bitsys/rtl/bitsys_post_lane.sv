// SPDX-License-Identifier: Apache-2.0
// One channel lane of the post stage: y = clamp(round((x * multiplier + bias) / 2^shift) + zero_point).
//
// bias_i and shift_i come with the product, the latency of multiply_pipe after x_i and multiplier_i. Six registers more
// to code_o, II 1. Rounding: 0 floor, 1 half up, 2 half to even, 3 half away from zero; shifts up to 32. Python: Requantize.
module bitsys_post_lane #(
    parameter int unsigned MultiplierBits = 25
) (
    input  logic                             clk_i,
    input  logic signed [              31:0] x_i,
    input  logic signed [MultiplierBits-1:0] multiplier_i,
    input  logic signed [              57:0] bias_i,
    input  logic        [               5:0] shift_i,
    input  logic        [               1:0] rounding_i,
    input  logic signed [              31:0] zero_point_i,
    input  logic signed [              31:0] low_i,
    input  logic signed [              31:0] high_i,
    output logic        [              31:0] code_o
);
  localparam int unsigned Bits = 58, MostShift = 32;
  logic signed [MultiplierBits+31:0] product;
  logic signed [Bits-1:0] value_q, value_qq, whole, whole_q, y, y_q;
  logic [31:0] y_qq;
  logic [5:0] shift_q;
  logic [3:0] shift_qq;
  logic up, tie, up_q, tie_q, carry_q, fits, below, above, below_q, above_q, unused;
  logic [31:0] code_q;
  multiply_pipe #(
      .ABits(32),
      .BBits(MultiplierBits)
  ) u_multiply (
      .clk_i(clk_i),
      .a_i  (x_i),
      .b_i  (multiplier_i),
      .p_o  (product)
  );
  round_up #(
      .Bits(MostShift)
  ) u_round (
      .rounding_i({1'b0, rounding_i}),
      .value_i(value_q[MostShift-1:0]),
      .mask_i(~(~MostShift'(0) << shift_q)),
      .negative_i(value_q[Bits-1]),
      .draw_i('0),
      .up_o(up),
      .tie_o(tie)
  );
  // The shift by 16 and 32 comes with the rounding, the rest behind it.
  assign whole = value_qq >>> shift_qq;
  // Beyond 32 bits the sign says on which side.
  assign fits = y_q[Bits-1:31] == {(Bits - 31) {y_q[Bits-1]}};
  assign below = fits ? $signed(y_q[31:0]) < low_i : y_q[Bits-1];
  assign above = fits ? $signed(y_q[31:0]) > high_i : !y_q[Bits-1];
  assign {y, unused} = {whole_q, 1'b1} + {Bits'(zero_point_i), carry_q};  // one carry chain
  always_ff @(posedge clk_i) begin
    value_q <= Bits'(product) + bias_i;
    shift_q <= shift_i;
    value_qq <= value_q >>> {shift_q[5:4], 4'd0};
    shift_qq <= shift_q[3:0];
    up_q <= up;
    tie_q <= tie;
    whole_q <= whole;
    carry_q <= up_q || (tie_q && whole[0]);
    y_q <= y;
    y_qq <= y_q[31:0];
    below_q <= below;
    above_q <= above;
    code_q <= below_q ? low_i : above_q ? high_i : y_qq;
  end
  assign code_o = code_q;
endmodule
