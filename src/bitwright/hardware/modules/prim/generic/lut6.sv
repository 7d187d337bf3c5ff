// SPDX-License-Identifier: Apache-2.0
// One 6-input look-up table, data_o = Init[addr_i]; combinational. Generic version.
module lut6 #(
    parameter logic [63:0] Init = 64'd0
) (
    input  logic [5:0] addr_i,
    output logic       data_o
);
  assign data_o = Init[addr_i];
endmodule
