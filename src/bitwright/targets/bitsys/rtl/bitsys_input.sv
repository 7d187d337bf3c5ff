// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream input to groups of eight channels in one of two input buffers; collects frames into batches.
//
// A frame is one tensor or more, one after the other (tensors_i: how many, less one); each begins with a word. A word
// holds eight elements of `bits` bits; elements are channel by channel, pixel by pixel.
// Groups begin with a pixel, so a pixel of 3 channels takes one group; bit planes fill up a pixel to 64 channels with
// zeros. A batch is complete with `batch` frames, or after `idle` cycles without input between frames.
// Words wait in a ring of 16, those of the next batch too. The settings are those of some cycles ago. Of several
// tensors none comes in before the one ahead has left the ring and the settings are there: the next word is taken 7
// cycles after the last group has left.
// With External, an only tensor may come in parts, each of them a frame here, of which only the last one's last word is
// filled up: place[31:16] is then 8 times the number of parts, and by how many elements.
// m_next_ready_i: whether a group may leave in the next cycle. Latency 5 cycles from a word to its group, a group a cycle.
module bitsys_input #(
    parameter bit Planes = 1'b0,
    parameter bit External = 1'b0
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic        run_i,
    input  logic [ 7:0] batch_i,
    input  logic [31:0] base_i,
    input  logic [31:0] idle_i,
    input  logic [ 4:0] tensors_i,
    // Settings of a tensor: word w of tensor t at 4 * t + w
    input  logic        we_i,
    input  logic [ 6:0] windex_i,
    input  logic [31:0] wdata_i,
    input  logic [63:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    output logic        m_valid_o,
    input  logic        m_next_ready_i,
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
  logic rst_q;
  always_ff @(posedge clk_i) rst_q <= rst_i || !run_i;

  // The tensor that comes in. Behind it, what follows from its settings settles before the next one.
  logic [31:0] kind, shape, place;
  logic [15:0] resumed;
  logic [4:0] tensor_q, before_q;
  logic [2:0] settle_q;
  logic several_q, last_tensor_q, first_tensor_q, settled, tensor_end, frame_end, tensor_end_q;
  assign settled = settle_q == 3'd0;
  bitsys_tensors u_tensors (
      .clk_i,
      .we_i,
      .windex_i,
      .wdata_i,
      .tensor_i(tensor_q),
      .settings_o({place, shape, kind})
  );
  always_ff @(posedge clk_i) begin
    several_q <= tensors_i != 5'd0;
    last_tensor_q <= tensor_q == tensors_i;
    first_tensor_q <= tensor_q == 5'd0;
    before_q <= tensor_q;
    tensor_end_q <= tensor_end && several_q && !rst_q;
    if (rst_q) {tensor_q, settle_q} <= 8'd0;
    else if (tensor_end && several_q) begin
      tensor_q <= last_tensor_q ? 5'd0 : tensor_q + 5'd1;
      settle_q <= 3'd5;
    end else if (!settled) settle_q <= settle_q - 3'd1;
  end

  // The part of an only tensor.
  logic in_parts_q, last_part_q;
  if (External) begin : g_parts
    logic [12:0] part_q;
    always_ff @(posedge clk_i) begin
      in_parts_q <= !several_q && place[31:19] != 13'd0;
      last_part_q <= part_q + 13'd1 == place[31:19];
      if (rst_q) part_q <= 13'd0;
      else if (frame_end) part_q <= last_part_q ? 13'd0 : part_q + 13'd1;
    end
  end else begin : g_whole
    assign {in_parts_q, last_part_q} = 2'd0;
  end

  // What follows from the settings: of counters, what they are two steps before their last, and whether that is 0 or 1.
  logic [15:0] channels, pixels_end_q;
  logic [11:0] groups_q, groups_end_q, filled_q, filled_end_q;
  logic [3:0] rest_q, first_need;  // elements of a pixel's last group, of its first
  logic [2:0] pad_q;  // elements of a frame's last word that it does not have
  logic [4:0] last_take_q, next_take_q;  // of a frame's last group and them; of the next frame's first and them
  logic [7:0] batch_end_q;
  logic one_group_q, two_groups_q, one_filled_q, two_filled_q, one_pixel_q, two_pixels_q, one_frame_q, bipolar_q;
  logic [8:0] end_less_q, rest_less_q;  // next_take_q and rest_q less the eight elements of a word
  logic [2:0] bits_q;  // 0 for 8
  logic [7:0] extend_q;
  logic [15:0] first_q, second_q;
  assign channels = kind[31:16];
  assign first_need = one_group_q ? rest_q : 4'd8;
  always_ff @(posedge clk_i) begin
    groups_q <= channels[14:3] + 12'(channels[2:0] != 3'd0);
    groups_end_q <= groups_q - 12'd3;
    one_group_q <= groups_q == 12'd1;
    two_groups_q <= groups_q == 12'd2;
    filled_q <= Planes ? {channels[14:6] + 9'(channels[5:0] != 6'd0), 3'd0}
      : channels[14:3] + 12'(channels[2:0] != 3'd0);
    filled_end_q <= filled_q - 12'd3;
    one_filled_q <= filled_q == 12'd1;
    two_filled_q <= filled_q == 12'd2;
    rest_q <= channels[2:0] == 3'd0 ? 4'd8 : {1'b0, channels[2:0]};
    if (External && in_parts_q) pad_q <= last_part_q ? place[18:16] : 3'd0;
    else pad_q <= 3'd0 - ((shape[0] ? channels[2:0] : 3'd0) + (shape[1] ? {channels[1:0], 1'd0} : 3'd0)
      + (shape[2] ? {channels[0], 2'd0} : 3'd0));
    pixels_end_q <= shape[15:0] - 16'd3;
    one_pixel_q <= shape[15:0] == 16'd1;
    two_pixels_q <= shape[15:0] == 16'd2;
    bits_q <= kind[2:0];
    bipolar_q <= kind[9];
    extend_q <= kind[4] || kind[9] ? 8'hFF << kind[3:0] : 8'd0;
    last_take_q <= {1'b0, Planes && filled_q != groups_q ? 4'd0 : rest_q} + {2'd0, pad_q};
    next_take_q <= {1'b0, first_need} + {2'd0, pad_q};
    end_less_q <= 9'({1'b0, first_need} + {2'd0, pad_q}) - 9'd8;
    rest_less_q <= 9'(rest_q) - 9'd8;
    batch_end_q <= batch_i - 8'd2;
    one_frame_q <= batch_i == 8'd1;
    first_q <= place[15:0] + base_i[15:0];
    second_q <= first_q + base_i[31:16];
  end

  // A word and its elements, extended to 8 bits; -1 and +1 come in as 0 and 1.
  logic [63:0] word_q, elements_q;
  logic word_valid_q, elements_valid_q, ready_q, accept;
  logic [15:0] left_q;  // words of the tensor that are to come
  logic final_q, stopped_q;  // the next word is the last one; none is taken before the settings of the next tensor
  assign accept = ready_q && s_axis_tvalid;
  assign s_axis_tready = ready_q;
  always_ff @(posedge clk_i) begin
    word_q <= s_axis_tdata;
    word_valid_q <= accept && !rst_q;
    elements_valid_q <= word_valid_q && !rst_q;
    if (rst_q || !settled) left_q <= place[31:16];
    else if (accept) left_q <= left_q - 16'd1;
    if (rst_q || !settled) final_q <= several_q && place[31:16] == 16'd1;
    else if (accept) final_q <= several_q && left_q == 16'd2;
    stopped_q <= !rst_q && settle_q != 3'd1 && (stopped_q || (accept && final_q));
  end
  for (genvar k = 0; k < 8; k++) begin : g_element
    logic [7:0] raw, extend;
    logic [2:0] bits;
    logic sign, bipolar;
    // keep: every element has its own.
    (* keep *)
    always_ff @(posedge clk_i) {bits, extend, bipolar} <= {bits_q, extend_q, bipolar_q};
    always_comb begin
      case (bits)
        3'd1: {sign, raw} = {word_q[k], 7'd0, word_q[k]};
        3'd2: {sign, raw} = {word_q[2*k+1], 6'd0, word_q[2*k+:2]};
        3'd3: {sign, raw} = {word_q[3*k+2], 5'd0, word_q[3*k+:3]};
        3'd4: {sign, raw} = {word_q[4*k+3], 4'd0, word_q[4*k+:4]};
        3'd5: {sign, raw} = {word_q[5*k+4], 3'd0, word_q[5*k+:5]};
        3'd6: {sign, raw} = {word_q[6*k+5], 2'd0, word_q[6*k+:6]};
        3'd7: {sign, raw} = {word_q[7*k+6], 1'd0, word_q[7*k+:7]};
        default: {sign, raw} = {1'b0, word_q[8*k+:8]};
      endcase
    end
    always_ff @(posedge clk_i)
      elements_q[8*k+:8] <= raw | (extend & {8{sign ^ bipolar}}) | {7'd0, bipolar};
  end

  // The ring: element e lies in lane e mod 8. ahead_q counts what has been accepted, more_q
  // what can be read beyond the next group.
  logic [3:0] write_q, need_q, need_1_q, next_need;
  logic [8:0] more_q;
  logic [6:0] read_q;
  logic [7:0] ahead_q;
  logic [4:0] take_q;
  logic [2:0] turn_q;
  logic open_q, buffer_select_q, frame_last_q, hold_q, emit;
  assign emit = open_q && !more_q[8] && !hold_q;
  always_ff @(posedge clk_i) begin
    if (rst_q) begin
      ready_q <= 1'b0;
      ahead_q <= 8'd0;
      write_q <= 4'd0;
      read_q <= 7'd0;
    end else begin
      ready_q <= !ahead_q[7] && ahead_q[6:4] != 3'd7 && !stopped_q && !(accept && final_q);  // room for two more words
      if (emit) ahead_q <= ahead_q + {4'd0, accept, 3'd0} - 8'(take_q);
      else if (accept) ahead_q <= ahead_q + 8'd8;
      if (emit) read_q <= read_q + 7'(take_q);
      write_q <= write_q + 4'(elements_valid_q);
    end
  end
  logic last_group_q, last_filled_q, filling_q, last_pixel_q, start_q, next_last, next_filled, next_filling, next_pixel;
  // Whatever follows is counted off, with the word that comes; only then it is chosen.
  logic [8:0] end_take_q, rest_take_q, more_end, more_rest, more_full, more_stay;
  assign more_end = more_q - end_take_q;
  assign more_rest = more_q - rest_take_q;
  assign more_full = elements_valid_q ? more_q : more_q - 9'd8;
  assign more_stay = elements_valid_q ? more_q + 9'd8 : more_q;
  always_ff @(posedge clk_i) begin
    end_take_q <= word_valid_q ? end_less_q : 9'(next_take_q);
    rest_take_q <= word_valid_q ? rest_less_q : 9'(rest_q);
    if (rst_q || !settled) more_q <= 9'd0 - 9'(first_need);
    else if (emit && frame_last_q) more_q <= more_end;
    else if (emit && !next_filling) more_q <= next_last ? more_rest : more_full;
    else more_q <= more_stay;
  end
  logic [63:0] lanes;
  logic [7:0] next_word;  // lanes whose element lies in the word behind
  assign next_word = ~(8'hFF << read_q[2:0]);
  for (genvar l = 0; l < 8; l++) begin : g_lane
    ram_sdp #(
        .Width(8),
        .Depth(16),
        .Style(2)
    ) u_ram (
        .clk_i,
        .we_i(elements_valid_q),
        .waddr_i(write_q),
        .wdata_i(elements_q[8*l+:8]),
        .re_i(!hold_q),
        .raddr_i(read_q[6:3] + 4'(next_word[l])),
        .rdata_o(lanes[8*l+:8])
    );
  end

  // Position of the group in its frame: last_* and need_q are known one step ahead, before_* tell two.
  logic [11:0] group_q, group_1_q;
  logic [15:0] pixel_index_q, address_q, address_1_q;
  logic [3:0] stored_1_q;
  logic before_group_q, before_filled_q, before_pixel_q, close_q, valid_1_q;
  logic later_q;  // the frame is not the first one of its batch
  assign tensor_end = emit && frame_last_q;
  assign frame_end = tensor_end && last_tensor_q;
  // Where the next frame's elements of each of several tensors go.
  ram_sdp #(
      .Width(16),
      .Depth(32),
      .Style(2)
  ) u_next (
      .clk_i,
      .we_i(tensor_end_q),
      .waddr_i(before_q),
      .wdata_i(address_q),
      .re_i(1'b1),
      .raddr_i(tensor_q),
      .rdata_o(resumed)
  );
  assign next_last = last_filled_q ? one_group_q : before_group_q;
  assign next_filled = last_filled_q ? one_filled_q : before_filled_q;
  assign next_filling = Planes && !last_filled_q && (filling_q || last_group_q);
  assign next_pixel = !last_filled_q ? last_pixel_q : last_pixel_q ? one_pixel_q : before_pixel_q;
  assign next_need = next_filling ? 4'd0 : next_last ? rest_q : 4'd8;
  always_ff @(posedge clk_i) begin
    if (!open_q) begin
      group_q <= 12'd0;
      last_group_q <= one_group_q;
      last_filled_q <= one_filled_q;
      filling_q <= 1'b0;
      before_group_q <= two_groups_q;
      before_filled_q <= two_filled_q;
      before_pixel_q <= two_pixels_q;
      need_q <= first_need;
      take_q <= one_filled_q && one_pixel_q ? last_take_q : {1'b0, first_need};
      pixel_index_q <= 16'd0;
      last_pixel_q <= one_pixel_q;
      frame_last_q <= one_filled_q && one_pixel_q;
      address_q <= later_q ? resumed : buffer_select_q ? second_q : first_q;
    end else if (emit) begin
      group_q <= last_filled_q ? 12'd0 : group_q + 12'd1;
      last_group_q <= next_last;
      before_group_q <= last_filled_q ? two_groups_q : group_q == groups_end_q;
      before_filled_q <= last_filled_q ? two_filled_q : group_q == filled_end_q;
      last_filled_q <= next_filled;
      filling_q <= next_filling;
      need_q <= next_need;
      take_q <= next_filled && next_pixel ? last_take_q : {1'b0, next_need};
      last_pixel_q <= next_pixel;
      frame_last_q <= next_filled && next_pixel;
      if (last_filled_q) begin
        before_pixel_q <= last_pixel_q ? two_pixels_q : pixel_index_q == pixels_end_q;
        pixel_index_q <= last_pixel_q ? 16'd0 : pixel_index_q + 16'd1;
        address_q <= address_q + shape[31:16];
      end
    end
    start_q <= !open_q || tensor_end || (start_q && !emit);
  end

  // The group: its lanes, then its elements.
  always_ff @(posedge clk_i) begin
    if (rst_q) begin
      valid_1_q <= 1'b0;
      m_valid_o <= 1'b0;
      hold_q <= 1'b0;
    end else begin
      hold_q <= (hold_q || valid_1_q) && !m_next_ready_i;  // a group stands and may not leave
      if (!hold_q) begin
        valid_1_q <= emit;
        m_valid_o <= valid_1_q;
      end
    end
    if (!hold_q) begin
      {turn_q, need_1_q, address_1_q, group_1_q, stored_1_q} <= {read_q[2:0], need_q, address_q, group_q, kind[8:5]};
      {m_pixel_o, m_group_o, m_stored_o} <= {address_1_q, group_1_q, stored_1_q};
    end
  end
  for (genvar k = 0; k < 8; k++) begin : g_group
    logic [2:0] lane;
    assign lane = 3'(k) + turn_q;
    always_ff @(posedge clk_i) if (!hold_q) m_elements_o[8*k+:8] <= 4'(k) < need_1_q ? lanes[8*lane+:8] : 8'd0;
  end

  // Frames of the buffer that is filled, and the two buffers: a cycle behind the groups.
  logic last_frame_q, flush_q, idle_end_q, close, head_q, computing_q;
  logic [7:0] frames_q, frames_0_q, frames_1_q;
  logic [1:0] full_q;
  logic [31:0] idle_q;
  assign close = open_q && ((frame_end && last_frame_q) || flush_q);
  always_ff @(posedge clk_i) begin
    if (rst_q) begin
      open_q <= 1'b0;
      close_q <= 1'b0;
      buffer_select_q <= 1'b0;
      full_q <= 2'd0;
      head_q <= 1'b0;
      computing_q <= 1'b0;
    end else begin
      open_q <= open_q ? !close && !(tensor_end && several_q) : settled && !close_q && !full_q[buffer_select_q];
      close_q <= close;
      if (close_q) begin
        buffer_select_q <= !buffer_select_q;
        full_q[buffer_select_q] <= 1'b1;
      end
      if (batch_take_i) computing_q <= 1'b1;
      if (release_i && computing_q) begin
        full_q[head_q] <= 1'b0;
        head_q <= !head_q;
        computing_q <= 1'b0;
      end
    end
    if (rst_q || close_q) begin
      frames_q <= 8'd0;
      later_q <= 1'b0;
      last_frame_q <= one_frame_q;
    end else if (frame_end) begin
      frames_q <= frames_q + 8'd1;
      later_q <= 1'b1;
      last_frame_q <= frames_q == batch_end_q;
    end
    if (close_q && !buffer_select_q) frames_0_q <= frames_q;
    if (close_q && buffer_select_q) frames_1_q <= frames_q;
    idle_q <= accept || stopped_q || rst_q ? 32'd0 : idle_q + 32'd1;
    idle_end_q <= idle_q >= idle_i;
    flush_q <= open_q && idle_end_q && start_q && ahead_q == 8'd0 && later_q && first_tensor_q && !flush_q && !rst_q;
  end
  assign batch_valid_o = full_q[head_q] && !computing_q;
  assign batch_buffer_o = head_q;
  assign batch_frames_o = head_q ? frames_1_q : frames_0_q;
endmodule
