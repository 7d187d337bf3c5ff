// SPDX-License-Identifier: Apache-2.0
// Random words of stochastic rounding: the draws of network/lfsr.py, several draws a step.
//
//   draw_o is Seed after reset; each step_i replaces it by Jump * draw_o over GF(2), or by Seed where restart_i.
//
// Bit i of the product is the parity of draw_o & Jump[32*i+:32]. lfsr_jump(n) of requantize.py is the matrix that
// moves on by n draws (16 n steps of the Galois LFSR).
module lfsr32 #(
    parameter logic [31:0] Seed = 32'd1,
    parameter logic [32*32-1:0] Jump = '0
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic        step_i,
    input  logic        restart_i,
    output logic [31:0] draw_o
);
  if (Seed == '0) begin : g_illegal
    $error("lfsr32: Seed must not be 0");
  end

  logic [31:0] draw_q, draw_d;
  for (genvar i = 0; i < 32; i++) begin : g_bit
    assign draw_d[i] = ^(draw_q & Jump[32*i+:32]);
  end
  always_ff @(posedge clk_i) begin
    if (rst_i) draw_q <= Seed;
    else if (step_i) draw_q <= restart_i ? Seed : draw_d;
  end
  assign draw_o = draw_q;
endmodule
