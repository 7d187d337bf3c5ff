// SPDX-License-Identifier: Apache-2.0
// Two streams as one, each lane extended by its own sign to OutBits bits.
//
// AWords 0: y = a + b (Python op Add). Latency 1; a word is taken from both inputs at once; OutBits must hold every sum.
// AWords > 0: AWords words of a, then BWords words of b, in turns (Python ops Concat and Weave). Latency 0; s_ready
// of a stream depends on m_ready_i. One word a cycle.
module stream_join #(
    parameter int unsigned Lanes   = 1,
    parameter int unsigned OutBits = 9,
    parameter int unsigned ABits   = 8,
    parameter bit          ASigned = 1,
    parameter int unsigned BBits   = 8,
    parameter bit          BSigned = 1,
    parameter int unsigned AWords  = 0,
    parameter int unsigned BWords  = 0
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
  if (Lanes < 1 || ABits < 1 || BBits < 1 || OutBits < ABits || OutBits < BBits || (AWords > 0) != (BWords > 0))
  begin : g_illegal
    $error("stream_join: OutBits must be at least ABits and BBits, AWords and BWords both 0 or both more");
  end

  logic [Lanes*OutBits-1:0] a, b;
  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    assign a[l*OutBits+:OutBits] = OutBits'($signed({ASigned && a_data_i[(l+1)*ABits-1], a_data_i[l*ABits+:ABits]}));
    assign b[l*OutBits+:OutBits] = OutBits'($signed({BSigned && b_data_i[(l+1)*BBits-1], b_data_i[l*BBits+:BBits]}));
  end

  if (AWords == 0) begin : g_add
    logic ready, valid_q;
    logic [Lanes*OutBits-1:0] sum_q;
    assign ready = m_ready_i || !valid_q;
    assign a_ready_o = ready && b_valid_i;
    assign b_ready_o = ready && a_valid_i;
    assign m_valid_o = valid_q;
    assign m_data_o = sum_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= 1'b0;
      else if (ready) valid_q <= a_valid_i && b_valid_i;
    end
    for (genvar l = 0; l < Lanes; l++) begin : g_sum
      always_ff @(posedge clk_i)
        if (ready) sum_q[l*OutBits+:OutBits] <= a[l*OutBits+:OutBits] + b[l*OutBits+:OutBits];
    end
  end else begin : g_concat
    logic second_q, last_a, last_b, take_a, take_b, unused_first_a, unused_first_b;
    logic [(AWords > 1 ? $clog2(AWords) : 1)-1:0] unused_a;
    logic [(BWords > 1 ? $clog2(BWords) : 1)-1:0] unused_b;
    assign take_a = a_valid_i && a_ready_o;
    assign take_b = b_valid_i && b_ready_o;
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
    assign a_ready_o = !second_q && m_ready_i;
    assign b_ready_o = second_q && m_ready_i;
    assign m_valid_o = second_q ? b_valid_i : a_valid_i;
    assign m_data_o  = second_q ? b : a;
  end
endmodule
