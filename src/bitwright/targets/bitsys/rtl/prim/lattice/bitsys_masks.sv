// SPDX-License-Identifier: Apache-2.0
// masks_o = {not 4 bits, 1 bit, less than 4 bits, not 8 bits} of a container mode, all low while busy_i && !ready_i.
// Combinational. ECP5 version: exactly one LUT4 each, as the masks clear registers late in the cycle.
module bitsys_masks (
    input  logic       busy_i,
    input  logic       ready_i,
    input  logic [1:0] mode_i,
    output logic [3:0] masks_o
);
  // Where a mask is high: the modes, for each {ready, busy} but the one that holds, {0, 1}.
  function automatic logic [15:0] init(input logic [3:0] modes);
    init = {modes, modes, 4'd0, modes};
  endfunction
  localparam logic [63:0] Inits = {init(4'b1011), init(4'b0001), init(4'b0011), init(4'b0111)};
  for (genvar k = 0; k < 4; k++) begin : g_mask
    LUT4 #(
        .INIT(Inits[16*k+:16])
    ) u_lut (
        .A(mode_i[0]),
        .B(mode_i[1]),
        .C(busy_i),
        .D(ready_i),
        .Z(masks_o[k])
    );
  end
endmodule
