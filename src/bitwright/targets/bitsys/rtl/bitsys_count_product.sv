// count_o = number of ones among the four bits x_i and the product a_i & b_i; combinational, two LUTs on a carry chain.
//
// As in bitsys_count6: position 0 carries x[3] where the parity of all five is even, and the chain adds it to half of
// the four others.
module bitsys_count_product (
    input  logic [3:0] x_i,
    input  logic       a_i,
    input  logic       b_i,
    output logic [2:0] count_o
);
  `include "bitsys_lut.svh"
  localparam logic [63:0] Low = (I0 & I1) | (I0 & I2) | (I1 & I2);  // carry of three
  localparam logic [63:0] High = (I0 ^ I1 ^ I2) & I3 & I4;  // carry of their sum and the product
  logic [2:0] s, di;
  lut6_2 #(
      .Init(I0 ^ I1 ^ I2 ^ I3 ^ (I4 & I5))
  ) u_parity (
      .addr_i({b_i, a_i, x_i}),
      .o6_o  (s[0]),
      .o5_o  ()
  );
  assign di[0] = x_i[3];
  lut6_2 #(
      .Init(pair(Low ^ High, Low & High))
  ) u_half (
      .addr_i({1'b1, b_i, a_i, x_i[2:0]}),
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
