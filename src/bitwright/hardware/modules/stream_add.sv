// SPDX-License-Identifier: Apache-2.0
// Elementwise sum of two streams (Python op Add): y = a + b, each extended by its own sign, OutBits bits.
//
// Latency 1, one word a cycle. A word is taken from both inputs at once. OutBits must hold every sum.
module stream_add #(
    parameter int unsigned Lanes   = 1,
    parameter int unsigned ABits   = 8,
    parameter bit          ASigned = 1,
    parameter int unsigned BBits   = 8,
    parameter bit          BSigned = 1,
    parameter int unsigned OutBits = 9
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [  Lanes*ABits-1:0] a_data_i,
    input  logic                     a_valid_i,
    output logic                     a_ready_o,
    input  logic [  Lanes*BBits-1:0] b_data_i,
    input  logic                     b_valid_i,
    output logic                     b_ready_o,
    output logic [Lanes*OutBits-1:0] m_data_o,
    output logic                     m_valid_o,
    input  logic                     m_ready_i
);
  if (Lanes < 1 || ABits < 1 || BBits < 1 || OutBits < ABits || OutBits < BBits) begin : g_illegal
    $error("stream_add: OutBits must be at least ABits and BBits");
  end

  logic ready, valid_q;
  assign ready     = m_ready_i || !valid_q;
  assign a_ready_o = ready && b_valid_i;
  assign b_ready_o = ready && a_valid_i;
  assign m_valid_o = valid_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (ready) valid_q <= a_valid_i && b_valid_i;
  end

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [ABits-1:0] a;
    logic [BBits-1:0] b;
    logic [OutBits-1:0] a_wide, b_wide, sum_q;
    assign a = a_data_i[l*ABits+:ABits];
    assign b = b_data_i[l*BBits+:BBits];
    if (ASigned) begin : g_a_signed
      assign a_wide = OutBits'($signed(a));
    end else begin : g_a_unsigned
      assign a_wide = OutBits'(a);
    end
    if (BSigned) begin : g_b_signed
      assign b_wide = OutBits'($signed(b));
    end else begin : g_b_unsigned
      assign b_wide = OutBits'(b);
    end
    always_ff @(posedge clk_i) if (ready) sum_q <= a_wide + b_wide;
    assign m_data_o[l*OutBits+:OutBits] = sum_q;
  end
endmodule
