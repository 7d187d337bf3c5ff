// SPDX-License-Identifier: Apache-2.0
// The array processor with AXI4-Lite for programs and data and AXI4-Stream for frames.
//
// Byte addresses: 0x00 control (write bit 0: start; read bit 0: running), 0x04 memory (bits 1..0: 0 program, 1 parameters,
// 2 banks A, 3 banks B; bits 6..4: bank), 0x08 word address, 0x0C data; 0x40 + 4 i counter i (rap_counters).
// Data words fill memory words from the low end, 2 for an instruction and 4 for parameters, and hold two words of a bank,
// low first; behind each memory word the address moves on. Memories are written only while the processor stands still.
module rap_top #(
    parameter int unsigned Size = 4,
    parameter int unsigned AWords = 1024,
    parameter int unsigned BWords = 1024,
    parameter int unsigned ParamWords = 256,
    parameter int unsigned ProgramWords = 1024,
    parameter bit Torus = 1'b0,
    parameter int unsigned InBits = 32,
    parameter int unsigned OutBits = 32
) (
    input  logic               clk_i,
    input  logic               rst_i,
    input  logic [ InBits-1:0] s_axis_tdata,
    input  logic               s_axis_tvalid,
    output logic               s_axis_tready,
    output logic [OutBits-1:0] m_axis_tdata,
    output logic               m_axis_tvalid,
    input  logic               m_axis_tready,
    output logic               m_axis_tlast,
    input  logic [        7:0] s_axil_awaddr,
    input  logic               s_axil_awvalid,
    output logic               s_axil_awready,
    input  logic [       31:0] s_axil_wdata,
    input  logic [        3:0] s_axil_wstrb,
    input  logic               s_axil_wvalid,
    output logic               s_axil_wready,
    output logic [        1:0] s_axil_bresp,
    output logic               s_axil_bvalid,
    input  logic               s_axil_bready,
    input  logic [        7:0] s_axil_araddr,
    input  logic               s_axil_arvalid,
    output logic               s_axil_arready,
    output logic [       31:0] s_axil_rdata,
    output logic [        1:0] s_axil_rresp,
    output logic               s_axil_rvalid,
    input  logic               s_axil_rready
);
  logic [7:0] address;
  logic [31:0] wdata, rdata, counter;
  logic we, re, running, start;
  axil_bus #(
      .AddrBits(8)
  ) u_bus (
      .clk_i,
      .rst_i,
      .s_axil_awaddr,
      .s_axil_awvalid,
      .s_axil_awready,
      .s_axil_wdata,
      .s_axil_wstrb,
      .s_axil_wvalid,
      .s_axil_wready,
      .s_axil_bresp,
      .s_axil_bvalid,
      .s_axil_bready,
      .s_axil_araddr,
      .s_axil_arvalid,
      .s_axil_arready,
      .s_axil_rdata,
      .s_axil_rresp,
      .s_axil_rvalid,
      .s_axil_rready,
      .addr_o  (address),
      .wdata_o (wdata),
      .we_o    (we),
      .re_o    (re),
      .rdata_i (rdata),
      .rvalid_i(re)
  );
  assign start = we && address == 8'h00 && wdata[0] && !running;
  assign rdata = address[6] ? counter : {31'd0, running};

  // Loading: parts gather in data_q, the last one of a memory word writes it; words of banks follow in two cycles.
  logic [1:0] kind_q, part_q, last_part;
  logic [2:0] bank_q;
  logic [16:0] addr_q;
  logic [127:0] data_q;
  logic write_q, second_q, data_we;
  assign data_we = we && address == 8'h0C && !running;
  assign last_part = kind_q == 2'd0 ? 2'd1 : kind_q == 2'd1 ? 2'd3 : 2'd0;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q  <= 1'b0;
      second_q <= 1'b0;
      part_q   <= '0;
    end else begin
      write_q  <= (data_we && part_q == last_part) || (write_q && kind_q[1] && !second_q);
      second_q <= write_q && kind_q[1] && !second_q;
      if (we && address == 8'h04) part_q <= '0;
      else if (data_we) part_q <= part_q == last_part ? '0 : part_q + 2'd1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (we && address == 8'h04) {bank_q, kind_q} <= {wdata[6:4], wdata[1:0]};
    if (we && address == 8'h08) addr_q <= wdata[16:0];
    else if (write_q) addr_q <= addr_q + 17'd1;
    if (data_we) data_q[32*part_q+:32] <= wdata;
    else if (write_q && kind_q[1]) data_q[15:0] <= data_q[31:16];
  end

  logic stall, leave, param_read, finished, cycle;
  logic [7:0] operations;
  logic [3:0] a_reads, b_reads, writes;
  rap_core #(
      .Size        (Size),
      .AWords      (AWords),
      .BWords      (BWords),
      .ParamWords  (ParamWords),
      .ProgramWords(ProgramWords),
      .Torus       (Torus),
      .InBits      (InBits),
      .OutBits     (OutBits)
  ) u_core (
      .clk_i,
      .rst_i,
      .start_i     (start),
      .running_o   (running),
      .load_addr_i (addr_q),
      .load_data_i (data_q),
      .code_we_i   (write_q && kind_q == 2'd0),
      .param_we_i  (write_q && kind_q == 2'd1),
      .a_we_i      (write_q && kind_q == 2'd2 ? Size'(1) << bank_q : '0),
      .b_we_i      (write_q && kind_q == 2'd3 ? Size'(1) << bank_q : '0),
      .s_axis_tdata,
      .s_axis_tvalid,
      .s_axis_tready,
      .m_axis_tdata,
      .m_axis_tvalid,
      .m_axis_tready,
      .m_axis_tlast,
      .cycle_o     (cycle),
      .stall_o     (stall),
      .leave_o     (leave),
      .operations_o(operations),
      .a_reads_o   (a_reads),
      .b_reads_o   (b_reads),
      .writes_o    (writes),
      .param_read_o(param_read),
      .end_o       (finished)
  );
  rap_counters u_counters (
      .clk_i,
      .clear_i     (start),
      .cycle_i     (cycle),
      .stall_i     (stall),
      .leave_i     (leave),
      .operations_i(operations),
      .a_reads_i   (a_reads),
      .b_reads_i   (b_reads),
      .writes_i    (writes),
      .param_read_i(param_read),
      .input_i     (s_axis_tvalid && s_axis_tready),
      .output_i    (m_axis_tvalid && m_axis_tready),
      .end_i       (finished),
      .index_i     (address[5:2]),
      .value_o     (counter)
  );
endmodule
