// SPDX-License-Identifier: Apache-2.0
// Instruction OUT: packed 16-bit words to elements of stream words, one element a cycle; a pixel begins a new word.
//
// From start_i to done_o: 1 cycle, 6 for each word read, one for each element, one for each stream word, and the wait for
// the stream. Wide elements are two words, low first. With argmax_i a pixel is sent as one element, the place of the first
// of its largest elements, and takes one cycle more (bitwright ArgMax).
module rap_output #(
    parameter int unsigned StreamBits = 32
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic                  start_i,
    input  logic [          19:0] count_i,      // each less 1
    input  logic [          15:0] channels_i,
    input  logic [           4:0] bits_i,
    input  logic [           4:0] lanes_i,
    input  logic                  wide_i,
    input  logic                  bipolar_i,
    input  logic                  argmax_i,
    input  logic [           1:0] width_i,
    input  logic                  sign_i,
    output logic                  done_o,
    output logic                  waiting_o,
    output logic                  read_o,       // the next word of stream A; it comes five cycles later
    input  logic [          15:0] word_i,
    output logic [StreamBits-1:0] m_axis_tdata,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready,
    output logic                  m_axis_tlast
);
  typedef enum logic [2:0] {Idle, Read, Element, Place, Send, Finish} state_e;
  state_e state_q;
  logic [2:0] wait_q;
  logic upper_q;  // the high word of a wide element is being read
  logic [31:0] word_q;
  logic [2:0] left_q;  // lanes left in the word
  logic [19:0] count_q;
  logic [15:0] channel_q;
  logic [4:0] lane_q;
  logic [31:0] beat_q;
  logic [5:0] shift_q;
  logic last_q;
  logic fresh_q;  // the next element needs a new word
  logic [31:0] best_q;  // the largest element of the pixel so far, and its place from the end
  logic [15:0] place_q;
  logic [31:0] value, element, mask;  // of an element, and what is sent of it

  logic pixel_end, word_end, beat_end, arrived, last, emit, better;
  assign pixel_end = channel_q == '0 || (argmax_i && count_q == '0);
  assign word_end = wide_i || left_q == '0 || pixel_end;
  assign emit = state_q == Place || (state_q == Element && !argmax_i);
  assign last = state_q == Place ? last_q : count_q == '0;
  assign beat_end = lane_q == '0 || last;
  assign better = channel_q == channels_i || $signed(value) > $signed(best_q);
  assign arrived = state_q == Read && wait_q == '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start_i) state_q <= Read;
        Read: if (arrived && (!wide_i || upper_q)) state_q <= Element;
        Element: if (argmax_i && pixel_end) state_q <= Place;
          else if (emit && beat_end) state_q <= Send;
          else if (word_end) state_q <= Read;
        Place: state_q <= beat_end ? Send : Read;
        Send: if (m_axis_tready) begin
          if (last_q) state_q <= Finish;
          else state_q <= fresh_q ? Read : Element;
        end
        default: state_q <= Idle;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (start_i && state_q == Idle) begin
      count_q <= count_i;
      channel_q <= channels_i;
      lane_q <= lanes_i;
      beat_q <= '0;
      shift_q <= '0;
      upper_q <= 1'b0;
      wait_q <= 3'd5;
    end
    if (state_q == Read) begin
      wait_q <= arrived ? 3'd5 : wait_q - 3'd1;
      if (arrived) begin
        word_q  <= wide_i && upper_q ? {word_i, word_q[15:0]} : {16'd0, word_i};
        upper_q <= wide_i && !upper_q;
        left_q  <= width_i == 2'd0 ? 3'd0 : width_i == 2'd1 ? 3'd1 : 3'd3;
      end
    end
    if (state_q == Element) begin
      word_q <= word_q >> (width_i == 2'd0 ? 5'd16 : width_i == 2'd1 ? 5'd8 : 5'd4);
      left_q <= left_q - 3'd1;
      count_q <= count_q - 20'd1;
      last_q <= count_q == '0;
      channel_q <= pixel_end ? channels_i : channel_q - 16'd1;
      fresh_q <= word_end;
      if (better) best_q <= value;
      if (better) place_q <= channel_q;
    end
    if (emit) begin
      lane_q  <= lane_q - 5'd1;
      beat_q  <= beat_q | (element << shift_q);
      shift_q <= shift_q + 6'(bits_i) + 6'd1;
    end
    if (state_q == Send && m_axis_tready) begin
      lane_q  <= lanes_i;
      beat_q  <= '0;
      shift_q <= '0;
    end
  end

  // The value of an element, and what is sent of it or of its pixel, cut to the bits it has in the stream.
  assign mask = 32'hFFFFFFFF >> (5'd31 - bits_i);
  always_comb begin
    case (width_i)
      2'd0: value = {{16{sign_i & word_q[15]}}, word_q[15:0]};
      2'd1: value = {{24{sign_i & word_q[7]}}, word_q[7:0]};
      default: value = {{28{sign_i & word_q[3]}}, word_q[3:0]};
    endcase
    if (wide_i) value = word_q;
    element = bipolar_i ? {31'd0, !value[31]} : value;
    if (argmax_i) element = {16'd0, channels_i - place_q};
    element &= mask;
  end

  assign read_o = state_q == Read && wait_q == 3'd5;
  assign m_axis_tdata = StreamBits'(beat_q);
  assign m_axis_tvalid = state_q == Send;
  assign m_axis_tlast = last_q;
  assign waiting_o = state_q == Send && !m_axis_tready;
  assign done_o = state_q == Finish;
endmodule
