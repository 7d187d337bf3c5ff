// axi_writer: the words of a stream leave once and in order, in bursts at the addresses of commands of LENGTH beats at 0,
// STEP, 2 * STEP, ..., that cross no multiple of BURST beats; a burst's last beat is marked, no beat comes before its
// burst is announced, at most OUTSTANDING wait for their responses, and done_o comes with the last of a command.
module proof (
    input logic clk_i, input logic reset_i, input logic cmd_i, input logic go_i, input logic aw_i, input logic w_i,
    input logic b_i, input logic [1:0] resp_i, input logic [`ADDRESS-3:0] junk_i
);
  `START
  localparam int unsigned Bits = `ADDRESS - 2;
  logic [Bits-1:0] cmd_q;
  logic cmd_valid_q, cmd_ready;
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {cmd_q, cmd_valid_q} <= '0;
    end else if (!cmd_valid_q || cmd_ready) begin
      cmd_valid_q <= cmd_i;
      if (cmd_valid_q) cmd_q <= cmd_q + Bits'(`STEP);
    end
  end
  logic [Bits-1:0] s_data, offered, next, aw_beat;
  logic [31:0] w_data;
  logic [7:0] aw_len;
  logic s_valid, s_ready, aw_valid, w_valid, w_last, b_valid, done, error, announced, ended;
  logic [`ADDRESS-1:0] error_address;
  numbers #(.Bits(Bits)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  `DUT #(.AddressBits(`ADDRESS), .DataBits(32), .BurstBeats(`BURST), .Outstanding(`OUTSTANDING), .Depth(`DEPTH)) u_dut (
      .clk_i, .rst_i(rst), .run_i(1'b1), .cmd_beat_i(cmd_q), .cmd_beats_i(24'd`LENGTH), .cmd_end_i(1'b1),
      .cmd_valid_i(cmd_valid_q), .cmd_ready_o(cmd_ready), .s_data_i(32'(s_data)), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .done_o(done), .aw_beat_o(aw_beat), .aw_len_o(aw_len), .aw_valid_o(aw_valid), .aw_ready_i(aw_i),
      .w_data_o(w_data), .w_last_o(w_last), .w_valid_o(w_valid), .w_ready_i(w_i), .b_resp_i(resp_i), .b_valid_i(b_valid),
      .error_o(error), .error_address_o(error_address)
  );
  expects #(.Bits(Bits)) u_out (
      .clk_i, .rst_i(rst), .data_i(w_data[Bits-1:0]), .valid_i(w_valid), .ready_i(w_i), .next_o(next)
  );
  stays #(.Width(33)) u_stays (.clk_i, .rst_i(rst), .data_i({w_last, w_data}), .valid_i(w_valid), .ready_i(w_i));
  stays #(.Width(Bits + 8)) u_waits (
      .clk_i, .rst_i(rst), .data_i({aw_beat, aw_len}), .valid_i(aw_valid), .ready_i(aw_i)
  );
  // Announced bursts whose beats have not all left, and those that wait for a response: the oldest first
  logic [7:0] left_q[3];
  logic [2:0] final_q;
  logic [Bits-1:0] start_q;
  logic [7:0] index_q;
  logic [1:0] beats_q, waiting_q, sent_q, after, later;
  assign announced = aw_valid && aw_i;
  assign ended     = w_valid && w_i && w_last;
  assign b_valid   = b_i && sent_q != 0;
  assign after     = beats_q - 2'(ended);
  assign later     = waiting_q - 2'(b_valid);
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {beats_q, waiting_q, sent_q, start_q, index_q} <= '0;
    end else begin
      beats_q   <= after + 2'(announced);
      waiting_q <= later + 2'(announced);
      sent_q    <= sent_q + 2'(ended) - 2'(b_valid);
      if (ended) {left_q[0], left_q[1]} <= {left_q[1], left_q[2]};
      else if (w_valid && w_i) left_q[0] <= left_q[0] - 1'b1;
      if (b_valid) final_q <= final_q >> 1;
      if (announced) begin
        left_q[after]  <= aw_len;
        final_q[later] <= index_q + aw_len + 1 == `LENGTH;
        index_q <= index_q + aw_len + 1 == `LENGTH ? '0 : index_q + aw_len + 1'b1;
        if (index_q + aw_len + 1 == `LENGTH) start_q <= start_q + Bits'(`STEP);
      end
    end
  end
  always_comb begin
    if (!rst) begin
      if (aw_valid) assert (aw_len < `BURST && (aw_beat % `BURST) + Bits'(aw_len) < `BURST);
      if (aw_valid) assert (aw_beat == Bits'(start_q + Bits'(index_q)) && index_q + aw_len < `LENGTH);
      if (w_valid) assert (beats_q != 0 && w_last == (left_q[0] == 0) && w_data == 32'(w_data[Bits-1:0]));
      assert (waiting_q <= `OUTSTANDING);
      assert (done == (b_valid && final_q[0]));
      assert (error == (b_valid && resp_i[1]));
    end
  end
  progress #(.Limit(8)) u_leaves (
      .clk_i, .rst_i(rst), .waits_i(cmd_valid_q && !cmd_ready && !aw_valid && !w_valid && waiting_q == 0 && s_valid && !s_ready)
  );
  logic unused;
  assign unused = ^{offered, next, error_address};
  reached #(.Count(2)) u_reached (.clk_i, .rst_i(rst), .event_i(done));
endmodule
