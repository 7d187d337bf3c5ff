// SPDX-License-Identifier: Apache-2.0
// Stores: activations to external memory, in the order of the records.
//
// A store begins when the layers that it waits for have ended: its words are read whenever the memory has a free cycle,
// at most 16 ahead of the writer, line by line. Reads answer in order, some cycles later.
// done_o: the last response of a store has come.
module bitsys_save (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic         run_i,
    input  logic [ 15:0] layers_done_i,
    input  logic [ 15:0] stores_done_i,
    input  logic [162:0] s_transfer_i,
    input  logic         s_valid_i,
    output logic         s_ready_o,
    // The writer
    output logic [ 31:0] cmd_offset_o,
    output logic [ 23:0] cmd_words_o,
    output logic         cmd_end_o,
    output logic         cmd_valid_o,
    input  logic         cmd_ready_i,
    output logic [ 63:0] m_data_o,
    output logic         m_valid_o,
    input  logic         m_ready_i,
    // Activations
    output logic         act_valid_o,
    input  logic         act_ready_i,
    output logic [ 15:0] act_addr_o,
    input  logic [ 63:0] act_data_i,
    input  logic         act_valid_i
);
  `include "bitsys_registers.svh"
  logic stop;
  assign stop = rst_i || !run_i;
  logic valid, free, able_q, cmd_q, more_q, read_q, take, last_line, last_word_q, read;
  logic [2:0] kind;
  logic [15:0] need_layers, need_stores, layers_ahead, stores_ahead, line_q, addr_q;
  logic [19:0] left_q;
  logic [127:0] transfer;
  logic [31:0] offset_q;
  logic [4:0] room_q;
  stream_fifo #(
      .Width(163),
      .Depth(16)
  ) u_stores (
      .clk_i,
      .rst_i(stop),
      .s_data_i(s_transfer_i),
      .s_valid_i,
      .s_ready_o,
      .m_data_o({kind, need_layers, need_stores, transfer}),
      .m_valid_o(valid),
      .m_ready_i(free)
  );
  assign layers_ahead = layers_done_i - need_layers;
  assign stores_ahead = stores_done_i - need_stores;
  assign last_line = line_q == transfer[TLines+:TLinesBits] - 16'd1;
  assign take = cmd_q && cmd_ready_i;
  assign read = act_valid_o && act_ready_i;
  assign free = read && last_word_q && last_line;
  assign cmd_valid_o = cmd_q;
  assign cmd_end_o = last_line;
  assign cmd_offset_o = more_q ? offset_q : transfer[TOffset+:TOffsetBits];
  assign cmd_words_o = 24'(transfer[TWords+:TWordsBits]);
  // A line: its command, then its words.
  always_ff @(posedge clk_i) begin
    able_q <= valid && !layers_ahead[15] && !stores_ahead[15] && !free && !stop;
    if (stop) begin
      cmd_q <= 1'b0;
      more_q <= 1'b0;
      read_q <= 1'b0;
      line_q <= 16'd0;
      room_q <= 5'd16;
    end else begin
      cmd_q <= cmd_q ? !cmd_ready_i : !read_q && able_q && !free;
      if (take) read_q <= 1'b1;
      else if (read && last_word_q) read_q <= 1'b0;
      if (read && last_word_q) begin
        more_q <= !last_line;
        line_q <= last_line ? 16'd0 : line_q + 16'd1;
      end
      room_q <= room_q - 5'(read) + 5'(m_valid_o && m_ready_i);
    end
    if (take) begin
      offset_q <= cmd_offset_o + transfer[TStep+:TStepBits];
      if (!more_q) addr_q <= transfer[TPlace+:16];
      left_q <= transfer[TWords+:TWordsBits];
      last_word_q <= transfer[TWords+:TWordsBits] == 20'd1;
    end else if (read) begin
      addr_q <= addr_q + 16'd1;
      left_q <= left_q - 20'd1;
      last_word_q <= left_q == 20'd2;
    end
  end
  assign act_valid_o = read_q && room_q != 5'd0;
  assign act_addr_o = addr_q;

  logic unused_ready;
  stream_fifo #(
      .Width(64),
      .Depth(16)
  ) u_words (
      .clk_i,
      .rst_i(stop),
      .s_data_i(act_data_i),
      .s_valid_i(act_valid_i && !stop),
      .s_ready_o(unused_ready),
      .m_data_o,
      .m_valid_o,
      .m_ready_i
  );
  logic unused;
  assign unused = ^{unused_ready, kind, transfer[127:116], layers_ahead[14:0], stores_ahead[14:0]};
endmodule
