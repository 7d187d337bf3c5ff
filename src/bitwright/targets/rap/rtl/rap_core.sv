// SPDX-License-Identifier: Apache-2.0
// The array processor: sequencer, streams, banks, grid, slots and frame ports; one instruction a cycle.
//
// An operation of the elements that is issued in cycle 0 is in stage s of isa/timing.py in cycle s; the number of a
// stage that units must know is a constant of rap_pkg. load_* and *_we_i write the memories while the processor stands
// still.
module rap_core #(
    parameter int unsigned Size = 4,
    parameter int unsigned AWords = 1024,
    parameter int unsigned BWords = 1024,
    parameter int unsigned ParamWords = 256,
    parameter int unsigned ProgramWords = 1024,
    parameter bit Torus = 1'b0,
    parameter bit External = 1'b0
) (
    input  logic                                        clk_i,
    input  logic                                        rst_i,
    input  logic                                        start_i,
    output logic                                        running_o,
    input  logic             [rap_pkg::AddressBits-1:0] load_addr_i,
    input  logic               [rap_pkg::ParamBits-1:0] load_data_i,
    input  logic                                        code_we_i,
    input  logic                                        param_we_i,
    input  logic                             [Size-1:0] a_we_i,
    input  logic                             [Size-1:0] b_we_i,
    input  logic                                 [31:0] s_axis_tdata,
    input  logic                                        s_axis_tvalid,
    output logic                                        s_axis_tready,
    output logic                                 [31:0] m_axis_tdata,
    output logic                                        m_axis_tvalid,
    input  logic                                        m_axis_tready,
    output logic                                        m_axis_tlast,
    input  logic                                 [39:0] memory_i,
    output logic                                        memory_error_o,
    output logic                                [199:0] m_axi_o,         // as rap_external's bus
    input  logic                                 [75:0] m_axi_i,
    output rap_pkg::events_t                            events_o,
    output logic                                        end_o           // OUT or HALT leaves
);
  localparam int unsigned AAddr = $clog2(AWords > 2 * Size ? AWords : 2 * Size);
  localparam int unsigned ColBits = $clog2(Size);

  // Issue and configuration.
  rap_pkg::instr_t issued, instr;
  logic issue, running, blocked, leave, draining, slots_busy, storing, in_done, out_done, memory_done;
  assign running_o = running;
  rap_sequencer #(
      .Words(ProgramWords)
  ) u_sequencer (
      .clk_i, .rst_i, .start_i, .we_i(code_we_i), .waddr_i(load_addr_i[$clog2(ProgramWords)-1:0]),
      .wdata_i(load_data_i[63:0]), .busy_i(slots_busy || storing), .taken_i(draining || storing),
      .done_i(in_done || out_done || memory_done), .running_o(running), .instr_o(issued), .issue_o(issue),
      .blocked_o(blocked), .leave_o(leave), .end_o
  );
  rap_pkg::strobes_t strobes;
  rap_pkg::control_t control;
  rap_pkg::fetching_t fetching;
  rap_pkg::width_t lanes;
  rap_pkg::pad_t pad;
  rap_pkg::image_t image_a, image_o0, image_o1;
  logic half;
  logic [Size-1:0] rows, cols;
  logic [rap_pkg::Accumulators-1:0] fresh;
  rap_decode u_decode (
      .clk_i, .rst_i, .issue_i(issue), .instr_i(issued), .half_i(half), .fresh_i(fresh), .strobes_o(strobes),
      .instr_o(instr), .control_o(control), .fetching_o(fetching)
  );
  rap_config #(
      .Size(Size)
  ) u_config (
      .clk_i,
      .rst_i,
      .running_i (running),
      .strobes_i (strobes),
      .operands_i(instr.operands[rap_pkg::BitsShape-1:0]),
      .lanes_o   (lanes),
      .rows_o    (rows),
      .cols_o    (cols),
      .pad_o     (pad),
      .half_o    (half),
      .fresh_o   (fresh),
      .image_a_o (image_a),
      .image_o0_o(image_o0),
      .image_o1_o(image_o1)
  );

  // Streams, and the words that they bring.
  logic out_read;
  logic [1:0] o_step, p_step, r_step;
  logic [rap_pkg::AddressBits:0] b_addr;
  logic [1:0][rap_pkg::AddressBits:0] p_addr, r_addr;
  rap_pkg::position_t a_at, o0_at, o1_at;
  rap_streams u_streams (
      .clk_i, .strobes_i(strobes), .operands_i(instr.operands),
      .step_i({r_step, p_step, o_step, fetching.b, fetching.a || out_read}), .a_o(a_at), .o0_o(o0_at), .o1_o(o1_at),
      .b_addr_o(b_addr), .p_addr_o(p_addr), .r_addr_o(r_addr)
  );
  logic [Size-1:0] w_we;
  logic [AAddr-1:0] w_addr;
  logic [ColBits-1:0] w_turn;
  logic [Size-1:0][Size-1:0][15:0] bus_a;
  logic [Size-1:0][15:0] bus_b, w_data;
  logic [3:0] rows_on_q, cols_on_q;
  logic [7:0] a_reads;
  logic [Size-1:0] fill_a, fill_b;
  logic fill_param, line_read;
  logic [rap_pkg::AddressBits-1:0] fill_addr, line_addr;
  logic [rap_pkg::ParamBits-1:0] fill_data;
  logic [Size-1:0][15:0] bank_data;
  rap_feed #(
      .Size  (Size),
      .AWords(AWords),
      .BWords(BWords)
  ) u_feed (
      .clk_i,
      .running_i  (running),
      .fetching_i (fetching),
      .out_i      (out_read),
      .a_i        (a_at),
      .image_i    (image_a),
      .b_addr_i   (b_addr),
      .pad_i      (pad.word),
      .rows_i     (rows),
      .cols_on_i  (cols_on_q),
      .bus_a_o    (bus_a),
      .bus_b_o    (bus_b),
      .a_reads_o  (a_reads),
      .we_i       (w_we),
      .waddr_i    (w_addr),
      .wturn_i    (w_turn),
      .wdata_i    (w_data),
      .load_addr_i(fill_addr),
      .load_data_i(bank_data),
      .a_we_i     (fill_a),
      .b_we_i     (fill_b),
      .line_i     (line_read),
      .line_addr_i(line_addr)
  );

  // Loading: what software writes while the processor stands still, else what external memory brings.
  logic [Size-1:0][15:0] line;
  for (genvar b = 0; b < Size; b++) begin : g_line
    assign line[b] = bus_a[b][0];
  end
  rap_fill #(
      .Size    (Size),
      .External(External)
  ) u_fill (
      .clk_i, .rst_i, .run_i(running), .load_addr_i, .load_data_i, .param_we_i, .a_we_i, .b_we_i, .memory_i,
      .strobes_i(strobes), .operands_i(instr.operands[rap_pkg::BitsLdm-1:0]), .done_o(memory_done), .memory_error_o,
      .addr_o(fill_addr), .data_o(fill_data), .banks_o(bank_data), .param_we_o(fill_param), .a_we_o(fill_a),
      .b_we_o(fill_b), .read_o(line_read), .raddr_o(line_addr), .line_i(line), .m_axi_o, .m_axi_i
  );

  // Control on its way to the stages of the elements.
  rap_pkg::load_t load;
  rap_pkg::operands_t operands;
  rap_pkg::masking_t masking;
  rap_pkg::write_t write;
  rap_pkg::update_t adding;
  rap_delay #(
      .Bits  ($bits(load) + $bits(masking)),
      .Cycles(rap_pkg::StageLoad - rap_pkg::StageDispatch)
  ) u_load (
      .clk_i,
      .rst_i,
      .d_i({control.load, control.masking}),
      .q_o({load, masking})
  );
  rap_delay #(
      .Bits  ($bits(operands)),
      .Cycles(rap_pkg::StageOperands - rap_pkg::StageDispatch)
  ) u_operands (
      .clk_i,
      .rst_i(1'b0),
      .d_i(control.operands),
      .q_o(operands)
  );
  rap_delay #(
      .Bits  ($bits(adding)),
      .Cycles(rap_pkg::StageExecute - rap_pkg::StageDispatch)
  ) u_adding (
      .clk_i,
      .rst_i,
      .d_i(control.update),
      .q_o(adding)
  );
  rap_delay #(
      .Bits  ($bits(write)),
      .Cycles(rap_pkg::StageUpdate - rap_pkg::StageDispatch)
  ) u_write_back (
      .clk_i,
      .rst_i,
      .d_i(control.write),
      .q_o(write)
  );
  logic [rap_pkg::CyclesGetWrite-rap_pkg::StageUpdate-1:0] got_q;  // GET is done, as many cycles behind its update
  always_ff @(posedge clk_i) got_q <= rst_i ? '0 : {got_q[0], write.get};
  rap_pkg::sum_t sum, sum_q;
  always_comb begin
    sum.we = {4{adding.valid}} & {
      {2{adding.lanes && lanes.width == rap_pkg::WidthW4}}, adding.lanes && lanes.width != rap_pkg::WidthW16, 1'b1
    };
    sum.same = sum_q.we & {4{sum_q.acc == adding.acc}};
    sum.lanes = adding.lanes;
    sum.first = adding.first;
    sum.max = adding.max;
    sum.acc = adding.acc;
  end
  always_ff @(posedge clk_i) sum_q <= sum;

  // Elements.
  rap_pkg::alu_t alu;
  rap_masks u_masks (
      .clk_i,
      .width_i  (lanes.width),
      .sign_i   (lanes.asign),
      .masking_i(masking),
      .alu_o    (alu)
  );
  logic [Size-1:0][31:0] drained, drained_q;
  logic [Size-1:0][15:0] operand;
  logic [3:0] step_acc;
  logic [ColBits-1:0] step_col, drain_col, operand_col;
  logic [1:0] step_lane, drain_lane;
  logic [4:0] drain_acc;
  rap_delay #(
      .Bits  (7 + ColBits),
      .Cycles(rap_pkg::CyclesDrainRead - 1)
  ) u_drain (
      .clk_i,
      .rst_i(1'b0),
      .d_i({!half, step_acc, step_col, step_lane}),
      .q_o({drain_acc, drain_col, drain_lane})
  );
  rap_grid #(
      .Size (Size),
      .Torus(Torus)
  ) u_grid (
      .clk_i,
      .rows_i       (rows),
      .cols_i       (cols),
      .lanes_i      (lanes),
      .pad_i        (pad),
      .load_i       (load),
      .operands_i   (operands),
      .alu_i        (alu),
      .sum_i        (sum),
      .write_a_i    (write.a || got_q[1]),
      .write_b_i    (write.b),
      .write_to_i   (write.to),
      .bus_a_i      (bus_a),
      .bus_b_i      (bus_b),
      .drain_i      (drain_acc),
      .drain_col_i  (drain_col),
      .drain_lane_i (drain_lane),
      .drain_o      (drained),
      .operand_col_i(operand_col),
      .operand_o    (operand)
  );

  // Slots.
  logic r_valid, r_slot;
  logic [Size-1:0][15:0] r_word;
  always_ff @(posedge clk_i) drained_q <= drained;
  rap_slots #(
      .Size      (Size),
      .ParamWords(ParamWords)
  ) u_slots (
      .clk_i,
      .rst_i,
      .strobes_i (strobes),
      .operands_i(instr.operands[rap_pkg::BitsLimit-1:0]),
      .width_i   (lanes.width),
      .draining_o(draining),
      .busy_o    (slots_busy),
      .acc_o     (step_acc),
      .col_o     (step_col),
      .lane_o    (step_lane),
      .acc_i     (drained_q),
      .p_addr_i  (p_addr),
      .r_addr_i  (r_addr),
      .p_step_o  (p_step),
      .r_step_o  (r_step),
      .valid_o   (r_valid),
      .slot_o    (r_slot),
      .word_o    (r_word),
      .we_i      (fill_param),
      .load_addr_i(fill_addr),
      .load_data_i(fill_data)
  );

  // Frames.
  logic in_valid, in_waiting, out_waiting;
  logic [15:0] in_word;
  rap_input u_input (
      .clk_i,
      .rst_i,
      .start_i  (strobes.receive),
      .in_i     (instr.operands[rap_pkg::BitsIn-1:0]),
      .width_i  (lanes.width),
      .done_o   (in_done),
      .waiting_o(in_waiting),
      .s_axis_tdata,
      .s_axis_tvalid,
      .s_axis_tready,
      .valid_o  (in_valid),
      .word_o   (in_word)
  );
  rap_output u_output (
      .clk_i,
      .rst_i,
      .start_i  (strobes.send),
      .out_i    (instr.operands[rap_pkg::BitsOut-1:0]),
      .width_i  (lanes.width),
      .sign_i   (lanes.asign),
      .done_o   (out_done),
      .waiting_o(out_waiting),
      .read_o   (out_read),
      .word_i   (bus_a[0][0]),
      .m_axis_tdata,
      .m_axis_tvalid,
      .m_axis_tready,
      .m_axis_tlast
  );

  // Writes.
  rap_write #(
      .Size    (Size),
      .AddrBits(AAddr)
  ) u_write (
      .clk_i,
      .rst_i,
      .rows_i        (rows),
      .start_drain_i (strobes.drain),
      .result_valid_i(r_valid),
      .result_slot_i (r_slot),
      .result_i      (r_word),
      .st_valid_i    (strobes.st),
      .st_i          (instr.operands[rap_pkg::BitsSt-1:0]),
      .operand_col_o (operand_col),
      .operand_i     (operand),
      .storing_o     (storing),
      .in_valid_i    (in_valid),
      .in_i          (in_word),
      .step_o        (o_step),
      .o0_i          (o0_at),
      .o1_i          (o1_at),
      .image_o0_i    (image_o0),
      .image_o1_i    (image_o1),
      .we_o          (w_we),
      .addr_o        (w_addr),
      .turn_o        (w_turn),
      .data_o        (w_data)
  );

  // Events; those of operations wait for how many elements, rows and columns are at work.
  logic [3:0] writes_q;
  logic [7:0] elements_q;
  logic worked, b_read;
  rap_delay #(
      .Bits  (2),
      .Cycles(2)
  ) u_worked (
      .clk_i,
      .rst_i,
      .d_i({strobes.accumulate, strobes.b_bus}),
      .q_o({worked, b_read})
  );
  always_ff @(posedge clk_i) begin
    writes_q   <= rap_pkg::ones(8'(w_we));
    rows_on_q  <= rap_pkg::ones(8'(rows));
    cols_on_q  <= rap_pkg::ones(8'(cols));
    elements_q <= 8'(rows_on_q) * 8'(cols_on_q);
  end
  always_comb begin
    events_o.cycles = 8'(running && !in_waiting && !out_waiting);
    events_o.stalls = 8'(blocked);
    events_o.instructions = 8'(leave);
    events_o.operations = worked ? elements_q : '0;
    events_o.a_reads = a_reads;
    events_o.b_reads = b_read ? 8'(cols_on_q) : '0;
    events_o.writes = 8'(writes_q);
    events_o.param_reads = 8'(|{p_step, r_step});
    events_o.input_words = 8'(s_axis_tvalid && s_axis_tready);
    events_o.output_words = 8'(m_axis_tvalid && m_axis_tready);
  end
  logic unused;
  assign unused = ^{load_addr_i, instr.op, strobes, sum_q};
endmodule
