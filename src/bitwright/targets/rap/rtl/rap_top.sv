// SPDX-License-Identifier: Apache-2.0
// The array processor with AXI4-Lite for programs and data and AXI4-Stream for frames.
//
// Registers: isa/registers.py. Data words fill memory words from the low end, 2 for an instruction and 4 for
// parameters, and hold two words of a bank, low first; behind each memory word the address moves on. Memories are
// written only while the processor stands still.
module rap_top #(
    parameter int unsigned Size = 4,
    parameter int unsigned AWords = 1024,
    parameter int unsigned BWords = 1024,
    parameter int unsigned ParamWords = 256,
    parameter int unsigned ProgramWords = 1024,
    parameter bit Torus = 1'b0,
    parameter bit External = 1'b0
) (
    input  logic                             clk_i,
    input  logic                             rst_i,
    input  logic                      [31:0] s_axis_tdata,
    input  logic                             s_axis_tvalid,
    output logic                             s_axis_tready,
    output logic                      [31:0] m_axis_tdata,
    output logic                             m_axis_tvalid,
    input  logic                             m_axis_tready,
    output logic                             m_axis_tlast,
    input  logic [rap_pkg::RegisterBits-1:0] s_axil_awaddr,
    input  logic                       [2:0] s_axil_awprot,
    input  logic                             s_axil_awvalid,
    output logic                             s_axil_awready,
    input  logic                      [31:0] s_axil_wdata,
    input  logic                       [3:0] s_axil_wstrb,
    input  logic                             s_axil_wvalid,
    output logic                             s_axil_wready,
    output logic                       [1:0] s_axil_bresp,
    output logic                             s_axil_bvalid,
    input  logic                             s_axil_bready,
    input  logic [rap_pkg::RegisterBits-1:0] s_axil_araddr,
    input  logic                       [2:0] s_axil_arprot,
    input  logic                             s_axil_arvalid,
    output logic                             s_axil_arready,
    output logic                      [31:0] s_axil_rdata,
    output logic                       [1:0] s_axil_rresp,
    output logic                             s_axil_rvalid,
    input  logic                             s_axil_rready,
    output logic                     [199:0] m_axi_o,  // as rap_external's bus
    input  logic                      [75:0] m_axi_i
);
  logic [rap_pkg::RegisterBits-1:0] address;
  logic [31:0] wdata, rdata, counter;
  logic we, re, running, start;
  logic [1:0] re_q;  // the counter is read in two cycles
  logic writable_q, readable_q;
  axil_bus #(
      .AddrBits(rap_pkg::RegisterBits)
  ) u_bus (
      .clk_i,
      .rst_i,
      .s_axil_awaddr,
      .s_axil_awprot,
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
      .s_axil_arprot,
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
      .rvalid_i(re_q[1]),
      .writable_i(writable_q),
      .readable_i(readable_q)
  );
  // What the bus asks is decoded first and done a cycle later: address and data stay that long.
  logic [rap_pkg::RegisterBits-1:0] offset;  // from the first counter on
  logic [3:0] index_q;
  logic counting, counting_q, errors_q, ignored_q, failed_q;
  logic start_q, select_q, place_q, load_q, low_q, high_q, memory_error;
  logic [39:0] base_q;
  assign offset = address - rap_pkg::RegisterBits'(rap_pkg::CounterBase);
  assign counting = offset < rap_pkg::RegisterBits'(4 * rap_pkg::Counters) && offset[1:0] == 2'd0;
  always_ff @(posedge clk_i) begin
    start_q <= we && address == rap_pkg::RegControl && wdata[0] && !rst_i;
    select_q <= we && address == rap_pkg::RegSelect;
    place_q <= we && address == rap_pkg::RegAddress;
    load_q <= we && address == rap_pkg::RegData && !rst_i;
    low_q <= External && we && address == rap_pkg::RegMemoryLow;
    high_q <= External && we && address == rap_pkg::RegMemoryHigh;
    if (low_q && !running) base_q[31:0] <= wdata;
    if (high_q && !running) base_q[39:32] <= wdata[7:0];
    re_q <= {re_q[0], re};
    index_q <= offset[5:2];
    counting_q <= counting;
    errors_q <= address == rap_pkg::RegErrors;
    writable_q <= address == rap_pkg::RegControl || address == rap_pkg::RegSelect || address == rap_pkg::RegAddress
        || address == rap_pkg::RegData
        || (External && (address == rap_pkg::RegMemoryLow || address == rap_pkg::RegMemoryHigh));
    readable_q <= address == rap_pkg::RegControl || address == rap_pkg::RegErrors || counting;
  end
  assign start = start_q && !running;
  assign rdata = counting_q ? counter : errors_q ? {30'd0, failed_q, ignored_q} : {31'd0, running};

  // Loading: parts gather in data_q, the last one of a memory word writes it; words of banks follow in two cycles.
  rap_pkg::memory_e memory_q;
  logic [1:0] part_q, last_part;
  logic [2:0] bank_q;
  logic [rap_pkg::AddressBits-1:0] addr_q;
  logic [3:0][31:0] data_q;
  logic write_d, write_q, second_q, data_we, of_bank, code_we_q, param_we_q;
  logic [Size-1:0] a_we_q, b_we_q;
  assign data_we = load_q && !running;
  assign write_d = (data_we && part_q == last_part) || (write_q && of_bank && !second_q);
  assign of_bank = memory_q == rap_pkg::MemoryBanksA || memory_q == rap_pkg::MemoryBanksB;
  always_comb begin
    case (memory_q)
      rap_pkg::MemoryProgram: last_part = 2'd1;
      rap_pkg::MemoryParameters: last_part = 2'd3;
      default: last_part = 2'd0;
    endcase
  end
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q   <= 1'b0;
      second_q  <= 1'b0;
      part_q    <= '0;
      ignored_q <= 1'b0;
      failed_q  <= 1'b0;
    end else begin
      write_q  <= write_d;
      second_q <= write_q && of_bank && !second_q;
      if (select_q) part_q <= '0;
      else if (data_we) part_q <= part_q == last_part ? '0 : part_q + 2'd1;
      failed_q <= !start && (failed_q || memory_error);
      if (start) ignored_q <= 1'b0;
      else if (running && (load_q || start_q)) ignored_q <= 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    code_we_q <= write_d && memory_q == rap_pkg::MemoryProgram && !rst_i;
    param_we_q <= write_d && memory_q == rap_pkg::MemoryParameters && !rst_i;
    a_we_q <= write_d && memory_q == rap_pkg::MemoryBanksA && !rst_i ? Size'(1) << bank_q : '0;
    b_we_q <= write_d && memory_q == rap_pkg::MemoryBanksB && !rst_i ? Size'(1) << bank_q : '0;
    if (select_q) {bank_q, memory_q} <= {wdata[6:4], wdata[1:0]};
    if (place_q) addr_q <= wdata[rap_pkg::AddressBits-1:0];
    else if (write_q) addr_q <= addr_q + rap_pkg::AddressBits'(1);
    for (int i = 0; i < 4; i++) if (data_we && part_q == 2'(i)) data_q[i] <= wdata;
    if (!data_we && write_q && of_bank) data_q[0][15:0] <= data_q[0][31:16];
  end

  rap_pkg::events_t events;
  logic finished;
  rap_core #(
      .Size        (Size),
      .AWords      (AWords),
      .BWords      (BWords),
      .ParamWords  (ParamWords),
      .ProgramWords(ProgramWords),
      .Torus       (Torus),
      .External    (External)
  ) u_core (
      .clk_i,
      .rst_i,
      .start_i     (start),
      .running_o   (running),
      .load_addr_i (addr_q),
      .load_data_i (data_q),
      .code_we_i   (code_we_q),
      .param_we_i  (param_we_q),
      .a_we_i      (a_we_q),
      .b_we_i      (b_we_q),
      .s_axis_tdata,
      .s_axis_tvalid,
      .s_axis_tready,
      .m_axis_tdata,
      .m_axis_tvalid,
      .m_axis_tready,
      .m_axis_tlast,
      .memory_i    (base_q),
      .memory_error_o(memory_error),
      .m_axi_o,
      .m_axi_i,
      .events_o    (events),
      .end_o       (finished)
  );
  rap_counters u_counters (
      .clk_i,
      .clear_i     (start),
      .events_i    (events),
      .end_i       (finished),
      .index_i     (index_q),
      .value_o     (counter)
  );
endmodule
