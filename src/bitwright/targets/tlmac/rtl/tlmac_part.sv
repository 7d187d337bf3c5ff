// SPDX-License-Identifier: Apache-2.0
// Passes the words First to First + Size - 1 of every Words words of a stream on, and drops the others.
//
// A register: latency 1, a word a cycle. s_ready_o depends on m_ready_i.
module tlmac_part #(
    parameter int unsigned Width = 8,
    parameter int unsigned First = 0,
    parameter int unsigned Size  = 1,
    parameter int unsigned Words = 2
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
  localparam int unsigned CountBits = $clog2(Words + 1);
  logic [CountBits-1:0] count_q, next;
  logic kept_q;
  assign next = count_q == CountBits'(Words - 1) ? '0 : count_q + 1'b1;
  assign s_ready_o = m_ready_i || !m_valid_o;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      count_q   <= '0;
      kept_q    <= First == 0;
      m_valid_o <= 1'b0;
    end else if (s_ready_o) begin
      m_valid_o <= s_valid_i && kept_q;
      if (s_valid_i) begin
        count_q <= next;
        kept_q  <= next == CountBits'(First) || (kept_q && next != CountBits'(First + Size) && next != '0);
      end
    end
  end
  always_ff @(posedge clk_i) if (s_ready_o) m_data_o <= s_data_i;
endmodule
