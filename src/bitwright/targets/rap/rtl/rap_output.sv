// SPDX-License-Identifier: Apache-2.0
// Instruction OUT: packed 16-bit words to elements of stream words, one element a cycle; a pixel begins a new word.
//
// From start_i to done_o: 1 cycle, CyclesOutWord for each word read, one for each element, CyclesOutBeat for each
// stream word, and the wait for the stream; out_i stays meanwhile. An element is extended, cut, and put into its stream
// word in three stages, which the last one of a word passes before it is sent. Wide elements are two words, low first.
// With argmax a pixel is sent as one element, the index of the first of its largest elements, and takes one cycle more
// (bitwright ArgMax). The last word carries tlast, unless the frame goes on with the next OUT.
module rap_output (
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
    output logic                      [31:0] m_axis_tdata,
    output logic                             m_axis_tvalid,
    input  logic                             m_axis_tready,
    output logic                             m_axis_tlast
);
  localparam logic [3:0] Wait = 4'(rap_pkg::CyclesOutWord - 1);
  typedef enum logic [2:0] {Idle, Read, Element, Place, Flush, Send, Finish} state_e;
  state_e state_q;
  logic [3:0] wait_q;
  logic [1:0] flush_q;
  logic upper_q;  // the high word of a wide element is being read
  logic [31:0] word_q;
  logic [2:0] left_q;  // lanes left in the word
  logic [19:0] count_q;
  logic [15:0] channel_q;
  logic [4:0] lane_q;
  logic [5:0] shift_q;
  logic last_q, final_q, pixel_end_q, full_q;  // the last element is out; count_q, channel_q, lane_q are 0
  logic fresh_q;  // the next element needs a new word
  rap_pkg::width_e width_q;  // copies of what stays meanwhile
  logic sign_q;

  logic arrived_q, pixel_end, word_end, beat_end, emit;
  assign pixel_end = pixel_end_q || (out_i.argmax && final_q);
  assign word_end = out_i.wide || left_q == '0 || pixel_end;
  assign emit = state_q == Place || (state_q == Element && !out_i.argmax);
  assign beat_end = full_q || (state_q == Place ? last_q : final_q);
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start_i) state_q <= Read;
        Read: if (arrived_q && (!out_i.wide || upper_q)) state_q <= Element;
        Element: if (out_i.argmax && pixel_end) state_q <= Place;
          else if (emit && beat_end) state_q <= Flush;
          else if (word_end) state_q <= Read;
        Place: state_q <= beat_end ? Flush : Read;
        Flush: if (flush_q == '0) state_q <= Send;
        Send: if (m_axis_tready) begin
          if (last_q) state_q <= Finish;
          else state_q <= fresh_q ? Read : Element;
        end
        default: state_q <= Idle;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      count_q <= out_i.count;
      final_q <= out_i.count == '0;
      channel_q <= out_i.channels;
      pixel_end_q <= out_i.channels == '0;
      upper_q <= 1'b0;
      wait_q <= Wait;
      arrived_q <= 1'b0;
    end
    if (state_q == Read) begin
      wait_q <= arrived_q ? Wait : wait_q - 4'd1;
      arrived_q <= wait_q == 4'd1;
      if (arrived_q) begin
        word_q  <= out_i.wide && upper_q ? {word_i, word_q[15:0]} : {16'd0, word_i};
        upper_q <= out_i.wide && !upper_q;
        left_q  <= width_q == rap_pkg::WidthW16 ? 3'd0 : width_q == rap_pkg::WidthW8 ? 3'd1 : 3'd3;
      end
    end
    if (state_q == Element) begin
      word_q <= word_q >> (width_q == rap_pkg::WidthW16 ? 5'd16 : width_q == rap_pkg::WidthW8 ? 5'd8 : 5'd4);
      left_q <= left_q - 3'd1;
      count_q <= count_q - 20'd1;
      final_q <= count_q == 20'd1;
      last_q <= final_q;
      channel_q <= pixel_end ? out_i.channels : channel_q - 16'd1;
      pixel_end_q <= pixel_end ? out_i.channels == '0 : channel_q == 16'd1;
      fresh_q <= word_end;
    end
    flush_q <= state_q == Flush ? flush_q - 2'd1 : 2'(rap_pkg::CyclesOutBeat - 2);
    if (state_q == Idle || state_q == Send) begin
      lane_q  <= out_i.lanes;
      full_q  <= out_i.lanes == '0;
      shift_q <= '0;
    end else if (emit) begin
      lane_q  <= lane_q - 5'd1;
      full_q  <= lane_q == 5'd1;
      shift_q <= shift_q + 6'(out_i.bits) + 6'd1;
    end
  end

  // Stage 1: the value of an element.
  logic [31:0] value, value1_q;
  logic taken1_q, first1_q, emit1_q, emit2_q;
  logic [15:0] channel1_q;
  logic [5:0] shift1_q;
  logic [3:0] shift2_q;  // in nibbles
  always_comb begin
    case (width_q)
      rap_pkg::WidthW16: value = {{16{sign_q & word_q[15]}}, word_q[15:0]};
      rap_pkg::WidthW8: value = {{24{sign_q & word_q[7]}}, word_q[7:0]};
      default: value = {{28{sign_q & word_q[3]}}, word_q[3:0]};
    endcase
    if (out_i.wide) value = word_q;
  end
  always_ff @(posedge clk_i) begin
    width_q <= width_i;
    sign_q <= sign_i;
    value1_q <= value;
    taken1_q <= state_q == Element;
    first1_q <= channel_q == out_i.channels;
    channel1_q <= channel_q;
    emit1_q <= emit && !rst_i;
    shift1_q <= shift_q;
  end

  // Stage 2: the largest element of the pixel so far, and its place from the end; what is sent of an element or of its
  // pixel, cut to the bits it has in the stream and shifted by up to 3 of the places of its stream word.
  logic [31:0] best_q, element, element2_q, mask_q;
  logic [15:0] place_q;
  always_comb begin
    element = out_i.bipolar ? {31'd0, !value1_q[31]} : value1_q;
    if (out_i.argmax) element = {16'd0, out_i.channels - place_q};
  end
  always_ff @(posedge clk_i) begin
    if (taken1_q && (first1_q || $signed(value1_q) > $signed(best_q))) begin
      best_q  <= value1_q;
      place_q <= channel1_q;
    end
    mask_q <= 32'hFFFFFFFF >> (5'd31 - out_i.bits);
    element2_q <= (element & mask_q) << shift1_q[1:0];
    emit2_q <= emit1_q && !rst_i;
    shift2_q <= shift1_q[5:2];
  end

  // Stage 3: the stream word.
  logic [31:0] beat_q;
  always_ff @(posedge clk_i) begin
    if (state_q == Idle || state_q == Send) beat_q <= m_axis_tready || state_q == Idle ? '0 : beat_q;
    else if (emit2_q) beat_q <= beat_q | (element2_q << {shift2_q, 2'd0});
  end

  assign read_o = state_q == Read && wait_q == Wait;
  assign m_axis_tdata = beat_q;
  assign m_axis_tvalid = state_q == Send;
  assign m_axis_tlast = last_q && !out_i.more;
  assign waiting_o = state_q == Send && !m_axis_tready;
  assign done_o = state_q == Finish;
endmodule
