// Instruction GET: floor(acc / 2**shift), saturated to lanes of the current width; combinational.
//
// With lanes_i each lane has its own accumulator at acc_i[32*l+:32]; else lane 0 has one and the others are 0.
module rap_get (
    input  logic [  1:0] width_i,
    input  logic         sign_i,
    input  logic         lanes_i,
    input  logic [  4:0] shift_i,
    input  logic [127:0] acc_i,
    output logic [ 15:0] y_o
);
  logic [63:0] y16;
  logic [31:0] y8;
  logic [15:0] y4;
  for (genvar l = 0; l < 4; l++) begin : g_lane
    logic signed [31:0] value;
    logic [31:0] limited;
    assign value = $signed(acc_i[32*l+:32]) >>> shift_i;
    assign limited = !sign_i && value[31] ? '0 : value;
    rap_saturate #(
        .InBits (32),
        .OutBits(16)
    ) u_16 (
        .sign_i,
        .x_i(limited),
        .y_o(y16[16*l+:16])
    );
    rap_saturate #(
        .InBits (32),
        .OutBits(8)
    ) u_8 (
        .sign_i,
        .x_i(limited),
        .y_o(y8[8*l+:8])
    );
    rap_saturate #(
        .InBits (32),
        .OutBits(4)
    ) u_4 (
        .sign_i,
        .x_i(limited),
        .y_o(y4[4*l+:4])
    );
  end
  always_comb begin
    case (width_i)
      2'd0: y_o = y16[15:0];
      2'd1: y_o = lanes_i ? y8[15:0] : {8'd0, y8[7:0]};
      default: y_o = lanes_i ? y4 : {12'd0, y4[3:0]};
    endcase
  end
  logic unused;
  assign unused = ^{y16[63:16], y8[31:16]};
endmodule
