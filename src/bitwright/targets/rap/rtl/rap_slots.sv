// SPDX-License-Identifier: Apache-2.0
// The slots with their parameters and what they take from the accumulators (instructions POST, LIMIT and DRAIN).
module rap_slots #(
    parameter  int unsigned Size       = 4,
    parameter  int unsigned ParamWords = 256,
    localparam int unsigned ColBits    = $clog2(Size),
    localparam int unsigned ParamAddr  = $clog2(ParamWords)
) (
    input  logic                                          clk_i,
    input  logic                                          rst_i,
    input  rap_pkg::strobes_t                             strobes_i,
    input  logic                 [rap_pkg::BitsLimit-1:0] operands_i,
    input  rap_pkg::width_e                               width_i,
    output logic                                          draining_o,   // until the last step
    output logic                                          busy_o,       // until the last result is written
    // accumulators of a step, and their contents CyclesDrainRead + 1 cycles later
    output logic                                    [3:0] acc_o,
    output logic                            [ColBits-1:0] col_o,
    output logic                                    [1:0] lane_o,
    input  logic                         [Size-1:0][31:0] acc_i,
    // streams P and R, by slot
    input  logic            [1:0][rap_pkg::AddressBits:0] p_addr_i,
    input  logic            [1:0][rap_pkg::AddressBits:0] r_addr_i,
    output logic                                    [1:0] p_step_o,
    output logic                                    [1:0] r_step_o,
    // results of all rows
    output logic                                          valid_o,
    output logic                                          slot_o,
    output logic                         [Size-1:0][15:0] word_o,
    // loading
    input  logic                                          we_i,
    input  logic               [rap_pkg::AddressBits-1:0] load_addr_i,
    input  logic                 [rap_pkg::ParamBits-1:0] load_data_i
);
  rap_pkg::post_t post;
  rap_pkg::limit_t limit;
  rap_pkg::drain_t drain;
  assign post  = operands_i[rap_pkg::BitsPost-1:0];
  assign limit = operands_i;
  assign drain = operands_i[rap_pkg::BitsDrain-1:0];

  logic draining, step, slot, p_step, r_step;
  logic [1:0] stochastic, params;
  logic [1:0][9:0] words;
  rap_pkg::element_t element, placed, taken;
  rap_drain #(
      .Size(Size)
  ) u_drain (
      .clk_i,
      .rst_i,
      .start_i     (strobes_i.drain),
      .drain_i     (drain),
      .width_i,
      .words_i     (drain.slot ? words[1] : words[0]),
      .stochastic_i(stochastic[drain.slot]),
      .params_i    (params[drain.slot]),
      .busy_o      (draining),
      .step_o      (step),
      .slot_o      (slot),
      .acc_o,
      .col_o,
      .lane_o,
      .p_step_o    (p_step),
      .r_step_o    (r_step),
      .element_o   (element)
  );
  assign p_step_o = {p_step && slot, p_step && !slot};
  assign r_step_o = {r_step && slot, r_step && !slot};

  // Positions come two cycles behind the step; then the memory is read in two, its word takes a register on its way
  // to all rows, and the slots begin.
  rap_delay #(
      .Bits  ($bits(element)),
      .Cycles(1)
  ) u_placed (
      .clk_i,
      .rst_i,
      .d_i(element),
      .q_o(placed)
  );
  rap_delay #(
      .Bits  ($bits(element)),
      .Cycles(rap_pkg::CyclesDrainRead - 1)
  ) u_taken (
      .clk_i,
      .rst_i,
      .d_i(placed),
      .q_o(taken)
  );
  logic [rap_pkg::AddressBits:0] addr;
  logic [ParamAddr-1:0] addr_q;
  logic [rap_pkg::ParamBits-1:0] param, param_q;
  assign addr = placed.seed ? (placed.slot ? r_addr_i[1] : r_addr_i[0]) : placed.slot ? p_addr_i[1] : p_addr_i[0];
  always_ff @(posedge clk_i) addr_q <= addr[ParamAddr-1:0];
  rap_memory #(
      .Width(rap_pkg::ParamBits),
      .Depth(ParamWords)
  ) u_params (
      .clk_i,
      .we_i,
      .waddr_i(load_addr_i[ParamAddr-1:0]),
      .wdata_i(load_data_i),
      .re_i   (1'b1),
      .raddr_i(addr_q),
      .rdata_o(param)
  );
  always_ff @(posedge clk_i) param_q <= param;

  rap_results #(
      .Size(Size)
  ) u_results (
      .clk_i,
      .rst_i,
      .post_we_i   (strobes_i.post),
      .limit_we_i  (strobes_i.limit),
      .post_i      (post),
      .limit_i     (limit),
      .stochastic_o(stochastic),
      .params_o    (params),
      .words_o     (words),
      .element_i   (taken),
      .acc_i,
      .param_i     (param_q),
      .valid_o,
      .slot_o,
      .word_o
  );

  logic [4:0] tail_q;  // cycles until the last result is written
  always_ff @(posedge clk_i) begin
    if (rst_i) tail_q <= '0;
    else if (step) tail_q <= 5'(rap_pkg::CyclesPostDepth);
    else if (tail_q != '0) tail_q <= tail_q - 5'd1;
  end
  assign draining_o = draining;
  assign busy_o = draining || tail_q != '0;
  logic unused;
  assign unused = ^{addr, load_addr_i, strobes_i};
endmodule
