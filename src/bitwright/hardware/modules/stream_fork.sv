// SPDX-License-Identifier: Apache-2.0
// Copies a stream to several readers: each output takes each word once, in its own time.
//
// Latency 0. A word is taken from the input when its last reader takes it; s_ready_o depends on m_ready_i,
// m_valid_o never does. m_data_o holds Outputs copies, output 0 in the lowest bits.
module stream_fork #(
    parameter int unsigned Width   = 8,
    parameter int unsigned Outputs = 2
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [        Width-1:0] s_data_i,
    input  logic                     s_valid_i,
    output logic                     s_ready_o,
    output logic [Outputs*Width-1:0] m_data_o,
    output logic [      Outputs-1:0] m_valid_o,
    input  logic [      Outputs-1:0] m_ready_i
);
  if (Width < 1 || Outputs < 1) begin : g_illegal
    $error("stream_fork: Width, Outputs >= 1 are legal");
  end

  logic [Outputs-1:0] done_q;  // readers that have taken the current word
  always_ff @(posedge clk_i) begin
    if (rst_i || s_ready_o) done_q <= '0;
    else if (s_valid_i) done_q <= done_q | m_ready_i;
  end

  assign s_ready_o = &(done_q | m_ready_i);
  assign m_valid_o = {Outputs{s_valid_i}} & ~done_q;
  assign m_data_o  = {Outputs{s_data_i}};
endmodule
