// SPDX-License-Identifier: Apache-2.0
// Cuts commands into bursts, for a reader or the writer of an AXI4 master.
//
// cmd_beat_i: address of the first beat, in beats; cmd_beats_i: how many, 1 or more. Commands are taken in order, each
// when the one before has been asked for. A burst ends at a multiple of BurstBeats beats: it is aligned to its size but at
// a command's ends, and none crosses 4 KB. One is offered in every cycle with able_i, while fewer than Outstanding are
// under way; the oldest of these ends with ended_i. address_o is its address where known_o, and end_o says whether it is
// the last one of a command with cmd_end_i.
// run_i = 0 forgets commands. stop_o: until it is 1 again and what was under way has ended; idle_o: nothing is.
module axi_bursts #(
    parameter int unsigned AddressBits = 40,
    parameter int unsigned DataBits    = 64,
    parameter int unsigned BurstBeats  = 16,
    parameter int unsigned Outstanding = 8,
    localparam int unsigned BeatBits  = AddressBits - $clog2(DataBits / 8),
    localparam int unsigned IndexBits = $clog2(BurstBeats)
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic                   run_i,
    output logic                   stop_o,
    output logic                   idle_o,
    input  logic [   BeatBits-1:0] cmd_beat_i,
    input  logic [           23:0] cmd_beats_i,
    input  logic                   cmd_end_i,
    input  logic                   cmd_valid_i,
    output logic                   cmd_ready_o,
    // The next burst: its first beat, how many it has, and that less 1
    input  logic                   able_i,
    output logic [   BeatBits-1:0] beat_o,
    output logic [    IndexBits:0] beats_o,
    output logic [            7:0] len_o,
    output logic                   valid_o,
    input  logic                   ready_i,
    output logic                   take_o,
    // The oldest one under way
    input  logic                   ended_i,
    output logic                   known_o,
    output logic                   end_o,
    output logic [AddressBits-1:0] address_o
);
  localparam int unsigned CountBits = $clog2(Outstanding + 1);
  if (DataBits < 32 || (DataBits & (DataBits - 1)) != 0 || BurstBeats < 2 || (BurstBeats & (BurstBeats - 1)) != 0
      || BurstBeats * DataBits > 8 * 4096 || BurstBeats > 256 || Outstanding < 1) begin : g_illegal
    $error("axi_bursts: powers of two of DataBits >= 32 and BurstBeats, and bursts of at most 4 KB, are legal");
  end

  logic active_q, drain_q, last, end_q;
  logic [BeatBits-1:0] beat_q;
  logic [23:0] left_q;
  logic [IndexBits:0] most;
  logic [CountBits-1:0] count_q;
  assign stop_o = !run_i || drain_q;
  assign idle_o = count_q == '0;
  assign most = (IndexBits + 1)'(BurstBeats) - {1'b0, beat_q[IndexBits-1:0]};
  assign last = left_q <= 24'(most);
  assign beats_o = last ? left_q[IndexBits:0] : most;
  assign beat_o = beat_q;
  assign len_o = 8'(beats_o) - 8'd1;
  assign valid_o = active_q && !stop_o && able_i && count_q != CountBits'(Outstanding);
  assign take_o = valid_o && ready_i;
  assign cmd_ready_o = !active_q && !stop_o;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= 1'b0;
      drain_q <= 1'b0;
      count_q <= '0;
    end else begin
      count_q <= count_q + CountBits'(take_o) - CountBits'(ended_i);
      if (!run_i) drain_q <= 1'b1;
      else if (idle_o) drain_q <= 1'b0;
      if (stop_o) active_q <= 1'b0;
      else active_q <= active_q ? !(take_o && last) : cmd_valid_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (!active_q) begin
      beat_q <= cmd_beat_i;
      left_q <= cmd_beats_i;
      end_q <= cmd_end_i;
    end else if (take_o) begin
      beat_q <= beat_q + BeatBits'(beats_o);
      left_q <= left_q - 24'(beats_o);
    end
  end

  logic [BeatBits-1:0] oldest;
  logic unused_ready;
  stream_fifo #(
      .Width(BeatBits + 1),
      .Depth(Outstanding)
  ) u_under_way (
      .clk_i,
      .rst_i,
      .s_data_i({last && end_q, beat_q}),
      .s_valid_i(take_o),
      .s_ready_o(unused_ready),
      .m_data_o({end_o, oldest}),
      .m_valid_o(known_o),
      .m_ready_i(ended_i)
  );
  assign address_o = {oldest, {$clog2(DataBits / 8) {1'b0}}};
  logic unused;
  assign unused = unused_ready;
endmodule
