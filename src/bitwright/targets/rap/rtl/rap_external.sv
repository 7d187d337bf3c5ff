// SPDX-License-Identifier: Apache-2.0
// Transfers between external memory and banks A, banks B and parameters (instructions LDM, STM and WAITM).
//
// Loads wait in a queue and are done one after the other, beside whatever else runs; done_o ends WAITM when none is left.
// A store reads banks A while the processor waits for it, and done_o ends it with its last response. A line, the words of
// all banks at one address, is a beat, or two beats of a grid of 8 columns; a grid of two has half a beat. A parameter
// word is two beats. Places count from memory_i on, in 128 bytes. we_*_o and addr_o, data_o: as in loading.
module rap_external #(
    parameter int unsigned Size = 4
) (
    input  logic                             clk_i,
    input  logic                             rst_i,
    input  logic                             run_i,
    input  logic                      [39:0] memory_i,
    input  rap_pkg::strobes_t                strobes_i,
    input  logic   [rap_pkg::BitsLdm-1:0]    operands_i,
    output logic                             done_o,
    output logic                             error_o,
    // Loads
    output logic                             a_we_o,
    output logic                             b_we_o,
    output logic                             param_we_o,
    output logic  [rap_pkg::AddressBits-1:0] addr_o,
    output logic                     [127:0] data_o,
    // Stores: a line comes five cycles behind its read
    output logic                             read_o,
    output logic  [rap_pkg::AddressBits-1:0] raddr_o,
    input  logic            [Size-1:0][15:0] line_i,
    // The bus: the ports of axi_master, the first one in the highest bits
    output logic                     [199:0] bus_o,
    input  logic                      [75:0] bus_i
);
  localparam int unsigned Beats = Size > 4 ? 2 : 1;  // of a line
  localparam int unsigned Room = 16;  // lines between the banks and the bus
  localparam int unsigned Settle = 8;  // cycles until operations under way have read their words
  localparam int unsigned Latency = 5;  // of a line
  rap_pkg::ldm_t ldm;
  rap_pkg::stm_t stm;
  assign ldm = operands_i;
  assign stm = operands_i[rap_pkg::BitsStm-1:0];

  // Loads: one at a time.
  rap_pkg::ldm_t next, load_q;
  logic next_valid, next_ready, queue_ready, cmd_q, busy_q, read_ready, take, wide_q, half_q;
  logic [4:0] waiting_q;
  logic [16:0] left_q;
  logic [63:0] r_data, low_q;
  logic r_valid, word, last;
  stream_fifo #(
      .Width(rap_pkg::BitsLdm),
      .Depth(16)
  ) u_queue (
      .clk_i,
      .rst_i(rst_i || !run_i),
      .s_data_i(ldm),
      .s_valid_i(strobes_i.ldm),
      .s_ready_o(queue_ready),
      .m_data_o(next),
      .m_valid_o(next_valid),
      .m_ready_i(next_ready)
  );
  assign next_ready = !busy_q;
  assign take = next_valid && next_ready;
  assign word = busy_q && r_valid && (!wide_q || half_q);
  assign last = word && left_q == '0;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      busy_q <= 1'b0;
      cmd_q <= 1'b0;
      waiting_q <= '0;
    end else begin
      busy_q <= take || (busy_q && !last);
      cmd_q <= take || (cmd_q && !read_ready);
      waiting_q <= waiting_q + 5'(strobes_i.ldm && queue_ready) - 5'(last);
    end
  end
  always_ff @(posedge clk_i) begin
    if (take) begin
      load_q <= next;
      left_q <= {1'b0, next.count};
      half_q <= 1'b0;
      wide_q <= next.into == rap_pkg::IntoParam || Beats == 2;
    end else if (busy_q && r_valid) begin
      half_q <= wide_q && !half_q;
      low_q <= r_data;
      if (word) begin
        left_q <= left_q - 17'd1;
        load_q.addr <= load_q.addr + rap_pkg::AddressBits'(1);
      end
    end
    a_we_o <= word && load_q.into == rap_pkg::IntoA && !rst_i;
    b_we_o <= word && load_q.into == rap_pkg::IntoB && !rst_i;
    param_we_o <= word && load_q.into == rap_pkg::IntoParam && !rst_i;
    addr_o <= load_q.addr;
    data_o <= wide_q ? {r_data, low_q} : {64'd0, r_data};
  end

  // Stores: read and sent while the processor waits.
  rap_pkg::stm_t store_q;
  logic settled, ask_q, reading_q, read, fed_q, w_ready, line_valid, write_ready, written;
  logic [16:0] lines_q;
  logic [$clog2(Room+1)-1:0] room_q;
  logic [Latency-1:0] under_way_q;
  logic [Size-1:0][15:0] line;
  logic line_taken, line_ready, upper_q;
  logic [127:0] line_bits;
  rap_delay #(
      .Cycles(Settle)
  ) u_settle (
      .clk_i,
      .rst_i(rst_i || !run_i),
      .d_i(strobes_i.stm),
      .q_o(settled)
  );
  assign read = reading_q && room_q != '0;
  assign read_o = read;
  assign raddr_o = store_q.addr;
  always_ff @(posedge clk_i) begin
    if (strobes_i.stm) begin
      store_q <= stm;
      lines_q <= {1'b0, stm.count};
    end else if (read) begin
      store_q.addr <= store_q.addr + rap_pkg::AddressBits'(1);
      lines_q <= lines_q - 17'd1;
    end
    if (rst_i || !run_i) begin
      ask_q <= 1'b0;
      reading_q <= 1'b0;
      room_q <= ($clog2(Room+1))'(Room);
      under_way_q <= '0;
      upper_q <= 1'b0;
    end else begin
      ask_q <= settled || (ask_q && !write_ready);
      reading_q <= settled || (reading_q && !(read && lines_q == '0));
      room_q <= room_q - ($clog2(Room+1))'(read) + ($clog2(Room+1))'(line_taken);
      under_way_q <= {under_way_q[Latency-2:0], read};
      if (line_valid && w_ready && Beats == 2) upper_q <= !upper_q;
    end
  end
  stream_fifo #(
      .Width(16 * Size),
      .Depth(Room)
  ) u_lines (
      .clk_i,
      .rst_i(rst_i || !run_i),
      .s_data_i(line_i),
      .s_valid_i(under_way_q[Latency-1]),
      .s_ready_o(fed_q),
      .m_data_o(line),
      .m_valid_o(line_valid),
      .m_ready_i(line_ready)
  );
  assign line_ready = w_ready && (Beats == 1 || upper_q);
  assign line_taken = line_valid && line_ready;
  assign line_bits = 128'(line);

  logic waits_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i || (waits_q && waiting_q == '0)) waits_q <= 1'b0;
    else if (strobes_i.waitm) waits_q <= 1'b1;
  end
  assign done_o = (waits_q && waiting_q == '0) || written;

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
  logic [36:0] base;
  logic [23:0] load_beats, store_beats, count, lines;
  logic unused_ready, unused_valid;
  logic [63:0] unused_data;
  logic [39:0] unused_address;
  logic [1:0] unused_kind;
  assign base = memory_i[39:3];
  assign count = 24'(load_q.count) + 24'd1;
  assign lines = 24'(store_q.count) + 24'd1;
  assign load_beats = wide_q ? count << 1 : count;
  assign store_beats = Beats == 2 ? lines << 1 : lines;
  axi_master #(
      .ReadDepth0(16)
  ) u_master (
      .clk_i, .rst_i, .run_i,
      .read_beat_i({base + {10'd0, load_q.place, 4'd0}, 37'd0}),
      .read_beats_i({load_beats, 24'd0}),
      .read_valid_i({cmd_q, 1'b0}),
      .read_ready_o({read_ready, unused_ready}),
      .m_data_o({r_data, unused_data}),
      .m_valid_o({r_valid, unused_valid}),
      .m_ready_i({busy_q, 1'b0}),
      .write_beat_i(base + {10'd0, store_q.place, 4'd0}),
      .write_beats_i(store_beats),
      .write_end_i(1'b1),
      .write_valid_i(ask_q),
      .write_ready_o(write_ready),
      .s_data_i(upper_q ? line_bits[127:64] : line_bits[63:0]),
      .s_valid_i(line_valid),
      .s_ready_o(w_ready),
      .written_o(written),
      .error_o,
      .error_kind_o(unused_kind),
      .error_address_o(unused_address),
      .m_axi_arid, .m_axi_araddr, .m_axi_arlen, .m_axi_arsize, .m_axi_arburst, .m_axi_arcache, .m_axi_arprot,
      .m_axi_arvalid, .m_axi_arready, .m_axi_rid, .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid, .m_axi_rready,
      .m_axi_awid, .m_axi_awaddr, .m_axi_awlen, .m_axi_awsize, .m_axi_awburst, .m_axi_awcache, .m_axi_awprot,
      .m_axi_awvalid, .m_axi_awready, .m_axi_wdata, .m_axi_wstrb, .m_axi_wlast, .m_axi_wvalid, .m_axi_wready,
      .m_axi_bid, .m_axi_bresp, .m_axi_bvalid, .m_axi_bready
  );
  logic unused;
  assign unused = ^{memory_i[2:0], unused_ready, unused_valid, unused_data, unused_address, unused_kind, fed_q,
    strobes_i, ldm, line_bits};
endmodule
