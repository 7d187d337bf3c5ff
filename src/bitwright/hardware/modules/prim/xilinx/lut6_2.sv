// SPDX-License-Identifier: Apache-2.0
// Two look-up tables in one cell, o6_o = Init[addr_i] and o5_o = Init[addr_i[4:0]]; combinational.
// Xilinx version: exactly one LUT6_2 cell.
module lut6_2 #(
    parameter logic [63:0] Init = 64'd0
) (
    input  logic [5:0] addr_i,
    output logic       o6_o,
    output logic       o5_o
);
  LUT6_2 #(
      .INIT(Init)
  ) u_lut (
      .I0(addr_i[0]),
      .I1(addr_i[1]),
      .I2(addr_i[2]),
      .I3(addr_i[3]),
      .I4(addr_i[4]),
      .I5(addr_i[5]),
      .O6(o6_o),
      .O5(o5_o)
  );
endmodule
