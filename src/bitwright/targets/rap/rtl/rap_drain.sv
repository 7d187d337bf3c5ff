// SPDX-License-Identifier: Apache-2.0
// Order of instruction DRAIN: for every pixel, accumulator, column and lane the parameter words of the element.
//
// start_i, at the dispatch, hands over the operands; the first step comes CyclesDrainFirst cycles behind the issue,
// then one parameter word a cycle. Before each pixel of stochastic rounding stand SeedWords random seeds. In cycle 0
// step_o, acc_o, col_o, lane_o, p_step_o and r_step_o hold; element_o is one cycle later.
module rap_drain #(
    parameter  int unsigned Size      = 4,
    localparam int unsigned ColBits   = $clog2(Size),
    localparam int unsigned SeedWords = (Size + 3) / 4
) (
    input  logic                            clk_i,
    input  logic                            rst_i,
    input  logic                            start_i,
    input  rap_pkg::drain_t                 drain_i,
    input  rap_pkg::width_e                 width_i,
    input  logic                      [9:0] words_i,       // parameter words an element, less 1
    input  logic                            stochastic_i,
    input  logic                            params_i,      // 0: no parameters are read
    output logic                            busy_o,        // until the last step
    output logic                            step_o,        // of slot slot_o
    output logic                            slot_o,
    output logic                      [3:0] acc_o,
    output logic              [ColBits-1:0] col_o,
    output logic                      [1:0] lane_o,
    output logic                            p_step_o,
    output logic                            r_step_o,
    output rap_pkg::element_t               element_o
);
  logic [3:0] delay_q;
  logic busy_q, active_q, stochastic_q, params_q;
  rap_pkg::drain_t drain_q;
  logic [1:0] lanes_q;
  logic [9:0] words_q, words_left_q;
  logic [3:0] pixel_q, acc_q, col_q, index_q;
  logic [1:0] lane_q;
  logic seeding_q, seed_word_q;

  // Whether each counter is at its last value, known with the counter.
  logic first_q, word_last_q, lane_last_q, col_last_q, acc_last_q, pixel_last_q, one_word_q, seed, seed_last;
  logic [1:0] lane_next;
  logic [3:0] col_next, acc_next, pixel_next;
  assign seed = active_q && seeding_q;
  assign seed_last = seed_word_q == 1'(SeedWords - 1);
  assign lane_next = lane_last_q ? '0 : lane_q + 2'd1;
  assign col_next = col_last_q ? '0 : col_q + 4'd1;
  assign acc_next = acc_last_q ? '0 : acc_q + 4'd1;
  assign pixel_next = pixel_q + 4'd1;

  logic [1:0] lanes;  // separate lanes less 1
  always_comb begin
    case (width_i)
      rap_pkg::WidthW16: lanes = 2'd0;
      rap_pkg::WidthW8: lanes = {1'b0, drain_i.lanes};
      default: lanes = {2{drain_i.lanes}};
    endcase
  end
  logic element_end, pixel_end;
  assign element_end = word_last_q && lane_last_q && col_last_q;
  assign pixel_end = element_end && acc_last_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      busy_q   <= 1'b0;
      active_q <= 1'b0;
    end else if (start_i) begin
      busy_q <= 1'b1;
    end else if (active_q && !seeding_q && pixel_end && pixel_last_q) begin
      busy_q   <= 1'b0;
      active_q <= 1'b0;
    end else if (busy_q && delay_q == 4'd1) begin
      active_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      drain_q <= drain_i;
      lanes_q <= lanes;
      words_q <= words_i;
      stochastic_q <= stochastic_i;
      params_q <= params_i;
      delay_q <= 4'(rap_pkg::CyclesDrainFirst - 2);
      pixel_q <= '0;
      acc_q <= '0;
      col_q <= '0;
      lane_q <= '0;
      first_q <= 1'b1;
      words_left_q <= words_i;
      one_word_q <= words_i == '0;
      word_last_q <= words_i == '0;
      lane_last_q <= lanes == '0;
      col_last_q <= drain_i.cols == '0;
      acc_last_q <= drain_i.words == '0;
      pixel_last_q <= drain_i.pixels == '0;
      index_q <= '0;
      seeding_q <= stochastic_i;
      seed_word_q <= '0;
    end else if (seed) begin
      seed_word_q <= !seed_last;
      seeding_q   <= !seed_last;
    end else if (active_q) begin
      first_q <= word_last_q;
      words_left_q <= word_last_q ? words_q : words_left_q - 10'd1;
      word_last_q <= word_last_q ? one_word_q : words_left_q == 10'd1;
      if (word_last_q) {lane_last_q, lane_q} <= {lane_next == lanes_q, lane_next};
      if (word_last_q && lane_last_q) {col_last_q, col_q} <= {col_next == drain_q.cols, col_next};
      if (element_end) {acc_last_q, acc_q} <= {acc_next == drain_q.words, acc_next};
      if (element_end) index_q <= index_q + 4'd1;
      if (pixel_end) begin
        pixel_q <= pixel_next;
        pixel_last_q <= pixel_next == drain_q.pixels;
        seeding_q <= stochastic_q;
      end
    end else begin
      delay_q <= delay_q - 4'd1;
    end
  end

  assign busy_o = busy_q;
  assign step_o = active_q;
  assign slot_o = drain_q.slot;
  assign acc_o = index_q;
  assign col_o = col_q[ColBits-1:0];
  assign lane_o = lane_q;
  assign p_step_o = active_q && !seeding_q && params_q;
  assign r_step_o = seed;

  rap_pkg::element_t element_q;
  always_ff @(posedge clk_i) begin
    element_q.valid <= active_q && !seeding_q && !rst_i;
    element_q.slot <= drain_q.slot;
    element_q.first <= first_q;
    element_q.last <= word_last_q;
    element_q.pixel_end <= pixel_end;
    element_q.seed <= seed && !rst_i;
    element_q.seed_word <= seed_word_q;
  end
  assign element_o = element_q;
  logic unused;
  assign unused = drain_q.lanes ^ drain_q.keep;
endmodule
