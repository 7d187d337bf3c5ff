"""A tiny design for the tools: it doubles a vector of three elements, and has a control register."""

import numpy as np
import pytest

from bitwright.hardware.resources import Resources
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Add
from bitwright.targets.contract import Design, Estimate, LayerEstimate, StreamSpec, SynthesisUnit

STAGE = """// y = x + x for each of two lanes; latency 1 cycle, one word a cycle.
module double_stage #(
    parameter int Bits = 4
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic [2*Bits-1:0]     s_data_i,
    input  logic                  s_valid_i,
    output logic                  s_ready_o,
    output logic [2*(Bits+1)-1:0] m_data_o,
    output logic                  m_valid_o,
    input  logic                  m_ready_i
);
  if (Bits > 16) $error("double_stage: Bits must be at most 16");
  logic [2*(Bits+1)-1:0] data_q;
  logic valid_q;
  assign s_ready_o = !valid_q || m_ready_i;
  assign m_data_o  = data_q;
  assign m_valid_o = valid_q;
  always_ff @(posedge clk_i) begin
    if (s_ready_o) data_q <= {{1'b0, s_data_i[2*Bits-1:Bits]} << 1, {1'b0, s_data_i[Bits-1:0]} << 1};
    if (rst_i) valid_q <= 1'b0;
    else if (s_ready_o) valid_q <= s_valid_i;
  end
endmodule
"""

TOP = """// Doubles frames of two words once its control register is set; counts the words that leave.
module doubler (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [7:0]  s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    output logic [15:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic        m_axis_tlast,
    input  logic [7:0]  s_axil_awaddr,
    input  logic [2:0]  s_axil_awprot,
    input  logic        s_axil_awvalid,
    output logic        s_axil_awready,
    input  logic [31:0] s_axil_wdata,
    input  logic [3:0]  s_axil_wstrb,
    input  logic        s_axil_wvalid,
    output logic        s_axil_wready,
    output logic [1:0]  s_axil_bresp,
    output logic        s_axil_bvalid,
    input  logic        s_axil_bready,
    input  logic [7:0]  s_axil_araddr,
    input  logic [2:0]  s_axil_arprot,
    input  logic        s_axil_arvalid,
    output logic        s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [1:0]  s_axil_rresp,
    output logic        s_axil_rvalid,
    input  logic        s_axil_rready
);
  logic [31:0] mask_q, count_q;
  logic last_q, ready;
  logic [9:0] data;
  assign s_axis_tready = ready && mask_q != '0;
  assign m_axis_tdata = {6'b0, data};
  assign m_axis_tlast = last_q;
  double_stage #(.Bits(4)) u_stage (
      .clk_i,
      .rst_i,
      .s_data_i (s_axis_tdata & mask_q[7:0]),
      .s_valid_i(s_axis_tvalid && mask_q != '0),
      .s_ready_o(ready),
      .m_data_o (data),
      .m_valid_o(m_axis_tvalid),
      .m_ready_i(m_axis_tready)
  );
  assign s_axil_awready = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
  assign s_axil_wready  = s_axil_awready;
  assign s_axil_bresp   = s_axil_awaddr[7] ? 2'b10 : 2'b00;
  assign s_axil_arready = !s_axil_rvalid;
  assign s_axil_rresp   = 2'b00;
  always_ff @(posedge clk_i) begin
    if (s_axil_awready && s_axil_wstrb == 4'hf) mask_q <= s_axil_wdata;
    if (s_axil_arready) s_axil_rdata <= s_axil_araddr == 8'h04 ? count_q : mask_q;
    if (m_axis_tvalid && m_axis_tready) count_q <= count_q + 1;
    if (m_axis_tvalid && m_axis_tready) last_q <= !last_q;
    if (s_axil_bready || !s_axil_bvalid) s_axil_bvalid <= s_axil_awready;
    if (s_axil_rready || !s_axil_rvalid) s_axil_rvalid <= s_axil_arvalid && s_axil_arready;
    if (rst_i) begin
      {mask_q, count_q} <= '0;
      last_q <= 1'b0;
      s_axil_bvalid <= 1'b0;
      s_axil_rvalid <= 1'b0;
    end
  end
endmodule
"""


@pytest.fixture(scope="session")
def stage() -> str:
    """Source of double_stage, a stream module with one input and one output."""
    return STAGE


@pytest.fixture(scope="session")
def doubler() -> Design:
    """uint4[3] to uint5[3], two lanes a word, one unit, a program of one word and one counter."""
    input_type = TensorType((3,), IntType(4))
    network = Network(InputSpec(input_type), (Node("sum", Add(), ("input", "input")),))
    estimate = LayerEstimate("sum", "Add", Resources(lut=10, ff=11), 2, ("sum",))
    return Design(
        target="test",
        network=network,
        top="doubler",
        files={"rtl/doubler.sv": TOP, "rtl/double_stage.sv": STAGE},
        input=StreamSpec(input_type, 2),
        output=StreamSpec(network.output_type, 2),
        units=(SynthesisUnit("sum", "double_stage", row=0),),
        estimate=Estimate((estimate,), interval_cycles=2, latency_cycles=2, overlap=True),
        program=np.array([[0, 0xFF]], np.uint32),
        counters={"words": 4},
    )


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory):
    """One cache folder for all models of the session."""
    return tmp_path_factory.mktemp("models")
