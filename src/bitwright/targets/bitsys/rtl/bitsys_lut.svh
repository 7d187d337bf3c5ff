// SPDX-License-Identifier: Apache-2.0
// Algebra of look-up tables: In is the table of "input n"; any bitwise expression of them is a table.
// pair(o6, o5) is the table of a LUT pair whose input 5 is tied to one. Included inside modules.
localparam logic [63:0] I0 = 64'hAAAA_AAAA_AAAA_AAAA;
localparam logic [63:0] I1 = 64'hCCCC_CCCC_CCCC_CCCC;
localparam logic [63:0] I2 = 64'hF0F0_F0F0_F0F0_F0F0;
localparam logic [63:0] I3 = 64'hFF00_FF00_FF00_FF00;
localparam logic [63:0] I4 = 64'hFFFF_0000_FFFF_0000;
localparam logic [63:0] I5 = 64'hFFFF_FFFF_0000_0000;

function automatic logic [63:0] pair(input logic [63:0] o6, input logic [63:0] o5);
  pair = (o6 & I5) | (o5 & ~I5);
endfunction
