// SPDX-License-Identifier: Apache-2.0
// Black box of module rom in this folder: some columns of a wide memory in LUTs.
(* blackbox *)
module rom_column #(
    parameter int unsigned Width = 8,
    parameter int unsigned AddrBits = 5
) (
    input  logic                clk_i,
    input  logic                re_i,
    input  logic                oe_i,
    input  logic [AddrBits-1:0] addr_i,
    output logic [   Width-1:0] data_o
);
endmodule
