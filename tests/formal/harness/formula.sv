// What has no registers: EXPECTED of the word x_i, for all values.
module proof (input logic clk_i, input logic reset_i, input logic [`IN-1:0] x_i);
  `START
  logic [`OUT-1:0] y, want;
  `DUT #(`PARAMETERS) u_dut (`PORTS);
  assign want = `OUT'(`EXPECTED);
  always_comb if (!rst) assert (y == want);
  reached #(.Count(2)) u_reached (.clk_i, .rst_i(rst), .event_i(y[0]));
endmodule
