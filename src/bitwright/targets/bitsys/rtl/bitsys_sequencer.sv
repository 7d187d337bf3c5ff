// SPDX-License-Identifier: Apache-2.0
// Runs the program: for every batch, one layer descriptor after the other.
//
// A layer: its descriptor is read (four words a cycle, LayerWords / 4 + 1 cycles), start_o begins it, and the next one follows when busy_i has
// fallen. A layer that writes the output buffer waits until the results of the batch before have left, one with weights
// from the stream until they have arrived.
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
  logic buffer_q, begun_q, done;
  for (genvar k = 0; k < 4; k++) begin : g_ram
    ram_sdp #(
        .Width(32),
        .Depth(8 * Layers)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (we_i && windex_i[1:0] == 2'(k)),
        .waddr_i(windex_i[LayerBits+4:2]),
        .wdata_i(wdata_i),
        .re_i   (1'b1),
        .raddr_i({index_q[LayerBits-1:0], word_q[2:0]}),
        .rdata_o(words[32*k+:32])
    );
  end
  assign weights_wait_o = state_q == Ready && layer_q[FStreamed] && !weights_ready_i;
  assign weights_free_o = done && layer_q[FStreamed];
  assign output_wait_o = state_q == Ready && !weights_wait_o && layer_q[FToOutput] && output_busy_i;
  assign start_o = state_q == Ready && !weights_wait_o && !output_wait_o;
  assign done = state_q == Run && begun_q && !busy_i;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (batch_valid_i) state_q <= Fetch;
        Fetch: if (word_q == 4'(Reads)) state_q <= Ready;
        Ready: if (start_o) state_q <= Run;
        default: if (done) state_q <= layer_q[FLast] ? Idle : Fetch;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    begun_q <= state_q == Run;
    word_q <= state_q == Fetch ? word_q + 4'd1 : 4'd0;
    if (state_q == Fetch && word_q != 4'd0) layer_q <= {words, layer_q[32*LayerWords-1:128]};
    if (state_q == Idle) begin
      index_q <= 8'd0;
      buffer_q <= batch_buffer_i;
      frames_q <= batch_frames_i;
    end else if (done) begin
      index_q <= index_q + 8'd1;
    end
  end
  assign batch_take_o = state_q == Idle && batch_valid_i && run_i;
  assign release_o = done && layer_q[FReleaseInput];
  assign output_start_o = done && layer_q[FLast];
  assign output_frames_o = frames_q;
  assign layer_o = layer_q;
  assign buffer_o = buffer_q;
  assign running_o = state_q != Idle;
  assign fetching_o = state_q == Fetch && word_q == 4'd0;
  assign layer_index_o = index_q;
endmodule
