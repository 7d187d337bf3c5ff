// Lanes go in IN a word and come out OUT a word, once and in order.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`IN*`BITS-1:0] junk_i
);
  `START
  logic [`IN*`BITS-1:0] s_data;
  logic [`OUT*`BITS-1:0] m_data;
  logic [`BITS-1:0] offered, next, inside;
  logic s_valid, s_ready, m_valid;
  numbers #(.Bits(`BITS), .Lanes(`IN)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  `DUT #(`PARAMETERS) u_dut (
      .clk_i, .rst_i(rst), .s_data_i(s_data), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  expects #(.Bits(`BITS), .Lanes(`OUT)) u_out (
      .clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i, .next_o(next)
  );
  stays #(.Width(`OUT*`BITS)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  assign inside = offered - next;
  always_comb begin
    if (!rst) begin
      assert (inside <= `HELD);
      if (m_valid) assert (inside >= `OUT);
    end
  end
  progress #(.Limit(`LIMIT)) u_leaves (.clk_i, .rst_i(rst), .waits_i(ready_i && inside >= `OUT && !m_valid));
  progress #(.Limit(`LIMIT)) u_enters (.clk_i, .rst_i(rst), .waits_i(ready_i && s_valid && !s_ready));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
