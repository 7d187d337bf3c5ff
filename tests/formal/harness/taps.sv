// tlmac_columns or tlmac_rows: positions of WORDS words, SIZE of them between padding; each word that leaves holds the
// KERNEL numbers of one window, STRIDE positions further than the one before.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  localparam int Out = (`SIZE + `BEFORE + `AFTER - `DILATION * (`KERNEL - 1) - 1) / `STRIDE + 1;
  localparam logic [`BITS:0] Pad = {1'b1, `BITS'(0)};  // as a word of one bit more
  logic [`BITS-1:0] s_data, offered, base_q;  // number of the first word of the positions that leave
  logic [`KERNEL-1:0][`BITS:0] m_data, want;
  logic s_valid, s_ready, m_valid;
  numbers #(.Bits(`BITS)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  `DUT #(
      .Lanes(1), .Bits(`BITS + 1), .Size(`SIZE), .Kernel(`KERNEL), .Stride(`STRIDE), .PadBefore(`BEFORE), .PadAfter(`AFTER),
      .PadLane(Pad), `PARAMETERS
  ) u_dut (
      .clk_i, .rst_i(rst), .s_data_i({1'b0, s_data}), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  logic [3:0] word_q, out_q;
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {word_q, out_q, base_q} <= '0;
    end else if (m_valid && ready_i) begin
      word_q <= word_q == 4'(`WORDS - 1) ? '0 : word_q + 1'b1;
      if (word_q == 4'(`WORDS - 1)) begin
        out_q <= out_q == 4'(Out - 1) ? '0 : out_q + 1'b1;
        if (out_q == 4'(Out - 1)) base_q <= base_q + `BITS'(`SIZE * `WORDS);
      end
    end
  end
  for (genvar k = 0; k < `KERNEL; k++) begin : g_tap
    logic signed [7:0] place;
    assign place = 8'(out_q) * 8'(`STRIDE) + 8'(k * `DILATION) - 8'(`BEFORE);
    logic [`BITS-1:0] number;
    assign number  = base_q + `BITS'(8'(place) * 8'(`WORDS)) + `BITS'(word_q);
    assign want[k] = place < 0 || place >= `SIZE ? Pad : {1'b0, number};
  end
  always_comb if (!rst && m_valid) assert (m_data == want);
  stays #(.Width(`KERNEL * (`BITS + 1))) u_stays (.clk_i, .rst_i(rst), .data_i(m_data), .valid_i(m_valid), .ready_i);
  progress #(.Limit(`LIMIT)) u_moves (.clk_i, .rst_i(rst), .waits_i(ready_i && s_valid && !s_ready && !m_valid));
  logic unused;
  assign unused = ^offered;
  reached #(.Count(3)) u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
