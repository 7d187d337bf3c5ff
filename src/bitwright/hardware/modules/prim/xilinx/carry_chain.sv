// SPDX-License-Identifier: Apache-2.0
// Carry chain: o_o[i] = s_i[i] ^ c[i], c[i + 1] = s_i[i] ? c[i] : di_i[i], c[0] = ci_i; combinational. Xilinx version:
// one CARRY8 for every eight bits.
module carry_chain #(
    parameter int unsigned Width = 8
) (
    input  logic             ci_i,
    input  logic [Width-1:0] s_i,
    input  logic [Width-1:0] di_i,
    output logic [Width-1:0] o_o
);
  localparam int unsigned Cells = (Width + 7) / 8;
  logic [8*Cells-1:0] s, di, o, co;
  assign s = (8 * Cells)'(s_i);
  assign di = (8 * Cells)'(di_i);
  logic [Cells:0] carry;
  assign carry[0] = ci_i;
  for (genvar k = 0; k < Cells; k++) begin : g_cell
    CARRY8 #(
        .CARRY_TYPE("SINGLE_CY8")
    ) u_carry (
        .CI(carry[k]),
        .CI_TOP(1'b0),
        .S(s[8*k+:8]),
        .DI(di[8*k+:8]),
        .O(o[8*k+:8]),
        .CO(co[8*k+:8])
    );
    assign carry[k+1] = co[8*k+7];
  end
  assign o_o = o[Width-1:0];
endmodule
