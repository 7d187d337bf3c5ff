// Of every WORDS words those from FIRST on leave, SIZE of them, in order.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  logic [`BITS-1:0] s_data, m_data, offered;
  logic s_valid, s_ready, m_valid;
  numbers #(.Bits(`BITS)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  `DUT #(.Width(`BITS), .First(`FIRST), .Size(`SIZE), .Words(`WORDS)) u_dut (
      .clk_i, .rst_i(rst), .s_data_i(s_data), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  stays #(.Width(`BITS)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  logic [`BITS-1:0] n_q, inside;  // the number that leaves next
  logic [3:0] k_q;  // which of the SIZE
  always_ff @(posedge clk_i) begin
    if (rst) begin
      n_q <= `BITS'(`FIRST);
      k_q <= '0;
    end else if (m_valid && ready_i) begin
      n_q <= n_q + (k_q == 4'(`SIZE - 1) ? `BITS'(`WORDS - `SIZE + 1) : 1'b1);
      k_q <= k_q == 4'(`SIZE - 1) ? '0 : k_q + 1'b1;
    end
  end
  assign inside = offered - n_q;  // negative: words that are dropped come first
  logic there;
  assign there = inside != 0 && inside <= `BITS'(3);
  always_comb begin
    if (!rst && m_valid) begin
      assert (m_data == n_q);
      assert (there);
    end
  end
  progress #(.Limit(3)) u_leaves (.clk_i, .rst_i(rst), .waits_i(ready_i && there && !m_valid));
  progress #(.Limit(3)) u_enters (.clk_i, .rst_i(rst), .waits_i(ready_i && s_valid && !s_ready));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
