// SPDX-License-Identifier: Apache-2.0
// Sends packets as `link_receive` takes them: a header, payload from a memory, CRC.
//
// A packet begins where start_i and idle_o are 1; header_i is taken then. at_o addresses the payload, byte at_o of it must
// lie at byte_i two cycles later. The line takes a byte where valid_o and ready_i are 1; the next is offered Settle cycles
// later, in which it is looked up, marked and summed, a register each.
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
  localparam logic [2:0] Settle = 3'd6;
  typedef enum logic [2:0] {Idle, Open, Header, Payload, Check, Close} state_e;

  state_e state_q;
  logic [79:0] header_q;
  logic [15:0] index_q, length_q, end_q;
  logic [31:0] crc_q, crc, summed_q, sum;
  logic [7:0] plain_q;
  logic [2:0] settle_q;
  logic escape_q, special_q, last_q, empty_q, accepted, sent;

  assign sum      = ~crc_q;
  assign idle_o   = state_q == Idle;
  assign valid_o  = state_q != Idle && settle_q == '0;
  assign accepted = valid_o && ready_i;
  assign sent     = accepted && (escape_q || !special_q);  // a whole byte of the packet
  assign at_o     = index_q;
  assign byte_o   = !special_q ? plain_q : !escape_q ? Esc : plain_q == End ? EscEnd : EscEsc;

  link_crc u_crc (
      .crc_i (crc_q),
      .byte_i(plain_q),
      .crc_o (crc)
  );

  // What follows from state and index, a register each; all have settled before a byte is offered.
  always_ff @(posedge clk_i) begin
    case (state_q)
      Header:  plain_q <= header_q[7:0];
      Payload: plain_q <= byte_i;
      Check:   plain_q <= sum[8*index_q[1:0]+:8];
      default: plain_q <= End;
    endcase
    special_q <= (plain_q == End || plain_q == Esc) && (state_q == Header || state_q == Payload || state_q == Check);
    summed_q  <= crc;
    case (state_q)
      Header:  end_q <= 16'd9;
      Payload: end_q <= length_q - 16'd1;
      Check:   end_q <= 16'd3;
      default: end_q <= '0;
    endcase
    last_q  <= index_q == end_q;
    empty_q <= length_q == '0;
  end

  always_ff @(posedge clk_i) begin
    settle_q <= accepted || idle_o ? Settle : settle_q != '0 ? settle_q - 3'd1 : settle_q;
    if (accepted) escape_q <= special_q && !escape_q;
    if (sent) begin
      index_q <= last_q ? '0 : index_q + 16'd1;
      if (state_q == Header) header_q <= {8'd0, header_q[79:8]};
      if (state_q == Header || state_q == Payload) crc_q <= summed_q;
    end
    case (state_q)
      Idle:    if (start_i) state_q <= Open;
      Open:    if (sent) state_q <= Header;
      Header:  if (sent && last_q) state_q <= empty_q ? Check : Payload;
      Payload: if (sent && last_q) state_q <= Check;
      Check:   if (sent && last_q) state_q <= Close;
      default: if (sent) state_q <= Idle;
    endcase
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
