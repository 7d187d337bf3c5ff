// SPDX-License-Identifier: Apache-2.0
// What banks and parameters are loaded with: by software while the processor stands still, by external memory while it runs.
//
// banks_o: the words of all banks. read_o, raddr_o, line_i, strobes_i, done_o and the bus: as in rap_external; without
// External none of them does anything.
module rap_fill #(
    parameter int unsigned Size = 4,
    parameter bit External = 1'b0
) (
    input  logic                             clk_i,
    input  logic                             rst_i,
    input  logic                             run_i,
    input  logic  [rap_pkg::AddressBits-1:0] load_addr_i,
    input  logic    [rap_pkg::ParamBits-1:0] load_data_i,
    input  logic                             param_we_i,
    input  logic                  [Size-1:0] a_we_i,
    input  logic                  [Size-1:0] b_we_i,
    input  logic                      [39:0] memory_i,
    input  rap_pkg::strobes_t                strobes_i,
    input  logic      [rap_pkg::BitsLdm-1:0] operands_i,
    output logic                             done_o,
    output logic                             memory_error_o,
    output logic  [rap_pkg::AddressBits-1:0] addr_o,
    output logic    [rap_pkg::ParamBits-1:0] data_o,
    output logic            [Size-1:0][15:0] banks_o,
    output logic                             param_we_o,
    output logic                  [Size-1:0] a_we_o,
    output logic                  [Size-1:0] b_we_o,
    output logic                             read_o,
    output logic  [rap_pkg::AddressBits-1:0] raddr_o,
    input  logic            [Size-1:0][15:0] line_i,
    output logic                     [199:0] m_axi_o,
    input  logic                      [75:0] m_axi_i
);
  logic fill_a, fill_b, fill_param;
  logic [rap_pkg::AddressBits-1:0] addr;
  logic [127:0] data;
  assign addr_o = run_i ? addr : load_addr_i;
  assign data_o = run_i ? data : load_data_i;
  assign banks_o = run_i ? data[16*Size-1:0] : {Size{load_data_i[15:0]}};
  assign param_we_o = param_we_i || fill_param;
  assign a_we_o = a_we_i | {Size{fill_a}};
  assign b_we_o = b_we_i | {Size{fill_b}};
  if (External) begin : g_external
    rap_external #(
        .Size(Size)
    ) u_external (
        .clk_i,
        .rst_i,
        .run_i,
        .memory_i,
        .strobes_i,
        .operands_i,
        .done_o,
        .error_o   (memory_error_o),
        .a_we_o    (fill_a),
        .b_we_o    (fill_b),
        .param_we_o(fill_param),
        .addr_o    (addr),
        .data_o    (data),
        .read_o,
        .raddr_o,
        .line_i,
        .bus_o     (m_axi_o),
        .bus_i     (m_axi_i)
    );
  end else begin : g_inside
    logic unused;
    assign {done_o, memory_error_o, fill_a, fill_b, fill_param, read_o} = '0;
    assign addr = '0;
    assign data = '0;
    assign raddr_o = '0;
    assign m_axi_o = '0;
    assign unused = ^{clk_i, rst_i, memory_i, strobes_i, operands_i, line_i, m_axi_i};
  end
endmodule
