// count_o = number of ones of x_i; combinational, two LUT pairs on a carry chain.
//
// Position 0 carries x[5] where the parity of all six is even: the chain then adds it to half of the five others.
module bitsys_count6 (
    input  logic [5:0] x_i,
    output logic [2:0] count_o
);
  `include "bitsys_lut.svh"
  localparam logic [63:0] Parity5 = I0 ^ I1 ^ I2 ^ I3 ^ I4;
  localparam logic [63:0] Low3 = (I0 & I1) | (I0 & I2) | (I1 & I2);  // carry of three
  localparam logic [63:0] High3 = ((I0 ^ I1 ^ I2) & I3) | ((I0 ^ I1 ^ I2) & I4) | (I3 & I4);  // carry of their sum and two
  logic [2:0] s, di;
  lut6_2 #(
      .Init(Parity5 ^ I5)
  ) u_parity (
      .addr_i(x_i),
      .o6_o  (s[0]),
      .o5_o  ()
  );
  assign di[0] = x_i[5];
  lut6_2 #(
      .Init(pair(Low3 ^ High3, Low3 & High3))
  ) u_half (
      .addr_i({1'b1, x_i[4:0]}),
      .o6_o  (s[1]),
      .o5_o  (di[1])
  );
  assign s[2] = 1'b0;
  assign di[2] = 1'b0;
  bitsys_chain #(
      .Width(3)
  ) u_chain (
      .ci_i(1'b0),
      .s_i (s),
      .di_i(di),
      .o_o (count_o)
  );
endmodule
