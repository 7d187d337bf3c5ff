// SPDX-License-Identifier: Apache-2.0
// One register stage of a stream: no logic on the data, one word a cycle, latency 1.
//
// s_ready_o depends on m_ready_i while a word waits. Keeps finished accumulators while the next ones are computed.
module tlmac_hold #(
    parameter int unsigned Width = 8
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [Width-1:0] s_data_i,
    input  logic             s_valid_i,
    output logic             s_ready_o,
    output logic [Width-1:0] m_data_o,
    output logic             m_valid_o,
    input  logic             m_ready_i
);
  logic valid_q;
  logic [Width-1:0] data_q;

  assign s_ready_o = !valid_q || m_ready_i;
  assign m_valid_o = valid_q;
  assign m_data_o  = data_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (s_ready_o) valid_q <= s_valid_i;
  end
  always_ff @(posedge clk_i) if (s_valid_i && s_ready_o) data_q <= s_data_i;
endmodule
