// SPDX-License-Identifier: Apache-2.0
// AXI4 master: two independent readers, ID 0 and ID 1, and a writer; see axi_reader and axi_writer.
//
// INCR bursts of at most BurstBeats whole beats (16 are legal in AXI3, too), each aligned to its size but at the ends of a
// command, so none crosses 4 KB. Every ID's answers come in its order; those of the two may come in any. RREADY and
// BREADY are always 1: room for beats is reserved before they are asked for. AWVALID rises when a burst's data are there.
// Reader 0 goes first where both want the address channel. error_o stays from the first error response on until run_i
// falls: error_kind_o says whose (0, 1 the readers, 2 the writer), error_address_o of which burst.
// written_o: the last response of a write with write_end_i has come. Parameters as in axi_reader; ReadDepth0, ReadDepth1, WriteDepth: beats of the FIFOs.
module axi_master #(
    parameter int unsigned AddressBits = 40,
    parameter int unsigned DataBits    = 64,
    parameter int unsigned BurstBeats  = 16,
    parameter int unsigned Outstanding = 8,
    parameter int unsigned ReadDepth0  = 64,
    parameter int unsigned ReadDepth1  = 128,
    parameter int unsigned WriteDepth  = 64,
    localparam int unsigned BeatBits = AddressBits - $clog2(DataBits / 8)
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic                   run_i,
    // Readers: number 0 in the lowest bits
    input  logic [ 2*BeatBits-1:0] read_beat_i,
    input  logic [           47:0] read_beats_i,
    input  logic [            1:0] read_valid_i,
    output logic [            1:0] read_ready_o,
    output logic [ 2*DataBits-1:0] m_data_o,
    output logic [            1:0] m_valid_o,
    input  logic [            1:0] m_ready_i,
    // Writer
    input  logic [   BeatBits-1:0] write_beat_i,
    input  logic [           23:0] write_beats_i,
    input  logic                   write_end_i,
    input  logic                   write_valid_i,
    output logic                   write_ready_o,
    input  logic [   DataBits-1:0] s_data_i,
    input  logic                   s_valid_i,
    output logic                   s_ready_o,
    output logic                   written_o,
    output logic                   error_o,
    output logic [            1:0] error_kind_o,
    output logic [AddressBits-1:0] error_address_o,
    // The bus
    output logic                   m_axi_arid,
    output logic [AddressBits-1:0] m_axi_araddr,
    output logic [            7:0] m_axi_arlen,
    output logic [            2:0] m_axi_arsize,
    output logic [            1:0] m_axi_arburst,
    output logic [            3:0] m_axi_arcache,
    output logic [            2:0] m_axi_arprot,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic                   m_axi_rid,
    input  logic [   DataBits-1:0] m_axi_rdata,
    input  logic [            1:0] m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,
    output logic                   m_axi_awid,
    output logic [AddressBits-1:0] m_axi_awaddr,
    output logic [            7:0] m_axi_awlen,
    output logic [            2:0] m_axi_awsize,
    output logic [            1:0] m_axi_awburst,
    output logic [            3:0] m_axi_awcache,
    output logic [            2:0] m_axi_awprot,
    output logic                   m_axi_awvalid,
    input  logic                   m_axi_awready,
    output logic [   DataBits-1:0] m_axi_wdata,
    output logic [ DataBits/8-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    output logic                   m_axi_wvalid,
    input  logic                   m_axi_wready,
    input  logic                   m_axi_bid,
    input  logic [            1:0] m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready
);
  localparam int unsigned ByteBits = $clog2(DataBits / 8);

  logic [2*BeatBits-1:0] ar_beat;
  logic [15:0] ar_len;
  logic [1:0] ar_valid, ar_ready;
  logic [2:0] error;
  logic [3*AddressBits-1:0] error_address;
  for (genvar k = 0; k < 2; k++) begin : g_reader
    axi_reader #(
        .AddressBits(AddressBits),
        .DataBits(DataBits),
        .BurstBeats(BurstBeats),
        .Outstanding(Outstanding),
        .Depth(k == 0 ? ReadDepth0 : ReadDepth1)
    ) u_reader (
        .clk_i,
        .rst_i,
        .run_i,
        .cmd_beat_i(read_beat_i[BeatBits*k+:BeatBits]),
        .cmd_beats_i(read_beats_i[24*k+:24]),
        .cmd_valid_i(read_valid_i[k]),
        .cmd_ready_o(read_ready_o[k]),
        .m_data_o(m_data_o[DataBits*k+:DataBits]),
        .m_valid_o(m_valid_o[k]),
        .m_ready_i(m_ready_i[k]),
        .ar_beat_o(ar_beat[BeatBits*k+:BeatBits]),
        .ar_len_o(ar_len[8*k+:8]),
        .ar_valid_o(ar_valid[k]),
        .ar_ready_i(ar_ready[k]),
        .r_data_i(m_axi_rdata),
        .r_resp_i(m_axi_rresp),
        .r_last_i(m_axi_rlast),
        .r_valid_i(m_axi_rvalid && m_axi_rid == 1'(k)),
        .error_o(error[k]),
        .error_address_o(error_address[AddressBits*k+:AddressBits])
    );
  end

  logic [BeatBits-1:0] aw_beat;
  logic [7:0] aw_len;
  logic aw_valid, aw_ready;
  axi_writer #(
      .AddressBits(AddressBits),
      .DataBits(DataBits),
      .BurstBeats(BurstBeats),
      .Outstanding(Outstanding),
      .Depth(WriteDepth)
  ) u_writer (
      .clk_i,
      .rst_i,
      .run_i,
      .cmd_beat_i(write_beat_i),
      .cmd_beats_i(write_beats_i),
      .cmd_end_i(write_end_i),
      .cmd_valid_i(write_valid_i),
      .cmd_ready_o(write_ready_o),
      .s_data_i,
      .s_valid_i,
      .s_ready_o,
      .done_o(written_o),
      .aw_beat_o(aw_beat),
      .aw_len_o(aw_len),
      .aw_valid_o(aw_valid),
      .aw_ready_i(aw_ready),
      .w_data_o(m_axi_wdata),
      .w_last_o(m_axi_wlast),
      .w_valid_o(m_axi_wvalid),
      .w_ready_i(m_axi_wready),
      .b_resp_i(m_axi_bresp),
      .b_valid_i(m_axi_bvalid),
      .error_o(error[2]),
      .error_address_o(error_address[2*AddressBits+:AddressBits])
  );

  // The address channels are registers.
  logic [BeatBits-1:0] read_q, write_q;
  logic ar_free, aw_free;
  assign ar_free = !m_axi_arvalid || m_axi_arready;
  assign aw_free = !m_axi_awvalid || m_axi_awready;
  assign ar_ready = {ar_free && !ar_valid[0], ar_free};
  assign aw_ready = aw_free;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      m_axi_arvalid <= 1'b0;
      m_axi_awvalid <= 1'b0;
    end else begin
      if (ar_free) m_axi_arvalid <= ar_valid != 2'd0;
      if (aw_free) m_axi_awvalid <= aw_valid;
    end
  end
  always_ff @(posedge clk_i) begin
    if (ar_free) begin
      m_axi_arid <= !ar_valid[0];
      read_q <= ar_valid[0] ? ar_beat[0+:BeatBits] : ar_beat[BeatBits+:BeatBits];
      m_axi_arlen <= ar_valid[0] ? ar_len[7:0] : ar_len[15:8];
    end
    if (aw_free) begin
      write_q <= aw_beat;
      m_axi_awlen <= aw_len;
    end
  end
  assign m_axi_araddr = {read_q, {ByteBits{1'b0}}};
  assign m_axi_awaddr = {write_q, {ByteBits{1'b0}}};
  assign m_axi_awid = 1'b0;
  assign m_axi_arsize = 3'(ByteBits);
  assign m_axi_awsize = 3'(ByteBits);
  assign m_axi_arburst = 2'b01;
  assign m_axi_awburst = 2'b01;
  assign m_axi_arcache = 4'b0011;
  assign m_axi_awcache = 4'b0011;
  assign m_axi_arprot = 3'b010;
  assign m_axi_awprot = 3'b010;
  assign m_axi_wstrb = '1;
  assign m_axi_rready = 1'b1;
  assign m_axi_bready = 1'b1;

  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      error_o <= 1'b0;
    end else if (!error_o && error != 3'd0) begin
      error_o <= 1'b1;
      error_kind_o <= error[0] ? 2'd0 : error[1] ? 2'd1 : 2'd2;
      error_address_o <= error[0] ? error_address[0+:AddressBits]
        : error[1] ? error_address[AddressBits+:AddressBits] : error_address[2*AddressBits+:AddressBits];
    end
  end
  logic unused;
  assign unused = m_axi_bid;
endmodule
