// SPDX-License-Identifier: Apache-2.0
// Register slice: cuts the data, valid and ready paths of a stream at full throughput.
//
// Latency 1, one word a cycle, holds 2 words. s_ready_o is a register: the second word catches what the source
// sends before it sees the stall.
module stream_skid #(
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
  logic [Width-1:0] data_q, skid_q;
  logic valid_q, full_q;
  logic advance;
  assign advance = m_ready_i || !valid_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      valid_q <= 1'b0;
      full_q  <= 1'b0;
    end else if (advance) begin
      valid_q <= full_q || s_valid_i;
      full_q  <= 1'b0;
    end else if (s_valid_i) begin
      full_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!full_q) skid_q <= s_data_i;
    if (advance) data_q <= full_q ? skid_q : s_data_i;
  end

  assign s_ready_o = !full_q;
  assign m_data_o  = data_q;
  assign m_valid_o = valid_q;
endmodule
