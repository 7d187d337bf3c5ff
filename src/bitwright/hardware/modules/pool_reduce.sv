// SPDX-License-Identifier: Apache-2.0
// Reduces each run of Taps words to one, lane by lane: the maximum (Op 0) or the sum (Op 1).
//
// Taps are the words of one pooling window, as window_reader emits them with Groups = Chunks. Latency 1 after the
// last tap, one input word a cycle. Sums must fit OutBits (of the input's signedness); a maximum is extended to it.
module pool_reduce #(
    parameter int unsigned Lanes    = 1,
    parameter int unsigned InBits   = 8,
    parameter int unsigned OutBits  = 8,
    parameter bit          InSigned = 0,
    parameter int unsigned Op       = 0,
    parameter int unsigned Taps     = 4
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [ Lanes*InBits-1:0] s_data_i,
    input  logic                     s_valid_i,
    output logic                     s_ready_o,
    output logic [Lanes*OutBits-1:0] m_data_o,
    output logic                     m_valid_o,
    input  logic                     m_ready_i
);
  if (Lanes < 1 || InBits < 1 || OutBits < InBits || Op > 1 || Taps < 1) begin : g_illegal
    $error("pool_reduce: legal are OutBits >= InBits, Op 0 or 1, Taps >= 1");
  end

  logic [(Taps > 1 ? $clog2(Taps) : 1)-1:0] unused;
  logic first, last, take, valid_q;
  assign s_ready_o = m_ready_i || !valid_q;
  assign m_valid_o = valid_q;
  assign take = s_valid_i && s_ready_o;

  loop_counter #(
      .Count(Taps)
  ) u_tap (
      .clk_i,
      .rst_i,
      .step_i (take),
      .count_o(unused),
      .first_o(first),
      .last_o (last)
  );
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (s_ready_o) valid_q <= s_valid_i && last;
  end

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [InBits-1:0] x;
    logic [OutBits-1:0] wide, result_q;
    assign x = s_data_i[l*InBits+:InBits];
    assign wide = OutBits'($signed({InSigned && x[InBits-1], x}));
    if (Op == 1) begin : g_sum
      always_ff @(posedge clk_i) if (take) result_q <= (first ? '0 : result_q) + wide;
    end else begin : g_max
      logic larger;
      if (InSigned) begin : g_signed_less
        assign larger = $signed(wide) > $signed(result_q);
      end else begin : g_unsigned_less
        assign larger = wide > result_q;
      end
      always_ff @(posedge clk_i) if (take && (first || larger)) result_q <= wide;
    end
    assign m_data_o[l*OutBits+:OutBits] = result_q;
  end
endmodule
