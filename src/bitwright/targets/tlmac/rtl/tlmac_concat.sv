// SPDX-License-Identifier: Apache-2.0
// The channels of a, then the channels of b, of each pixel (Python op Concat), lanes extended to OutBits.
//
// AWords and BWords words a pixel. Latency 0, one word a cycle; s_ready of a stream depends on m_ready_i.
module tlmac_concat #(
    parameter int unsigned Lanes   = 1,
    parameter int unsigned ABits   = 8,
    parameter bit          ASigned = 1,
    parameter int unsigned BBits   = 8,
    parameter bit          BSigned = 1,
    parameter int unsigned OutBits = 8,
    parameter int unsigned AWords  = 1,
    parameter int unsigned BWords  = 1
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
  if (Lanes < 1 || OutBits < ABits || OutBits < BBits || AWords < 1 || BWords < 1) begin : g_illegal
    $error("tlmac_concat: OutBits must hold both inputs");
  end

  logic second_q, last_a, last_b, take_a, take_b;
  assign take_a = a_valid_i && a_ready_o;
  assign take_b = b_valid_i && b_ready_o;

  logic [(AWords > 1 ? $clog2(AWords) : 1)-1:0] unused_a;
  logic [(BWords > 1 ? $clog2(BWords) : 1)-1:0] unused_b;
  logic unused_first_a, unused_first_b;
  loop_counter #(
      .Count(AWords)
  ) u_a (
      .clk_i,
      .rst_i,
      .step_i (take_a),
      .count_o(unused_a),
      .first_o(unused_first_a),
      .last_o (last_a)
  );
  loop_counter #(
      .Count(BWords)
  ) u_b (
      .clk_i,
      .rst_i,
      .step_i (take_b),
      .count_o(unused_b),
      .first_o(unused_first_b),
      .last_o (last_b)
  );
  always_ff @(posedge clk_i) begin
    if (rst_i) second_q <= 1'b0;
    else if ((take_a && last_a) || (take_b && last_b)) second_q <= !second_q;
  end

  assign m_valid_o = second_q ? b_valid_i : a_valid_i;
  assign a_ready_o = !second_q && m_ready_i;
  assign b_ready_o = second_q && m_ready_i;

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [OutBits-1:0] a, b;
    if (ASigned) begin : g_a_signed
      assign a = OutBits'($signed(a_data_i[l*ABits+:ABits]));
    end else begin : g_a_unsigned
      assign a = OutBits'(a_data_i[l*ABits+:ABits]);
    end
    if (BSigned) begin : g_b_signed
      assign b = OutBits'($signed(b_data_i[l*BBits+:BBits]));
    end else begin : g_b_unsigned
      assign b = OutBits'(b_data_i[l*BBits+:BBits]);
    end
    assign m_data_o[l*OutBits+:OutBits] = second_q ? b : a;
  end
endmodule
