// SPDX-License-Identifier: Apache-2.0
// Dot products on 8-bit containers, precision changing from one product to the next; one container pair a cycle.
//
//   m_data_o = scale(mode) * sum over the containers and their channels of a * b,   scale = 2^0, 2^4, 2^6, 2^6
//   for 8, 4, 2 and 1 bits a channel (mode 3, 2, 1, 0); 1-bit channels are bipolar, 1 is +1
//
// A word is {last, signed b, signed a, mode[1:0], b[7:0], a[7:0]}; the channels of b are in reversed order. `last`
// ends a dot product: its sum leaves 5 cycles after its last word. Sums wrap at 32 bits. Mode and signs may
// change with every word. Full stall support: everything holds while a sum waits. Python: units.container.
module bitsys_container_unit (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [20:0] s_data_i,
    input  logic        s_valid_i,
    output logic        s_ready_o,
    output logic [31:0] m_data_o,
    output logic        m_valid_o,
    input  logic        m_ready_i
);
  localparam int unsigned Latency = 5;  // of bitsys_container_pe
  logic en, first_q;
  logic [4:0] operand;
  logic [14:0] invert;
  logic [3:0] constant;
  logic [Latency-2:0] valid_q, last_q;
  logic m_valid_q;

  assign en = !m_valid_q || m_ready_i;
  assign s_ready_o = en;
  assign m_valid_o = m_valid_q;

  bitsys_container_decode u_decode (
      .clk_i(clk_i),
      .en_i(en),
      .busy_i(m_valid_q),
      .ready_i(m_ready_i),
      .mode_i(s_data_i[17:16]),
      .signed_a_i(s_data_i[18]),
      .signed_b_i(s_data_i[19]),
      .operand_o(operand),
      .invert_o(invert),
      .constant_o(constant)
  );

  // Resets keep the delays out of LUT shift registers, which would cost a LUT each.
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      valid_q <= '0;
      last_q <= '0;
      m_valid_q <= 1'b0;
      first_q <= 1'b1;
    end else if (en) begin
      valid_q <= {valid_q[Latency-3:0], s_valid_i};
      last_q <= {last_q[Latency-3:0], s_data_i[20]};
      m_valid_q <= valid_q[Latency-2] && last_q[Latency-2];
      if (valid_q[Latency-2]) first_q <= last_q[Latency-2];
    end
  end
  bitsys_container_pe u_pe (
      .clk_i(clk_i),
      .en_i(en),
      .a_i(s_data_i[7:0]),
      .b_i(s_data_i[15:8]),
      .operand_i(operand),
      .invert_i(invert),
      .constant_i(constant),
      .valid_i(valid_q[Latency-2]),
      .first_i(first_q),
      .a_o(),
      .b_o(),
      .acc_o(m_data_o)
  );
endmodule
