// SPDX-License-Identifier: Apache-2.0
// Finds packets in the bytes of a serial line, and offers the payload of each before it is known to be right.
//
// A packet lies between bytes 0xC0; within, 0xC0 is sent as 0xDB 0xDC and 0xDB as 0xDB 0xDD. Its bytes are
//   kind, number, length (2), position (2), ack (2), room (2), length bytes of payload, CRC-32 (4)
// numbers with their lowest byte first, the CRC over all before it.
//
//   byte_o, at_o, write_o: byte at_o of the payload; whoever stores it forgets it unless good_o follows.
//   header_o: of the present packet, first byte in the lowest bits; it holds from the last header byte to the next packet.
//   good_o: for one cycle, the packet ended, and length and CRC are right. All others are dropped without a word.
//
// Bytes come at least four cycles apart: what follows from their number has a register each. Garbage costs at most the packet that it stands before or in.
module link_receive (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [ 7:0] byte_i,
    input  logic        valid_i,
    input  logic        bad_i,
    output logic [79:0] header_o,
    output logic        begun_o,
    output logic [ 7:0] byte_o,
    output logic [15:0] at_o,
    output logic        write_o,
    output logic        good_o
);
  localparam logic [7:0] End = 8'hC0, Esc = 8'hDB, EscEnd = 8'hDC, EscEsc = 8'hDD;
  localparam logic [31:0] Residue = 32'hDEBB20E3;  // of a packet with its CRC

  logic [79:0] header_q;
  logic [15:0] count_q, length;
  logic [31:0] crc_q, crc;
  logic [15:0] end_q, at_q;
  logic escape_q, wrong_q, take, is_end, whole_q, payload_q;
  logic [7:0] plain;

  assign is_end = valid_i && byte_i == End;
  assign take   = valid_i && byte_i != End && (escape_q || byte_i != Esc);
  assign plain  = !escape_q ? byte_i : byte_i == EscEnd ? End : Esc;
  assign length = header_q[31:16];

  link_crc u_crc (
      .crc_i (crc_q),
      .byte_i(plain),
      .crc_o (crc)
  );

  assign header_o = header_q;
  assign begun_o  = count_q == 16'd10;
  assign byte_o   = plain;
  assign at_o     = at_q;
  assign write_o  = take && payload_q;

  always_ff @(posedge clk_i) begin
    good_o <= is_end && !wrong_q && !escape_q && whole_q;
    end_q    <= length + 16'd14;
    at_q     <= count_q - 16'd10;
    payload_q <= count_q >= 16'd10 && at_q < length;
    whole_q  <= count_q == end_q && crc_q == Residue;
    if (bad_i) wrong_q <= 1'b1;
    if (valid_i) escape_q <= byte_i == Esc && !escape_q;
    if (valid_i && escape_q && byte_i != EscEnd && byte_i != EscEsc) wrong_q <= 1'b1;
    if (take) begin
      crc_q   <= crc;
      if (count_q < 16'd10) header_q <= {plain, header_q[79:8]};
      if (count_q != 16'hFFFF) count_q <= count_q + 16'd1;
    end
    if (rst_i || is_end) begin
      count_q  <= '0;
      crc_q    <= '1;
      escape_q <= 1'b0;
      wrong_q  <= 1'b0;
    end
    if (rst_i) good_o <= 1'b0;
  end
endmodule
