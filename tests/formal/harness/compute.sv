// Of each pixel of one lane and TILES words, whatever they are, the output is EXPECTED of x (the last word) and of
// `before` (a fold of the words before it, by FOLD); tile: the place of the word that leaves. Any word may be watched.
// EACH 1: a result for each word; 0: for each pixel.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic watch_i,
    input logic [`IN-1:0] x_i
);
  `START
  localparam int Bits = 4;
  logic [`IN-1:0] x_q;
  logic valid_q, s_ready, m_valid, take, give;
  logic [`OUT-1:0] m_data;
  logic [Bits-1:0] taken_q, given_q, watched_q;
  logic [3:0] tile_q;
  logic watching_q;
  logic signed [31:0] x, before_q, want_q, result;
  logic [31:0] tile;
  always_ff @(posedge clk_i) begin
    if (rst) begin
      valid_q <= 1'b0;
    end else if (!valid_q || s_ready) begin
      valid_q <= go_i;
    end
    if (!valid_q || s_ready) x_q <= x_i;
  end
  `DUT #(`PARAMETERS) u_dut (
      .clk_i, .rst_i(rst), .s_data_i(x_q), .s_valid_i(valid_q), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  assign x = `SIGNED ? 32'($signed(x_q)) : 32'(x_q);
  assign tile = 32'(tile_q);
  assign result = `EXPECTED;
  assign take = valid_q && s_ready;
  assign give = m_valid && ready_i;
  logic ends;
  assign ends = tile_q == 4'(`TILES - 1);
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {taken_q, given_q, tile_q, watching_q} <= '0;
    end else begin
      if (take) begin
        tile_q   <= ends ? '0 : tile_q + 1'b1;
        before_q <= `FOLD;
        if (`EACH || ends) taken_q <= taken_q + 1'b1;
        if ((`EACH || ends) && watch_i && !watching_q) begin
          watching_q <= 1'b1;
          watched_q  <= taken_q;
          want_q     <= result;
        end
      end
      if (give) given_q <= given_q + 1'b1;
      if (give && given_q == watched_q && watching_q) watching_q <= 1'b0;
    end
  end
  logic [Bits-1:0] inside;
  assign inside = taken_q - given_q;
  always_comb begin
    if (!rst) begin
      assert (inside <= `HELD);
      if (m_valid) assert (inside != 0);
      if (m_valid && watching_q && given_q == watched_q) assert (m_data == want_q[`OUT-1:0]);
    end
  end
  stays #(.Width(`OUT)) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  progress #(.Limit(`LIMIT)) u_leaves (.clk_i, .rst_i(rst), .waits_i(ready_i && inside != 0 && !m_valid));
  progress #(.Limit(`LIMIT)) u_enters (.clk_i, .rst_i(rst), .waits_i(ready_i && valid_q && !s_ready));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(give && watching_q && given_q == watched_q));
endmodule
