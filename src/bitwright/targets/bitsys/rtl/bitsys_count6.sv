// SPDX-License-Identifier: Apache-2.0
// count_o = number of ones of x_i; with Product, of x_i[3:0] and the product x_i[4] & x_i[5]. Combinational, two LUT
// pairs on a carry chain.
//
// Position 0 carries one bit of x_i where the parity of all is even: the chain then adds it to half of the others.
module bitsys_count6 #(
    parameter bit Product = 1'b0
) (
    input  logic [5:0] x_i,
    output logic [2:0] count_o
);
  `include "bitsys_lut.svh"
  // Two last bits, or one product, beside the three whose carry is Low; High is the carry of their sum and those.
  localparam logic [63:0] Last = Product ? I4 & I5 : I4 ^ I5;
  localparam logic [63:0] Low = (I0 & I1) | (I0 & I2) | (I1 & I2);
  localparam logic [63:0] Sum = I0 ^ I1 ^ I2;
  localparam logic [63:0] High = Product ? Sum & I3 & I4 : (Sum & I3) | (Sum & I4) | (I3 & I4);
  logic [4:0] half;
  logic [2:0] s, di;
  assign half  = Product ? {x_i[5:4], x_i[2:0]} : x_i[4:0];
  assign di[0] = Product ? x_i[3] : x_i[5];
  lut6_2 #(
      .Init(I0 ^ I1 ^ I2 ^ I3 ^ Last)
  ) u_parity (
      .addr_i(x_i),
      .o6_o  (s[0]),
      .o5_o  ()
  );
  lut6_2 #(
      .Init(pair(Low ^ High, Low & High))
  ) u_half (
      .addr_i({1'b1, half}),
      .o6_o  (s[1]),
      .o5_o  (di[1])
  );
  assign s[2] = 1'b0;
  assign di[2] = 1'b0;
  carry_chain #(
      .Width(3)
  ) u_chain (
      .ci_i(1'b0),
      .s_i (s),
      .di_i(di),
      .o_o (count_o)
  );
endmodule
