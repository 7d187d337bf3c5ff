# SPDX-License-Identifier: Apache-2.0
"""The files of a design: the RTL of the hardware, and a top module that fixes its sizes."""

from __future__ import annotations

from pathlib import Path

from bitwright.hardware import library as rtl
from bitwright.hardware.shell import MEMORY_PREFIX, WEIGHT_STREAM, memory_bus, top_ports
from bitwright.hardware.text import instance, module, wired
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.text import comment

ROOT = Path(__file__).with_name("rtl")
TOP = "bitsys"
# Modules that only a vendor's versions of primitives use: synthesis for its parts exchanges the primitives.
VENDOR_HELPERS = ("bitsys_container_rows", "bitsys_count6")

INPUT_BITS, OUTPUT_BITS, WEIGHT_BITS, ADDRESS_BITS = 64, 32, 64, 24


def files(hardware: Hardware) -> dict[str, str]:
    """Every source of the hardware by path; the same for all networks."""
    own = {f.name: f.read_text() for pattern in ("*.sv", "*.svh") for f in ROOT.glob(pattern)}
    own |= {f.name: f.read_text() for f in (ROOT / "prim" / "generic").glob("*.sv")}
    own[f"{TOP}.sv"] = top(hardware)
    return rtl.needed([TOP, *VENDOR_HELPERS], own)


def top(hardware: Hardware) -> str:
    """The top module: bitsys_core with the sizes of a hardware configuration."""
    weight_bits = WEIGHT_BITS if hardware.weight_stream else 0
    ports = top_ports(INPUT_BITS, OUTPUT_BITS, weight_bits, ADDRESS_BITS, hardware.m_axi)
    pins = wired(port for port in ports if not port.name.startswith(MEMORY_PREFIX)) | memory_bus(hardware.external)
    if not hardware.weight_stream:
        pins |= {f"{WEIGHT_STREAM}_tdata": f"{WEIGHT_BITS}'d0", f"{WEIGHT_STREAM}_tvalid": "1'b0"}
        pins |= {f"{WEIGHT_STREAM}_tready": ""}
    sizes = f"{hardware.unit} units, {hardware.rows} x {hardware.columns}"
    remarks = [
        f"Target bitsys, hardware {comment(hardware.name)}: {sizes}. Networks are programs: no file depends on one.",
        "s_axis_tdata: eight elements a word, the first in the lowest bits; m_axis_tdata: one element a word.",
    ]
    return module(TOP, ports, instance("bitsys_core", "u_core", hardware.parameters(), pins), remarks)
