"""ECP5 clock rates of the units and of 4 x 4 arrays between shift registers, by nextpnr."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import resources

import logic

from bitwright.devices import find_device
from bitwright.hardware.closure import closure
from bitwright.placement import HARNESS, TOP, place_and_route
from bitwright.targets.bitsys import emit
from bitwright.tools import cache, nextpnr, yosys

DEVICE = "ecp5-85k"
TARGET_MHZ = 250
SEEDS = {"unit": (1, 2, 3), "array": (1,)}
DESIGNS = (
    ("bitsys_container_unit", "unit", 245),
    ("bitsys_bitplane_unit", "unit", None),
    ("bitsys_grid/container", "array", 200),
    ("bitsys_grid/planes", "array", None),
)


def measure() -> Iterator[dict]:
    """Cells and clock rates, after each design again."""
    part, tool, root, found = find_device(DEVICE), yosys.find(), cache.folder(None), {}
    for name, kind, bound in DESIGNS:
        module, _, unit = name.partition("/")
        files = closure(logic.sources(part.vendor) | _harness(module, logic.GRIDS.get(unit, {})), TOP)
        synthesis = yosys.Synthesis(part.family, TOP, dsp=False, netlist=True)
        _, folder, _ = yosys.synthesize_module(files, synthesis, tool, root)
        stat = (folder / yosys.STAT).read_text()
        runs = (nextpnr.PlaceRoute(part.part_name, clock_mhz=TARGET_MHZ, seed=seed) for seed in SEEDS[kind])
        placed = [place_and_route(folder / yosys.NETLIST, stat, part.traits.placing, options, root) for options in runs]
        found[name] = {
            "device": DEVICE,
            "tools": [f"Yosys {tool.version}", placed[0].tool],
            "lut": placed[0].total.lut,
            "ff": placed[0].total.ff,
            "seeds": SEEDS[kind],
            "fmax_mhz": [p.fmax_mhz for p in placed],
            "bound": bound,
        }
        print(name, found[name], flush=True)
        yield found


def _harness(module: str, array: dict[str, int]) -> dict[str, str]:
    """`pin_top`: the module, an array of 4 x 4 where it is one, between the shift registers of `pin_harness`."""
    sizes = array | {"Rows": 4, "Columns": 4}
    text = (emit.ROOT / f"{module}.sv").read_text().partition("module ")[2]
    ports = text.partition(") (" if array else "(")[2].partition(");")[0]
    offsets, pins = {"input": 0, "output": 0}, []
    for line in ports.strip().splitlines():
        direction, *_, name = line.strip().rstrip(",").split()
        if name in ("clk_i", "rst_i"):
            continue
        bits = _bits(line, sizes)
        start = offsets[direction]
        vector = "to_design" if direction == "input" else "from_design"
        pins.append(f".{name}({vector}[{start}+:{bits}])")
        offsets[direction] += bits
    values = ", ".join(f".{name}({sizes[name]})" for name in ("Unit", "Rows", "Columns") if array)
    parameters = f"#({values})" if array else ""
    top = f"""module {TOP} (input logic clk_i, rst_i, d_i, load_i, output logic q_o);
  logic reset;
  logic [{offsets["input"] - 1}:0] to_design;
  logic [{offsets["output"] - 1}:0] from_design;
  {HARNESS} #(.InBits({offsets["input"]}), .OutBits({offsets["output"]})) u_pins (
    .clk_i(clk_i), .rst_i(rst_i), .d_i(d_i), .load_i(load_i), .q_o(q_o),
    .rst_o(reset), .in_o(to_design), .out_i(from_design)
  );
  {module} {parameters} u_design (.clk_i(clk_i), .rst_i(reset), {", ".join(pins)});
endmodule
"""
    harness = (resources.files("bitwright") / "hardware" / "modules" / f"{HARNESS}.sv").read_text()
    return {f"{TOP}.sv": top, f"{HARNESS}.sv": harness}


def _bits(line: str, sizes: dict[str, int]) -> int:
    """Width of a port from its declaration: [7:0], or [n-1:0] where n is a product of numbers and parameters."""
    if "[" not in line:
        return 1
    high = line.partition("[")[2].partition(":")[0].strip()
    if high.isdigit():
        return int(high) + 1
    factors = [factor.strip() for factor in high.removesuffix("-1").split("*")]
    return math.prod(sizes[factor] if factor in sizes else int(factor) for factor in factors)
