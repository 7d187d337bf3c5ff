// SPDX-License-Identifier: Apache-2.0
// Output buffer to the AXI4-Stream output: one 32-bit element a word, channel by channel, pixel by pixel.
//
// start_i begins a batch of frames_i frames. With argmax (shape_i[31]) a pixel yields one word, the index of the first
// of its greatest channels. The next group of eight channels is read while one is sent. Only the low bits_i bits of an element are sent. m_axis_tlast marks the last word of a frame. Python: ArgMax.
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
  typedef enum logic [1:0] {Idle, Load, Send, Index} state_e;
  state_e state_q;
  logic [15:0] addr_q, channel_q, pixel_q, channels;
  logic [7:0] frame_q, frames_q;
  logic [255:0] word, group_q;
  logic [31:0] best_q;
  logic [15:0] best_index_q;
  logic argmax, last_channel, last_pixel, last_frame, advance, better, pixel_end, group_end, load, read_q;
  assign channels = {1'b0, shape_i[30:16]};
  assign argmax = shape_i[31];
  assign last_channel = channel_q + 16'd1 == channels;
  assign last_pixel = pixel_q + 16'd1 == shape_i[15:0];
  assign last_frame = frame_q + 8'd1 == frames_q;
  assign better = channel_q == 16'd0 || $signed(group_q[31:0]) > $signed(best_q);
  assign advance = state_q == Send && (argmax || m_axis_tready);
  // The memory has answered in the second cycle after a load.
  assign group_end = last_channel || channel_q[2:0] == 3'd7;
  assign load = state_q == Load || (advance && group_end && !(argmax && last_channel) && read_q)
    || (state_q == Index && m_axis_tready);
  assign pixel_end = argmax ? state_q == Index && m_axis_tready : advance && last_channel;

  ram_sdp #(
      .Width(256),
      .Depth(Groups)
  ) u_ram (
      .clk_i  (clk_i),
      .we_i   (we_i),
      .waddr_i(waddr_i[AddrBits-1:0]),
      .wdata_i(wdata_i),
      .re_i   (1'b1),
      .raddr_i(addr_q[AddrBits-1:0]),
      .rdata_o(word)
  );

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start_i) state_q <= Load;
        Load: state_q <= Send;
        Send: if (advance) begin
          if (last_channel && argmax) state_q <= Index;
          else if (last_channel && last_pixel && last_frame) state_q <= Idle;
          else if (group_end && !read_q) state_q <= Load;
        end
        default: if (m_axis_tready) state_q <= last_pixel && last_frame ? Idle : Send;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      addr_q <= 16'd0;
      channel_q <= 16'd0;
      pixel_q <= 16'd0;
      frame_q <= 8'd0;
      frames_q <= frames_i;
    end
    if (load) begin
      group_q <= word;
      addr_q  <= addr_q + 16'd1;
    end else if (advance) begin
      group_q <= group_q >> 32;
    end
    read_q <= !load;
    if (advance) begin
      channel_q <= last_channel ? 16'd0 : channel_q + 16'd1;
      if (better) begin
        best_q <= group_q[31:0];
        best_index_q <= channel_q;
      end
    end
    if (pixel_end) begin
      pixel_q <= last_pixel ? 16'd0 : pixel_q + 16'd1;
      if (last_pixel) frame_q <= frame_q + 8'd1;
    end
  end
  assign busy_o = state_q != Idle;
  assign m_axis_tvalid = argmax ? state_q == Index : state_q == Send;
  assign m_axis_tdata = argmax ? {16'd0, best_index_q} : group_q[31:0] & ~(32'hFFFF_FFFF << bits_i);
  assign m_axis_tlast = last_pixel && (argmax || last_channel);
endmodule
