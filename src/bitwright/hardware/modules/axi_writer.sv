// SPDX-License-Identifier: Apache-2.0
// Writes of an AXI4 master: a command of any length becomes bursts of the beats of a stream.
//
// cmd_beat_i, cmd_beats_i and the cut into bursts as in axi_reader. A burst is announced only when all its beats lie in
// the FIFO, so that none waits inside a burst, and its data are offered whether its address has been taken or not. At
// most Outstanding bursts wait for their responses. done_o: the last response of a command with cmd_end_i has come.
// run_i = 0 forgets commands and beats but those of announced bursts, which are sent and awaited before anything else.
module axi_writer #(
    parameter int unsigned AddressBits = 40,
    parameter int unsigned DataBits    = 64,
    parameter int unsigned BurstBeats  = 16,
    parameter int unsigned Outstanding = 8,
    parameter int unsigned Depth       = 64,
    localparam int unsigned BeatBits = AddressBits - $clog2(DataBits / 8)
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic                   run_i,
    input  logic [   BeatBits-1:0] cmd_beat_i,
    input  logic [           23:0] cmd_beats_i,
    input  logic                   cmd_end_i,
    input  logic                   cmd_valid_i,
    output logic                   cmd_ready_o,
    input  logic [   DataBits-1:0] s_data_i,
    input  logic                   s_valid_i,
    output logic                   s_ready_o,
    output logic                   done_o,
    // A burst that is announced, and taken by the address channel
    output logic [   BeatBits-1:0] aw_beat_o,
    output logic [            7:0] aw_len_o,
    output logic                   aw_valid_o,
    input  logic                   aw_ready_i,
    output logic [   DataBits-1:0] w_data_o,
    output logic                   w_last_o,
    output logic                   w_valid_o,
    input  logic                   w_ready_i,
    input  logic [            1:0] b_resp_i,
    input  logic                   b_valid_i,
    output logic                   error_o,
    output logic [AddressBits-1:0] error_address_o
);
  localparam int unsigned IndexBits = $clog2(BurstBeats);
  localparam int unsigned HeldBits = $clog2(Depth + 2);
  localparam int unsigned CountBits = $clog2(Outstanding + 1);
  if (DataBits < 32 || (DataBits & (DataBits - 1)) != 0 || BurstBeats < 2 || (BurstBeats & (BurstBeats - 1)) != 0
      || BurstBeats * DataBits > 8 * 4096 || BurstBeats > 256 || Depth < BurstBeats || Outstanding < 1) begin : g_illegal
    $error("axi_writer: powers of two of DataBits >= 32 and BurstBeats, bursts of at most 4 KB, that Depth holds, are legal");
  end

  logic active_q, drain_q, stop, take, push, last, end_q;
  logic [BeatBits-1:0] beat_q;
  logic [23:0] left_q;
  logic [IndexBits:0] most, chunk;
  logic [HeldBits-1:0] held_q;  // beats in the FIFO that belong to no announced burst
  logic [CountBits-1:0] count_q;
  assign stop = !run_i || drain_q;
  assign most = (IndexBits + 1)'(BurstBeats) - {1'b0, beat_q[IndexBits-1:0]};
  assign last = left_q <= 24'(most);
  assign chunk = last ? left_q[IndexBits:0] : most;
  assign aw_beat_o = beat_q;
  assign aw_len_o = 8'(chunk) - 8'd1;
  assign aw_valid_o = active_q && !stop && held_q >= HeldBits'(chunk) && count_q != CountBits'(Outstanding);
  assign take = aw_valid_o && aw_ready_i;
  assign cmd_ready_o = !active_q && !stop;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= 1'b0;
      drain_q <= 1'b0;
      held_q <= '0;
      count_q <= '0;
    end else begin
      count_q <= count_q + CountBits'(take) - CountBits'(b_valid_i);
      if (!run_i) drain_q <= 1'b1;
      else if (count_q == '0) drain_q <= 1'b0;
      if (stop) begin
        active_q <= 1'b0;
        held_q <= '0;
      end else begin
        active_q <= active_q ? !(take && last) : cmd_valid_i;
        held_q <= held_q - (take ? HeldBits'(chunk) : '0) + HeldBits'(push);
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (!active_q) begin
      beat_q <= cmd_beat_i;
      left_q <= cmd_beats_i;
      end_q <= cmd_end_i;
    end else if (take) begin
      beat_q <= beat_q + BeatBits'(chunk);
      left_q <= left_q - 24'(chunk);
    end
  end

  logic beats_ready, beat_valid, burst_valid, unused_burst_ready, unused_response_ready, response_valid, advance, command_end;
  logic [7:0] burst_len, index_q;
  assign push = s_valid_i && s_ready_o;
  assign s_ready_o = beats_ready && !stop;
  stream_fifo #(
      .Width(DataBits),
      .Depth(Depth)
  ) u_beats (
      .clk_i,
      .rst_i(rst_i || (stop && count_q == '0)),
      .s_data_i,
      .s_valid_i(s_valid_i && !stop),
      .s_ready_o(beats_ready),
      .m_data_o(w_data_o),
      .m_valid_o(beat_valid),
      .m_ready_i(advance)
  );
  stream_fifo #(
      .Width(8),
      .Depth(Outstanding)
  ) u_bursts (
      .clk_i,
      .rst_i,
      .s_data_i(aw_len_o),
      .s_valid_i(take),
      .s_ready_o(unused_burst_ready),
      .m_data_o(burst_len),
      .m_valid_o(burst_valid),
      .m_ready_i(advance && w_last_o)
  );
  assign w_valid_o = beat_valid && burst_valid;
  assign w_last_o = index_q == burst_len;
  assign advance = w_valid_o && w_ready_i;
  always_ff @(posedge clk_i) begin
    if (rst_i) index_q <= 8'd0;
    else if (advance) index_q <= w_last_o ? 8'd0 : index_q + 8'd1;
  end

  // What waits for a response: its address, and whether done_o follows.
  logic [BeatBits-1:0] burst_beat;
  stream_fifo #(
      .Width(BeatBits + 1),
      .Depth(Outstanding)
  ) u_responses (
      .clk_i,
      .rst_i,
      .s_data_i({last && end_q, beat_q}),
      .s_valid_i(take),
      .s_ready_o(unused_response_ready),
      .m_data_o({command_end, burst_beat}),
      .m_valid_o(response_valid),
      .m_ready_i(b_valid_i)
  );
  assign done_o = b_valid_i && command_end && !stop;
  assign error_o = b_valid_i && b_resp_i[1] && response_valid;
  assign error_address_o = {burst_beat, {$clog2(DataBits / 8) {1'b0}}};
  logic unused;
  assign unused = ^{unused_burst_ready, unused_response_ready, b_resp_i[0]};
endmodule
