// SPDX-License-Identifier: Apache-2.0
// Reads of one ID of an AXI4 master: a command of any length becomes bursts, whose beats come out as a stream.
//
// cmd_beat_i: address of the first beat, in beats; cmd_beats_i: how many, 1 or more. Commands are read in order. A burst
// ends at a multiple of BurstBeats beats: it is aligned to its size but at a command's ends, and none crosses 4 KB. It is
// asked for only when the FIFO has room for BurstBeats more beats, and at most Outstanding are under way; so beats are
// taken whenever they come. A burst can be asked for in every cycle; a command is taken when the one before has been
// asked for. error_o comes with a beat of an error, its burst's address with it.
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
  localparam int unsigned IndexBits = $clog2(BurstBeats);
  localparam int unsigned RoomBits = $clog2(Depth + 1);
  localparam int unsigned CountBits = $clog2(Outstanding + 1);
  if (DataBits < 32 || (DataBits & (DataBits - 1)) != 0 || BurstBeats < 2 || (BurstBeats & (BurstBeats - 1)) != 0
      || BurstBeats * DataBits > 8 * 4096 || BurstBeats > 256 || Depth < BurstBeats || Outstanding < 1) begin : g_illegal
    $error("axi_reader: powers of two of DataBits >= 32 and BurstBeats, bursts of at most 4 KB, that Depth holds, are legal");
  end

  logic active_q, drain_q, stop, take, pop, last;
  logic [BeatBits-1:0] beat_q;
  logic [23:0] left_q;
  logic [IndexBits:0] most, chunk;
  logic [RoomBits-1:0] room_q;
  logic [CountBits-1:0] count_q;
  assign stop = !run_i || drain_q;
  assign most = (IndexBits + 1)'(BurstBeats) - {1'b0, beat_q[IndexBits-1:0]};
  assign last = left_q <= 24'(most);
  assign chunk = last ? left_q[IndexBits:0] : most;
  assign ar_beat_o = beat_q;
  assign ar_len_o = 8'(chunk) - 8'd1;
  assign ar_valid_o = active_q && !stop && room_q >= RoomBits'(BurstBeats) && count_q != CountBits'(Outstanding);
  assign take = ar_valid_o && ar_ready_i;
  assign pop = m_valid_o && m_ready_i;
  assign cmd_ready_o = !active_q && !stop;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= 1'b0;
      drain_q <= 1'b0;
      room_q <= RoomBits'(Depth);
      count_q <= '0;
    end else begin
      count_q <= count_q + CountBits'(take) - CountBits'(r_valid_i && r_last_i);
      if (!run_i) drain_q <= 1'b1;
      else if (count_q == '0) drain_q <= 1'b0;
      if (stop) begin
        active_q <= 1'b0;
        room_q <= RoomBits'(Depth);
      end else begin
        active_q <= active_q ? !(take && last) : cmd_valid_i;
        room_q <= room_q - (take ? RoomBits'(chunk) : '0) + RoomBits'(pop);
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (!active_q) begin
      beat_q <= cmd_beat_i;
      left_q <= cmd_beats_i;
    end else if (take) begin
      beat_q <= beat_q + BeatBits'(chunk);
      left_q <= left_q - 24'(chunk);
    end
  end

  logic unused_ready, address_valid, unused_address_ready;
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

  // The addresses of what is under way.
  logic [BeatBits-1:0] burst_beat;
  stream_fifo #(
      .Width(BeatBits),
      .Depth(Outstanding)
  ) u_addresses (
      .clk_i,
      .rst_i,
      .s_data_i(beat_q),
      .s_valid_i(take),
      .s_ready_o(unused_address_ready),
      .m_data_o(burst_beat),
      .m_valid_o(address_valid),
      .m_ready_i(r_valid_i && r_last_i)
  );
  assign error_o = r_valid_i && r_resp_i[1] && address_valid;
  assign error_address_o = {burst_beat, {$clog2(DataBits / 8) {1'b0}}};
  logic unused;
  assign unused = ^{unused_ready, unused_address_ready, r_resp_i[0]};
endmodule
