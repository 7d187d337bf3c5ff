// SPDX-License-Identifier: Apache-2.0
// Rounding of value / 2**shift: floor(value / 2**shift), and 1 more where up_o, or tie_o and that floor is odd.
//
// value_i: the lowest Bits bits of the value, mask_i: 2**shift - 1, shift at most Bits; negative_i: its sign.
// rounding_i: 0 floor, 1 half up, 2 half to even, 3 half away from zero, 4 stochastic: plus the low shift bits of draw_i.
// Combinational, and apart from the shift, so that registers may stand anywhere between.
module round_up #(
    parameter int unsigned Bits = 32,
    localparam int unsigned DrawBits = Bits < 32 ? Bits : 32
) (
    input  logic [         2:0] rounding_i,
    input  logic [    Bits-1:0] value_i,
    input  logic [    Bits-1:0] mask_i,
    input  logic                negative_i,
    input  logic [DrawBits-1:0] draw_i,
    output logic                up_o,
    output logic                tie_o
);
  logic [Bits-1:0] below, passed;  // below: a mask of the bits below the half
  logic [DrawBits-1:0] unused;
  logic half, rest, carry;
  assign below = mask_i >> 1;
  assign half = |(value_i & mask_i & ~below);
  assign rest = |(value_i & below);
  // A carry runs through the positions above the mask, which add 0 and 1, and through ones above the draw.
  assign passed = (value_i & mask_i) | ~(Bits'(draw_i) | mask_i);
  assign {carry, unused} = {1'b0, draw_i} + {1'b0, passed[DrawBits-1:0]};
  always_comb begin
    case (rounding_i)
      3'd1: up_o = half;
      3'd2: up_o = half && rest;
      3'd3: up_o = half && (rest || !negative_i);
      3'd4: up_o = carry && &(passed | Bits'({DrawBits{1'b1}}));
      default: up_o = 1'b0;
    endcase
  end
  assign tie_o = rounding_i == 3'd2 && half && !rest;
endmodule
