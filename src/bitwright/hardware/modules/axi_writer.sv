// SPDX-License-Identifier: Apache-2.0
// Writes of an AXI4 master: a command of any length becomes bursts of the beats of a stream.
//
// Commands and their cut into bursts as in axi_bursts. A burst is announced only when all its beats lie in the FIFO, so that
// none waits inside a burst, and its data are offered whether its address has been taken or not. At most Outstanding
// bursts wait for their responses. done_o: the last response of a command with cmd_end_i has come.
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
  localparam int unsigned HeldBits = $clog2(Depth + 2);
  if (Depth < BurstBeats) begin : g_illegal
    $error("axi_writer: a Depth that holds a burst is legal");
  end

  logic stop, idle, take, push, known, command_end;
  logic [$clog2(BurstBeats):0] beats;
  logic [HeldBits-1:0] held_q;  // beats in the FIFO that belong to no announced burst
  axi_bursts #(
      .AddressBits(AddressBits),
      .DataBits(DataBits),
      .BurstBeats(BurstBeats),
      .Outstanding(Outstanding)
  ) u_cut (
      .clk_i,
      .rst_i,
      .run_i,
      .stop_o(stop),
      .idle_o(idle),
      .cmd_beat_i,
      .cmd_beats_i,
      .cmd_end_i,
      .cmd_valid_i,
      .cmd_ready_o,
      .able_i(held_q >= HeldBits'(beats)),
      .beat_o(aw_beat_o),
      .beats_o(beats),
      .len_o(aw_len_o),
      .valid_o(aw_valid_o),
      .ready_i(aw_ready_i),
      .take_o(take),
      .ended_i(b_valid_i),
      .known_o(known),
      .end_o(command_end),
      .address_o(error_address_o)
  );
  always_ff @(posedge clk_i) begin
    if (rst_i || stop) held_q <= '0;
    else held_q <= held_q - (take ? HeldBits'(beats) : '0) + HeldBits'(push);
  end

  logic beats_ready, beat_valid, burst_valid, unused_ready, advance;
  logic [7:0] burst_len, index_q;
  assign push = s_valid_i && s_ready_o;
  assign s_ready_o = beats_ready && !stop;
  stream_fifo #(
      .Width(DataBits),
      .Depth(Depth)
  ) u_beats (
      .clk_i,
      .rst_i(rst_i || (stop && idle)),
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
      .s_ready_o(unused_ready),
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

  assign done_o = b_valid_i && command_end && !stop;
  assign error_o = b_valid_i && b_resp_i[1] && known;
  logic unused;
  assign unused = ^{unused_ready, b_resp_i[0]};
endmodule
