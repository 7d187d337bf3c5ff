// A pipeline that never waits: EXPECTED of each word x leaves LATENCY cycles later. How it waits is proven of pipe_control.
module proof (input logic clk_i, input logic reset_i, input logic [`IN-1:0] x_i);
  `START
  function automatic logic signed [31:0] limit(
      input logic signed [31:0] value, input logic signed [31:0] low, input logic signed [31:0] high
  );
    limit = value < low ? low : value > high ? high : value;
  endfunction
  logic [`OUT-1:0] y;
  logic signed [31:0] x;
  assign x = `SIGNED ? 32'($signed(x_i)) : 32'(x_i);
  logic running_q, valid, unused_ready;
  always_ff @(posedge clk_i) running_q <= !rst;
  `DUT #(`PARAMETERS) u_dut (`PORTS);
  logic [`LATENCY-1:0][`OUT-1:0] want_q;
  logic [`LATENCY-1:0] known_q = '0;
  logic signed [31:0] result;
  assign result = `EXPECTED;
  always_ff @(posedge clk_i) begin
    known_q <= rst ? '0 : `LATENCY'({known_q, 1'b1});
    for (int s = 0; s < `LATENCY; s++) want_q[s] <= s == 0 ? result[`OUT-1:0] : want_q[(s+`LATENCY-1)%`LATENCY];
  end
  always_comb begin
    if (!rst && known_q[`LATENCY-1]) begin
      assert (y == want_q[`LATENCY-1]);
      assert (valid);
    end
  end
  reached u_reached (.clk_i, .rst_i(rst), .event_i(known_q[`LATENCY-1]));
endmodule
