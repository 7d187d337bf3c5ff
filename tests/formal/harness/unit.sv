// A unit of products with LATENCY registers, while nothing waits: LATENCY cycles after a word of WORD bits, m_data_o is
// TERM of the word w, of the sum before, acc, and of whether the word is the first one of its sum; the last one of a
// sum says that it leaves. Only words that FOR holds for are looked at, amid all others. That a wait changes nothing: waits.sv.
module proof (input logic clk_i, input logic reset_i, input logic [`WORD-1:0] word_i, input logic valid_i);
  `START
  logic [`WORD-1:0] word_q[`LATENCY];
  logic [`LATENCY-1:0] valid_q;
  logic [31:0] acc, sum, want;
  logic s_ready, m_valid, resets_q, its_first;
  `DUT u_dut (
      .clk_i, .rst_i(rst), .s_data_i(word_i), .s_valid_i(valid_i), .s_ready_o(s_ready),
      .m_data_o(sum), .m_valid_o(m_valid), .m_ready_i(1'b1)`GHOST
  );
  logic [`WORD-1:0] w;
  logic ends, first_q, comes;  // first_q: whether w is the first word of its sum
  assign w = word_q[`LATENCY-1];
  assign comes = valid_q[`LATENCY-1];
  assign ends = w[`WORD-1];
  always_ff @(posedge clk_i) begin
    acc <= sum;
    resets_q <= rst;
    word_q[0] <= word_i;
    for (int s = 1; s < `LATENCY; s++) word_q[s] <= word_q[s-1];
    valid_q <= rst ? '0 : `LATENCY'({valid_q, valid_i});
    first_q <= its_first;
  end
  function automatic logic signed [31:0] channel(input logic [7:0] bits, input int unsigned n, input logic is_signed);
    channel = n == 1 ? (bits[0] ? 1 : -1) : is_signed && bits[n-1] ? 32'(bits) - (32'd1 << n) : 32'(bits);
  endfunction
  // Bits 2k and 2k + 1 of b times a, and a * b as their sum.
  function automatic logic signed [31:0] pair(
      input int unsigned k, input logic [7:0] a, input logic [7:0] b, input logic sa, input logic sb
  );
    logic signed [31:0] wide, high;
    wide = channel(a, 8, sa);
    high = b[2*k+1] ? wide : 0;
    pair = (b[2*k] ? wide : 0) + ((k == 3 && sb ? -high : high) <<< 1);
  endfunction
  function automatic logic signed [31:0] product(
      input logic [7:0] a, input logic [7:0] b, input logic sa, input logic sb
  );
    product = (pair(0, a, b, sa, sb) + (pair(1, a, b, sa, sb) <<< 2))
        + ((pair(2, a, b, sa, sb) + (pair(3, a, b, sa, sb) <<< 2)) <<< 4);
  endfunction
  // The sum over the channels of n bits of a * b, those of b in reversed order.
  function automatic logic signed [31:0] dot(
      input int unsigned n, input logic [7:0] a, input logic [7:0] b, input logic sa, input logic sb
  );
    dot = 0;
    for (int unsigned c = 0; c < 8 / n; c++) begin
      dot = dot + channel((a >> (n * c)) & 8'((1 << n) - 1), n, sa)
          * channel((b >> (8 - n - n * c)) & 8'((1 << n) - 1), n, sb);
    end
  endfunction
  function automatic logic [31:0] ones(input logic [63:0] bits);
    logic [63:0] x;
    x = (bits & 64'h5555555555555555) + ((bits >> 1) & 64'h5555555555555555);
    x = (x & 64'h3333333333333333) + ((x >> 2) & 64'h3333333333333333);
    x = (x & 64'h0f0f0f0f0f0f0f0f) + ((x >> 4) & 64'h0f0f0f0f0f0f0f0f);
    x = (x & 64'h00ff00ff00ff00ff) + ((x >> 8) & 64'h00ff00ff00ff00ff);
    x = (x & 64'h0000ffff0000ffff) + ((x >> 16) & 64'h0000ffff0000ffff);
    ones = x[31:0] + x[63:32];
  endfunction
  assign want = `TERM;
  always_comb begin
    if (!rst) begin
      assert (s_ready);
      assert (m_valid == (comes && ends));
`ifndef REACH  // what is hard to decide does not matter there
      if (comes && (`FOR)) assert (sum == want);
`endif
      if (!comes && !resets_q) assert (sum == acc);
      if (`FIRST) assert (its_first == (resets_q || (comes ? ends : first_q)));
    end
  end
  reached #(.Count(2)) u_reached (.clk_i, .rst_i(rst), .event_i(m_valid));
endmodule
