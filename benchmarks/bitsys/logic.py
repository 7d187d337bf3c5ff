"""Logic figures of units, arrays and whole accelerators: Yosys for UltraScale+, nextpnr for the ECP5 preset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bitwright.devices import find_device
from bitwright.hardware import library as rtl
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Dense
from bitwright.synthesis import SynthesisOptions, synthesize
from bitwright.targets import get
from bitwright.targets.bitsys import emit
from bitwright.targets.contract import Design
from bitwright.tools import cache, yosys

AUTHORS_MAC_LUT = 777  # the published RTL, same tool and script
BOUNDS = {
    "bitsys_container_unit": {"xilinx": 105, "generic": 150},
    "bitsys_bitplane_unit": {"xilinx": 112},
    "bitsys_container_mac": {"xilinx": 190},
}
GRIDS = {
    "container": {"Unit": 0, "WordBits": 8},
    "planes": {"Unit": 1, "WordBits": 64},
}
PLAIN_MAC = """
module wrapped (
    input logic clk_i, valid_i, first_i,
    input logic signed [7:0] a_i, b_i,
    output logic signed [31:0] acc_o
);
  logic signed [7:0] a_q, b_q;
  logic signed [15:0] product_q;
  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
    product_q <= a_q * b_q;
    if (valid_i) acc_o <= 32'(product_q) + (first_i ? 32'sd0 : acc_o);
  end
endmodule
"""
PRESETS = {"small": "ecp5-85k", "ultra96": "xczu3eg", "ultra96_planes": "xczu3eg"}
RESOURCES = ("lut", "ff", "bram36", "dsp")
TARGET_MHZ = 120  # of place and route
PLACING = SynthesisOptions(placer="static", router="router2")
SIZES = {"container": (4, 8), "fixed": (4, 8), "planes": (2, 8), "fixed_small": (2, 8)}


def sources(vendor: str) -> dict[str, str]:
    """All RTL of the target with a vendor's primitives, flat."""
    files = {f.name: f.read_text() for pattern in ("*.sv", "*.svh") for f in emit.ROOT.glob(pattern)}
    files |= {f.name: f.read_text() for f in (emit.ROOT / "prim" / "generic").glob("*.sv")}
    files |= {Path(name).name: text for name, text in rtl.sources(rtl.modules()).items()}
    return with_vendor(files, vendor)


def cells(top: str, vendor: str, wrapper: str = "") -> yosys.Cells:
    """Cells of one module for UltraScale+, without DSP blocks."""
    name = "wrapped" if wrapper else top
    files = closure(sources(vendor) | ({"wrapped.sv": wrapper} if wrapper else {}), name)
    _, folder, _ = yosys.synthesize_module(
        files, yosys.Synthesis("xcup", name, dsp=False), yosys.find(), cache.folder(None)
    )
    return yosys.count((folder / yosys.STAT).read_text())


def units() -> dict:
    """LUTs and registers of the units in both versions, beside the published MAC."""
    found = {"tool": f"Yosys {yosys.find().version}", "published_mac_lut": AUTHORS_MAC_LUT}
    for top, bounds in BOUNDS.items():
        for vendor in ("xilinx", "generic"):
            made = cells(top, vendor)
            found[f"{top}/{vendor}"] = {"lut": made.lut, "ff": made.ff, "bound": bounds.get(vendor)}
            print(top, vendor, made.lut, bounds.get(vendor), flush=True)
    return found


def grid_lut(kind: str, rows: int, columns: int) -> int:
    """LUTs of an array of elements, operands and control in, sums out."""
    return cells("bitsys_grid", "xilinx", _wrapped("bitsys_grid", GRIDS[kind] | {"Rows": rows, "Columns": columns})).lut


def _wrapped(module: str, sizes: dict[str, int]) -> str:
    """A module `wrapped` that fixes the kind and the size of an array."""
    text = (emit.ROOT / f"{module}.sv").read_text()
    ports = text.partition(") (")[2].partition(");")[0]
    names = [line.split()[-1].rstrip(",") for line in ports.strip().splitlines()]
    for name, value in sizes.items():
        ports = ports.replace(name, str(value))
    pins = ", ".join(f".{name}({name})" for name in names)
    values = ", ".join(f".{name}({sizes[name]})" for name in ("Unit", "Rows", "Columns"))
    return f"module wrapped ({ports});\n  {module} #({values}) u_grid ({pins});\nendmodule\n"


def arrays() -> dict:
    """LUTs an element of 4 x 4 arrays; those of the TFC comparison are as many elements of the same kind.

    A plain element counts as the smallest one, signed 8 x 8 bits alone: that of bitsys_grid takes either sign.
    """
    each = {kind: grid_lut(kind, 4, 4) / 16 for kind in GRIDS}
    each["fixed"] = cells("plain_mac", "generic", PLAIN_MAC).lut
    lut = {name: each[name.removesuffix("_small")] * rows * columns for name, (rows, columns) in SIZES.items()}
    print(each, lut, flush=True)
    return {"tool": f"Yosys {yosys.find().version}", "per_element_4x4": each, "container_bound": 93, "lut": lut}


def presets() -> Iterator[dict]:
    """The presets, after each step again: Yosys against the cost model; `small` also placed and routed on its ECP5."""
    found = {}
    for preset, device in PRESETS.items():
        found[preset] = _synthesized(preset, device)
        print(preset, found[preset], flush=True)
        yield found
    for preset, device in PRESETS.items():
        if find_device(device).family == "ecp5":
            made = synthesize(_design(preset), device, options=PLACING, clock_mhz=TARGET_MHZ, jobs=1)
            found[preset] |= {"placed": True, "tools": made.tools, "fmax_mhz": made.fmax_mhz}
            found[preset]["share_of_device"] = made.utilization
            found[preset] |= {name: getattr(made.total, name) for name in RESOURCES}
            print(preset, found[preset], flush=True)
            yield found


def _design(preset: str) -> Design:
    """The hardware of a preset, with the program of a network that does not matter."""
    target = get("bitsys")
    net = Network(InputSpec(TensorType((8,), IntType(8))), (Node("d", Dense([[1] * 8], IntType(2)), ("input",)),))
    return target.emit(target.plan(net, target.options(hardware=preset)))


def _synthesized(preset: str, device: str) -> dict:
    """Cells by Yosys; for Xilinx parts, whose cells the cost model counts, the model's figures over them."""
    part, design, tool = find_device(device), _design(preset), yosys.find()
    files = closure(with_vendor(flatten(design.files), part.primitives), design.top)
    _, folder, _ = yosys.synthesize_module(files, yosys.Synthesis(part.family, design.top), tool, cache.folder(None))
    made, estimate = yosys.count((folder / yosys.STAT).read_text()), design.estimate.total
    figures = {name: getattr(made, name) for name in RESOURCES}
    row = {"device": device, "tools": [f"Yosys {tool.version}"], **figures}
    row["share_of_device"] = part.utilization(made)
    if part.vendor == "xilinx":
        row["estimate_ratio"] = {name: getattr(estimate, name) / value for name, value in figures.items() if value}
    else:
        row |= {"placed": False, "fmax_mhz": None}
    return row
