// SPDX-License-Identifier: Apache-2.0
// q_o is d_i of so many cycles ago; 0 behind a reset.
module rap_delay #(
    parameter int unsigned Bits   = 1,
    parameter int unsigned Cycles = 1
) (
    input  logic            clk_i,
    input  logic            rst_i,
    input  logic [Bits-1:0] d_i,
    output logic [Bits-1:0] q_o
);
  logic [Cycles-1:0][Bits-1:0] stage_q;
  for (genvar s = 0; s < Cycles; s++) begin : g_stage
    always_ff @(posedge clk_i) stage_q[s] <= rst_i ? '0 : s == 0 ? d_i : stage_q[(s+Cycles-1)%Cycles];
  end
  assign q_o = stage_q[Cycles-1];
endmodule
