// SPDX-License-Identifier: Apache-2.0
// Marks the last of every Words words of a stream, as AXI4-Stream's tlast wants it. Combinational data, II 1.
module tlmac_frame_end #(
    parameter int unsigned Width = 8,
    parameter int unsigned Words = 1
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [Width-1:0] s_data_i,
    input  logic             s_valid_i,
    output logic             s_ready_o,
    output logic [Width-1:0] m_data_o,
    output logic             m_valid_o,
    input  logic             m_ready_i,
    output logic             m_last_o
);
  localparam int unsigned CountBits = (Words > 1) ? $clog2(Words) : 1;

  assign m_data_o  = s_data_i;
  assign m_valid_o = s_valid_i;
  assign s_ready_o = m_ready_i;
  if (Words > 1) begin : gen_count
    logic [CountBits-1:0] count_q;
    assign m_last_o = count_q == CountBits'(Words - 1);
    always_ff @(posedge clk_i) begin
      if (rst_i) count_q <= '0;
      else if (s_valid_i && m_ready_i) count_q <= m_last_o ? '0 : count_q + 1'b1;
    end
  end else begin : gen_always
    assign m_last_o = 1'b1;
  end
endmodule
