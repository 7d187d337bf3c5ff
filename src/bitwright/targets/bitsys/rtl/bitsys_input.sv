// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream input to groups of eight channels in one of two input buffers; collects frames into batches.
//
// A word holds eight elements of `bits` bits; elements are channel by channel, pixel by pixel; frames begin with a word.
// Groups begin with a pixel, so a pixel of 3 channels takes one group; bit planes fill up a pixel to 64 channels with
// zeros. A frame has less than 64 * ActWords elements. A batch is complete with `batch` frames, or after `idle` cycles without input between frames.
module bitsys_input #(
    parameter bit          Planes   = 1'b0,
    parameter int unsigned ActWords = 1024,
    localparam int unsigned CountBits = $clog2(64 * ActWords) + 1
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic        run_i,
    input  logic [ 7:0] batch_i,
    input  logic [31:0] type_i,
    input  logic [31:0] base_i,
    input  logic [31:0] shape_i,
    input  logic [31:0] idle_i,
    input  logic [63:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    output logic        m_valid_o,
    input  logic        m_ready_i,
    output logic [63:0] m_elements_o,
    output logic [15:0] m_pixel_o,
    output logic [11:0] m_group_o,
    output logic [ 3:0] m_stored_o,
    // Batches: the one to compute, and its release
    output logic        batch_valid_o,
    output logic        batch_buffer_o,
    output logic [ 7:0] batch_frames_o,
    input  logic        batch_take_i,
    input  logic        release_i
);
  logic [3:0] bits;
  logic [15:0] channels, pixels;
  assign bits = type_i[3:0];
  assign channels = type_i[31:16];
  assign pixels = shape_i[15:0];
  assign m_stored_o = type_i[8:5];

  // Elements of a word, extended to 8 bits; -1 and +1 come in as 0 and 1.
  logic [63:0] elements;
  for (genvar k = 0; k < 8; k++) begin : g_element
    logic [7:0] raw, mask;
    assign raw  = s_axis_tdata[6'(k*32'(bits))+:8];
    assign mask = 8'hFF << bits;
    assign elements[8*k+:8] = type_i[9] ? {{7{!raw[0]}}, 1'b1}
      : (raw & ~mask) | (type_i[4] && raw[3'(bits-4'd1)] ? mask : 8'd0);
  end

  // Elements wait in a buffer of 16; a group takes those of its pixel.
  logic [127:0] buffer_q, kept;
  logic [4:0] count_q, count_kept;
  logic [15:0] channel_q, pixel_index_q, left, padded, address_q;
  logic [11:0] group_q;
  logic [3:0] needed;
  logic emit, last_group, last_pixel, accept, open_q, frame_taken_q;
  assign left = channel_q >= channels ? 16'd0 : channels - channel_q;
  assign needed = left > 16'd8 ? 4'd8 : left[3:0];
  assign padded = Planes ? {channels[15:6] + 10'(channels[5:0] != 6'd0), 6'd0} : channels;
  assign last_group = channel_q + 16'd8 >= padded;
  assign last_pixel = pixel_index_q + 16'd1 == pixels;
  assign m_valid_o = open_q && {1'b0, needed} <= count_q;
  assign emit = m_valid_o && m_ready_i;
  for (genvar k = 0; k < 8; k++) assign m_elements_o[8*k+:8] = 4'(k) < needed ? buffer_q[8*k+:8] : 8'd0;
  assign m_pixel_o = address_q;
  assign m_group_o = group_q;

  // A new word fits behind what is left; the frame's last word closes the frame until its last group has left.
  logic word_last;
  logic [CountBits-1:0] taken_q, frame_elements;
  assign frame_elements = CountBits'(channels) * CountBits'(pixels);
  assign count_kept = emit ? count_q - {1'b0, needed} : count_q;
  assign kept = emit ? buffer_q >> {needed, 3'd0} : buffer_q;
  assign s_axis_tready = open_q && !frame_taken_q && count_kept <= 5'd8;
  assign accept = s_axis_tready && s_axis_tvalid;
  assign word_last = taken_q + CountBits'(8) >= frame_elements;

  logic frame_end;
  assign frame_end = emit && last_group && last_pixel;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      count_q <= 5'd0;
      frame_taken_q <= 1'b0;
      taken_q <= '0;
    end else begin
      if (frame_end) begin
        count_q <= 5'd0;
        frame_taken_q <= 1'b0;
        taken_q <= '0;
      end else begin
        count_q <= count_kept + (accept ? 5'd8 : 5'd0);
        if (accept) begin
          taken_q <= taken_q + CountBits'(8);
          frame_taken_q <= word_last;
        end
      end
    end
    for (int k = 0; k < 16; k++) begin
      if (5'(k) < count_kept || !accept) buffer_q[8*k+:8] <= kept[8*k+:8];
      else if (5'(k) - count_kept < 5'd8) buffer_q[8*k+:8] <= elements[8*3'(5'(k)-count_kept)+:8];
    end
  end

  // Position of the group in its frame, and of the frame in its buffer.
  logic buffer_select_q;
  logic [15:0] buffer_base;
  assign buffer_base = base_i[15:0] + (buffer_select_q ? base_i[31:16] : 16'd0);
  logic [7:0] frames_q;
  logic [1:0] full_q;
  logic [15:0] count_full_q;
  logic [31:0] idle_q;
  logic flush, close, head_q, computing_q;
  assign flush = frames_q != 8'd0 && taken_q == '0 && !s_axis_tvalid && idle_q >= idle_i;
  assign close = (frame_end && frames_q + 8'd1 == batch_i) || (flush && !frame_end);
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      open_q <= 1'b0;
      buffer_select_q <= 1'b0;
      frames_q <= 8'd0;
      full_q <= 2'd0;
      head_q <= 1'b0;
      computing_q <= 1'b0;
      idle_q <= 32'd0;
    end else begin
      idle_q <= accept || close ? 32'd0 : idle_q + 32'd1;
      if (!open_q) begin
        open_q <= !full_q[buffer_select_q];
        frames_q <= 8'd0;
      end else if (close) begin
        open_q <= 1'b0;
        buffer_select_q <= !buffer_select_q;
        full_q[buffer_select_q] <= 1'b1;
        count_full_q[8*buffer_select_q+:8] <= frames_q + 8'(frame_end);
      end else if (frame_end) begin
        frames_q <= frames_q + 8'd1;
      end
      if (batch_take_i) computing_q <= 1'b1;
      if (release_i && computing_q) begin
        full_q[head_q] <= 1'b0;
        head_q <= !head_q;
        computing_q <= 1'b0;
      end
    end
  end
  assign batch_valid_o = full_q[head_q] && !computing_q;
  assign batch_buffer_o = head_q;
  assign batch_frames_o = count_full_q[8*head_q+:8];

  always_ff @(posedge clk_i) begin
    if (!open_q) begin
      address_q <= buffer_base;
      channel_q <= 16'd0;
      group_q <= 12'd0;
      pixel_index_q <= 16'd0;
    end else if (emit) begin
      channel_q <= last_group ? 16'd0 : channel_q + 16'd8;
      group_q <= last_group ? 12'd0 : group_q + 12'd1;
      if (last_group) begin
        address_q <= address_q + shape_i[31:16];
        pixel_index_q <= last_pixel ? 16'd0 : pixel_index_q + 16'd1;
      end
    end
  end
endmodule
