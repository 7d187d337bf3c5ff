// SPDX-License-Identifier: Apache-2.0
// Output buffer to the AXI4-Stream output: one 32-bit element a word, channel by channel, pixel by pixel.
//
// start_i begins a batch of frames_i frames, whose first word leaves four cycles later. A frame is one tensor or more,
// one after the other (tensors_i: how many, less one); the first word of the next tensor leaves nine cycles after the
// last one. With argmax (shape[31]) a pixel yields one word, the index of the first of its greatest channels, in a cycle
// of its own. Groups of eight channels come through the memory's two registers, their elements through one more. Only
// the low `bits` bits of an element are sent. m_axis_tlast marks the last word of a frame. Python: ArgMax.
module bitsys_output #(
    parameter int unsigned Groups = 64
) (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic [  4:0] tensors_i,
    // Settings of a tensor: word w of tensor t at 4 * t + w
    input  logic         settings_we_i,
    input  logic [  6:0] windex_i,
    input  logic [ 31:0] settings_i,
    input  logic         start_i,
    input  logic [  7:0] frames_i,
    input  logic         final_i,  // its last word ends a frame
    output logic         busy_o,
    input  logic         we_i,
    input  logic [ 15:0] waddr_i,
    input  logic [255:0] wdata_i,
    output logic [ 31:0] m_axis_tdata,
    output logic         m_axis_tvalid,
    input  logic         m_axis_tready,
    output logic         m_axis_tlast
);
  localparam int unsigned AddrBits = $clog2(Groups);
  // The tensor that leaves. Behind it, what follows from its settings settles before the next one.
  logic [31:0] shape, form, place;
  logic [4:0] tensor_q;
  logic [2:0] settle_q;
  logic several_q, last_tensor_q, tensor_end, pending_q, final_q;
  bitsys_tensors u_tensors (
      .clk_i,
      .we_i(settings_we_i),
      .windex_i,
      .wdata_i(settings_i),
      .tensor_i(tensor_q),
      .settings_o({place, form, shape})
  );

  // Settings, which are those of some cycles ago.
  logic argmax, one_channel_q, one_pixel_q;
  logic [15:0] channels, pixels;
  logic [31:0] shape_q;
  assign {argmax, channels, pixels} = {shape_q[31], 1'b0, shape_q[30:0]};
  always_ff @(posedge clk_i) begin
    shape_q <= shape;
    one_channel_q <= channels == 16'd1;
    one_pixel_q <= pixels == 16'd1;
  end

  // Groups wait in the memory's registers (what stands there behind the last one goes with active_q); step takes an element of the second one to element_q, where advance uses it.
  logic active_q, read_valid_q, word_valid_q, element_valid_q, read, take, step, free, advance, pixel_end, index_q;
  logic last_channel_q, group_end_q;  // of the next element
  logic [AddrBits-1:0] addr_q;
  logic [15:0] first, resumed;  // of the tensor's groups in this frame
  logic later_q;  // the frame is not the first one of its batch
  assign first = later_q ? resumed : place[15:0];
  ram_sdp #(
      .Width(16),
      .Depth(32),
      .Style(2)
  ) u_next (
      .clk_i,
      .we_i(tensor_end && several_q),
      .waddr_i(tensor_q),
      .wdata_i(first + place[31:16]),
      .re_i(1'b1),
      .raddr_i(tensor_q),
      .rdata_o(resumed)
  );
  logic [255:0] word;
  assign free = !element_valid_q || (argmax ? !index_q : m_axis_tready);
  assign step = word_valid_q && free;
  assign take = !word_valid_q || (free && group_end_q);
  assign read = !read_valid_q || take;
  ram_sdp #(
      .Width(256),
      .Depth(Groups),
      .Latency(2)
  ) u_ram (
      .clk_i  (clk_i),
      .we_i   (we_i),
      .waddr_i(waddr_i[AddrBits-1:0]),
      .wdata_i(wdata_i),
      .re_i   (read),
      .raddr_i(addr_q),
      .oe_i   (take),
      .rdata_o(word)
  );

  // Counters of what is left, this one included, with registered ends: channels of the next element, pixels of this one.
  logic [15:0] channel_q, channels_left_q, pixels_left_q, element_index_q;
  logic [7:0] frames_left_q;
  logic element_last_q, last_pixel_q, last_frame_q, done, next_last;
  assign next_last = last_channel_q ? one_channel_q : channels_left_q == 16'd2;
  assign advance = element_valid_q && (argmax ? !index_q : m_axis_tready);
  assign pixel_end = m_axis_tready && (argmax ? index_q : element_valid_q && element_last_q);
  assign tensor_end = active_q && pixel_end && last_pixel_q;
  assign done = tensor_end && last_tensor_q && last_frame_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= 1'b0;
      pending_q <= 1'b0;
      index_q <= 1'b0;
      {read_valid_q, word_valid_q, element_valid_q} <= 3'd0;
      {tensor_q, settle_q} <= 8'd0;
    end else begin
      if (!active_q) active_q <= start_i || (pending_q && settle_q == 3'd0);
      else if (done || (tensor_end && several_q)) active_q <= 1'b0;
      pending_q <= start_i || (pending_q && !done);
      if (tensor_end && several_q) begin
        tensor_q <= last_tensor_q ? 5'd0 : tensor_q + 5'd1;
        settle_q <= 3'd4;
      end else if (settle_q != 3'd0) settle_q <= settle_q - 3'd1;
      if (!active_q) index_q <= 1'b0;
      else if (advance && element_last_q && argmax) index_q <= 1'b1;
      else if (m_axis_tready) index_q <= 1'b0;
      if (!active_q) begin
        {read_valid_q, word_valid_q, element_valid_q} <= 3'd0;
      end else begin
        read_valid_q <= 1'b1;
        if (take) word_valid_q <= read_valid_q;
        if (free) element_valid_q <= word_valid_q;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    several_q <= tensors_i != 5'd0;
    last_tensor_q <= tensor_q == tensors_i;
    if (!active_q) begin
      addr_q <= first[AddrBits-1:0];
      channel_q <= 16'd0;
      channels_left_q <= channels;
      last_channel_q <= one_channel_q;
      group_end_q <= one_channel_q;
      pixels_left_q <= pixels;
      last_pixel_q <= one_pixel_q;
    end else begin
      if (read) addr_q <= addr_q + 1'b1;
      if (step) begin
        channel_q <= last_channel_q ? 16'd0 : channel_q + 16'd1;
        channels_left_q <= last_channel_q ? channels : channels_left_q - 16'd1;
        last_channel_q <= next_last;
        group_end_q <= next_last || (!last_channel_q && channel_q[2:0] == 3'd6);
      end
      if (pixel_end) begin
        pixels_left_q <= last_pixel_q ? pixels : pixels_left_q - 16'd1;
        last_pixel_q <= last_pixel_q ? one_pixel_q : pixels_left_q == 16'd2;
      end
    end
    if (!pending_q) begin
      frames_left_q <= frames_i;
      last_frame_q <= frames_i == 8'd1;
      later_q <= 1'b0;
      final_q <= final_i;
    end else if (tensor_end && last_tensor_q) begin
      frames_left_q <= frames_left_q - 8'd1;
      last_frame_q <= frames_left_q == 8'd2;
      later_q <= 1'b1;
    end
  end

  logic [31:0] element_q, best_q, mask_q;
  logic [15:0] best_index_q;
  logic first_q;
  always_ff @(posedge clk_i) begin
    mask_q <= ~(32'hFFFF_FFFF << form[5:0]);
    if (step) begin
      element_q <= word[32*channel_q[2:0]+:32];
      element_index_q <= channel_q;
      element_last_q <= last_channel_q;
    end
    if (!active_q) first_q <= 1'b1;
    else if (advance) first_q <= element_last_q;
    if (advance && (first_q || $signed(element_q) > $signed(best_q))) begin
      best_q <= element_q;
      best_index_q <= element_index_q;
    end
  end
  assign busy_o = pending_q;
  assign m_axis_tvalid = argmax ? index_q : element_valid_q && active_q;
  assign m_axis_tdata = argmax ? {16'd0, best_index_q} : element_q & mask_q;
  assign m_axis_tlast = final_q && last_pixel_q && last_tensor_q && (argmax || element_last_q);
endmodule
