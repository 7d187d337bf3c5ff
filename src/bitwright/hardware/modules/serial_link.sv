// SPDX-License-Identifier: Apache-2.0
// A host at a serial line for a design: a reliable stream of bytes each way, and the bridge from bytes to the design.
//
// The host asks, in packets of `link_receive`; each right packet is answered by one. Positions count bytes modulo 65536.
//   kind 0x51, data:  payload from byte `position` of the host's stream on. It is stored where that is the next byte and all
//                     of it fits, else forgotten. ack: bytes of the other stream that the host has; room: that it takes.
//   kind 0x52, reset: both streams begin anew, and the design is reset.
//   answer 0x61:      number of the request; payload from byte `position` = ack of the other stream on; ack: bytes stored;
//                     room: bytes that fit.
//   answer 0x62:      to a reset; the payload is Identity, 8 bytes.
// So both sides send again what was not acknowledged, and nothing is taken twice. Requests that arrive while an answer is
// sent are answered together, by the number of the last one.
//
// Depth bytes of the host's stream wait for the design, and as many of the design's for the host; a power of two.
module serial_link #(
    parameter int unsigned InBytes = 1,
    parameter int unsigned OutBytes = 1,
    parameter int unsigned Control = 1,
    parameter int unsigned Depth = 2048,
    parameter logic [63:0] Identity = '0
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic [          15:0] step_i,
    input  logic                  rx_i,
    output logic                  tx_o,
    output logic                  reset_o,
    output logic [ 8*InBytes-1:0] m_axis_tdata,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready,
    input  logic [8*OutBytes-1:0] s_axis_tdata,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    output logic [          31:0] axil_addr_o,
    output logic [          31:0] axil_wdata_o,
    output logic                  axil_awvalid_o,
    input  logic                  axil_awready_i,
    output logic                  axil_wvalid_o,
    input  logic                  axil_wready_i,
    input  logic [           1:0] axil_bresp_i,
    input  logic                  axil_bvalid_i,
    output logic                  axil_bready_o,
    output logic                  axil_arvalid_o,
    input  logic                  axil_arready_i,
    input  logic [          31:0] axil_rdata_i,
    input  logic [           1:0] axil_rresp_i,
    input  logic                  axil_rvalid_i,
    output logic                  axil_rready_o
);
  localparam logic [7:0] Data = 8'h51, Reset = 8'h52, DataAnswer = 8'h61, ResetAnswer = 8'h62;
  localparam int unsigned Bits = $clog2(Depth);
  localparam logic [15:0] Most = 16'(Depth);

  if (Depth != 1 << Bits || Depth < 256 || Depth > 16384) begin : g_illegal
    $error("serial_link: Depth must be a power of two, 256 to 16384");
  end

  logic [7:0] rx_byte, tx_byte;
  logic rx_valid, rx_bad, tx_valid, tx_ready;
  uart_rx u_rx (.clk_i, .rst_i, .step_i, .line_i(rx_i), .byte_o(rx_byte), .valid_o(rx_valid), .bad_o(rx_bad));
  uart_tx u_tx (
      .clk_i,
      .rst_i,
      .step_i,
      .byte_i (tx_byte),
      .valid_i(tx_valid),
      .ready_o(tx_ready),
      .line_o (tx_o)
  );

  logic [79:0] got;
  logic [15:0] at;
  logic [7:0] payload;
  logic begun, write, good;
  link_receive u_receive (
      .clk_i,
      .rst_i,
      .byte_i  (rx_byte),
      .valid_i (rx_valid),
      .bad_i   (rx_bad),
      .header_o(got),
      .begun_o (begun),
      .byte_o  (payload),
      .at_o    (at),
      .write_o (write),
      .good_o  (good)
  );
  logic [7:0] kind, number;
  logic [15:0] length, position, ack, room;
  assign {room, ack, position, length, number, kind} = got;

  // The host's stream: stored_q bytes were stored, read_q have left for the bridge.
  logic [15:0] stored_q, read_q, held_q, free_q;
  logic fits_q, in_valid, in_ready, ahead_q;
  logic [7:0] in_byte;

  // The design's stream: made_q bytes were made, acked_q of them have reached the host.
  logic [15:0] made_q, acked_q, waiting_q;
  logic out_valid, out_ready;
  logic [7:0] out_byte, sent_byte;
  logic room_left_q, ack_fits_q;
  logic [15:0] ack_moves_q;
  assign out_ready = room_left_q;

  // Sums of positions have a register each; what they decide waits for them.
  localparam logic [2:0] Settle = 3'd5;
  logic [2:0] settle_q;
  logic reset, ask_q, answer_reset_q, idle, start;
  logic [7:0] number_q;
  logic [15:0] room_q, sent_at, base_q, answer_q;
  logic [4:0] resetting_q;
  assign reset = resetting_q != '0;
  assign reset_o = rst_i || reset;
  assign start = ask_q && idle && !reset && settle_q == '0;

  always_ff @(posedge clk_i) begin
    ack_moves_q <= ack - acked_q;
    ack_fits_q  <= ack_moves_q <= waiting_q;
    if (begun) fits_q <= kind == Data && position == stored_q && length <= free_q;
    if (in_valid && in_ready) read_q <= read_q + 16'd1;
    if (out_valid && out_ready) made_q <= made_q + 16'd1;
    held_q    <= stored_q - read_q;
    free_q    <= Most - held_q;
    waiting_q <= made_q - acked_q;
    // A byte that comes while the sums settle still fits.
    room_left_q <= waiting_q < Most - 16'd3;
    answer_q  <= waiting_q < room_q ? waiting_q : room_q;
    settle_q  <= good || reset ? Settle : settle_q != '0 ? settle_q - 3'd1 : settle_q;
    ahead_q <= read_q != stored_q && !(in_valid && in_ready);
    if (reset) resetting_q <= resetting_q - 5'd1;
    if (start) begin
      ask_q  <= 1'b0;
      base_q <= acked_q;
      answer_reset_q <= 1'b0;
    end
    if (good) begin
      number_q <= number;
      room_q   <= room;
      ask_q    <= kind == Data || kind == Reset;
      if (kind == Data && length != '0 && fits_q) stored_q <= stored_q + length;
      if (kind == Data && ack_fits_q) acked_q <= ack;
      if (kind == Reset) begin
        resetting_q <= '1;
        answer_reset_q <= 1'b1;
      end
    end
    if (rst_i || reset) begin
      {stored_q, read_q, made_q, acked_q} <= '0;
      ahead_q <= 1'b0;
    end
    if (rst_i) begin
      resetting_q <= '0;
      {ask_q, answer_reset_q} <= '0;
    end
  end

  link_memory #(.Depth(Depth)) u_in (
      .clk_i,
      .we_i   (write && fits_q),
      .waddr_i(Bits'(stored_q + at)),
      .data_i (payload),
      .addr_i (Bits'(read_q)),
      .data_o (in_byte)
  );
  link_memory #(.Depth(Depth)) u_out (
      .clk_i,
      .we_i   (out_valid && out_ready),
      .waddr_i(Bits'(made_q)),
      .data_i (out_byte),
      .addr_i (Bits'(base_q + sent_at)),
      .data_o (sent_byte)
  );
  assign in_valid = ahead_q && !reset;

  logic identifying_q;
  always_ff @(posedge clk_i) if (start) identifying_q <= answer_reset_q;
  link_send u_send (
      .clk_i,
      .rst_i,
      .start_i (start),
      .header_i({
        free_q, stored_q, answer_reset_q ? 16'd0 : acked_q, answer_reset_q ? 16'd8 : answer_q, number_q,
        answer_reset_q ? ResetAnswer : DataAnswer
      }),
      .idle_o  (idle),
      .at_o    (sent_at),
      .byte_i  (identifying_q ? Identity[8*sent_at[2:0]+:8] : sent_byte),
      .byte_o  (tx_byte),
      .valid_o (tx_valid),
      .ready_i (tx_ready)
  );

  link_bridge #(
      .InBytes (InBytes),
      .OutBytes(OutBytes),
      .Control (Control)
  ) u_bridge (
      .clk_i,
      .rst_i    (rst_i || reset),
      .s_data_i (in_byte),
      .s_valid_i(in_valid),
      .s_ready_o(in_ready),
      .m_data_o (out_byte),
      .m_valid_o(out_valid),
      .m_ready_i(out_ready),
      .*
  );
endmodule
