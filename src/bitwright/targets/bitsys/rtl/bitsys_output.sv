// SPDX-License-Identifier: Apache-2.0
// Output buffer to the AXI4-Stream output: one 32-bit element a word, channel by channel, pixel by pixel.
//
// start_i begins a batch of frames_i frames, whose first word leaves four cycles later. With argmax (shape_i[31]) a pixel
// yields one word, the index of the first of its greatest channels, in a cycle of its own. Groups of eight channels come
// through the memory's two registers; there is a pause behind a group of one channel. Only the low bits_i bits of an element are sent.
// m_axis_tlast marks the last word of a frame. Python: ArgMax.
module bitsys_output #(
    parameter int unsigned Groups = 64
) (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic [ 31:0] shape_i,
    input  logic [  5:0] bits_i,
    input  logic         start_i,
    input  logic [  7:0] frames_i,
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
  logic argmax;
  logic [15:0] channels;
  assign channels = {1'b0, shape_i[30:16]};
  assign argmax = shape_i[31];

  // Groups: in the memory's registers, one every second cycle, then in group_q, from which channels are shifted out.
  logic active_q, read_valid_q, word_valid_q, group_valid_q, read, take, load, advance, group_end, pixel_end, index_q;
  logic [AddrBits-1:0] addr_q;
  logic [255:0] word, group_q;
  assign load = word_valid_q && (!group_valid_q || (advance && group_end));
  assign take = !word_valid_q;
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

  // Counters of what is left, this one included, with registered ends.
  logic [15:0] channel_q, channels_left_q, pixels_left_q;
  logic [7:0] frames_left_q;
  logic last_channel_q, last_pixel_q, last_frame_q, done;
  assign advance = group_valid_q && !index_q && (argmax || m_axis_tready);
  assign group_end = last_channel_q || channel_q[2:0] == 3'd7;
  assign pixel_end = argmax ? index_q && m_axis_tready : advance && last_channel_q;
  assign done = pixel_end && last_pixel_q && last_frame_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      active_q <= 1'b0;
      index_q <= 1'b0;
      {read_valid_q, word_valid_q, group_valid_q} <= 3'd0;
    end else begin
      if (!active_q) active_q <= start_i;
      else if (done) active_q <= 1'b0;
      if (advance && last_channel_q && argmax) index_q <= 1'b1;
      else if (m_axis_tready) index_q <= 1'b0;
      if (!active_q || done) begin
        {read_valid_q, word_valid_q, group_valid_q} <= 3'd0;
      end else begin
        read_valid_q <= 1'b1;
        word_valid_q <= take ? read_valid_q : !load;
        if (load || (advance && group_end)) group_valid_q <= load;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (!active_q) begin
      addr_q <= '0;
      channel_q <= 16'd0;
      channels_left_q <= channels;
      last_channel_q <= channels == 16'd1;
      pixels_left_q <= shape_i[15:0];
      last_pixel_q <= shape_i[15:0] == 16'd1;
      frames_left_q <= frames_i;
      last_frame_q <= frames_i == 8'd1;
    end else begin
      if (read) addr_q <= addr_q + 1'b1;
      if (advance) begin
        channel_q <= last_channel_q ? 16'd0 : channel_q + 16'd1;
        channels_left_q <= last_channel_q ? channels : channels_left_q - 16'd1;
        last_channel_q <= last_channel_q ? channels == 16'd1 : channels_left_q == 16'd2;
      end
      if (pixel_end) begin
        pixels_left_q <= last_pixel_q ? shape_i[15:0] : pixels_left_q - 16'd1;
        last_pixel_q <= last_pixel_q ? shape_i[15:0] == 16'd1 : pixels_left_q == 16'd2;
        if (last_pixel_q) begin
          frames_left_q <= frames_left_q - 8'd1;
          last_frame_q <= frames_left_q == 8'd2;
        end
      end
    end
  end

  logic [31:0] best_q, mask_q;
  logic [15:0] best_index_q;
  logic first_q;
  always_ff @(posedge clk_i) begin
    mask_q <= ~(32'hFFFF_FFFF << bits_i);
    if (load) group_q <= word;
    else if (advance) group_q <= group_q >> 32;
    if (!active_q) first_q <= 1'b1;
    else if (advance) first_q <= last_channel_q;
    if (advance && (first_q || $signed(group_q[31:0]) > $signed(best_q))) begin
      best_q <= group_q[31:0];
      best_index_q <= channel_q;
    end
  end
  assign busy_o = active_q;
  assign m_axis_tvalid = argmax ? index_q : group_valid_q;
  assign m_axis_tdata = argmax ? {16'd0, best_index_q} : group_q[31:0] & mask_q;
  assign m_axis_tlast = last_pixel_q && (argmax || last_channel_q);
endmodule
