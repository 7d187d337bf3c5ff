// SPDX-License-Identifier: Apache-2.0
// y = x limited to the range of OutBits bits, both signed or both not; combinational.
module rap_saturate #(
    parameter int unsigned InBits  = 16,
    parameter int unsigned OutBits = 8
) (
    input  logic               sign_i,
    input  logic [ InBits-1:0] x_i,
    output logic [OutBits-1:0] y_o
);
  logic fits;
  assign fits = sign_i ? (&x_i[InBits-1:OutBits-1] || !(|x_i[InBits-1:OutBits-1])) : !(|x_i[InBits-1:OutBits]);
  always_comb begin
    if (fits) y_o = x_i[OutBits-1:0];
    else if (!sign_i) y_o = '1;
    else y_o = {x_i[InBits-1], {(OutBits - 1) {!x_i[InBits-1]}}};
  end
endmodule
