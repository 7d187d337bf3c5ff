// SPDX-License-Identifier: Apache-2.0
// Loads: external memory to activations, weights, parameters or tables, in the order of the records.
//
// A load is asked for when what it waits for is done, line by line; up to 16 lines are under way. Its words go to their
// place in the order in which they come: to the activations when their memory has a free cycle, to weights one a cycle,
// to parameters and tables 32 bits a cycle. done_o: the last word of a load has been written.
module bitsys_load (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic         run_i,
    input  logic [ 15:0] layers_done_i,
    input  logic [ 15:0] stores_done_i,
    input  logic [162:0] s_transfer_i,
    input  logic         s_valid_i,
    output logic         s_ready_o,
    output logic         done_o,
    // The reader
    output logic [ 31:0] cmd_offset_o,
    output logic [ 23:0] cmd_words_o,
    output logic         cmd_valid_o,
    input  logic         cmd_ready_i,
    input  logic [ 63:0] r_data_i,
    input  logic         r_valid_i,
    output logic         r_ready_o,
    // Activations
    output logic         act_valid_o,
    input  logic         act_ready_i,
    output logic [ 15:0] act_addr_o,
    output logic [ 63:0] act_data_o,
    // Weights, and the bus of parameters and tables
    output logic         weight_we_o,
    output logic         param_we_o,
    output logic         table_we_o,
    output logic [ 18:0] windex_o,
    output logic [ 63:0] wdata_o
);
  logic stop;
  assign stop = rst_i || !run_i;

  // Asking
  logic take, able, first_line, last_line, queue_ready, cmd_q;
  logic [2:0] kind;
  logic [19:0] words, place;
  bitsys_transfers u_loads (
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
      .next_i(take)
  );
  assign cmd_valid_o = cmd_q && queue_ready;
  assign take = cmd_valid_o && cmd_ready_i;
  assign cmd_words_o = 24'(words);
  always_ff @(posedge clk_i) begin
    if (stop) cmd_q <= 1'b0;
    else if (take) cmd_q <= !last_line;
    else if (able) cmd_q <= 1'b1;
  end

  // Lines under way: where their words go.
  logic line_valid, line_first, line_end, word, word_last, last_q, half_q, go_q;
  logic [2:0] line_kind, kind_q;
  logic [19:0] line_place, line_words, place_q, left_q;
  stream_fifo #(
      .Width(45),
      .Depth(16)
  ) u_lines (
      .clk_i,
      .rst_i(stop),
      .s_data_i({kind, first_line, last_line, place, words}),
      .s_valid_i(take),
      .s_ready_o(queue_ready),
      .m_data_o({line_kind, line_first, line_end, line_place, line_words}),
      .m_valid_o(line_valid),
      .m_ready_i(!go_q)
  );
  logic end_q, narrow, ready;
  assign narrow = kind_q == 3'd3 || kind_q == 3'd4;
  assign ready = kind_q == 3'd1 ? act_ready_i : !narrow || half_q;
  assign word = go_q && r_valid_i && ready;
  assign r_ready_o = go_q && ready;
  assign word_last = word && last_q;
  always_ff @(posedge clk_i) begin
    done_o <= word_last && end_q && !stop;
    if (stop) begin
      go_q <= 1'b0;
      half_q <= 1'b0;
    end else begin
      go_q <= go_q ? !word_last : line_valid;
      half_q <= go_q && r_valid_i && narrow && !half_q;
    end
    if (!go_q) begin
      kind_q <= line_kind;
      end_q <= line_end;
      if (line_first) place_q <= line_place;
      left_q <= line_words;
      last_q <= line_words == 20'd1;
    end else if (word) begin
      place_q <= place_q + 20'd1;
      left_q <= left_q - 20'd1;
      last_q <= left_q == 20'd2;
    end
  end
  assign act_valid_o = go_q && r_valid_i && kind_q == 3'd1;
  assign act_addr_o = place_q[15:0];
  assign act_data_o = r_data_i;
  assign weight_we_o = word && kind_q == 3'd2;
  assign param_we_o = go_q && r_valid_i && kind_q == 3'd3;
  assign table_we_o = go_q && r_valid_i && kind_q == 3'd4;
  assign windex_o = kind_q == 3'd2 ? place_q[18:0] : {place_q[17:0], half_q};
  assign wdata_o = narrow && half_q ? {32'd0, r_data_i[63:32]} : r_data_i;
  logic unused;
  assign unused = ^place_q[19:18];
endmodule
