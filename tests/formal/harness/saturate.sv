// x limited to the range of OUT bits, signed or not, for all values.
module proof (input logic clk_i, input logic reset_i, input logic signed [`IN-1:0] x_i, input logic signed_i);
  `START
  logic [`OUT-1:0] y;
  logic signed [31:0] x, low, high, want;
  saturate #(.InBits(`IN), .OutBits(`OUT)) u_dut (.signed_i, .x_i, .y_o(y));
  assign x = 32'(x_i);
  assign low = signed_i ? -(32'sd1 <<< (`OUT - 1)) : 0;
  assign high = signed_i ? (32'sd1 <<< (`OUT - 1)) - 1 : (32'sd1 <<< `OUT) - 1;
  assign want = x < low ? low : x > high ? high : x;
  always_comb if (!rst) assert (y == want[`OUT-1:0]);
  reached #(.Count(1)) u_reached (.clk_i, .rst_i(rst), .event_i(x != want));
endmodule
