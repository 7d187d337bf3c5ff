// SPDX-License-Identifier: Apache-2.0
// A board at a serial line, for simulation: bytes to and from module `board_top`, timed by the host's own clock.
//
// Bit: cycles of a bit, times 65536. Each bit is held and sampled by a sum of times, not by a division as in the design.
module serial_line #(
    parameter longint unsigned Bit = 65536 * 8
) (
    input  logic       clk_i,
    input  logic       rst_i,
    input  logic [7:0] host_data_i,
    input  logic       host_valid_i,
    output logic       host_ready_o,
    output logic [7:0] board_data_o,
    output logic       board_valid_o,
    input  logic       board_ready_i
);
  logic to_board, from_board, led, unused;
  board_top u_board (
      .clk_i(clk_i),
      .rx_i (to_board),
      .tx_o (from_board),
      .led_o(led)
  );

  // To the board: 10 bits, each until its time has come.
  logic [63:0] send_now_q, send_next_q;
  logic [9:0] send_q;
  logic [3:0] send_left_q;
  assign host_ready_o = send_left_q == '0;
  assign to_board = send_left_q == '0 || send_q[0];
  always_ff @(posedge clk_i) begin
    if (host_ready_o) begin
      send_now_q  <= 64'd65536;
      send_next_q <= Bit;
      send_q      <= {1'b1, host_data_i, 1'b0};
      if (host_valid_i) send_left_q <= 4'd10;
    end else begin
      send_now_q <= send_now_q + 64'd65536;
      if (send_now_q + 64'd65536 > send_next_q) begin
        send_next_q <= send_next_q + Bit;
        send_q      <= {1'b1, send_q[9:1]};
        send_left_q <= send_left_q - 4'd1;
      end
    end
    if (rst_i) send_left_q <= '0;
  end

  // From the board: the middle of each bit. A byte that is not taken in time is lost, as at a host.
  logic [63:0] take_now_q, take_next_q;
  logic [7:0] take_q;
  logic [3:0] take_bit_q;
  logic taking_q;
  always_ff @(posedge clk_i) begin
    if (board_ready_i) board_valid_o <= 1'b0;
    if (!taking_q) begin
      taking_q    <= !from_board;
      take_now_q  <= 64'd65536;
      take_next_q <= Bit / 2;
      take_bit_q  <= '0;
    end else begin
      take_now_q <= take_now_q + 64'd65536;
      if (take_now_q >= take_next_q) begin
        take_next_q <= take_next_q + Bit;
        take_bit_q  <= take_bit_q + 4'd1;
        if (take_bit_q != 4'd9) take_q <= {from_board, take_q[7:1]};
        if (take_bit_q == 4'd0 && from_board || take_bit_q == 4'd9) taking_q <= 1'b0;
        if (take_bit_q == 4'd9 && from_board) begin
          board_valid_o <= 1'b1;
          board_data_o  <= take_q;
        end
      end
    end
    if (rst_i) begin
      taking_q <= 1'b0;
      board_valid_o <= 1'b0;
    end
  end
  assign unused = led;
endmodule
