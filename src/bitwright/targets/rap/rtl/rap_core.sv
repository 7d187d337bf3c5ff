// SPDX-License-Identifier: Apache-2.0
// The array processor: sequencer, streams, banks, grid, slots and frame ports; one instruction a cycle.
//
// Stages behind the issue: 1-2 place in the banks, 2 read, 3 turn, 4 load, 5 operands, 6 execute, 7 sum, 8 update.
// load_* and *_we_i write the memories while the processor stands still.
module rap_core #(
    parameter int unsigned Size = 4,
    parameter int unsigned AWords = 1024,
    parameter int unsigned BWords = 1024,
    parameter int unsigned ParamWords = 256,
    parameter int unsigned ProgramWords = 1024,
    parameter bit Torus = 1'b0,
    parameter int unsigned InBits = 32,
    parameter int unsigned OutBits = 32
) (
    input  logic               clk_i,
    input  logic               rst_i,
    input  logic               start_i,
    output logic               running_o,
    input  logic [       16:0] load_addr_i,
    input  logic [      127:0] load_data_i,
    input  logic               code_we_i,
    input  logic               param_we_i,
    input  logic [   Size-1:0] a_we_i,
    input  logic [   Size-1:0] b_we_i,
    input  logic [ InBits-1:0] s_axis_tdata,
    input  logic               s_axis_tvalid,
    output logic               s_axis_tready,
    output logic [OutBits-1:0] m_axis_tdata,
    output logic               m_axis_tvalid,
    input  logic               m_axis_tready,
    output logic               m_axis_tlast,
    // events, counted by rap_counters
    output logic               cycle_o,        // running, and not waiting for a stream
    output logic               stall_o,
    output logic               leave_o,
    output logic [        7:0] operations_o,
    output logic [        3:0] a_reads_o,
    output logic [        3:0] b_reads_o,
    output logic [        3:0] writes_o,
    output logic               param_read_o,
    output logic               end_o
);
  `include "rap_isa.svh"
  `include "rap_types.svh"
  localparam int AAddr = $clog2(AWords);
  localparam int BAddr = $clog2(BWords);
  localparam int PAddr = $clog2(ParamWords);
  localparam int StoreCycles = 12;
  localparam int Tail = 14;  // from the last read of an accumulator to the end of the last write

  // Issue and configuration.
  logic [63:0] instr;
  logic [5:0] opcode;
  logic issue, idle, free, in_done, out_done, in_waiting, out_waiting, running;
  logic [1:0] width;
  logic asign, bsign, half, cut, is_acc, bus_a, bus_b;
  logic [Size-1:0] rows, cols;
  logic [15:0] pad, fresh;
  logic [48:0] shape_a;
  logic [97:0] shape_o;
  logic [54:0] decoded;
  assign opcode = instr[5:0];
  rap_sequencer #(
      .Words(ProgramWords)
  ) u_sequencer (
      .clk_i,
      .rst_i,
      .start_i,
      .we_i      (code_we_i),
      .waddr_i   (load_addr_i[$clog2(ProgramWords)-1:0]),
      .wdata_i   (load_data_i[63:0]),
      .idle_i    (idle),
      .free_i    (free),
      .in_done_i (in_done),
      .out_done_i(out_done),
      .running_o (running),
      .instr_o   (instr),
      .issue_o   (issue),
      .blocked_o (stall_o),
      .leave_o,
      .end_o
  );
  rap_config #(
      .Size(Size)
  ) u_config (
      .clk_i,
      .rst_i,
      .running_i(running),
      .issue_i  (issue),
      .instr_i  (instr),
      .is_acc_i (is_acc),
      .width_o  (width),
      .asign_o  (asign),
      .bsign_o  (bsign),
      .rows_o   (rows),
      .cols_o   (cols),
      .pad_o    (pad),
      .cut_o    (cut),
      .half_o   (half),
      .fresh_o  (fresh),
      .shape_a_o(shape_a),
      .shape_o_o(shape_o)
  );
  rap_decode u_decode (
      .issue_i (issue),
      .instr_i (instr),
      .half_i  (half),
      .fresh_i (fresh),
      .op_o    (decoded),
      .is_acc_o(is_acc),
      .bus_a_o (bus_a),
      .bus_b_o (bus_b)
  );
  assign running_o = running;
  assign cycle_o   = running && !in_waiting && !out_waiting;

  // Operations on their way: stage s from bit 55 * (s - 1) on.
  logic [55*8-1:0] ops_q;
  op_t s4, s5, s6, s7, s8;
  always_ff @(posedge clk_i) begin
    ops_q <= {ops_q[55*7-1:0], decoded};
    if (rst_i) ops_q <= '0;
  end
  assign s4 = ops_q[55*3+:55];
  assign s5 = ops_q[55*4+:55];
  assign s6 = ops_q[55*5+:55];
  assign s7 = ops_q[55*6+:55];
  assign s8 = ops_q[55*7+:55];

  // Streams, and where stream A reads.
  logic [7:0] step;
  logic [143:0] addr;
  logic [95:0] x, y;
  logic out_read, p_step, r_step, read_slot;
  logic [1:0] o_step;
  always_comb begin
    step = '0;
    step[0] = bus_a || out_read;
    step[1] = bus_b;
    step[3:2] = o_step;
    step[4] = p_step && !read_slot;
    step[5] = p_step && read_slot;
    step[6] = r_step && !read_slot;
    step[7] = r_step && read_slot;
  end
  rap_streams u_streams (
      .clk_i,
      .issue_i(issue),
      .instr_i(instr),
      .step_i (step),
      .addr_o (addr),
      .x_o    (x),
      .y_o    (y)
  );
  logic [16:0] a_addr;
  logic [2:0] a_turn;
  logic [Size-1:0] a_valid;
  logic [1:0] a_read_q, out_read_q, b_read_q;
  logic [35:0] b_addr_q;
  rap_place #(
      .Size(Size)
  ) u_place_a (
      .clk_i,
      .addr_i  (addr[17:0]),
      .x_i     (x[11:0]),
      .y_i     (y[11:0]),
      .strip_i (shape_a[9:0]),
      .width_i (shape_a[21:10]),
      .height_i(shape_a[33:22]),
      .span_i  (shape_a[48:34]),
      .addr_o  (a_addr),
      .turn_o  (a_turn),
      .valid_o (a_valid)
  );
  always_ff @(posedge clk_i) begin
    a_read_q <= {a_read_q[0], bus_a || out_read};
    out_read_q <= {out_read_q[0], out_read};
    b_read_q <= {b_read_q[0], bus_b};
    b_addr_q <= {b_addr_q[17:0], addr[35:18]};
  end

  // Banks and buses; LDA and LDB put their word on all buses.
  logic [16*Size-1:0] a_word, b_word, bus_a_word, bus_b_word, w_words;
  logic [16:0] w_addr;
  logic [2:0] w_turn;
  logic [Size-1:0] w_we;
  logic [4*17-1:0] imm_q;  // stages 1 to 4: flag and word
  always_ff @(posedge clk_i) begin
    imm_q <= {imm_q[3*17-1:0], opcode == OpLDA || opcode == OpLDB,
              opcode == OpLDA ? instr[LsbLDA_word+:16] : instr[LsbLDB_word+:16]};
  end
  assign bus_a_word = imm_q[67] ? {Size{imm_q[66:51]}} : a_word;
  assign bus_b_word = imm_q[67] ? {Size{imm_q[66:51]}} : b_word;
  rap_banks #(
      .Size (Size),
      .Words(AWords)
  ) u_a (
      .clk_i,
      .re_i   (a_read_q[1]),
      .raddr_i(a_addr[AAddr-1:0]),
      .rturn_i(a_turn),
      .valid_i(a_valid),
      .pad_i  (pad),
      .data_o (a_word),
      .we_i   (running ? w_we : a_we_i),
      .waddr_i(running ? w_addr[AAddr-1:0] : load_addr_i[AAddr-1:0]),
      .wturn_i(running ? w_turn : 3'd0),
      .wdata_i(running ? w_words : {Size{load_data_i[15:0]}})
  );
  rap_banks #(
      .Size (Size),
      .Words(BWords)
  ) u_b (
      .clk_i,
      .re_i   (b_read_q[1]),
      .raddr_i(b_addr_q[18+:BAddr]),
      .rturn_i(3'd0),
      .valid_i({Size{1'b1}}),
      .pad_i  (16'd0),
      .data_o (b_word),
      .we_i   (b_we_i),
      .waddr_i(load_addr_i[BAddr-1:0]),
      .wturn_i(3'd0),
      .wdata_i({Size{load_data_i[15:0]}})
  );

  // Elements.
  logic [57:0] exec;
  rap_masks u_masks (
      .clk_i,
      .width_i(width),
      .sign_i (asign),
      .op_i   (s5.op),
      .imm_i  (s5.imm),
      .shift_i(s5.get_shift),
      .exec_o (exec)
  );
  logic [32*Size-1:0] drained, drained_q;
  logic [16*Size-1:0] operands;
  logic [3:0] drain_acc;
  logic [2:0] drain_col;
  logic [1:0] drain_lane;
  logic [2:0] st_col_q;
  rap_grid #(
      .Size (Size),
      .Torus(Torus)
  ) u_grid (
      .clk_i,
      .rows_i        (rows),
      .cols_i        (cols),
      .width_i       (width),
      .asign_i       (asign),
      .bsign_i       (bsign),
      .pad_i         (pad),
      .cut_i         (cut),
      .load_a_we_i   (s4.load_a),
      .load_a_i      (s4.load_a_to),
      .from_i        (s4.from),
      .pass_i        (s4.pass),
      .load_b_we_i   (s4.load_b),
      .load_b_i      (s4.load_b_to),
      .bus_a_i       (bus_a_word),
      .bus_b_i       (bus_b_word),
      .read_a_i      (s5.read_a),
      .read_b_i      (s5.read_b),
      .exec_i        (exec),
      .result_a_we_i (s6.result_a),
      .result_b_we_i (s6.result_b),
      .result_i      (s6.result_to),
      .get_i         (s6.get),
      .get_lanes_i   (s6.get_lanes),
      .get_shift_i   (s6.get_shift),
      .sum_lanes_i   (s7.lanes),
      .update_i      (s8.update),
      .update_lanes_i(s8.lanes),
      .first_i       (s8.first),
      .max_i         (s8.max),
      .acc_i         (s6.get ? s6.acc : s8.acc),  // no sum is under way when GET executes
      .drain_i       ({!half, drain_acc}),
      .drain_col_i   (drain_col),
      .drain_lane_i  (drain_lane),
      .drain_o       (drained),
      .operand_col_i (st_col_q),
      .operand_o     (operands)
  );

  // Slots.
  logic draining, read, m_valid, m_slot, m_first, m_last, m_end, m_seed, m_seed_word, r_valid, r_slot;
  logic start_drain, slot;
  logic [1:0] stochastic, with_params, last_lane;
  logic [19:0] words;
  logic [127:0] param;
  logic [16*Size-1:0] r_word;
  logic [Size-1:0] drain_rows_q;
  assign slot = instr[LsbDRAIN_slot];
  assign start_drain = issue && opcode == OpDRAIN;
  assign last_lane = !instr[LsbDRAIN_lanes] ? 2'd0 : width == 2'd0 ? 2'd0 : width == 2'd1 ? 2'd1 : 2'd3;
  rap_drain #(
      .Size(Size)
  ) u_drain (
      .clk_i,
      .rst_i,
      .start_i      (start_drain),
      .slot_i       (slot),
      .pixels_i     (instr[LsbDRAIN_pixels+:4]),
      .accs_i       (instr[LsbDRAIN_words+:4]),
      .cols_i       (instr[LsbDRAIN_cols+:4]),
      .lanes_i      (last_lane),
      .words_i      (slot ? words[19:10] : words[9:0]),
      .stochastic_i (stochastic[slot]),
      .params_i     (with_params[slot]),
      .busy_o       (draining),
      .read_o       (read),
      .slot_o       (read_slot),
      .acc_o        (drain_acc),
      .col_o        (drain_col),
      .lane_o       (drain_lane),
      .p_step_o     (p_step),
      .r_step_o     (r_step),
      .m_valid_o    (m_valid),
      .m_slot_o     (m_slot),
      .m_first_o    (m_first),
      .m_last_o     (m_last),
      .m_end_o      (m_end),
      .m_seed_o     (m_seed),
      .m_seed_word_o(m_seed_word)
  );
  logic [17:0] p_addr, r_addr;
  assign r_addr = read_slot ? addr[143:126] : addr[125:108];
  assign p_addr = r_step ? r_addr : read_slot ? addr[107:90] : addr[89:72];
  ram_sdp #(
      .Width(128),
      .Depth(ParamWords)
  ) u_params (
      .clk_i,
      .we_i   (param_we_i),
      .waddr_i(load_addr_i[PAddr-1:0]),
      .wdata_i(load_data_i),
      .re_i   (read),
      .raddr_i(p_addr[PAddr-1:0]),
      .rdata_o(param)
  );
  rap_results #(
      .Size(Size)
  ) u_results (
      .clk_i,
      .rst_i,
      .post_we_i   (issue && opcode == OpPOST),
      .limit_we_i  (issue && opcode == OpLIMIT),
      .we_slot_i   (instr[LsbPOST_slot]),
      .mode_i      (instr[LsbPOST_mode+:2]),
      .rounding_i  (instr[LsbPOST_rounding+:3]),
      .store_i     (instr[LsbPOST_store+:2]),
      .words_i     (instr[LsbPOST_words+:10]),
      .which_i     (instr[LsbLIMIT_which+:2]),
      .limit_i     (instr[LsbLIMIT_value+:33]),
      .stochastic_o(stochastic),
      .params_o    (with_params),
      .words_o     (words),
      .valid_i     (m_valid),
      .slot_i      (m_slot),
      .first_i     (m_first),
      .last_i      (m_last),
      .end_i       (m_end),
      .seed_i      (m_seed),
      .seed_word_i (m_seed_word),
      .acc_i       (drained_q),
      .param_i     (param),
      .valid_o     (r_valid),
      .slot_o      (r_slot),
      .word_o      (r_word)
  );
  always_ff @(posedge clk_i) begin
    drained_q <= drained;
    if (start_drain) drain_rows_q <= rows;
  end

  // Frames.
  logic in_valid;
  logic [15:0] in_word;
  rap_input #(
      .StreamBits(InBits)
  ) u_input (
      .clk_i,
      .rst_i,
      .start_i   (issue && opcode == OpIN),
      .count_i   (instr[LsbIN_count+:20]),
      .channels_i(instr[LsbIN_channels+:16]),
      .bits_i    (instr[LsbIN_bits+:4]),
      .lanes_i   (instr[LsbIN_lanes+:5]),
      .sign_i    (instr[LsbIN_sign+:2]),
      .width_i   (width),
      .done_o    (in_done),
      .waiting_o (in_waiting),
      .s_axis_tdata,
      .s_axis_tvalid,
      .s_axis_tready,
      .valid_o   (in_valid),
      .word_o    (in_word)
  );
  rap_output #(
      .StreamBits(OutBits)
  ) u_output (
      .clk_i,
      .rst_i,
      .start_i   (issue && opcode == OpOUT),
      .count_i   (instr[LsbOUT_count+:20]),
      .channels_i(instr[LsbOUT_channels+:16]),
      .bits_i    (instr[LsbOUT_bits+:5]),
      .lanes_i   (instr[LsbOUT_lanes+:5]),
      .wide_i    (instr[LsbOUT_wide]),
      .bipolar_i (instr[LsbOUT_bipolar]),
      .argmax_i  (instr[LsbOUT_argmax]),
      .width_i   (width),
      .sign_i    (asign),
      .done_o    (out_done),
      .waiting_o (out_waiting),
      .read_o    (out_read),
      .word_i    (a_word[15:0]),
      .m_axis_tdata,
      .m_axis_tvalid,
      .m_axis_tready,
      .m_axis_tlast
  );

  // Writes.
  logic [5:0] st_q;
  logic st_slot_q;
  always_ff @(posedge clk_i) begin
    st_q <= rst_i ? '0 : {st_q[4:0], issue && opcode == OpST};
    if (issue && opcode == OpST) st_slot_q <= instr[LsbST_slot];
    if (issue && opcode == OpST) st_col_q <= instr[LsbST_col+:3];
  end
  rap_write #(
      .Size(Size)
  ) u_write (
      .clk_i,
      .rst_i,
      .result_valid_i(r_valid),
      .result_slot_i (r_slot),
      .result_i      (r_word),
      .result_rows_i (drain_rows_q),
      .st_valid_i    (st_q[5]),
      .st_slot_i     (st_slot_q),
      .st_i          (operands),
      .st_rows_i     (rows),
      .in_valid_i    (in_valid),
      .in_i          (in_word),
      .step_o        (o_step),
      .addr_i        (addr[71:36]),
      .x_i           (x[47:24]),
      .y_i           (y[47:24]),
      .shape_i       (shape_o),
      .we_o          (w_we),
      .addr_o        (w_addr),
      .turn_o        (w_turn),
      .data_o        (w_words)
  );

  // Who is still at work.
  logic [Tail-1:0] tail_q;
  logic [3:0] store_q;
  always_ff @(posedge clk_i) begin
    tail_q <= rst_i ? '0 : {tail_q[Tail-2:0], read};
    if (rst_i) store_q <= '0;
    else if (issue && opcode == OpST) store_q <= 4'(StoreCycles - 1);
    else if (store_q != '0) store_q <= store_q - 4'd1;
  end
  assign free = !draining && store_q == '0;
  assign idle = free && tail_q == '0;

  // Events.
  function automatic logic [3:0] ones(input logic [Size-1:0] bits);
    ones = '0;
    for (int i = 0; i < int'(Size); i++) ones += 4'(bits[i]);
  endfunction
  logic [3:0] a_reads_q, writes_q;
  always_ff @(posedge clk_i) begin
    a_reads_q <= !a_read_q[1] ? '0 : out_read_q[1] ? 4'(a_valid[0]) : ones(a_valid & rows);
    writes_q  <= ones(w_we);
  end
  assign operations_o = issue && is_acc ? 8'(ones(rows)) * 8'(ones(cols)) : '0;
  assign a_reads_o = a_reads_q;
  assign b_reads_o = bus_b ? ones(cols) : '0;
  assign writes_o = writes_q;
  assign param_read_o = p_step || r_step;
endmodule
