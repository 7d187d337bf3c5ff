// SPDX-License-Identifier: Apache-2.0
// Carry chain: o_o[i] = s_i[i] ^ c[i], c[i + 1] = s_i[i] ? c[i] : di_i[i], c[0] = ci_i; combinational. Generic version:
// the sum of di and s ^ di, whose bits propagate exactly where s is set and generate where only di is.
module carry_chain #(
    parameter int unsigned Width = 8
) (
    input  logic             ci_i,
    input  logic [Width-1:0] s_i,
    input  logic [Width-1:0] di_i,
    output logic [Width-1:0] o_o
);
  assign o_o = di_i + (s_i ^ di_i) + Width'(ci_i);
endmodule
