// SPDX-License-Identifier: Apache-2.0
// Two look-up tables in one cell, o6_o = Init[addr_i] and o5_o = Init[addr_i[4:0]]; combinational. Generic version.
module lut6_2 #(
    parameter logic [63:0] Init = 64'd0
) (
    input  logic [5:0] addr_i,
    output logic       o6_o,
    output logic       o5_o
);
  assign o6_o = Init[addr_i];
  assign o5_o = Init[{1'b0, addr_i[4:0]}];
endmodule
