// A loop's index: steps so far, modulo COUNT, from START on, and its first and last place.
module proof (input logic clk_i, input logic reset_i, input logic step_i);
  `START
  localparam int Bits = `COUNT > 1 ? $clog2(`COUNT) : 1;
  logic [Bits-1:0] count;
  logic first, last;
  logic [7:0] want_q;
  loop_counter #(.Count(`COUNT), .Start(`FROM)) u_dut (
      .clk_i, .rst_i(rst), .step_i, .count_o(count), .first_o(first), .last_o(last)
  );
  always_ff @(posedge clk_i) begin
    if (rst) want_q <= 8'(`FROM);
    else if (step_i) want_q <= want_q + 1'b1 == 8'(`COUNT) ? '0 : want_q + 1'b1;
  end
  logic known_q = 1'b0;  // behind the first reset
  always_ff @(posedge clk_i) known_q <= known_q || rst;
  always_comb begin
    if (known_q) begin
      assert (8'(count) == want_q);
      assert (first == (want_q == 0));
      assert (last == (want_q == 8'(`COUNT - 1)));
    end
  end
  reached u_reached (.clk_i, .rst_i(rst), .event_i(step_i && last));
endmodule
