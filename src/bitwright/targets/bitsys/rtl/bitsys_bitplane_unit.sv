// SPDX-License-Identifier: Apache-2.0
// Dot products on bit planes of 64 channels, any pair of widths; one pair of planes a cycle.
//
// A word is {last, first, shift, negate, b[63:0], a[63:0]}: acc = (first ? 0 : shift ? 2 * acc : acc) +- popcount(a & b),
// where negate subtracts. After the word with `last`, m_data_o is acc, 7 cycles later. For operands of n_a and n_b bits
// the planes (i, j) come by falling i + j, all words of a pair of planes together, `shift` with the first word of each
// i + j below the greatest, `negate` where exactly one of i, j is the top plane of a signed operand: n_a * n_b cycles
// for 64 channels. Sums wrap at 32 bits. Full stall support: everything holds while a sum waits. Python: units.bitplane.
module bitsys_bitplane_unit (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic [131:0] s_data_i,
    input  logic         s_valid_i,
    output logic         s_ready_o,
    output logic [ 31:0] m_data_o,
    output logic         m_valid_o,
    input  logic         m_ready_i
);
  localparam int unsigned Latency = 7;  // of bitsys_bitplane_pe
  logic en, m_valid_q;
  logic [Latency-2:0] valid_q, last_q, first_q, shift_q, negate_q;
  assign en = !m_valid_q || m_ready_i;
  assign s_ready_o = en;
  assign m_valid_o = m_valid_q;

  // Resets keep the delays out of LUT shift registers, which would cost a LUT each.
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      {valid_q, last_q, first_q, shift_q, negate_q} <= '0;
      m_valid_q <= 1'b0;
    end else if (en) begin
      valid_q <= {valid_q[Latency-3:0], s_valid_i};
      last_q <= {last_q[Latency-3:0], s_data_i[131]};
      first_q <= {first_q[Latency-3:0], s_data_i[130]};
      shift_q <= {shift_q[Latency-3:0], s_data_i[129]};
      negate_q <= {negate_q[Latency-3:0], s_data_i[128]};
      m_valid_q <= valid_q[Latency-2] && last_q[Latency-2];
    end
  end

  bitsys_bitplane_pe u_pe (
      .clk_i(clk_i),
      .en_i(en),
      .a_i(s_data_i[63:0]),
      .b_i(s_data_i[127:64]),
      .negate_i(negate_q[Latency-3]),
      .negate_acc_i(negate_q[Latency-2]),
      .valid_i(valid_q[Latency-2]),
      .first_i(first_q[Latency-2]),
      .shift_i(shift_q[Latency-2]),
      .a_o(),
      .b_o(),
      .acc_o(m_data_o)
  );
endmodule
