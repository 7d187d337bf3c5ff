// SPDX-License-Identifier: Apache-2.0
// AXI4-Lite slave (32-bit data) to a simple bus of one master.
//
//   Write: we_o for one cycle with addr_o and wdata_o.
//   Read:  re_o for one cycle with addr_o; the device answers rdata_i with rvalid_i in the same cycle or any later one.
//
// One transaction at a time, writes first, whatever its protection. Addresses count bytes. A write that does not enable all four bytes changes
// nothing and is answered by SLVERR. The answer is DECERR where nothing can be written to or read from addr_o (writable_i,
// readable_i).
module axil_bus #(
    parameter int unsigned AddrBits = 16
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic [AddrBits-1:0] s_axil_awaddr,
    input  logic [         2:0] s_axil_awprot,
    input  logic                s_axil_awvalid,
    output logic                s_axil_awready,
    input  logic [        31:0] s_axil_wdata,
    input  logic [         3:0] s_axil_wstrb,
    input  logic                s_axil_wvalid,
    output logic                s_axil_wready,
    output logic [         1:0] s_axil_bresp,
    output logic                s_axil_bvalid,
    input  logic                s_axil_bready,
    input  logic [AddrBits-1:0] s_axil_araddr,
    input  logic [         2:0] s_axil_arprot,
    input  logic                s_axil_arvalid,
    output logic                s_axil_arready,
    output logic [        31:0] s_axil_rdata,
    output logic [         1:0] s_axil_rresp,
    output logic                s_axil_rvalid,
    input  logic                s_axil_rready,
    output logic [AddrBits-1:0] addr_o,
    output logic [        31:0] wdata_o,
    output logic                we_o,
    output logic                re_o,
    input  logic [        31:0] rdata_i,
    input  logic                rvalid_i,
    input  logic                writable_i,
    input  logic                readable_i
);
  typedef enum logic [2:0] {Idle, Write, Respond, Read, Wait, Answer} state_e;
  state_e state_q;

  logic [AddrBits-1:0] addr_q;
  logic [31:0] data_q;  // to write, then read
  logic legal_q;
  logic unused;
  logic take_write, take_read;
  assign take_write = state_q == Idle && s_axil_awvalid && s_axil_wvalid;
  assign take_read  = state_q == Idle && s_axil_arvalid && !(s_axil_awvalid && s_axil_wvalid);

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (take_write) state_q <= Write;
              else if (take_read) state_q <= Read;
        Write: state_q <= Respond;
        Respond: if (s_axil_bready) state_q <= Idle;
        Read, Wait: state_q <= rvalid_i ? Answer : Wait;
        default: if (s_axil_rready) state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_write || take_read) addr_q <= take_write ? s_axil_awaddr : s_axil_araddr;
    if (take_write) begin
      data_q  <= s_axil_wdata;
      legal_q <= &s_axil_wstrb;
    end else if (rvalid_i && (state_q == Read || state_q == Wait)) begin
      data_q <= rdata_i;
    end
  end

  assign unused = ^{s_axil_awprot, s_axil_arprot};

  assign s_axil_awready = take_write;
  assign s_axil_wready  = take_write;
  assign s_axil_arready = take_read;
  assign s_axil_bvalid  = state_q == Respond;
  assign s_axil_bresp   = !writable_i ? 2'b11 : legal_q ? 2'b00 : 2'b10;
  assign s_axil_rvalid  = state_q == Answer;
  assign s_axil_rresp   = readable_i ? 2'b00 : 2'b11;
  assign s_axil_rdata   = data_q;
  assign addr_o  = addr_q;
  assign wdata_o = data_q;
  assign we_o    = state_q == Write && legal_q;
  assign re_o    = state_q == Read;
endmodule
