"""The files of a design: the RTL of the hardware, and a top module that fixes its sizes."""

from __future__ import annotations

from pathlib import Path

from bitwright.hardware import modules as rtl
from bitwright.hardware.closure import closure
from bitwright.hardware.shell import WEIGHT_STREAM
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.text import comment

ROOT = Path(__file__).with_name("rtl")
TOP = "bitsys"
SHARED = ("axil_bus", "carry_chain", "lut6_2", "ram_sdp")
# Modules that only the Xilinx versions of primitives use: synthesis for those parts exchanges the primitives.
XILINX_HELPERS = ("bitsys_container_rows", "bitsys_count6")

_PORTS = """
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
    input  logic        s_axil_arvalid,
    output logic        s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [ 1:0] s_axil_rresp,
    output logic        s_axil_rvalid,
    input  logic        s_axil_rready
"""


def files(hardware: Hardware) -> dict[str, str]:
    """Every source of the hardware by path; the same for all networks."""
    own = {f.name: f.read_text() for pattern in ("*.sv", "*.svh") for f in ROOT.glob(pattern)}
    own |= {f.name: f.read_text() for f in (ROOT / "prim" / "generic").glob("*.sv")}
    own |= {Path(name).name: text for name, text in rtl.sources(SHARED).items()}
    own[f"{TOP}.sv"] = top(hardware)
    needed = closure(own, TOP)
    for name in XILINX_HELPERS:
        needed |= closure(own, name)
    return {f"rtl/{name}": text for name, text in sorted(needed.items())}


def top(hardware: Hardware) -> str:
    """The top module: bitsys_core with the sizes of a hardware configuration."""
    lines = [line for line in _PORTS.strip().splitlines() if hardware.weight_stream or WEIGHT_STREAM not in line]
    pins = {line.split()[-1].rstrip(","): line.split()[-1].rstrip(",") for line in lines}
    if not hardware.weight_stream:
        pins |= {f"{WEIGHT_STREAM}_tdata": "64'd0", f"{WEIGHT_STREAM}_tvalid": "1'b0", f"{WEIGHT_STREAM}_tready": ""}
    values = ",\n".join(f"      .{name}({value})" for name, value in hardware.parameters().items())
    wiring = ",\n".join(f"      .{name}({net})" for name, net in pins.items())
    ports = "\n".join(lines)
    sizes = f"{hardware.unit} units, {hardware.rows} x {hardware.columns}"
    return (
        f"// Target bitsys, hardware {comment(hardware.name)}: {sizes}.\n"
        "// s_axis_tdata: eight elements a word, the first in the lowest bits; m_axis_tdata: one element a word.\n"
        f"module {TOP} (\n    {ports}\n);\n  bitsys_core #(\n{values}\n  ) u_core (\n{wiring}\n  );\nendmodule\n"
    )
