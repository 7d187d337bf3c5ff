// SPDX-License-Identifier: Apache-2.0
// One 6-input look-up table, data_o = Init[addr_i]; combinational. Xilinx version: exactly one LUT6 cell.
module lut6 #(
    parameter logic [63:0] Init = 64'd0
) (
    input  logic [5:0] addr_i,
    output logic       data_o
);
  LUT6 #(
      .INIT(Init)
  ) u_lut (
      .I0(addr_i[0]),
      .I1(addr_i[1]),
      .I2(addr_i[2]),
      .I3(addr_i[3]),
      .I4(addr_i[4]),
      .I5(addr_i[5]),
      .O (data_o)
  );
endmodule
