// SPDX-License-Identifier: Apache-2.0
// A register beside equal ones, which no tool makes one of them: each has its own part of their loads, and lies near it.
// Latency 1, II 1, moves only while en_i. Part of Conv2d and Dense.
(* keep_hierarchy = "yes" *)
module tlmac_copy #(
    parameter int unsigned Bits = 1
) (
    input  logic            clk_i,
    input  logic            en_i,
    input  logic [Bits-1:0] data_i,
    output logic [Bits-1:0] data_o
);
  always_ff @(posedge clk_i) if (en_i) data_o <= data_i;
endmodule
