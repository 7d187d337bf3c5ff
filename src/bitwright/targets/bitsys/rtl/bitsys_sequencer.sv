// SPDX-License-Identifier: Apache-2.0
// Runs the program: for every batch, one layer descriptor after the other.
//
// A layer: its descriptor is read (four words a cycle, Reads cycles: the first ones wait in the memory's
// registers since the layer before has begun), start_o begins it two cycles later, and the next one follows when busy_i
// has fallen. A layer that writes the output buffer waits until the results of the batch before have left, one with
// weights from the stream until they have arrived.
// With External, the memory is a ring that bitsys_records fills (layer_i: one more has come): a descriptor has 32 words,
// and is read when it is there, which takes three cycles more. A layer with take_input waits for an input buffer; all wait
// for the loads and stores that stand behind their fields. Results leave behind layers with `send`.
module bitsys_sequencer #(
    parameter int unsigned Layers = 32,
    parameter bit External = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             run_i,
    input  logic             we_i,
    input  logic [     18:0] windex_i,
    input  logic [     63:0] wdata_i,   // External: two words; else one, twice
    input  logic             layer_i,
    input  logic [     15:0] loads_done_i,
    input  logic [     15:0] stores_done_i,
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
    output logic             output_final_o,
    input  logic             output_busy_i,
    input  logic             weights_ready_i,
    output logic             weights_free_o,
    output logic             weights_wait_o,
    output logic             output_wait_o,
    output logic             loads_wait_o,
    output logic             stores_wait_o,
    output logic             input_wait_o,
    output logic             running_o,
    output logic             fetching_o,
    output logic             done_o,
    output logic             batch_done_o,
    output logic [      7:0] layer_index_o
);
  `include "bitsys_registers.svh"
  localparam int unsigned LayerBits = $clog2(Layers);
  typedef enum logic [2:0] {Idle, Fill, Fetch, Ready, Run} state_e;
  state_e state_q;
  localparam int unsigned Reads = External ? 8 : LayerWords / 4;
  localparam int unsigned Words = 4 * Reads;
  logic [3:0] word_q;
  logic [7:0] index_q, frames_q;
  logic [127:0] words;
  logic [32*Words-1:0] layer_q;
  logic [1:0] fill_q, begun_q;
  logic buffer_q, first_q, start_q, busy_q, fetch, ready, done, weights_late, weights_late_q, output_late_q;
  logic more_late, more_late_q;  // input, loads or stores
  logic [32*Words-1:0] coming;  // the descriptor as of the next cycle
  for (genvar k = 0; k < 4; k++) begin : g_ram
    ram_sdp #(
        .Width(32),
        .Depth(8 * Layers),
        .Latency(2)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (we_i && (External ? windex_i[1] == 1'(k / 2) : windex_i[1:0] == 2'(k))),
        .waddr_i(windex_i[LayerBits+4:2]),
        .wdata_i(wdata_i[32*(k%2)+:32]),
        .re_i   (fetch || fill_q != 2'd0),
        .oe_i   (fetch || fill_q != 2'd0),
        .raddr_i({index_q[LayerBits-1:0], word_q[2:0]}),
        .rdata_o(words[32*k+:32])
    );
  end
  assign fetch = state_q == Fetch;
  assign coming = fetch ? {words, layer_q[32*Words-1:128]} : layer_q;
  assign weights_late = coming[FStreamed] && !weights_ready_i;
  assign ready = state_q == Ready && !weights_late_q && !output_late_q && !more_late_q;
  assign weights_wait_o = state_q == Ready && weights_late_q;
  assign weights_free_o = done && layer_q[FStreamed];
  assign done = state_q == Run && begun_q[1] && !busy_q;

  logic begin_fetch;  // of the layer that is there
  if (External) begin : g_external
    // A layer that takes input has done so, then waits for loads, then for stores; each wait is counted by itself.
    logic [7:0] there_q, number_q;  // number_q: of the layer in its program
    logic [15:0] loads_ahead, stores_ahead;
    logic taken_q, working_q, loads_late_q, stores_late_q, input_late_q, input_late, loads_late, stores_late;
    assign begin_fetch = there_q != 8'd0;
    assign loads_ahead = loads_done_i - coming[32*28+:16];
    assign stores_ahead = stores_done_i - coming[32*28+16+:16];
    assign input_late = coming[FTakeInput] && !taken_q;
    assign loads_late = !input_late && loads_ahead[15];
    assign more_late = input_late || loads_late || stores_late;
    assign stores_late = !input_late && !loads_ahead[15] && stores_ahead[15];
    always_ff @(posedge clk_i) begin
      if (rst_i || !run_i) begin
        there_q <= 8'd0;
        taken_q <= 1'b0;
        working_q <= 1'b0;
      end else begin
        there_q <= there_q + 8'(layer_i) - 8'(state_q == Idle && begin_fetch);
        taken_q <= !done && (taken_q || batch_take_o);
        if (batch_take_o) working_q <= 1'b1;
        else if (batch_done_o) working_q <= 1'b0;
      end
      if (!run_i || done) number_q <= !run_i || layer_q[FLast] ? 8'd0 : number_q + 8'd1;
      input_late_q <= input_late;
      loads_late_q <= loads_late;
      stores_late_q <= stores_late;
      more_late_q <= more_late;
      if (batch_take_o) begin
        buffer_q <= batch_buffer_i;
        frames_q <= batch_frames_i;
      end
    end
    assign batch_take_o = state_q == Ready && layer_q[FTakeInput] && !taken_q && batch_valid_i && run_i;
    assign running_o = working_q;
    assign layer_index_o = number_q;
    assign input_wait_o = state_q == Ready && input_late_q && working_q;
    assign loads_wait_o = working_q && ((state_q == Ready && loads_late_q) || (state_q == Idle && !begin_fetch));
    assign stores_wait_o = state_q == Ready && stores_late_q;
    assign output_start_o = done && layer_q[FSend];
    logic unused;
    assign unused = ^{loads_ahead[14:0], stores_ahead[14:0]};
  end else begin : g_streams
    assign begin_fetch = batch_valid_i;
    assign {more_late, more_late_q} = 2'd0;
    assign layer_index_o = index_q;
    always_ff @(posedge clk_i) begin
      if (state_q == Idle) begin
        buffer_q <= batch_buffer_i;
        frames_q <= batch_frames_i;
      end
    end
    assign batch_take_o = state_q == Idle && batch_valid_i && run_i;
    assign running_o = state_q != Idle;
    assign {input_wait_o, loads_wait_o, stores_wait_o} = 3'd0;
    assign output_start_o = done && layer_q[FLast];
    logic unused;
    assign unused = ^{layer_i, loads_done_i, stores_done_i};
  end

  assign output_wait_o = state_q == Ready && output_late_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      state_q <= Idle;
      start_q <= 1'b0;
    end else begin
      start_q <= ready;
      case (state_q)
        Idle: if (begin_fetch) state_q <= External ? Fill : Fetch;
        Fill: if (!fill_q[1]) state_q <= Fetch;
        Fetch: if (word_q == 4'(Reads + 1)) state_q <= Ready;
        Ready: if (ready) state_q <= Run;
        default: if (done) state_q <= External || layer_q[FLast] ? Idle : Fetch;
      endcase
    end
  end
  // word_q: the next one to read, two ahead of the one that comes; fill_q: reads that are to be done before Fetch.
  logic fills;
  assign fills = External ? state_q == Idle : !run_i || ready;
  always_ff @(posedge clk_i) begin
    busy_q  <= busy_i;
    begun_q <= {begun_q[0], state_q == Run};
    first_q <= !fetch;
    layer_q <= coming;
    weights_late_q <= weights_late;
    output_late_q <= coming[FToOutput] && output_busy_i && !weights_late && !more_late;
    if (!run_i || ready) index_q <= !run_i || (!External && layer_q[FLast]) ? 8'd0 : index_q + 8'd1;
    if (fills) begin
      word_q <= 4'd0;
      fill_q <= 2'd2;
    end else if (fetch || fill_q != 2'd0) begin
      word_q <= word_q + 4'd1;
      if (fill_q != 2'd0) fill_q <= fill_q - 2'd1;
    end
  end
  assign start_o = start_q;
  assign release_o = done && layer_q[FReleaseInput];
  assign done_o = done;
  assign batch_done_o = done && layer_q[FLast];
  assign output_frames_o = frames_q;
  assign output_final_o = layer_q[FLast];
  assign layer_o = layer_q[32*LayerWords-1:0];
  assign buffer_o = buffer_q;
  assign fetching_o = fetch && first_q;
endmodule
