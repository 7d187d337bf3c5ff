// SPDX-License-Identifier: Apache-2.0
// y = x, a signed number, limited to the range of OutBits bits, signed where signed_i; combinational.
module saturate #(
    parameter int unsigned InBits  = 16,
    parameter int unsigned OutBits = 8
) (
    input  logic               signed_i,
    input  logic [ InBits-1:0] x_i,
    output logic [OutBits-1:0] y_o
);
  localparam int unsigned Bits = InBits > OutBits + 1 ? InBits : OutBits + 1;
  logic [Bits-1:0] x;
  logic [Bits-OutBits:0] above;  // from the sign of the result on
  logic sign, fits;
  assign x = Bits'($signed(x_i));
  assign sign = x[Bits-1];
  assign above = {x[Bits-1:OutBits], signed_i && x[OutBits-1]};
  assign fits = above == {(Bits - OutBits + 1) {signed_i && sign}};
  assign y_o = fits ? x[OutBits-1:0] : {OutBits{!sign}} ^ (OutBits'(signed_i) << (OutBits - 1));
endmodule
