// SPDX-License-Identifier: Apache-2.0
// One channel lane of the post stage: y = clamp(round((x * multiplier + bias) / 2^shift) + zero_point).
//
// bias_i and shift_i come a cycle before the product, whose latency after x_i and multiplier_i is that of multiply_pipe.
// Eight registers more to code_o, II 1. Rounding: 0 floor, 1 half up, 2 half to even, 3 half away from zero; shifts up
// to 32. Python: Requantize.
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
  logic signed [Bits-1:0] bias_q, value_q, value_qq, value_qqq, whole, whole_q, y, y_q;
  logic [31:0] y_qq, y_qqq, mask_q;
  logic [5:0] shift_q;
  logic [1:0] far_q, mid_q, mid_qq, near_q, near_qq, near_qqq;  // shifts by 16, 4 and 1
  logic up, tie, up_q, tie_q, up_qq, tie_qq, carry_q, fits_q, less_q, more_q, negative_q, below_q, above_q, unused;
  logic [31:0] code_q;
  // The layer's constants, near by; keep: every lane has its own.
  logic [1:0] rounding_q;
  logic signed [31:0] zero_point_q, low_q, high_q;
  (* keep *)
  always_ff @(posedge clk_i)
    {rounding_q, zero_point_q, low_q, high_q} <= {rounding_i, zero_point_i, low_i, high_i};
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
      .rounding_i({1'b0, rounding_q}),
      .value_i(value_q[MostShift-1:0]),
      .mask_i(mask_q),
      .negative_i(value_q[Bits-1]),
      .draw_i('0),
      .up_o(up),
      .tie_o(tie)
  );
  assign whole = value_qqq >>> near_qqq;
  assign {y, unused} = {whole_q, 1'b1} + {Bits'(zero_point_q), carry_q};  // one carry chain
  always_ff @(posedge clk_i) begin
    {bias_q, shift_q} <= {bias_i, shift_i};
    value_q <= Bits'(product) + bias_q;
    {far_q, mid_q, near_q} <= shift_q;
    mask_q <= ~(~MostShift'(0) << shift_q);
    value_qq <= value_q >>> {far_q, 4'd0};
    {mid_qq, near_qq} <= {mid_q, near_q};
    {up_q, tie_q} <= {up, tie};
    value_qqq <= value_qq >>> {mid_qq, 2'd0};
    near_qqq <= near_qq;
    {up_qq, tie_qq} <= {up_q, tie_q};
    whole_q <= whole;
    carry_q <= up_qq || (tie_qq && whole[0]);
    y_q <= y;
    // Beyond 32 bits the sign says on which side.
    y_qq <= y_q[31:0];
    fits_q <= y_q[Bits-1:31] == {(Bits - 31) {y_q[Bits-1]}};
    less_q <= $signed(y_q[31:0]) < low_q;
    more_q <= $signed(y_q[31:0]) > high_q;
    negative_q <= y_q[Bits-1];
    y_qqq <= y_qq;
    below_q <= fits_q ? less_q : negative_q;
    above_q <= fits_q ? more_q : !negative_q;
    code_q <= below_q ? low_q : above_q ? high_q : y_qqq;
  end
  assign code_o = code_q;
endmodule
