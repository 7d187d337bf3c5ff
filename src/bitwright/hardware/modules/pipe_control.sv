// SPDX-License-Identifier: Apache-2.0
// Valid bits and enables of an elastic pipeline of Stages register stages.
//
//   Stage s loads where en_o[s]; stage 0 takes the input word, stage Stages-1 holds the output word.
//   enter_o[s]: a word, not a bubble, enters stage s.
//
// A stage moves when it is empty or the next one moves, so bubbles close under back-pressure. Latency Stages,
// one word a cycle. s_ready_o depends on m_ready_i by one OR over the valid bits.
module pipe_control #(
    parameter int unsigned Stages = 2
) (
    input  logic              clk_i,
    input  logic              rst_i,
    input  logic              s_valid_i,
    output logic              s_ready_o,
    output logic              m_valid_o,
    input  logic              m_ready_i,
    output logic [Stages-1:0] en_o,
    output logic [Stages-1:0] enter_o
);
  if (Stages < 1) begin : g_illegal
    $error("pipe_control: Stages >= 1 is legal");
  end

  logic [Stages-1:0] valid_q;

  for (genvar s = 0; s < Stages; s++) begin : g_stage
    logic previous;
    if (s == 0) begin : g_input
      assign previous = s_valid_i;
    end else begin : g_inner
      assign previous = valid_q[s-1];
    end
    assign enter_o[s] = en_o[s] && previous;
    assign en_o[s] = m_ready_i || !(&valid_q[Stages-1:s]);
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q[s] <= 1'b0;
      else if (en_o[s]) valid_q[s] <= previous;
    end
  end

  assign s_ready_o = en_o[0];
  assign m_valid_o = valid_q[Stages-1];
endmodule
