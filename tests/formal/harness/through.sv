// What goes in comes out, once and in order. HELD: words that fit inside; LIMIT: cycles without progress.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  logic [`BITS-1:0] s_data, m_data, offered, next, inside;
  logic s_valid, s_ready, m_valid;
  numbers #(.Bits(`BITS)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  `DUT #(`PARAMETERS) u_dut (
      .clk_i, .rst_i(rst), .s_data_i(s_data), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  expects #(.Bits(`BITS)) u_out (
      .clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i, .next_o(next)
  );
  stays #(.Width(`BITS)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  assign inside = offered - next;
  always_comb begin
    if (!rst) begin
      assert (inside <= `HELD + 1);
      if (m_valid) assert (inside != 0);
    end
  end
  progress #(.Limit(`LIMIT)) u_leaves (.clk_i, .rst_i(rst), .waits_i(ready_i && inside != 0 && !m_valid));
  progress #(.Limit(`LIMIT)) u_enters (.clk_i, .rst_i(rst), .waits_i(ready_i && s_valid && !s_ready));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
