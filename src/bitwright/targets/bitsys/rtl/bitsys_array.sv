// SPDX-License-Identifier: Apache-2.0
// The array with its operand memories, sequenced: row buffers, weights, grid of one kind of unit, result buffer.
//
// Unit: 0 containers, 1 bit planes, 2 plain 8-bit multiply-accumulate, 3 pairs of them in DSP blocks. Rows is even, Columns a power
// of two from 8 on. Weights come from the control bus, 32 bits a word, and with WeightStream from s_axis (bitsys_weight_stream);
// with External they are words of 64 bits. PortWords words come for the row buffers at once; with more than one, operands
// take a cycle more, and Planes is illegal.
module bitsys_array #(
    parameter int unsigned Unit         = 0,
    parameter int unsigned Rows         = 8,
    parameter int unsigned Columns      = 8,
    parameter int unsigned Slots        = 4,
    parameter int unsigned RowWords     = 256,
    parameter int unsigned WeightLines  = 1024,
    parameter bit          WeightStream = 1'b0,
    parameter bit          External     = 1'b0,
    parameter int unsigned PortWords    = 1,
    localparam bit Planes = Unit == 1,
    localparam int unsigned WordBits = Planes ? 64 : 8,
    localparam int unsigned Latency = Unit == 0 ? 5 : Unit == 1 ? 7 : Unit == 2 ? 3 : 6
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             start_i,
    input  logic [32*28-1:0] layer_i,
    output logic             busy_o,
    output logic             operands_o,
    input  logic             run_i,
    input  logic             weight_we_i,
    input  logic [     18:0] windex_i,
    input  logic [     63:0] wdata_i,
    input  logic [     63:0] s_axis_tdata,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    output logic             weights_ready_o,
    input  logic             weights_free_i,
    output logic [      1:0] half_free_o,
    output logic             one_free_o,
    output logic             two_free_o,
    input  logic             row_we_i,
    input  logic             row_half_i,
    input  logic [      7:0] row_i,
    input  logic [     10:0] row_pos_i,
    input  logic [      3:0] row_plane_i,
    input  logic             row_last_i,
    input  logic             claim_i,
    input  logic             loaded_i,
    input  logic [64*PortWords-1:0] row_data_i,
    output logic             valid_o,
    output logic [    255:0] value_o,
    output logic [     15:0] group_o,
    output logic [     15:0] pixel_o
);
  `include "bitsys_registers.svh"
  if (Unit > 3 || Rows < 2 || Rows % 2 != 0 || Columns < 8 || (Columns & (Columns - 1)) != 0 || Slots < 2
      || (Slots & (Slots - 1)) != 0) begin : g_illegal
    $error("bitsys_array: Unit 0..3, Rows >= 2 and even, Columns >= 8 and Slots >= 2, powers of two, are legal");
  end

  // Words for the row buffers, a cycle later.
  logic row_we_q, row_half_q, row_last_q, loaded_q;
  logic [7:0] row_q;
  logic [10:0] row_pos_q;
  logic [3:0] row_plane_q;
  logic [64*PortWords-1:0] row_data_q;
  always_ff @(posedge clk_i) begin
    row_we_q <= row_we_i;
    loaded_q <= loaded_i && !rst_i;
    {row_half_q, row_q, row_pos_q, row_plane_q, row_last_q} <= {row_half_i, row_i, row_pos_i, row_plane_i, row_last_i};
    row_data_q <= row_data_i;
  end

  // Halves of the row buffers: claimed by the loader's last read, loaded by its last write, released by the last step.
  logic release_half, next_half, half, claimed_q;
  logic [1:0] taken_q, full_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || start_i) begin
      taken_q <= 2'd0;
      full_q <= 2'd0;
      claimed_q <= 1'b0;
    end else begin
      if (claim_i) begin
        taken_q[claimed_q] <= 1'b1;
        claimed_q <= !claimed_q;
      end
      if (loaded_q) full_q[row_half_q] <= 1'b1;
      if (release_half) begin
        taken_q[half] <= 1'b0;
        full_q[half] <= 1'b0;
      end
    end
  end
  assign half_free_o = ~taken_q;

  logic steps_busy, drain_busy, slot_free, claim_slot, valid, first, last, shift, negate;
  // Depthwise layers: rows of taps instead of halves.
  localparam int unsigned PosBits = $clog2(RowWords);
  logic depthwise, next_tile, tile_loaded, whalf, rhalf;
  logic [15:0] a_addr, a_ahead;
  if (Planes) begin : g_no_ring
    assign depthwise = 1'b0;
    assign {one_free_o, two_free_o, tile_loaded, a_ahead, whalf, rhalf} = {19'd0, row_half_q, half};
  end else begin : g_ring
    logic ring_loaded;
    always_ff @(posedge clk_i) depthwise <= layer_i[FDepthwise];
    bitsys_ring u_ring (
        .clk_i(clk_i),
        .start_i(start_i),
        .layer_i(layer_i),
        .claim_i(claim_i),
        .loaded_i(loaded_q),
        .tile_i(claim_slot),
        .next_i(next_tile),
        .release_i(release_half),
        .one_free_o(one_free_o),
        .two_free_o(two_free_o),
        .loaded_o(ring_loaded),
        .ahead_o(a_ahead)
    );
    assign tile_loaded = depthwise && ring_loaded;
    assign whalf = depthwise ? row_pos_q[PosBits] : row_half_q;
    assign rhalf = depthwise ? a_addr[3+PosBits] : half;
  end

  logic [19:0] w_addr, w_addr_late;
  bitsys_steps #(
      .Rows  (Rows),
      .Planes(Planes)
  ) u_steps (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .start_i(start_i),
      .layer_i(layer_i),
      .busy_o(steps_busy),
      .loaded_i(depthwise ? tile_loaded : full_q[next_half]),
      .next_tile_o(next_tile),
      .a_ahead_i(a_ahead),
      .slot_free_i(slot_free),
      .claim_slot_o(claim_slot),
      .release_half_o(release_half),
      .next_half_o(next_half),
      .half_o(half),
      .valid_o(valid),
      .first_o(first),
      .last_o(last),
      .shift_o(shift),
      .negate_o(negate),
      .a_addr_o(a_addr),
      .w_addr_o(w_addr)
  );

  // Weights: 32-bit halves from the bus, 64-bit words from the stream.
  logic stream_we;
  logic [18:0] stream_windex;
  logic [63:0] stream_wdata;
  if (WeightStream) begin : g_weight_stream
    bitsys_weight_stream #(
        .LineWords(Columns * WordBits / 64)
    ) u_weight_stream (
        .clk_i(clk_i),
        .rst_i(rst_i),
        .run_i(run_i),
        .s_axis_tdata(s_axis_tdata),
        .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tready(s_axis_tready),
        .blocked_i(weight_we_i),
        .we_o(stream_we),
        .windex_o(stream_windex),
        .wdata_o(stream_wdata),
        .ready_o(weights_ready_o),
        .free_i(weights_free_i)
    );
  end else begin : g_no_weight_stream
    assign s_axis_tready = 1'b0;
    assign {stream_we, stream_windex, stream_wdata} = '0;
    assign weights_ready_o = 1'b1;
  end

  logic [Rows*WordBits-1:0] a;
  logic [Rows*64-1:0] own;
  logic [Columns*WordBits-1:0] b;
  bitsys_rows #(
      .Rows(Rows),
      .Words(RowWords),
      .Planes(Planes),
      .PortWords(PortWords)
  ) u_rows (
      .clk_i(clk_i),
      .we_i(row_we_q),
      .whalf_i(whalf),
      .row_i(row_q),
      .pos_i(row_pos_q[9:0]),
      .wdata_i(row_data_q),
      .depthwise_i(depthwise),
      .step_i(layer_i[FRowStep+:WRowStep]),
      .taps_i(layer_i[FRowTaps+:WRowTaps]),
      .words_i(layer_i[FRowWords+:WRowWords]),
      .rhalf_i(rhalf),
      .raddr_i(a_addr),
      .operand_o(a),
      .word_o(own)
  );
  bitsys_weights #(
      .Columns(Columns),
      .Lines(WeightLines),
      .Planes(Planes)
  ) u_weights (
      .clk_i(clk_i),
      .we_i({2{stream_we}} | (!weight_we_i ? 2'd0 : External ? 2'd3 : 2'd1 << windex_i[0])),
      .windex_i(stream_we ? stream_windex : External ? windex_i : windex_i >> 1),
      .wdata_i(stream_we ? stream_wdata : External ? wdata_i : {2{wdata_i[31:0]}}),
      .raddr_i(w_addr_late),
      .operand_o(b)
  );

  // Weights take three cycles.
  if (PortWords > 1) begin : g_late
    always_ff @(posedge clk_i) w_addr_late <= w_addr;
  end else begin : g_at_once
    assign w_addr_late = w_addr;
  end

  // Control beside the cycles that the operands take.
  localparam int unsigned Operands = PortWords > 1 ? 4 : 3;
  logic [5*Operands-1:0] control_q;
  logic [4:0] control;
  always_ff @(posedge clk_i) control_q <= rst_i ? '0 : {control_q[5*(Operands-1)-1:0], valid, first, last, shift, negate};
  assign control = control_q[5*(Operands-1)+:5];
  logic [32*Rows*Columns-1:0] acc;
  bitsys_grid #(
      .Unit(Unit),
      .Rows(Rows),
      .Columns(Columns)
  ) u_grid (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .a_i(a),
      .own_i(own),
      .depthwise_i(depthwise),
      .b_i(b),
      .mode_i(layer_i[FMode+:WMode]),
      .signed_a_i(layer_i[FSignedA]),
      .signed_b_i(layer_i[FSignedB]),
      .valid_i(control[4]),
      .first_i(control[3]),
      .shift_i(control[1]),
      .negate_i(control[0]),
      .acc_o(acc)
  );

  logic written;
  logic [$clog2(Slots)-1:0] rslot;
  logic [$clog2(Rows)-1:0] rrow;
  logic [32*Columns-1:0] rdata;
  bitsys_results #(
      .Rows(Rows),
      .Columns(Columns),
      .Slots(Slots),
      .Latency(Latency)
  ) u_results (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .done_i(control[2]),
      .acc_i(acc),
      .written_o(written),
      .rslot_i(rslot),
      .rrow_i(rrow),
      .rdata_o(rdata)
  );

  logic [$clog2(Slots):0] sum_tile;
  logic [31:0] sum;
  if (Planes) begin : g_sums
    bitsys_sums #(
        .Rows (Rows),
        .Slots(Slots)
    ) u_sums (
        .clk_i(clk_i),
        .start_i(start_i),
        .layer_i(layer_i),
        .we_i(row_we_q),
        .row_i(row_q),
        .plane_i(row_plane_q),
        .last_i(row_last_q),
        .tile_end_i(loaded_q),
        .data_i(row_data_q[63:0]),
        .rtile_i(sum_tile),
        .rrow_i(rrow),
        .sum_o(sum)
    );
  end else begin : g_no_sums
    assign sum = 32'd0;
  end

  bitsys_drain #(
      .Rows(Rows),
      .Columns(Columns),
      .Slots(Slots),
      .Planes(Planes)
  ) u_drain (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .start_i(start_i),
      .layer_i(layer_i),
      .busy_o(drain_busy),
      .claim_i(claim_slot),
      .written_i(written),
      .slot_free_o(slot_free),
      .rslot_o(rslot),
      .rrow_o(rrow),
      .rdata_i(rdata),
      .sum_tile_o(sum_tile),
      .sum_i(sum),
      .valid_o(valid_o),
      .value_o(value_o),
      .group_o(group_o),
      .pixel_o(pixel_o)
  );
  assign busy_o = steps_busy || drain_busy;
  assign operands_o = valid;
endmodule
