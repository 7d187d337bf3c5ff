// SPDX-License-Identifier: Apache-2.0
// One channel lane of the post stage: y = clamp(round((x * multiplier + bias) / 2^shift) + zero_point).
//
// Pipeline of six registers from x_i and the parameters to code_o, II 1. Rounding: 0 floor, 1 half up, 2 half to even,
// 3 half away from zero, all as one addend before the floor. Python: Requantize.
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
  localparam int unsigned Bits = 58;
  logic signed [MultiplierBits-1:0] multiplier;
  logic signed [Bits-1:0] product_q, bias_q, value_q, rounded_q, shifted_q, y_q, addend;
  logic [5:0] shift_q, shift_qq, shift_qqq;
  logic [Bits-1:0] half;
  logic odd;
  logic [31:0] code_q;
  assign multiplier = param_i[MultiplierBits-1:0];
  assign half = (Bits'(1) << shift_qq) >> 1;
  assign odd = value_q[shift_qq];
  always_comb begin
    case (rounding_i)
      2'd0: addend = '0;
      2'd1: addend = half;
      2'd2: addend = half - Bits'(shift_qq != 6'd0 && !odd);
      default: addend = half - Bits'(shift_qq != 6'd0 && value_q[Bits-1]);
    endcase
  end
  always_ff @(posedge clk_i) begin
    product_q <= x_i * multiplier;
    bias_q <= param_i[32+:Bits];
    shift_q <= param_i[95:90];
    value_q <= product_q + bias_q;
    shift_qq <= shift_q;
    rounded_q <= value_q + addend;
    shift_qqq <= shift_qq;
    shifted_q <= rounded_q >>> shift_qqq;
    y_q <= shifted_q + Bits'(zero_point_i);
    code_q <= y_q < Bits'(low_i) ? low_i : y_q > Bits'(high_i) ? high_i : y_q[31:0];
  end
  assign code_o = code_q;
endmodule
