// SPDX-License-Identifier: Apache-2.0
// Sends bytes on a serial line: one start bit, eight data bits (lowest first), one stop bit.
//
// A byte is taken where valid_i and ready_o are 1; one waits beside that which is sent, so that none waits for the other.
// step_i = round(65536 * baud / clock). Constraint: 512 <= step_i <= 16384, held.
module uart_tx (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [15:0] step_i,
    input  logic [ 7:0] byte_i,
    input  logic        valid_i,
    output logic        ready_o,
    output logic        line_o
);
  logic [15:0] phase_q;
  logic [16:0] phase;
  logic [9:0] bits_q;  // what is left to send; ones beyond
  logic [3:0] left_q;
  logic [7:0] next_q;
  logic full_q;

  assign phase   = {1'b0, phase_q} + {1'b0, step_i};
  assign ready_o = !full_q;

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) begin
      next_q <= byte_i;
      full_q <= 1'b1;
    end
    if (left_q == '0) begin
      phase_q <= '0;
      if (full_q) begin
        bits_q <= {1'b1, next_q, 1'b0};
        left_q <= 4'd10;
        full_q <= 1'b0;
      end
    end else begin
      phase_q <= phase[15:0];
      if (phase[16]) begin
        bits_q <= {1'b1, bits_q[9:1]};
        left_q <= left_q - 4'd1;
      end
    end
    line_o <= bits_q[0];
    if (rst_i) begin
      left_q <= '0;
      full_q <= 1'b0;
      bits_q <= '1;
      line_o <= 1'b1;
    end
  end
endmodule
