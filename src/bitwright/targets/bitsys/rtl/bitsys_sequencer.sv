// SPDX-License-Identifier: Apache-2.0
// Runs the program: for every batch, one layer descriptor after the other.
//
// A layer: its descriptor is read (four words a cycle, LayerWords / 4 cycles: the first ones wait in the memory's
// registers since the layer before has begun), start_o begins it two cycles later, and the next one follows when busy_i
// has fallen. A layer that writes the output buffer waits until the results of the batch before have left, one with
// weights from the stream until they have arrived.
module bitsys_sequencer #(
    parameter int unsigned Layers = 32
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             run_i,
    input  logic             we_i,
    input  logic [     18:0] windex_i,
    input  logic [     31:0] wdata_i,
    input  logic             batch_valid_i,
    input  logic             batch_buffer_i,
    input  logic [      7:0] batch_frames_i,
    output logic             batch_take_o,
    output logic             release_o,
    output logic             start_o,
    output logic [32*28-1:0] layer_o,
    output logic             buffer_o,
    input  logic             busy_i,
    output logic             output_start_o,
    output logic [      7:0] output_frames_o,
    input  logic             output_busy_i,
    input  logic             weights_ready_i,
    output logic             weights_free_o,
    output logic             weights_wait_o,
    output logic             output_wait_o,
    output logic             running_o,
    output logic             fetching_o,
    output logic [      7:0] layer_index_o
);
  `include "bitsys_registers.svh"
  localparam int unsigned LayerBits = $clog2(Layers);
  typedef enum logic [2:0] {Idle, Fetch, Ready, Run} state_e;
  state_e state_q;
  localparam int unsigned Reads = LayerWords / 4;
  logic [3:0] word_q;
  logic [7:0] index_q, frames_q;
  logic [127:0] words;
  logic [32*LayerWords-1:0] layer_q;
  logic [1:0] fill_q, begun_q;
  logic buffer_q, first_q, start_q, busy_q, fetch, ready, done, weights_late, weights_late_q, output_late_q;
  logic [32*LayerWords-1:0] coming;  // the descriptor as of the next cycle
  for (genvar k = 0; k < 4; k++) begin : g_ram
    ram_sdp #(
        .Width(32),
        .Depth(8 * Layers),
        .Latency(2)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (we_i && windex_i[1:0] == 2'(k)),
        .waddr_i(windex_i[LayerBits+4:2]),
        .wdata_i(wdata_i),
        .re_i   (fetch || fill_q != 2'd0),
        .oe_i   (fetch || fill_q != 2'd0),
        .raddr_i({index_q[LayerBits-1:0], word_q[2:0]}),
        .rdata_o(words[32*k+:32])
    );
  end
  assign fetch = state_q == Fetch;
  assign coming = fetch ? {words, layer_q[32*LayerWords-1:128]} : layer_q;
  assign weights_late = coming[FStreamed] && !weights_ready_i;
  assign ready = state_q == Ready && !weights_late_q && !output_late_q;
  assign weights_wait_o = state_q == Ready && weights_late_q;
  assign weights_free_o = done && layer_q[FStreamed];
  assign output_wait_o = state_q == Ready && output_late_q;
  assign done = state_q == Run && begun_q[1] && !busy_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      state_q <= Idle;
      start_q <= 1'b0;
    end else begin
      start_q <= ready;
      case (state_q)
        Idle: if (batch_valid_i) state_q <= Fetch;
        Fetch: if (word_q == 4'(Reads + 1)) state_q <= Ready;
        Ready: if (ready) state_q <= Run;
        default: if (done) state_q <= layer_q[FLast] ? Idle : Fetch;
      endcase
    end
  end
  // word_q: the next one to read, two ahead of the one that comes; fill_q: reads that are to be done before Fetch.
  always_ff @(posedge clk_i) begin
    busy_q  <= busy_i;
    begun_q <= {begun_q[0], state_q == Run};
    first_q <= !fetch;
    layer_q <= coming;
    weights_late_q <= weights_late;
    output_late_q <= coming[FToOutput] && output_busy_i && !weights_late;
    if (!run_i || ready) begin
      index_q <= !run_i || layer_q[FLast] ? 8'd0 : index_q + 8'd1;
      word_q  <= 4'd0;
      fill_q  <= 2'd2;
    end else if (fetch || fill_q != 2'd0) begin
      word_q <= word_q + 4'd1;
      if (fill_q != 2'd0) fill_q <= fill_q - 2'd1;
    end
    if (state_q == Idle) begin
      buffer_q <= batch_buffer_i;
      frames_q <= batch_frames_i;
    end
  end
  assign start_o = start_q;
  assign batch_take_o = state_q == Idle && batch_valid_i && run_i;
  assign release_o = done && layer_q[FReleaseInput];
  assign output_start_o = done && layer_q[FLast];
  assign output_frames_o = frames_q;
  assign layer_o = layer_q;
  assign buffer_o = buffer_q;
  assign running_o = state_q != Idle;
  assign fetching_o = fetch && first_q;
  assign layer_index_o = index_q;
endmodule
