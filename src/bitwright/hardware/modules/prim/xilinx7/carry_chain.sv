// SPDX-License-Identifier: Apache-2.0
// Carry chain: o_o[i] = s_i[i] ^ c[i], c[i + 1] = s_i[i] ? c[i] : di_i[i], c[0] = ci_i; combinational. Version for the
// 7 series: one CARRY4 for every four bits.
module carry_chain #(
    parameter int unsigned Width = 8
) (
    input  logic             ci_i,
    input  logic [Width-1:0] s_i,
    input  logic [Width-1:0] di_i,
    output logic [Width-1:0] o_o
);
  localparam int unsigned Cells = (Width + 3) / 4;
  logic [4*Cells-1:0] s, di, o, co;
  assign s = (4 * Cells)'(s_i);
  assign di = (4 * Cells)'(di_i);
  logic [Cells:0] carry;
  assign carry[0] = 1'b0;
  for (genvar k = 0; k < Cells; k++) begin : g_cell
    CARRY4 u_carry (
        .CI(carry[k]),
        .CYINIT(k == 0 ? ci_i : 1'b0),
        .S(s[4*k+:4]),
        .DI(di[4*k+:4]),
        .O(o[4*k+:4]),
        .CO(co[4*k+:4])
    );
    assign carry[k+1] = co[4*k+3];
  end
  assign o_o = o[Width-1:0];
endmodule
