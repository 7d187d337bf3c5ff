// SPDX-License-Identifier: Apache-2.0
// Instruction IN: elements of stream words to packed 16-bit words, one element a cycle; a pixel begins a new word.
//
// From start_i to done_o: CyclesInTail, one for each stream word, one for each element, and the wait for the stream.
// The operands stay meanwhile. An element leaves in a packed word three cycles later: cut out, extended, then packed.
module rap_input (
    input  logic                             clk_i,
    input  logic                             rst_i,
    input  logic                             start_i,
    input  rap_pkg::in_t                     in_i,
    input  rap_pkg::width_e                  width_i,
    output logic                             done_o,
    output logic                             waiting_o,
    input  logic                      [31:0] s_axis_tdata,
    input  logic                             s_axis_tvalid,
    output logic                             s_axis_tready,
    output logic                             valid_o,
    output logic                      [15:0] word_o
);
  typedef enum logic [1:0] {Idle, Beat, Element, Finish} state_e;
  state_e state_q;
  logic [31:0] beat_q;
  logic [19:0] left_q;
  logic [15:0] channel_q;
  logic [4:0] lane_q, bits_q, at_q, sign_q;  // at_q, sign_q: where the element begins, and its highest bit
  logic [3:0] finish_q;
  logic [1:0] place_q, room_q, room;  // lane of the element, lanes behind it
  logic last_q, pixel_end_q;  // left_q or channel_q is 0

  logic beat_end, full;
  assign beat_end = lane_q == '0;
  assign full = room_q == '0;
  assign room = width_i == rap_pkg::WidthW16 ? 2'd0 : width_i == rap_pkg::WidthW8 ? 2'd1 : 2'd3;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start_i) state_q <= Beat;
        Beat: if (s_axis_tvalid) state_q <= Element;
        Element: if (last_q) state_q <= Finish;
          else if (beat_end) state_q <= Beat;
        default: if (finish_q == '0) state_q <= Idle;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    case (state_q)
      Idle: begin
        left_q <= in_i.count;
        last_q <= in_i.count == '0;
        channel_q <= in_i.channels;
        pixel_end_q <= in_i.channels == '0;
        place_q <= '0;
        room_q <= room;
        finish_q <= 4'(rap_pkg::CyclesInTail - 1);
        bits_q <= 5'(in_i.bits) + 5'd1;
      end
      Beat: begin
        beat_q <= s_axis_tdata;
        at_q <= '0;
        sign_q <= 5'(in_i.bits);
        lane_q <= in_i.lanes;
      end
      Element: begin
        at_q <= at_q + bits_q;
        sign_q <= sign_q + bits_q;
        left_q <= left_q - 20'd1;
        last_q <= left_q == 20'd1;
        lane_q <= lane_q - 5'd1;
        channel_q <= pixel_end_q ? in_i.channels : channel_q - 16'd1;
        pixel_end_q <= pixel_end_q ? in_i.channels == '0 : channel_q == 16'd1;
        place_q <= pixel_end_q || full ? '0 : place_q + 2'd1;
        room_q <= pixel_end_q || full ? room : room_q - 2'd1;
      end
      default: finish_q <= finish_q - 4'd1;
    endcase
  end
  assign s_axis_tready = state_q == Beat;
  assign waiting_o = state_q == Beat && !s_axis_tvalid;
  assign done_o = state_q == Finish && finish_q == '0;

  // The element, cut out to a multiple of 4 bits and then to the bit, and extended to 16 bits.
  logic [15:0] mask_q, cut, element, element_q;
  logic [18:0] near_q;
  logic [3:0] signs_q;  // the highest bit is one of these
  logic [1:0] at1_q, sign1_q;
  logic negative;
  assign cut = 16'(near_q >> at1_q);
  assign negative = signs_q[sign1_q];
  always_comb begin
    element = (cut & mask_q) | (negative ? ~mask_q : '0);
    if (in_i.sign == rap_pkg::SignBipolar) element = cut[0] ? 16'd1 : '1;
  end

  // Its lane of the current width.
  logic [1:0] taken_q, ends_q;
  logic [1:0][1:0] lane1_q;
  logic valid_q;
  logic [15:0] word_d, word_q;
  always_ff @(posedge clk_i) begin
    mask_q <= 16'hFFFF >> (4'd15 - in_i.bits);
    near_q <= 19'(beat_q >> {at_q[4:2], 2'd0});
    at1_q <= at_q[1:0];
    signs_q <= 4'(beat_q >> {sign_q[4:2], 2'd0}) & {4{in_i.sign == rap_pkg::SignSigned}};
    sign1_q <= sign_q[1:0];
    element_q <= element;
    taken_q <= rst_i ? '0 : {taken_q[0], state_q == Element};
    ends_q <= {ends_q[0], full || pixel_end_q};
    lane1_q <= {lane1_q[0], place_q};
  end
  always_comb begin
    word_d = lane1_q[1] == '0 ? '0 : word_q;
    case (width_i)
      rap_pkg::WidthW16: word_d = element_q;
      rap_pkg::WidthW8: word_d |= {8'd0, element_q[7:0]} << {lane1_q[1][0], 3'd0};
      default: word_d |= {12'd0, element_q[3:0]} << {lane1_q[1], 2'd0};
    endcase
  end
  always_ff @(posedge clk_i) begin
    if (taken_q[1]) word_q <= word_d;
    valid_q <= taken_q[1] && ends_q[1] && !rst_i;
  end
  assign valid_o = valid_q;
  assign word_o  = word_q;
endmodule
