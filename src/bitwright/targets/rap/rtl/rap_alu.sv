// Operations from register to register (instructions MOVB, ADD to UNPH); combinational.
module rap_alu (
    input  logic [ 5:0] op_i,
    input  logic [ 1:0] width_i,
    input  logic        sign_i,
    input  logic [ 3:0] imm_i,
    input  logic [15:0] a_i,
    input  logic [15:0] b_i,
    output logic [15:0] y_o
);
  `include "rap_isa.svh"
  logic [15:0] y16, y8, y4;
  rap_alu_lane #(
      .Bits(16)
  ) u_lane16 (
      .op_i,
      .sign_i,
      .imm_i,
      .a_i,
      .b_i,
      .y_o(y16)
  );
  for (genvar i = 0; i < 2; i++) begin : g_lane8
    rap_alu_lane #(
        .Bits(8)
    ) u_lane (
        .op_i,
        .sign_i,
        .imm_i,
        .a_i(a_i[8*i+:8]),
        .b_i(b_i[8*i+:8]),
        .y_o(y8[8*i+:8])
    );
  end
  for (genvar i = 0; i < 4; i++) begin : g_lane4
    rap_alu_lane #(
        .Bits(4)
    ) u_lane (
        .op_i,
        .sign_i,
        .imm_i,
        .a_i(a_i[4*i+:4]),
        .b_i(b_i[4*i+:4]),
        .y_o(y4[4*i+:4])
    );
  end

  // PACK halves the width of the lanes of a and b, UNPL and UNPH double that of half a word.
  logic [15:0] pack8, pack4, half8, half4;
  for (genvar i = 0; i < 2; i++) begin : g_pack8
    rap_saturate #(
        .InBits (16),
        .OutBits(8)
    ) u_saturate (
        .sign_i,
        .x_i(i == 0 ? a_i : b_i),
        .y_o(pack8[8*i+:8])
    );
  end
  for (genvar i = 0; i < 4; i++) begin : g_pack4
    rap_saturate #(
        .InBits (8),
        .OutBits(4)
    ) u_saturate (
        .sign_i,
        .x_i(i < 2 ? a_i[8*(i%2)+:8] : b_i[8*(i%2)+:8]),
        .y_o(pack4[4*i+:4])
    );
  end
  logic [7:0] half;
  assign half = op_i == OpUNPH ? a_i[15:8] : a_i[7:0];
  assign half8 = {{8{sign_i & half[7]}}, half};
  assign half4 = {{4{sign_i & half[7]}}, half[7:4], {4{sign_i & half[3]}}, half[3:0]};

  always_comb begin
    case (op_i)
      OpMOVB: y_o = a_i;
      OpPACK: y_o = width_i == 2'd0 ? a_i : width_i == 2'd1 ? pack8 : pack4;
      OpUNPL, OpUNPH: y_o = width_i == 2'd0 ? a_i : width_i == 2'd1 ? half8 : half4;
      default: y_o = width_i == 2'd0 ? y16 : width_i == 2'd1 ? y8 : y4;
    endcase
  end
endmodule
