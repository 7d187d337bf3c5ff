// SPDX-License-Identifier: Apache-2.0
// Random words of stochastic rounding: the draws of network/lfsr.py.
//
//   draw_o is seed_i after load_i; each step_i replaces it by Jump * draw_o over GF(2), or by the next draw where Jump is 0.
//
// Bit i of the product is the parity of draw_o & Jump[32*i+:32]. lfsr_jump(n) of lfsr32.py is the matrix that moves on
// by n draws (16 n steps of the Galois LFSR).
module lfsr32 #(
    parameter logic [32*32-1:0] Jump = '0
) (
    input  logic        clk_i,
    input  logic        load_i,
    input  logic [31:0] seed_i,
    input  logic        step_i,
    output logic [31:0] draw_o
);
  logic [31:0] draw_q, draw_d;
  if (Jump == '0) begin : g_one
    always_comb begin
      draw_d = draw_q;
      for (int k = 0; k < 16; k++) draw_d = {1'b0, draw_d[31:1]} ^ (draw_d[0] ? 32'hA3000000 : 32'd0);
    end
  end else begin : g_several
    for (genvar i = 0; i < 32; i++) begin : g_bit
      assign draw_d[i] = ^(draw_q & Jump[32*i+:32]);
    end
  end
  always_ff @(posedge clk_i) begin
    if (load_i) draw_q <= seed_i;
    else if (step_i) draw_q <= draw_d;
  end
  assign draw_o = draw_q;
endmodule
