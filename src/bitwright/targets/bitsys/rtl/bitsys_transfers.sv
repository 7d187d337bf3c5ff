// SPDX-License-Identifier: Apache-2.0
// The queue of loads or of stores, line by line, in the order of the records.
//
// able_o: what the transfer in front waits for is done, a cycle late. offset_o, words_o: of its line, which is the first_o
// or the last_o one; asked_i: the line has been asked for; next_i: nothing of it is needed any more, after which the next
// line, or transfer, stands there.
module bitsys_transfers (
    input  logic         clk_i,
    input  logic         stop_i,
    input  logic [ 15:0] layers_done_i,
    input  logic [ 15:0] stores_done_i,
    input  logic [162:0] s_transfer_i,
    input  logic         s_valid_i,
    output logic         s_ready_o,
    output logic         able_o,
    output logic [  2:0] kind_o,
    output logic         first_o,
    output logic         last_o,
    output logic [ 31:0] offset_o,
    output logic [ 19:0] words_o,
    output logic [ 19:0] place_o,
    input  logic         asked_i,
    input  logic         next_i
);
  `include "bitsys_registers.svh"
  logic valid, free, more_q;
  logic [15:0] need_layers, need_stores, layers_ahead, stores_ahead, line_q;
  logic [127:0] transfer;
  logic [31:0] offset_q;
  stream_fifo #(
      .Width(163),
      .Depth(16)
  ) u_queue (
      .clk_i,
      .rst_i(stop_i),
      .s_data_i(s_transfer_i),
      .s_valid_i,
      .s_ready_o,
      .m_data_o({kind_o, need_layers, need_stores, transfer}),
      .m_valid_o(valid),
      .m_ready_i(free)
  );
  assign layers_ahead = layers_done_i - need_layers;
  assign stores_ahead = stores_done_i - need_stores;
  assign first_o = !more_q;
  assign last_o = line_q == transfer[TLines+:TLinesBits] - 16'd1;
  assign free = next_i && last_o;
  assign offset_o = more_q ? offset_q : transfer[TOffset+:TOffsetBits];
  assign words_o = transfer[TWords+:TWordsBits];
  assign place_o = transfer[TPlace+:TPlaceBits];
  always_ff @(posedge clk_i) begin
    able_o <= valid && !layers_ahead[15] && !stores_ahead[15] && !free && !stop_i;
    if (stop_i) begin
      more_q <= 1'b0;
      line_q <= 16'd0;
    end else if (next_i) begin
      more_q <= !last_o;
      line_q <= last_o ? 16'd0 : line_q + 16'd1;
    end
    if (asked_i) offset_q <= offset_o + transfer[TStep+:TStepBits];
  end
  logic unused;
  assign unused = ^{transfer[127:120], layers_ahead[14:0], stores_ahead[14:0]};
endmodule
