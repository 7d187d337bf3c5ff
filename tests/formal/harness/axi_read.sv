// axi_reader: the beats of commands of LENGTH beats at 0, STEP, 2 * STEP, ... come out once and in order, in bursts that
// cross no multiple of BURST beats, at most OUTSTANDING under way; they start again behind a pause of run_i, and nothing
// that was asked for before it comes out. The bus answers when it likes; a beat's data are its address.
module proof (
    input logic clk_i, input logic reset_i, input logic run_i, input logic cmd_i, input logic ready_i, input logic ar_i,
    input logic r_i, input logic [1:0] resp_i
);
  `START
  localparam int unsigned Bits = `ADDRESS - 2;
  logic run;
  assign run = run_i && !rst;
  // Commands
  logic [Bits-1:0] cmd_q;
  logic cmd_valid_q, cmd_ready;
  always_ff @(posedge clk_i) begin
    if (!run) begin
      {cmd_q, cmd_valid_q} <= '0;
    end else if (!cmd_valid_q || cmd_ready) begin
      cmd_valid_q <= cmd_i;
      if (cmd_valid_q) cmd_q <= cmd_q + Bits'(`STEP);
    end
  end
  logic [31:0] m_data, r_data;
  logic m_valid, ar_valid, ar_ready, r_valid, r_last, error;
  logic [Bits-1:0] ar_beat;
  logic [7:0] ar_len;
  logic [`ADDRESS-1:0] error_address;
  `DUT #(.AddressBits(`ADDRESS), .DataBits(32), .BurstBeats(`BURST), .Outstanding(`OUTSTANDING), .Depth(`DEPTH)) u_dut (
      .clk_i, .rst_i(rst), .run_i(run), .cmd_beat_i(cmd_q), .cmd_beats_i(24'd`LENGTH), .cmd_valid_i(cmd_valid_q),
      .cmd_ready_o(cmd_ready), .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i),
      .ar_beat_o(ar_beat), .ar_len_o(ar_len), .ar_valid_o(ar_valid), .ar_ready_i(ar_ready),
      .r_data_i(r_data), .r_resp_i(resp_i), .r_last_i(r_last), .r_valid_i(r_valid),
      .error_o(error), .error_address_o(error_address)
  );
  // The address channel's register, as in axi_master
  logic asks_q, asked;
  logic [Bits-1:0] asks_beat_q;
  logic [7:0] asks_len_q;
  assign ar_ready = !asks_q || ar_i;
  assign asked    = asks_q && ar_i;
  always_ff @(posedge clk_i) begin
    if (rst) asks_q <= 1'b0;
    else if (ar_ready) asks_q <= ar_valid;
    if (ar_ready) {asks_beat_q, asks_len_q} <= {ar_beat, ar_len};
  end
  // The bus: bursts under way, the oldest first
  logic [Bits-1:0] beat_q[3], oldest_q;
  logic [7:0] left_q[3];
  logic [1:0] under_q, after;
  assign r_valid = r_i && under_q != 0;
  assign r_last  = left_q[0] == 0;
  assign r_data  = 32'(beat_q[0]);
  assign after   = under_q - 2'(r_valid && r_last);
  always_ff @(posedge clk_i) begin
    if (rst) begin
      under_q <= '0;
    end else begin
      under_q <= after + 2'(asked);
      if (r_valid && r_last) begin
        {beat_q[0], beat_q[1]} <= {beat_q[1], beat_q[2]};
        {left_q[0], left_q[1]} <= {left_q[1], left_q[2]};
        oldest_q <= beat_q[1];
      end else if (r_valid) begin
        beat_q[0] <= beat_q[0] + 1'b1;
        left_q[0] <= left_q[0] - 1'b1;
      end
      if (asked) begin
        beat_q[after] <= asks_beat_q;
        left_q[after] <= asks_len_q;
        if (after == 0) oldest_q <= asks_beat_q;
      end
    end
  end
  // What must come out
  logic [Bits-1:0] start_q;
  logic [7:0] index_q;
  always_ff @(posedge clk_i) begin
    if (!run) {start_q, index_q} <= '0;
    else if (m_valid && ready_i) begin
      index_q <= index_q == `LENGTH - 1 ? '0 : index_q + 1'b1;
      if (index_q == `LENGTH - 1) start_q <= start_q + Bits'(`STEP);
    end
  end
  logic waits_q, ran_q = 1'b0;
  logic [Bits+7:0] held_q;
  always_ff @(posedge clk_i) begin
    ran_q   <= run;
    waits_q <= run && ar_valid && !ar_ready;
    held_q <= {ar_beat, ar_len};
  end
  always_comb begin
    if (run) begin
      if (m_valid && ran_q) assert (m_data == 32'(Bits'(start_q + Bits'(index_q))));
      if (ar_valid) assert (ar_len < `BURST && (ar_beat % `BURST) + Bits'(ar_len) < `BURST);
      if (waits_q) assert (ar_valid && {ar_beat, ar_len} == held_q);
    end
    if (!rst) begin
      assert (under_q + 2'(asks_q) <= `OUTSTANDING);
      if (error) assert (r_valid && resp_i[1] && error_address == {oldest_q, 2'b00});
      if (r_valid && resp_i[1]) assert (error);
    end
  end
  progress #(.Limit(6)) u_asks (
      .clk_i, .rst_i(!run), .waits_i(ready_i && cmd_valid_q && !cmd_ready && under_q == 0 && !asks_q && !ar_valid && !m_valid)
  );
  reached #(.Count(3)) u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i && run));
endmodule
