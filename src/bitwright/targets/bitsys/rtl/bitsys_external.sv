// SPDX-License-Identifier: Apache-2.0
// External memory: records to descriptors and transfers, loads and stores, behind one AXI4 master.
//
// The master's two readers are that of the records and that of the loads; its writer is that of the stores. All places
// count from memory_i on. An error response ends the records: what is under way still comes to its end.
module bitsys_external #(
    parameter int unsigned Layers = 32
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic        run_i,
    input  logic [39:0] memory_i,
    input  logic [31:0] records_i,
    input  logic [31:0] repeated_i,
    output logic        error_o,
    output logic [ 1:0] error_kind_o,
    output logic [39:0] error_address_o,
    // The sequencer
    input  logic        layer_done_i,
    output logic        layers_we_o,
    output logic [18:0] layers_windex_o,
    output logic [63:0] layers_wdata_o,
    output logic        layer_o,
    output logic [15:0] loads_done_o,
    output logic [15:0] stores_done_o,
    // Activations
    output logic        save_valid_o,
    input  logic        save_ready_i,
    output logic [15:0] save_addr_o,
    input  logic [63:0] save_data_i,
    input  logic        save_valid_i,
    output logic        load_valid_o,
    input  logic        load_ready_i,
    output logic [15:0] load_addr_o,
    output logic [63:0] load_data_o,
    // Weights, parameters, tables
    output logic        weight_we_o,
    output logic        param_we_o,
    output logic        table_we_o,
    output logic [18:0] windex_o,
    output logic [63:0] wdata_o,
    // The bus: the ports of axi_master, the first one in the highest bits
    output logic [199:0] bus_o,
    input  logic [75:0] bus_i
);
  logic m_axi_arid, m_axi_arvalid, m_axi_rready, m_axi_awid, m_axi_awvalid, m_axi_wlast, m_axi_wvalid,
    m_axi_bready, m_axi_arready, m_axi_rid, m_axi_rlast, m_axi_rvalid, m_axi_awready, m_axi_wready, m_axi_bid,
    m_axi_bvalid;
  logic [1:0] m_axi_arburst, m_axi_awburst, m_axi_rresp, m_axi_bresp;
  logic [2:0] m_axi_arsize, m_axi_arprot, m_axi_awsize, m_axi_awprot;
  logic [3:0] m_axi_arcache, m_axi_awcache;
  logic [7:0] m_axi_arlen, m_axi_awlen, m_axi_wstrb;
  logic [39:0] m_axi_araddr, m_axi_awaddr;
  logic [63:0] m_axi_wdata, m_axi_rdata;
  assign bus_o = {
    m_axi_arid, m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst, m_axi_arcache, m_axi_arprot, m_axi_arvalid,
    m_axi_rready, m_axi_awid, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst, m_axi_awcache, m_axi_awprot,
    m_axi_awvalid, m_axi_wdata, m_axi_wstrb, m_axi_wlast, m_axi_wvalid, m_axi_bready
  };
  assign {
    m_axi_arready, m_axi_rid, m_axi_rdata, m_axi_rresp, m_axi_rlast, m_axi_rvalid, m_axi_awready, m_axi_wready,
    m_axi_bid, m_axi_bresp, m_axi_bvalid
  } = bus_i;
  logic [1:0][31:0] read_offset;
  logic [1:0][36:0] read_beat;
  logic [1:0][23:0] read_words;
  logic [1:0] read_valid, read_ready, r_valid, r_ready;
  logic [1:0][63:0] r_data;
  logic [31:0] write_offset;
  logic [23:0] write_words;
  logic write_end, write_valid, write_ready, w_valid, w_ready, written, load_done;
  logic [63:0] w_data;
  logic [162:0] transfer;
  logic load_valid, load_ready, store_valid, store_ready;
  logic [15:0] layers_done;
  logic unused;
  bitsys_records #(
      .Layers(Layers)
  ) u_records (
      .clk_i, .rst_i, .run_i,
      .records_i, .repeated_i,
      .hold_i(error_o),
      .cmd_offset_o(read_offset[0]),
      .cmd_words_o(read_words[0]),
      .cmd_valid_o(read_valid[0]),
      .cmd_ready_i(read_ready[0]),
      .s_data_i(r_data[0]),
      .s_valid_i(r_valid[0]),
      .s_ready_o(r_ready[0]),
      .layer_done_i,
      .load_done_i(load_done),
      .store_done_i(written),
      .layers_done_o(layers_done),
      .loads_done_o, .stores_done_o,
      .layers_we_o,
      .windex_o(layers_windex_o),
      .wdata_o(layers_wdata_o),
      .layer_o,
      .transfer_o(transfer),
      .load_valid_o(load_valid),
      .load_ready_i(load_ready),
      .store_valid_o(store_valid),
      .store_ready_i(store_ready)
  );
  bitsys_load u_load (
      .clk_i, .rst_i, .run_i,
      .layers_done_i(layers_done),
      .stores_done_i(stores_done_o),
      .s_transfer_i(transfer),
      .s_valid_i(load_valid),
      .s_ready_o(load_ready),
      .done_o(load_done),
      .cmd_offset_o(read_offset[1]),
      .cmd_words_o(read_words[1]),
      .cmd_valid_o(read_valid[1]),
      .cmd_ready_i(read_ready[1]),
      .r_data_i(r_data[1]),
      .r_valid_i(r_valid[1]),
      .r_ready_o(r_ready[1]),
      .act_valid_o(load_valid_o),
      .act_ready_i(load_ready_i),
      .act_addr_o(load_addr_o),
      .act_data_o(load_data_o),
      .weight_we_o, .param_we_o, .table_we_o, .windex_o, .wdata_o
  );
  bitsys_save u_save (
      .clk_i, .rst_i, .run_i,
      .layers_done_i(layers_done),
      .stores_done_i(stores_done_o),
      .s_transfer_i(transfer),
      .s_valid_i(store_valid),
      .s_ready_o(store_ready),
      .cmd_offset_o(write_offset),
      .cmd_words_o(write_words),
      .cmd_end_o(write_end),
      .cmd_valid_o(write_valid),
      .cmd_ready_i(write_ready),
      .m_data_o(w_data),
      .m_valid_o(w_valid),
      .m_ready_i(w_ready),
      .act_valid_o(save_valid_o),
      .act_ready_i(save_ready_i),
      .act_addr_o(save_addr_o),
      .act_data_i(save_data_i),
      .act_valid_i(save_valid_i)
  );
  assign read_beat[0] = memory_i[39:3] + 37'(read_offset[0]);
  assign read_beat[1] = memory_i[39:3] + 37'(read_offset[1]);
  assign unused = ^memory_i[2:0];
  axi_master u_master (
      .clk_i, .rst_i, .run_i,
      .read_beat_i(read_beat),
      .read_beats_i(read_words),
      .read_valid_i(read_valid),
      .read_ready_o(read_ready),
      .m_data_o(r_data),
      .m_valid_o(r_valid),
      .m_ready_i(r_ready),
      .write_beat_i(memory_i[39:3] + 37'(write_offset)),
      .write_beats_i(write_words),
      .write_end_i(write_end),
      .write_valid_i(write_valid),
      .write_ready_o(write_ready),
      .s_data_i(w_data),
      .s_valid_i(w_valid),
      .s_ready_o(w_ready),
      .written_o(written),
      .error_o, .error_kind_o, .error_address_o,
      .m_axi_arid, .m_axi_araddr, .m_axi_arlen, .m_axi_arsize, .m_axi_arburst, .m_axi_arcache, .m_axi_arprot,
      .m_axi_arvalid, .m_axi_arready, .m_axi_rid, .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid, .m_axi_rready,
      .m_axi_awid, .m_axi_awaddr, .m_axi_awlen, .m_axi_awsize, .m_axi_awburst, .m_axi_awcache, .m_axi_awprot,
      .m_axi_awvalid, .m_axi_awready, .m_axi_wdata, .m_axi_wstrb, .m_axi_wlast, .m_axi_wvalid, .m_axi_wready,
      .m_axi_bid, .m_axi_bresp, .m_axi_bvalid, .m_axi_bready
  );
endmodule
