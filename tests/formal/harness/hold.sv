// tlmac_hold behind accumulators that finish a word when they please: each leaves once and in order, and the pipeline
// before it stands only while a finished word has no place.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  logic [`BITS-1:0] n_q, acc_q, m_data, next, inside;
  logic done_q, next_done, en, fetch, stop, m_valid;
  assign next_done = go_i && !(`WORDS == 1 && done_q);  // Words 1: a word every two moves
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {n_q, done_q} <= '0;
    end else if (en) begin
      done_q <= next_done;
      acc_q  <= next_done ? n_q : junk_i;
      n_q    <= n_q + `BITS'(next_done);
    end
  end
  tlmac_hold #(.Width(`BITS), .Words(`WORDS)) u_dut (
      .clk_i, .rst_i(rst), .next_i(next_done), .s_data_i(acc_q), .en_o(en), .fetch_o(fetch), .stop_o(stop),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  expects #(.Bits(`BITS)) u_out (
      .clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i, .next_o(next)
  );
  stays #(.Width(`BITS)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  logic behind_q;  // the cycle after reset
  always_ff @(posedge clk_i) behind_q <= rst;
  assign inside = n_q - next;
  always_comb begin
    if (!rst) begin
      assert (stop == !en);
      assert (behind_q && `WORDS > 0 || fetch == en);
      assert (inside <= `WORDS + 1);
      if (m_valid) assert (inside != 0);
      if (!behind_q && !en) assert (done_q);
    end
  end
  progress #(.Limit(3)) u_leaves (.clk_i, .rst_i(rst), .waits_i(ready_i && inside != 0 && !m_valid));
  progress #(.Limit(3)) u_moves (.clk_i, .rst_i(rst), .waits_i(ready_i && !en));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
