// One step of lfsr32 with Jump is JUMPS steps of the generator that stochastic rounding is defined by.
module proof (input logic clk_i, input logic reset_i, input logic [31:0] seed_i, input logic load_i, input logic step_i);
  `START
  logic [31:0] draw, want_q, next;
  lfsr32 #(`PARAMETERS) u_dut (.clk_i, .load_i(rst || load_i), .seed_i, .step_i, .draw_o(draw));
  always_comb begin
    next = want_q;
    for (int k = 0; k < 16 * `JUMPS; k++) next = next[0] ? (next >> 1) ^ 32'hA3000000 : next >> 1;
  end
  always_ff @(posedge clk_i) begin
    if (rst || load_i) want_q <= seed_i;
    else if (step_i) want_q <= next;
  end
  always_comb if (!rst) assert (draw == want_q);
  reached u_reached (.clk_i, .rst_i(rst), .event_i(step_i));
endmodule
