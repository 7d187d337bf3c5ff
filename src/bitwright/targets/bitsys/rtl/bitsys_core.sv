// SPDX-License-Identifier: Apache-2.0
// The whole accelerator: program in over AXI4-Lite, frames in and results out over AXI4-Stream.
//
// One layer at a time: bitsys_fetch reads its source, the array or the vector stage computes, the post stage turns sums
// into the next layer's activations, bitsys_store writes them. Input and output of other batches go on meanwhile.
// Inside, time is fixed by the descriptors alone: only the streams at the edge can wait.
// s_axis_tdata: eight elements of an input's bits; m_axis_tdata: one element of 32 bits. With WeightStream, weights
// that do not fit on chip come in on s_axis_weights, as bitsys_weight_stream takes them; without it, it is never ready.
// With External, everything but a few settings comes from the memory at m_axi (bitsys_external): descriptors, weights,
// parameters, tables, and the activations that do not stay on chip. m_axi has beats of 64 bits.
// PortWords: words of activations that are read at once.
module bitsys_core #(
    parameter int unsigned Unit           = 0,
    parameter int unsigned Rows           = 8,
    parameter int unsigned Columns        = 8,
    parameter int unsigned Slots          = 4,
    parameter int unsigned RowWords       = 256,
    parameter int unsigned WeightLines    = 1024,
    parameter int unsigned ActWords       = 1024,
    parameter int unsigned ParamGroups    = 256,
    parameter int unsigned TableEntries   = 1024,
    parameter int unsigned OutputGroups   = 64,
    parameter int unsigned Layers         = 32,
    parameter int unsigned MultiplierBits = 25,
    parameter bit          WeightStream   = 1'b0,
    parameter bit          External       = 1'b0,
    parameter int unsigned PortWords      = 1
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [63:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    output logic [31:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic        m_axis_tlast,
    input  logic [63:0] s_axis_weights_tdata,
    input  logic        s_axis_weights_tvalid,
    output logic        s_axis_weights_tready,
    input  logic [23:0] s_axil_awaddr,
    input  logic [ 2:0] s_axil_awprot,
    input  logic        s_axil_awvalid,
    output logic        s_axil_awready,
    input  logic [31:0] s_axil_wdata,
    input  logic [ 3:0] s_axil_wstrb,
    input  logic        s_axil_wvalid,
    output logic        s_axil_wready,
    output logic [ 1:0] s_axil_bresp,
    output logic        s_axil_bvalid,
    input  logic        s_axil_bready,
    input  logic [23:0] s_axil_araddr,
    input  logic [ 2:0] s_axil_arprot,
    input  logic        s_axil_arvalid,
    output logic        s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [ 1:0] s_axil_rresp,
    output logic        s_axil_rvalid,
    input  logic        s_axil_rready,
    output logic [199:0] m_axi_o,  // as bitsys_external's bus
    input  logic [75:0] m_axi_i
);
  `include "bitsys_registers.svh"
  localparam bit Planes = Unit == 1;

  // Control
  logic [23:0] bus_addr;
  logic [31:0] bus_wdata, bus_rdata, wdata, input_base, idle;
  logic bus_we, bus_re, bus_rvalid, writable, readable, layers_we, param_we, table_we, weight_we, inputs_we, outputs_we;
  logic run;
  logic [18:0] windex;
  logic [4:0] inputs, outputs;
  logic [7:0] batch, batch_frames, layer_index, output_frames;
  logic running, waiting, output_busy, operands, output_start, fetching, weights_ready, weights_free, weights_wait;
  logic output_wait, loads_wait, stores_wait, input_wait, output_final, layer_done, batch_done;
  logic error;
  logic [1:0] error_kind;
  logic [39:0] memory, error_address;
  logic [31:0] records, repeated;
  axil_bus #(
      .AddrBits(AddressBits)
  ) u_bus (
      .clk_i, .rst_i, .s_axil_awaddr, .s_axil_awprot, .s_axil_awvalid, .s_axil_awready,
      .s_axil_wdata, .s_axil_wstrb, .s_axil_wvalid, .s_axil_wready, .s_axil_bresp, .s_axil_bvalid, .s_axil_bready,
      .s_axil_araddr, .s_axil_arprot, .s_axil_arvalid, .s_axil_arready,
      .s_axil_rdata, .s_axil_rresp, .s_axil_rvalid, .s_axil_rready, .addr_o(bus_addr), .wdata_o(bus_wdata),
      .we_o(bus_we), .re_o(bus_re), .rdata_i(bus_rdata), .rvalid_i(bus_rvalid),
      .writable_i(writable), .readable_i(readable)
  );
  bitsys_control #(
      .External(External)
  ) u_control (
      .clk_i, .rst_i, .addr_i(bus_addr), .wdata_i(bus_wdata), .we_i(bus_we), .re_i(bus_re), .rdata_o(bus_rdata),
      .rvalid_o(bus_rvalid), .writable_o(writable), .readable_o(readable), .layers_we_o(layers_we),
      .param_we_o(param_we), .table_we_o(table_we), .weight_we_o(weight_we), .inputs_we_o(inputs_we),
      .outputs_we_o(outputs_we), .windex_o(windex), .wdata_o(wdata), .run_o(run), .batch_o(batch),
      .input_base_o(input_base), .inputs_o(inputs), .outputs_o(outputs), .idle_o(idle), .memory_o(memory),
      .records_o(records), .repeated_o(repeated), .input_seen_i(s_axis_tvalid && s_axis_tready), .running_i(running),
      .waiting_i(waiting), .output_busy_i(output_busy), .array_valid_i(operands), .weights_wait_i(weights_wait),
      .output_wait_i(output_wait), .loads_wait_i(loads_wait), .stores_wait_i(stores_wait), .input_wait_i(input_wait),
      .error_i(error), .error_kind_i(error_kind), .error_address_i(error_address), .batch_done_i(batch_done),
      .fetching_i(fetching), .layer_index_i(layer_index)
  );

  // Program
  logic batch_valid, batch_buffer, batch_take, release_input, start, buffer_select, busy;
  logic [32*LayerWords-1:0] layer;
  assign waiting = batch_valid;

  // External memory; what it loads takes the place of what the bus writes.
  logic descriptor, descriptor_we, store_weight_we, store_param_we, store_table_we;
  logic [18:0] descriptor_windex, store_windex;
  logic [63:0] descriptor_wdata, store_wdata, save_data, load_data;
  logic [15:0] loads_done, stores_done, save_addr, load_addr;
  logic save_valid, save_ready, save_answer, load_valid, load_ready;
  if (External) begin : g_external
    bitsys_external #(
        .Layers(Layers)
    ) u_external (
        .clk_i, .rst_i, .run_i(run), .memory_i(memory), .records_i(records), .repeated_i(repeated), .error_o(error),
        .error_kind_o(error_kind), .error_address_o(error_address), .layer_done_i(layer_done),
        .layers_we_o(descriptor_we), .layers_windex_o(descriptor_windex), .layers_wdata_o(descriptor_wdata),
        .layer_o(descriptor), .loads_done_o(loads_done), .stores_done_o(stores_done), .save_valid_o(save_valid),
        .save_ready_i(save_ready), .save_addr_o(save_addr), .save_data_i(save_data), .save_valid_i(save_answer),
        .load_valid_o(load_valid), .load_ready_i(load_ready), .load_addr_o(load_addr), .load_data_o(load_data),
        .weight_we_o(store_weight_we), .param_we_o(store_param_we), .table_we_o(store_table_we),
        .windex_o(store_windex), .wdata_o(store_wdata), .bus_o(m_axi_o), .bus_i(m_axi_i)
    );
  end else begin : g_bus
    assign {error, error_kind, error_address} = '0;
    assign {descriptor, loads_done, stores_done, m_axi_o} = '0;
    assign {save_valid, save_addr, load_valid, load_addr, load_data} = '0;
    assign descriptor_we = layers_we;
    assign descriptor_windex = windex;
    assign descriptor_wdata = {2{wdata}};
    assign {store_weight_we, store_param_we, store_table_we} = {weight_we, param_we, table_we};
    assign store_windex = windex;
    assign store_wdata = {32'd0, wdata};
    logic unused;
    assign unused = ^{memory, records, repeated, save_ready, load_ready, save_data, save_answer, m_axi_i};
  end
  bitsys_sequencer #(
      .Layers(Layers), .External(External)
  ) u_sequencer (
      .clk_i, .rst_i, .run_i(run), .we_i(descriptor_we), .windex_i(descriptor_windex), .wdata_i(descriptor_wdata),
      .layer_i(descriptor), .loads_done_i(loads_done), .stores_done_i(stores_done), .batch_valid_i(batch_valid),
      .batch_buffer_i(batch_buffer), .batch_frames_i(batch_frames), .batch_take_o(batch_take),
      .release_o(release_input), .start_o(start), .layer_o(layer), .buffer_o(buffer_select), .busy_i(busy),
      .output_start_o(output_start), .output_frames_o(output_frames), .output_final_o(output_final),
      .output_busy_i(output_busy), .weights_ready_i(weights_ready), .weights_free_o(weights_free),
      .weights_wait_o(weights_wait), .output_wait_o(output_wait), .loads_wait_o(loads_wait),
      .stores_wait_o(stores_wait), .input_wait_o(input_wait), .running_o(running), .fetching_o(fetching),
      .done_o(layer_done), .batch_done_o(batch_done), .layer_index_o(layer_index)
  );

  // Input
  logic in_valid, in_next_ready;
  logic [63:0] in_elements;
  logic [15:0] in_pixel;
  logic [11:0] in_group;
  logic [3:0] in_stored;
  bitsys_input #(
      .Planes(Planes), .External(External)
  ) u_input (
      .clk_i, .rst_i, .run_i(run), .batch_i(batch), .base_i(input_base), .idle_i(idle), .tensors_i(inputs),
      .we_i(inputs_we), .windex_i(windex[6:0]), .wdata_i(wdata), .s_axis_tdata(s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready), .m_valid_o(in_valid),
      .m_next_ready_i(in_next_ready), .m_elements_o(in_elements), .m_pixel_o(in_pixel), .m_group_o(in_group),
      .m_stored_o(in_stored), .batch_valid_o(batch_valid), .batch_buffer_o(batch_buffer),
      .batch_frames_o(batch_frames), .batch_take_i(batch_take), .release_i(release_input)
  );

  // Source
  logic [15:0] input_start, base_a, base_b, read_addr, write_pixel;
  logic [11:0] write_group;
  logic [3:0] write_stored;
  logic [2:0] read_byte;
  logic [63:0] write_elements, write_high;
  logic [64*PortWords-1:0] read_data, row_data;
  logic read_group, write, write_wide, write_half, write_word, word_read, fetch_busy;
  logic [1:0] half_free;
  logic one_free, two_free;
  logic row_we, row_half, row_last, claim, loaded;
  logic [PortWords-1:0] row_inside;
  logic [7:0] row;
  logic [10:0] row_pos;
  logic [3:0] row_plane;
  logic item_valid, item_inside, item_first, item_last, item_b, item_half, item_pixel_last;
  logic [11:0] item_group;
  // Of the buffer at work, which is chosen long before a layer reads it.
  always_ff @(posedge clk_i) input_start <= input_base[15:0] + (buffer_select ? input_base[31:16] : 16'd0);
  assign base_a = layer[FSrcBase+:WSrcBase] + (layer[FSrcInput] ? input_start : 16'd0);
  assign base_b = layer[FSrcbBase+:WSrcbBase] + (layer[FSrcbInput] ? input_start : 16'd0);
  bitsys_fetch #(
      .Rows  (Rows), .Planes(Planes), .PortWords(PortWords)
  ) u_fetch (
      .clk_i, .rst_i, .start_i(start), .layer_i(layer), .base_a_i(base_a), .base_b_i(base_b), .busy_o(fetch_busy),
      .read_group_o(read_group), .read_addr_o(read_addr), .read_byte_o(read_byte), .half_free_i(half_free),
      .one_free_i(one_free), .two_free_i(two_free), .row_we_o(row_we), .row_half_o(row_half), .row_o(row), .row_pos_o(row_pos), .row_plane_o(row_plane),
      .row_inside_o(row_inside), .row_last_o(row_last), .claim_o(claim), .loaded_o(loaded),
      .item_valid_o(item_valid), .item_inside_o(item_inside), .item_first_o(item_first), .item_last_o(item_last),
      .item_b_o(item_b), .item_half_o(item_half), .item_group_o(item_group), .item_pixel_last_o(item_pixel_last)
  );
  bitsys_memory #(
      .Depth (ActWords), .Planes(Planes), .External(External), .PortWords(PortWords)
  ) u_memory (
      .clk_i, .rgroup_i(read_group), .raddr_i(read_addr), .rbyte_i(read_byte), .rdata_o(read_data), .we_i(write),
      .wpixel_i(write_pixel), .wgroup_i(write_group), .wstored_i(write_stored),
      .wwide_i(write_wide), .whalf_i(write_half), .welements_i(write_elements), .whigh_i(write_high), .wword_i(write_word),
      .word_re_i(word_read), .word_valid_o(save_answer), .word_o(save_data)
  );
  for (genvar k = 0; k < PortWords; k++) begin : g_row_data
    assign row_data[64*k+:64] = row_inside[k] ? read_data[64*k+:64] : {layer[FPadHigh+:WPadHigh], layer[FPadLow+:WPadLow]};
  end

  // Computation
  logic array_busy, array_valid, vector_busy, vector_valid, post_busy, post_valid, store_busy, out_we;
  logic [255:0] array_value, vector_value, code, out_data;
  logic vector_q;  // of the layer, whose first group comes long after its start
  always_ff @(posedge clk_i) vector_q <= layer[FVector];
  logic [15:0] array_group, array_pixel, vector_group, vector_pixel, code_group, code_pixel, out_addr;
  bitsys_array #(
      .Unit(Unit), .Rows(Rows), .Columns(Columns), .Slots(Slots), .RowWords(RowWords), .WeightLines(WeightLines),
      .WeightStream(WeightStream), .External(External), .PortWords(PortWords)
  ) u_array (
      .clk_i(clk_i), .rst_i(rst_i), .start_i(start), .layer_i(layer), .busy_o(array_busy), .operands_o(operands),
      .run_i(run), .weight_we_i(store_weight_we), .windex_i(store_windex), .wdata_i(store_wdata),
      .s_axis_tdata(s_axis_weights_tdata), .s_axis_tvalid(s_axis_weights_tvalid),
      .s_axis_tready(s_axis_weights_tready), .weights_ready_o(weights_ready), .weights_free_i(weights_free),
      .half_free_o(half_free), .one_free_o(one_free), .two_free_o(two_free),
      .row_we_i(row_we), .row_half_i(row_half), .row_i(row), .row_pos_i(row_pos),
      .row_plane_i(row_plane), .row_last_i(row_last), .claim_i(claim), .loaded_i(loaded), .row_data_i(row_data),
      .valid_o(array_valid), .value_o(array_value), .group_o(array_group), .pixel_o(array_pixel)
  );
  bitsys_vector #(
      .Planes(Planes), .PortWords(PortWords)
  ) u_vector (
      .clk_i, .rst_i, .start_i(start), .layer_i(layer), .valid_i(item_valid), .inside_i(item_inside),
      .first_i(item_first), .last_i(item_last), .is_b_i(item_b), .half_i(item_half), .group_i(item_group),
      .pixel_last_i(item_pixel_last), .bytes_i(read_data), .busy_o(vector_busy), .valid_o(vector_valid),
      .value_o(vector_value), .group_o(vector_group), .pixel_o(vector_pixel)
  );
  bitsys_post #(
      .ParamGroups(ParamGroups), .TableEntries(TableEntries), .MultiplierBits(MultiplierBits)
  ) u_post (
      .clk_i, .rst_i, .layer_i(layer), .param_we_i(store_param_we), .table_we_i(store_table_we),
      .windex_i(store_windex), .wdata_i(store_wdata[31:0]), .valid_i(array_valid || vector_valid),
      .value_i(vector_q ? vector_value : array_value), .group_i(vector_q ? vector_group : array_group),
      .pixel_i(vector_q ? vector_pixel : array_pixel), .busy_o(post_busy), .valid_o(post_valid), .code_o(code),
      .group_o(code_group), .pixel_o(code_pixel)
  );
  assign busy = fetch_busy || array_busy || vector_busy || post_busy || store_busy;

  // Results
  bitsys_store #(
      .PortWords(PortWords)
  ) u_store (
      .clk_i(clk_i), .rst_i(rst_i), .layer_i(layer), .valid_i(post_valid), .code_i(code), .group_i(code_group),
      .pixel_i(code_pixel), .busy_o(store_busy), .s_valid_i(in_valid), .s_next_ready_o(in_next_ready),
      .s_elements_i(in_elements), .s_pixel_i(in_pixel), .s_group_i(in_group), .s_stored_i(in_stored), .we_o(write),
      .wpixel_o(write_pixel), .wgroup_o(write_group), .wstored_o(write_stored),
      .wwide_o(write_wide), .whalf_o(write_half), .welements_o(write_elements), .whigh_o(write_high), .wword_o(write_word),
      .word_re_o(word_read), .save_valid_i(save_valid), .save_ready_o(save_ready), .save_addr_i(save_addr),
      .load_valid_i(load_valid), .load_ready_o(load_ready), .load_addr_i(load_addr), .load_data_i(load_data),
      .out_we_o(out_we), .out_addr_o(out_addr), .out_data_o(out_data)
  );
  bitsys_output #(
      .Groups(OutputGroups)
  ) u_output (
      .clk_i(clk_i), .rst_i(rst_i), .tensors_i(outputs), .settings_we_i(outputs_we), .windex_i(windex[6:0]),
      .settings_i(wdata), .start_i(output_start), .frames_i(output_frames), .final_i(output_final),
      .busy_o(output_busy), .we_i(out_we), .waddr_i(out_addr), .wdata_i(out_data), .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tlast(m_axis_tlast)
  );
endmodule
