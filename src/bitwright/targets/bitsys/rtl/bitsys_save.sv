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
  logic stop;
  assign stop = rst_i || !run_i;
  logic able, cmd_q, read_q, take, first_line, last_line, last_word_q, line_end, read;
  logic [2:0] kind;
  logic [15:0] addr_q;
  logic [19:0] words, place, left_q;
  logic [4:0] room_q;
  bitsys_transfers u_stores (
      .clk_i,
      .stop_i(stop),
      .layers_done_i,
      .stores_done_i,
      .s_transfer_i,
      .s_valid_i,
      .s_ready_o,
      .able_o(able),
      .kind_o(kind),
      .first_o(first_line),
      .last_o(last_line),
      .offset_o(cmd_offset_o),
      .words_o(words),
      .place_o(place),
      .asked_i(take),
      .next_i(line_end)
  );
  assign take = cmd_q && cmd_ready_i;
  assign read = act_valid_o && act_ready_i;
  assign line_end = read && last_word_q;
  assign cmd_valid_o = cmd_q;
  assign cmd_end_o = last_line;
  assign cmd_words_o = 24'(words);
  // A line: its command, then its words.
  always_ff @(posedge clk_i) begin
    if (stop) begin
      cmd_q <= 1'b0;
      read_q <= 1'b0;
      room_q <= 5'd16;
    end else begin
      cmd_q <= cmd_q ? !cmd_ready_i : !read_q && able && !(line_end && last_line);
      if (take) read_q <= 1'b1;
      else if (line_end) read_q <= 1'b0;
      room_q <= room_q - 5'(read) + 5'(m_valid_o && m_ready_i);
    end
    if (take) begin
      if (first_line) addr_q <= place[15:0];
      left_q <= words;
      last_word_q <= words == 20'd1;
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
  assign unused = ^{unused_ready, kind, place[19:16]};
endmodule
