// SPDX-License-Identifier: Apache-2.0
// Bipolar lanes (0 for -1, 1 for +1) as two-bit signed numbers. Wires and inverters, latency 0.
module tlmac_bipolar #(
    parameter int unsigned Lanes = 1
) (
    input  logic [  Lanes-1:0] data_i,
    output logic [2*Lanes-1:0] data_o
);
  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    assign data_o[2*l+:2] = {!data_i[l], 1'b1};
  end
endmodule
