// SPDX-License-Identifier: Apache-2.0
// Sends packets as `link_receive` takes them: a header, payload from a memory, CRC.
//
// A packet begins where start_i and idle_o are 1; header_i is taken then. at_o addresses the payload, byte at_o of it must
// lie at byte_i two cycles later. The line takes a byte where valid_o and ready_i are 1, at least three cycles apart.
module link_send (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic        start_i,
    input  logic [79:0] header_i,
    output logic        idle_o,
    output logic [15:0] at_o,
    input  logic [ 7:0] byte_i,
    output logic [ 7:0] byte_o,
    output logic        valid_o,
    input  logic        ready_i
);
  localparam logic [7:0] End = 8'hC0, Esc = 8'hDB, EscEnd = 8'hDC, EscEsc = 8'hDD;
  typedef enum logic [2:0] {Idle, Open, Header, Payload, Check, Close} state_e;

  state_e state_q, next;
  logic [79:0] header_q;
  logic [15:0] index_q, length_q;
  logic [31:0] crc_q, crc, sum;
  logic escape_q, special, in_packet, sent;
  logic [7:0] plain;

  assign in_packet  = state_q == Header || state_q == Payload || state_q == Check;
  assign special = in_packet && (plain == End || plain == Esc);
  assign sent    = valid_o && ready_i && (escape_q || !special);  // a whole byte of the packet
  assign sum     = ~crc_q;
  assign idle_o  = state_q == Idle;
  assign valid_o = state_q != Idle;
  assign at_o    = index_q;

  always_comb begin
    case (state_q)
      Header:  plain = header_q[7:0];
      Payload: plain = byte_i;
      Check:   plain = sum[8*index_q[1:0]+:8];
      default: plain = End;
    endcase
    byte_o = !special ? plain : !escape_q ? Esc : plain == End ? EscEnd : EscEsc;
    next = state_q;
    case (state_q)
      Idle:    if (start_i) next = Open;
      Open:    if (sent) next = Header;
      Header:  if (sent && index_q == 16'd9) next = length_q == '0 ? Check : Payload;
      Payload: if (sent && index_q == length_q - 16'd1) next = Check;
      Check:   if (sent && index_q == 16'd3) next = Close;
      default: if (sent) next = Idle;
    endcase
  end

  link_crc u_crc (
      .crc_i (crc_q),
      .byte_i(plain),
      .crc_o (crc)
  );

  always_ff @(posedge clk_i) begin
    state_q <= next;
    if (valid_o && ready_i) escape_q <= special && !escape_q;
    if (sent) index_q <= next == state_q ? index_q + 16'd1 : '0;
    if (sent && state_q == Header) header_q <= {8'd0, header_q[79:8]};
    if (sent && (state_q == Header || state_q == Payload)) crc_q <= crc;
    if (idle_o) begin
      header_q <= header_i;
      length_q <= header_i[31:16];
      index_q  <= '0;
      crc_q    <= '1;
      escape_q <= 1'b0;
    end
    if (rst_i) state_q <= Idle;
  end
endmodule
