// Frames of FRAME lanes go in IN a word and come out OUT a word; behind the last lane of a frame an input word is
// arbitrary and an output word 0.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`IN*`BITS-1:0] junk_i
);
  `START
  logic [`IN*`BITS-1:0] s_data;
  logic [`OUT*`BITS-1:0] m_data;
  logic [`BITS-1:0] in_q, out_q;   // number of the first lane of the next word
  logic [7:0] in_at_q, out_at_q;   // its place in its frame
  logic valid_q, s_ready, m_valid, parity_q, out_parity_q;
  logic [7:0] in_left, out_left;
  assign in_left  = 8'(`FRAME) - in_at_q;
  assign out_left = 8'(`FRAME) - out_at_q;
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {in_q, in_at_q, valid_q} <= '0;
    end else begin
      if (valid_q && s_ready) begin
        in_q    <= in_q + (in_left <= 8'(`IN) ? `BITS'(in_left) : `BITS'(`IN));
        in_at_q <= in_left <= 8'(`IN) ? '0 : in_at_q + 8'(`IN);
      end
      if (!valid_q || s_ready) valid_q <= go_i;
    end
  end
  for (genvar l = 0; l < `IN; l++) begin : g_in
    assign s_data[l*`BITS+:`BITS] = valid_q && 8'(l) < in_left ? in_q + `BITS'(l) : junk_i[l*`BITS+:`BITS];
  end
  `DUT #(`PARAMETERS) u_dut (
      .clk_i, .rst_i(rst), .s_data_i(s_data), .s_valid_i(valid_q), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {out_q, out_at_q} <= '0;
    end else if (m_valid && ready_i) begin
      out_q    <= out_q + (out_left <= 8'(`OUT) ? `BITS'(out_left) : `BITS'(`OUT));
      out_at_q <= out_left <= 8'(`OUT) ? '0 : out_at_q + 8'(`OUT);
    end
  end
  for (genvar l = 0; l < `OUT; l++) begin : g_out
    always_comb begin
      if (!rst && m_valid) assert (m_data[l*`BITS+:`BITS] == (8'(l) < out_left ? out_q + `BITS'(l) : '0));
    end
  end
  // A word that leaves has entered.
  logic [`BITS-1:0] inside;
  assign inside = in_q - out_q;
  always_comb begin
    if (!rst) begin
      assert (inside <= `HELD);
      if (m_valid) assert (inside >= (out_left <= 8'(`OUT) ? `BITS'(out_left) : `BITS'(`OUT)));
    end
  end
  stays #(.Width(`OUT*`BITS)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  progress #(.Limit(`LIMIT)) u_leaves (
      .clk_i, .rst_i(rst), .waits_i(ready_i && !m_valid && inside >= (out_left <= 8'(`OUT) ? `BITS'(out_left) : `BITS'(`OUT)))
  );
  progress #(.Limit(`LIMIT)) u_enters (.clk_i, .rst_i(rst), .waits_i(ready_i && valid_q && !s_ready));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
