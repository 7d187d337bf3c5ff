// SPDX-License-Identifier: Apache-2.0
// masks_o = {not 4 bits, 1 bit, less than 4 bits, not 8 bits} of a container mode, all low while busy_i && !ready_i.
// Combinational. Generic version.
module bitsys_masks (
    input  logic       busy_i,
    input  logic       ready_i,
    input  logic [1:0] mode_i,
    output logic [3:0] masks_o
);
  logic go;
  assign go = !busy_i || ready_i;
  assign masks_o = {go && mode_i != 2'd2, go && mode_i == 2'd0, go && !mode_i[1], go && mode_i != 2'd3};
endmodule
