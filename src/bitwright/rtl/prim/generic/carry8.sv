// Eight positions of a carry chain; combinational. Generic version.
//
//   o_o[i] = s_i[i] ^ c[i],  c[i + 1] = s_i[i] ? c[i] : di_i[i],  c[0] = ci_i,  co_o = c[8]
module carry8 (
    input  logic       ci_i,
    input  logic [7:0] s_i,
    input  logic [7:0] di_i,
    output logic [7:0] o_o,
    output logic       co_o
);
  logic [8:0] c;
  always_comb begin
    c[0] = ci_i;
    for (int i = 0; i < 8; i++) c[i+1] = s_i[i] ? c[i] : di_i[i];
  end
  assign o_o  = s_i ^ c[7:0];
  assign co_o = c[8];
endmodule
