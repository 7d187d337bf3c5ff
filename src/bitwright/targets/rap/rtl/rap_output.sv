// SPDX-License-Identifier: Apache-2.0
// Instruction OUT: packed 16-bit words to elements of stream words, one element a cycle; a pixel begins a new word.
//
// From start_i to done_o: 1 cycle, CyclesOutWord for each word read, one for each element, one for each stream word,
// and the wait for the stream. Wide elements are two words, low first. With argmax a pixel is sent as one element, the
// index of the first of its largest elements, and takes one cycle more (bitwright ArgMax).
module rap_output #(
    parameter int unsigned StreamBits = 32
) (
    input  logic                             clk_i,
    input  logic                             rst_i,
    input  logic                             start_i,
    input  rap_pkg::out_t                    out_i,
    input  rap_pkg::width_e                  width_i,
    input  logic                             sign_i,
    output logic                             done_o,
    output logic                             waiting_o,
    output logic                             read_o,         // the next word of stream A; it is taken when wait_q is 0
    input  logic                      [15:0] word_i,
    output logic            [StreamBits-1:0] m_axis_tdata,
    output logic                             m_axis_tvalid,
    input  logic                             m_axis_tready,
    output logic                             m_axis_tlast
);
  localparam logic [2:0] Wait = 3'(rap_pkg::CyclesOutWord - 1);
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
  assign pixel_end = channel_q == '0 || (out_i.argmax && count_q == '0);
  assign word_end = out_i.wide || left_q == '0 || pixel_end;
  assign emit = state_q == Place || (state_q == Element && !out_i.argmax);
  assign last = state_q == Place ? last_q : count_q == '0;
  assign beat_end = lane_q == '0 || last;
  assign better = channel_q == out_i.channels || $signed(value) > $signed(best_q);
  assign arrived = state_q == Read && wait_q == '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start_i) state_q <= Read;
        Read: if (arrived && (!out_i.wide || upper_q)) state_q <= Element;
        Element: if (out_i.argmax && pixel_end) state_q <= Place;
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
      count_q <= out_i.count;
      channel_q <= out_i.channels;
      lane_q <= out_i.lanes;
      beat_q <= '0;
      shift_q <= '0;
      upper_q <= 1'b0;
      wait_q <= Wait;
    end
    if (state_q == Read) begin
      wait_q <= arrived ? Wait : wait_q - 3'd1;
      if (arrived) begin
        word_q  <= out_i.wide && upper_q ? {word_i, word_q[15:0]} : {16'd0, word_i};
        upper_q <= out_i.wide && !upper_q;
        left_q  <= width_i == rap_pkg::WidthW16 ? 3'd0 : width_i == rap_pkg::WidthW8 ? 3'd1 : 3'd3;
      end
    end
    if (state_q == Element) begin
      word_q <= word_q >> (width_i == rap_pkg::WidthW16 ? 5'd16 : width_i == rap_pkg::WidthW8 ? 5'd8 : 5'd4);
      left_q <= left_q - 3'd1;
      count_q <= count_q - 20'd1;
      last_q <= count_q == '0;
      channel_q <= pixel_end ? out_i.channels : channel_q - 16'd1;
      fresh_q <= word_end;
      if (better) best_q <= value;
      if (better) place_q <= channel_q;
    end
    if (emit) begin
      lane_q  <= lane_q - 5'd1;
      beat_q  <= beat_q | (element << shift_q);
      shift_q <= shift_q + 6'(out_i.bits) + 6'd1;
    end
    if (state_q == Send && m_axis_tready) begin
      lane_q  <= out_i.lanes;
      beat_q  <= '0;
      shift_q <= '0;
    end
  end

  // The value of an element, and what is sent of it or of its pixel, cut to the bits it has in the stream.
  assign mask = 32'hFFFFFFFF >> (5'd31 - out_i.bits);
  always_comb begin
    case (width_i)
      rap_pkg::WidthW16: value = {{16{sign_i & word_q[15]}}, word_q[15:0]};
      rap_pkg::WidthW8: value = {{24{sign_i & word_q[7]}}, word_q[7:0]};
      default: value = {{28{sign_i & word_q[3]}}, word_q[3:0]};
    endcase
    if (out_i.wide) value = word_q;
    element = out_i.bipolar ? {31'd0, !value[31]} : value;
    if (out_i.argmax) element = {16'd0, out_i.channels - place_q};
    element &= mask;
  end

  assign read_o = state_q == Read && wait_q == Wait;
  assign m_axis_tdata = StreamBits'(beat_q);
  assign m_axis_tvalid = state_q == Send;
  assign m_axis_tlast = last_q;
  assign waiting_o = state_q == Send && !m_axis_tready;
  assign done_o = state_q == Finish;
endmodule
