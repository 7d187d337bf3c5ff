// SPDX-License-Identifier: Apache-2.0
// Reads of one ID of an AXI4 master: a command of any length becomes bursts, whose beats come out as a stream.
//
// Commands and their cut into bursts as in axi_bursts. A burst is asked for only when the FIFO has room for BurstBeats more
// beats; so beats are taken whenever they come. error_o comes with a beat of an error, its burst's address with it.
// run_i = 0 forgets commands and beats; what is under way is awaited, and dropped, before anything is asked for again.
module axi_reader #(
    parameter int unsigned AddressBits = 40,
    parameter int unsigned DataBits    = 64,
    parameter int unsigned BurstBeats  = 16,
    parameter int unsigned Outstanding = 8,
    parameter int unsigned Depth       = 128,
    localparam int unsigned BeatBits = AddressBits - $clog2(DataBits / 8)
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic                   run_i,
    input  logic [   BeatBits-1:0] cmd_beat_i,
    input  logic [           23:0] cmd_beats_i,
    input  logic                   cmd_valid_i,
    output logic                   cmd_ready_o,
    output logic [   DataBits-1:0] m_data_o,
    output logic                   m_valid_o,
    input  logic                   m_ready_i,
    // A burst that is wanted, and taken by the address channel
    output logic [   BeatBits-1:0] ar_beat_o,
    output logic [            7:0] ar_len_o,
    output logic                   ar_valid_o,
    input  logic                   ar_ready_i,
    // Beats of this ID
    input  logic [   DataBits-1:0] r_data_i,
    input  logic [            1:0] r_resp_i,
    input  logic                   r_last_i,
    input  logic                   r_valid_i,
    output logic                   error_o,
    output logic [AddressBits-1:0] error_address_o
);
  localparam int unsigned RoomBits = $clog2(Depth + 1);
  if (Depth < BurstBeats) begin : g_illegal
    $error("axi_reader: a Depth that holds a burst is legal");
  end

  logic stop, take, known, unused_idle, unused_end;
  logic [$clog2(BurstBeats):0] beats;
  logic [RoomBits-1:0] room_q;
  axi_bursts #(
      .AddressBits(AddressBits),
      .DataBits(DataBits),
      .BurstBeats(BurstBeats),
      .Outstanding(Outstanding)
  ) u_bursts (
      .clk_i,
      .rst_i,
      .run_i,
      .stop_o(stop),
      .idle_o(unused_idle),
      .cmd_beat_i,
      .cmd_beats_i,
      .cmd_end_i(1'b0),
      .cmd_valid_i,
      .cmd_ready_o,
      .able_i(room_q >= RoomBits'(BurstBeats)),
      .beat_o(ar_beat_o),
      .beats_o(beats),
      .len_o(ar_len_o),
      .valid_o(ar_valid_o),
      .ready_i(ar_ready_i),
      .take_o(take),
      .ended_i(r_valid_i && r_last_i),
      .known_o(known),
      .end_o(unused_end),
      .address_o(error_address_o)
  );
  always_ff @(posedge clk_i) begin
    if (rst_i || stop) room_q <= RoomBits'(Depth);
    else room_q <= room_q - (take ? RoomBits'(beats) : '0) + RoomBits'(m_valid_o && m_ready_i);
  end

  logic unused_ready;
  stream_fifo #(
      .Width(DataBits),
      .Depth(Depth)
  ) u_beats (
      .clk_i,
      .rst_i(rst_i || stop),
      .s_data_i(r_data_i),
      .s_valid_i(r_valid_i && !stop),
      .s_ready_o(unused_ready),
      .m_data_o,
      .m_valid_o,
      .m_ready_i
  );

  assign error_o = r_valid_i && r_resp_i[1] && known;
  logic unused;
  assign unused = ^{unused_ready, unused_idle, unused_end, r_resp_i[0]};
endmodule
