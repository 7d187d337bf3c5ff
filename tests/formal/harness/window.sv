// Every item of every window is the word that the loops of window_reader name, or the padding, with its flags.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  localparam int Pad = 2 ** `BITS;  // as a word of one bit more
  localparam int OutH = (`HEIGHT + `TOP + `BOTTOM - `DILATION * (`KH - 1) - 1) / `STRIDE + 1;
  localparam int OutW = (`WIDTH + `LEFT + `RIGHT - `DILATION * (`KW - 1) - 1) / `STRIDE + 1;
  localparam int Own = `CHUNKS / `GROUPS;
  logic [`BITS-1:0] s_data, offered;
  logic [`BITS:0] m_data;
  logic s_valid, s_ready, m_valid, first, last;
  // The loops, written down once more.
  logic [3:0] k_q, kx_q, ky_q, r_q, g_q, ox_q, oy_q;
  logic [`BITS-1:0] base_q;  // number of the frame's first word
  numbers #(.Bits(`BITS)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  window_reader #(
      .Width(`BITS + 1), .Height(`HEIGHT), .ImageWidth(`WIDTH), .Chunks(`CHUNKS), .KernelH(`KH), .KernelW(`KW),
      .StrideH(`STRIDE), .StrideW(`STRIDE), .PadTop(`TOP), .PadLeft(`LEFT), .PadBottom(`BOTTOM), .PadRight(`RIGHT),
      .DilationH(`DILATION), .DilationW(`DILATION), .Groups(`GROUPS), .Repeats(`REPEATS), .PadWord((`BITS+1)'(Pad))
  ) u_dut (
      .clk_i, .rst_i(rst), .s_data_i({1'b0, s_data}), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_first_o(first), .m_last_o(last), .m_valid_o(m_valid), .m_ready_i(ready_i),
      .ghost_i({offered - `BITS'(s_valid), base_q, oy_q, ox_q, g_q, r_q, ky_q, kx_q, k_q})
  );
  stays #(.Width(`BITS + 3)) u_stays (
      .clk_i, .rst_i(rst), .data_i({first, last, m_data}), .valid_i(m_valid), .ready_i
  );
  logic end_k, end_kx, end_ky, end_r, end_g, end_ox, end_oy;
  assign end_k  = k_q == 4'(Own - 1);
  assign end_kx = end_k && kx_q == 4'(`KW - 1);
  assign end_ky = end_kx && ky_q == 4'(`KH - 1);
  assign end_r  = end_ky && r_q == 4'(`REPEATS - 1);
  assign end_g  = end_r && g_q == 4'(`GROUPS - 1);
  assign end_ox = end_g && ox_q == 4'(OutW - 1);
  assign end_oy = end_ox && oy_q == 4'(OutH - 1);
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {k_q, kx_q, ky_q, r_q, g_q, ox_q, oy_q, base_q} <= '0;
    end else if (m_valid && ready_i) begin
      k_q <= end_k ? '0 : k_q + 1'b1;
      if (end_k) kx_q <= end_kx ? '0 : kx_q + 1'b1;
      if (end_kx) ky_q <= end_ky ? '0 : ky_q + 1'b1;
      if (end_ky) r_q <= end_r ? '0 : r_q + 1'b1;
      if (end_r) g_q <= end_g ? '0 : g_q + 1'b1;
      if (end_g) ox_q <= end_ox ? '0 : ox_q + 1'b1;
      if (end_ox) oy_q <= end_oy ? '0 : oy_q + 1'b1;
      if (end_oy) base_q <= base_q + `BITS'(`HEIGHT * `WIDTH * `CHUNKS);
    end
  end
  logic signed [7:0] y, x;
  logic pad;
  logic [7:0] place;
  assign y = 8'(oy_q) * 8'(`STRIDE) + 8'(ky_q) * 8'(`DILATION) - 8'(`TOP);
  assign x = 8'(ox_q) * 8'(`STRIDE) + 8'(kx_q) * 8'(`DILATION) - 8'(`LEFT);
  assign pad = y < 0 || y >= `HEIGHT || x < 0 || x >= `WIDTH;
  assign place = (8'(y) * 8'(`WIDTH) + 8'(x)) * 8'(`CHUNKS) + 8'(g_q) * 8'(Own) + 8'(k_q);
  always_comb begin
    if (!rst && m_valid) begin
      assert (m_data == (pad ? (`BITS + 1)'(Pad) : {1'b0, base_q + `BITS'(place)}));
      assert (first == (k_q == 0 && kx_q == 0 && ky_q == 0));
      assert (last == end_ky);
    end
  end
  progress #(.Limit(`LIMIT)) u_moves (.clk_i, .rst_i(rst), .waits_i(ready_i && s_valid && !s_ready && !m_valid));
  reached #(.Count(`REACH_COUNT)) u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
