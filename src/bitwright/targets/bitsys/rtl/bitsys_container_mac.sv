// SPDX-License-Identifier: Apache-2.0
// Multiply-accumulate with the ports of the published BitSys MAC: sums of `accu_length` words, all channels added up.
//
//   mac_out = sum over accu_length words and their channels of in_0 * in_1, precision 0 to 3 for 1, 2, 4, 8 bits
//
// 1-bit channels are bipolar; is_signed holds for both operands. mac_out_valid marks the result 6 cycles after its last
// word. Unlike in the published one, precision and sign may change with every word. sys_rst_n is asynchronous there and
// synchronous here; mac_rst drops the sum that is under way; accu_length, at
// least 1, is taken 4 cycles after a product's first word at the latest.
module bitsys_container_mac (
    input  logic        sys_clk,
    input  logic        sys_rst_n,
    input  logic        mac_rst,
    input  logic [ 1:0] precision,
    input  logic        is_signed,
    input  logic [15:0] accu_length,
    input  logic [ 7:0] in_0,
    input  logic [ 7:0] in_1,
    input  logic        in_valid,
    output logic [31:0] mac_out,
    output logic        mac_out_valid
);
  localparam int unsigned Latency = 5;  // of bitsys_container_pe
  logic rst, first_q;
  logic [7:0] reversed;
  logic [4:0] operand;
  logic [14:0] invert;
  logic [3:0] constant;
  logic [Latency-2:0] valid_q;
  logic [31:0] acc;
  assign rst = !sys_rst_n || mac_rst;

  // The channels of the second operand in reversed order: one LUT a bit.
  always_comb begin
    case (precision)
      2'd3: reversed = in_1;
      2'd2: reversed = {in_1[3:0], in_1[7:4]};
      2'd1: reversed = {in_1[1:0], in_1[3:2], in_1[5:4], in_1[7:6]};
      default: for (int i = 0; i < 8; i++) reversed[i] = in_1[7-i];
    endcase
  end
  bitsys_container_decode u_decode (
      .clk_i(sys_clk),
      .en_i(1'b1),
      .busy_i(1'b0),
      .ready_i(1'b1),
      .mode_i(precision),
      .signed_a_i(is_signed),
      .signed_b_i(is_signed),
      .operand_o(operand),
      .invert_o(invert),
      .constant_o(constant)
  );
  bitsys_container_pe u_pe (
      .clk_i(sys_clk),
      .en_i(1'b1),
      .a_i(in_0),
      .b_i(reversed),
      .operand_i(operand),
      .invert_i(invert),
      .constant_i(constant),
      .valid_i(valid_q[Latency-2]),
      .first_i(first_q),
      .a_o(),
      .b_o(),
      .acc_o(acc)
  );

  // Words that are left in the sum, counted at its accumulator.
  logic [15:0] left_q;
  logic last, done_q;
  logic [2*Latency-1:0] mode_q;
  assign last = left_q == 16'd1;
  always_ff @(posedge sys_clk) begin
    if (rst) begin
      valid_q <= '0;
      first_q <= 1'b1;
      done_q <= 1'b0;
    end else begin
      valid_q <= {valid_q[Latency-3:0], in_valid};
      done_q <= valid_q[Latency-2] && last;
      if (valid_q[Latency-2]) first_q <= last;
    end
  end
  always_ff @(posedge sys_clk) begin
    if (valid_q[Latency-2] ? last : first_q) left_q <= accu_length;
    else if (valid_q[Latency-2]) left_q <= left_q - 16'd1;
    mode_q <= rst ? '0 : {mode_q[2*Latency-3:0], precision};
  end

  // The unit's scale goes at the output: 2^6, 2^6, 2^4, 2^0.
  logic [31:0] out_q;
  logic out_valid_q;
  logic [1:0] mode;
  assign mode = mode_q[2*Latency-1-:2];
  always_ff @(posedge sys_clk) begin
    out_valid_q <= done_q && !rst;
    case (mode)
      2'd3: out_q <= acc;
      2'd2: out_q <= {{4{acc[31]}}, acc[31:4]};
      default: out_q <= {{6{acc[31]}}, acc[31:6]};
    endcase
  end
  assign mac_out = out_q;
  assign mac_out_valid = out_valid_q;
endmodule
