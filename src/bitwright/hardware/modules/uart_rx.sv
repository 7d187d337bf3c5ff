// SPDX-License-Identifier: Apache-2.0
// Receives bytes of a serial line: one start bit, eight data bits (lowest first), one stop bit.
//
//   byte_o, valid_o: a byte, for one cycle; bad_o: the stop bit was missing, for one cycle.
//
// step_i = round(65536 * baud / clock). Bits are sampled in their middle, within a cycle. No back pressure.
// Latency: 9.5 bits and three cycles. Constraint: 512 <= step_i <= 16384, so that a bit has at least four cycles.
module uart_rx (
    input  logic       clk_i,
    input  logic       rst_i,
    input  logic [15:0] step_i,
    input  logic       line_i,
    output logic [7:0] byte_o,
    output logic       valid_o,
    output logic       bad_o
);
  logic [2:0] line_q;  // synchronized
  logic [15:0] phase_q;
  logic [16:0] phase;
  logic [3:0] bit_q;  // 0: start, 1 to 8: data, 9: stop
  logic busy_q, tick;
  logic [7:0] byte_q;

  assign phase = {1'b0, phase_q} + {1'b0, step_i};
  assign tick  = busy_q && phase[16];
  assign byte_o = byte_q;

  always_ff @(posedge clk_i) begin
    line_q  <= {line_q[1:0], line_i};
    valid_o <= tick && bit_q == 4'd9 && line_q[2];
    bad_o   <= tick && bit_q == 4'd9 && !line_q[2];
    phase_q <= busy_q ? phase[15:0] : 16'h8000;
    if (!busy_q) begin
      busy_q <= !line_q[2];
      bit_q  <= '0;
    end else if (tick) begin
      bit_q <= bit_q + 4'd1;
      if (bit_q == 4'd0 && line_q[2] || bit_q == 4'd9) busy_q <= 1'b0;
      if (bit_q != 4'd9) byte_q <= {line_q[2], byte_q[7:1]};
    end
    if (rst_i) begin
      busy_q <= 1'b0;
      line_q <= '1;
      {valid_o, bad_o} <= '0;
    end
  end
endmodule
