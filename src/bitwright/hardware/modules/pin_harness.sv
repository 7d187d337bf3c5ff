// SPDX-License-Identifier: Apache-2.0
// Puts a design between shift registers, so that a part's few pins can time one with thousands of ports.
//
//   to the design:   in_o = the last InBits bits of d_i, the oldest in the highest bit
//   from the design: where load_i, out_i is taken; else the taken bits leave at q_o, the highest first
//
// Every path of the design starts and ends in a register. Latency 1 each way, a bit a cycle.
// Constraint: InBits, OutBits >= 2. Used by synthesize.py for place and route only.
(* keep_hierarchy *)
module pin_harness #(
    parameter int unsigned InBits  = 2,
    parameter int unsigned OutBits = 2
) (
    input  logic               clk_i,
    input  logic               rst_i,
    input  logic               d_i,
    input  logic               load_i,
    output logic               q_o,
    output logic               rst_o,
    output logic [ InBits-1:0] in_o,
    input  logic [OutBits-1:0] out_i
);
  if (InBits < 2 || OutBits < 2) begin : g_illegal
    $error("pin_harness: InBits and OutBits must be at least 2");
  end

  logic [ InBits-1:0] in_q;
  logic [OutBits-1:0] out_q;
  logic rst_q, load_q;

  assign in_o  = in_q;
  assign rst_o = rst_q;
  assign q_o   = out_q[OutBits-1];

  always_ff @(posedge clk_i) begin
    rst_q  <= rst_i;
    load_q <= load_i;
    in_q   <= {in_q[InBits-2:0], d_i};
    out_q  <= load_q ? out_i : {out_q[OutBits-2:0], 1'b0};
  end
endmodule
