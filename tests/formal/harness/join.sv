// Two streams of numbers: words of both at once, EXPECTED of a word n of each (AWORDS 0), or AWORDS words of a, then
// BWORDS words of b, and so on.
module proof (
    input logic clk_i, input logic reset_i, input logic go_a_i, input logic go_b_i, input logic ready_i,
    input logic [`BITS-1:0] junk_a_i, input logic [`BITS-1:0] junk_b_i
);
  `START
  logic [`BITS-1:0] a_data, b_data, a_offered, b_offered;
  logic a_valid, a_ready, b_valid, b_ready, m_valid;
  logic [`OUTBITS-1:0] m_data;
  numbers #(.Bits(`BITS)) u_a (
      .clk_i, .rst_i(rst), .go_i(go_a_i), .junk_i(junk_a_i), .data_o(a_data), .valid_o(a_valid), .ready_i(a_ready),
      .offered_o(a_offered)
  );
  numbers #(.Bits(`BITS)) u_b (
      .clk_i, .rst_i(rst), .go_i(go_b_i), .junk_i(junk_b_i), .data_o(b_data), .valid_o(b_valid), .ready_i(b_ready),
      .offered_o(b_offered)
  );
  `DUT #(`PARAMETERS) u_dut (
      .clk_i, .rst_i(rst), .a_data_i(a_data), .a_valid_i(a_valid), .a_ready_o(a_ready), .b_data_i(b_data),
      .b_valid_i(b_valid), .b_ready_o(b_ready), .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  stays #(.Width(`OUTBITS)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  logic [`BITS-1:0] a_q, b_q, a_inside, b_inside;  // next numbers that leave
  logic [3:0] place_q;  // of the word in its pixel
  logic second;
  assign second = place_q >= 4'(`AWORDS);
  assign a_inside = a_offered - a_q;
  assign b_inside = b_offered - b_q;
  logic signed [`OUTBITS-1:0] a, b;
  assign a = `SIGNED ? `OUTBITS'($signed(a_q)) : `OUTBITS'(a_q);
  assign b = `SIGNED ? `OUTBITS'($signed(b_q)) : `OUTBITS'(b_q);
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {a_q, b_q, place_q} <= '0;
    end else if (m_valid && ready_i) begin
      if (`AWORDS == 0 || !second) a_q <= a_q + 1'b1;
      if (`AWORDS == 0 || second) b_q <= b_q + 1'b1;
      place_q <= `AWORDS == 0 || place_q == 4'(`AWORDS + `BWORDS - 1) ? '0 : place_q + 1'b1;
    end
  end
  always_comb begin
    if (!rst) begin
      if (m_valid) assert (m_data == (`AWORDS == 0 ? `OUTBITS'(`EXPECTED) : second ? b : a));
      assert (a_inside <= `HELD + 1);
      assert (b_inside <= `HELD + 1);
      if (m_valid && (`AWORDS == 0 || !second)) assert (a_inside != 0);
      if (m_valid && (`AWORDS == 0 || second)) assert (b_inside != 0);
    end
  end
  progress #(.Limit(`LIMIT)) u_moves (
      .clk_i, .rst_i(rst), .waits_i(ready_i && !m_valid && (`AWORDS == 0 || !second ? a_inside != 0 : 1'b1)
          && (`AWORDS == 0 || second ? b_inside != 0 : 1'b1))
  );
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
