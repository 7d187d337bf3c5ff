// One lane of the operations ADD to SAT; combinational.
module rap_alu_lane #(
    parameter int unsigned Bits = 16
) (
    input  logic [     5:0] op_i,
    input  logic            sign_i,
    input  logic [     3:0] imm_i,   // shift; bits - 1 of SAT; bit 0 is the saturation of ADD and SUB
    input  logic [Bits-1:0] a_i,
    input  logic [Bits-1:0] b_i,
    output logic [Bits-1:0] y_o
);
  `include "rap_isa.svh"
  logic signed [Bits+1:0] a, b, value, low, high;
  assign a = $signed({{2{sign_i & a_i[Bits-1]}}, a_i});
  assign b = $signed({{2{sign_i & b_i[Bits-1]}}, b_i});

  // Range of a result of `bits` bits: the lane's own, or that of SAT.
  logic [4:0] bits;
  logic [Bits+1:0] one;
  assign bits = op_i == OpSAT && 5'(imm_i) < 5'(Bits) ? 5'(imm_i) + 5'd1 : 5'(Bits);
  assign one = (Bits + 2)'(1) << (sign_i ? bits - 5'd1 : bits);
  assign high = $signed(one - 1'b1);
  assign low = sign_i ? -$signed(one) : '0;

  always_comb begin
    case (op_i)
      OpADD:   value = a + b;
      OpSUB:   value = a - b;
      OpMAX:   value = a > b ? a : b;
      OpMIN:   value = a < b ? a : b;
      OpSHR:   value = a >>> imm_i;
      OpSHL:   value = a << imm_i;
      default: value = a;
    endcase
    y_o = value[Bits-1:0];
    if (op_i == OpSAT || ((op_i == OpADD || op_i == OpSUB) && imm_i[0])) begin
      if (value > high) y_o = high[Bits-1:0];
      else if (value < low) y_o = low[Bits-1:0];
    end
  end
endmodule
