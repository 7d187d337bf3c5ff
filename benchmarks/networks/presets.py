"""Presets that fill parts: what they take by Yosys, their estimated clock, and the networks that they run.

    python benchmarks/networks/presets.py [--data DIR] [--only PRESET ...] [--output FILE]

Every preset of PARTS is synthesized for its part: the elements of its array once, all else with them as black boxes,
and both netlists are timed as one. utilization: share of the part, by Yosys and by the cost model. products: 8-bit
products a cycle (containers, DSP blocks), or bit products (bit planes). per_second: of them at the middle of the
estimated clock; for bit planes binary operations, two for a product. networks: cycles a frame by the model, which
equals the simulation, and frames a second at that clock; external memory has 100 cycles to the first beat and 8 bytes a
cycle.
What is in the file is kept, if the hardware's files are the same; an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bitwright as bw
from bitwright.devices import Device, find_device
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing import analyze, read_modules
from bitwright.hardware.timing import flatten as joined
from bitwright.network import Network
from bitwright.targets import contract, get
from bitwright.targets.bitsys import emit, hardware
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.model import cost
from bitwright.tools import cache, yosys

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "quantization"), str(HERE.parent / "bitsys")]
PARTS = {
    "ultra96_large": "xczu3eg",
    "ultra96_planes_large": "xczu3eg",
    "ultra96_dsp": "xczu3eg",
    "kv260": "xck26",
    "pynq_z2": "xc7z020",
    "ulx3s": "ecp5-85k",
}
ELEMENTS = {"container": "bitsys_container_pe", "bitplane": "bitsys_bitplane_pe", "dsp": "bitsys_dsp_pair"}
RESOURCES = ("lut", "ff", "bram36", "dsp")
SCARCEST = (0.75, 0.88)
# By preset: least and most of figures.
BOUNDS: dict[str, dict[str, tuple[str, float]]] = {
    "ultra96_large": {"resnet8 W8A8 cycles": ("most", 60_000), "resnet8 8/4/2 cycles": ("most", 42_000)},
    "ultra96_planes_large": {"per_second": ("least", 8e12)},
    "ultra96_dsp": {
        "products": ("least", 512),
        "dsp": ("most", 306),
        "per_second": ("least", 100e9),
        "resnet8 W8A8 cycles": ("most", 36_000),
        "resnet8 W8A8 frames_per_second": ("least", 5_000),
        "Lite0 W8A8 frames_per_second": ("least", 120),
    },
}


def files(machine: Hardware, part: Device) -> dict[str, str]:
    """All sources of the hardware, with the part's versions of primitives."""
    return closure(with_vendor(flatten(emit.files(machine)), part.primitives), emit.TOP)


def synthesized(machine: Hardware, part: Device) -> dict[str, Any]:
    """Cells and clock: elements apart, linked with the rest."""
    flat, element, tool, root = files(machine, part), ELEMENTS[machine.unit], yosys.find(), cache.folder(None)
    copies = machine.rows * machine.columns // (2 if machine.unit == "dsp" else 1)
    contents = not part.traits.memory_step
    folders, found = {}, Resources()
    for top, boxes, times in ((element, (), copies), (emit.TOP, (element,), 1)):
        inner = {f"{box}.sv": flat[f"{box}.sv"] for box in boxes}
        inner |= {n: text for box in boxes for n, text in closure(flat, box).items() if n.endswith(".svh")}
        own = closure({name: text for name, text in flat.items() if name not in inner}, top) | inner
        options = yosys.Synthesis(part.family, top, wiring=True, contents=contents, boxes=boxes)
        _, folders[top], _ = yosys.synthesize_module(own, options, tool, root)
        found += yosys.count((folders[top] / yosys.STAT).read_text()).resources * times
    modules = {name: m for folder in folders.values() for name, m in read_modules(folder / yosys.WIRING).items()}
    timing = analyze(joined(modules, emit.TOP), part.traits, part.grade)
    assert timing.fmax_mhz is not None
    return {
        "measured": asdict(found),
        "utilization": {name: round(getattr(found, name) / getattr(part, name), 4) for name in RESOURCES},
        "clock_mhz": {name: round(mhz, 1) for name, mhz in asdict(timing.fmax_mhz).items()},
        "slowest": [f"{p.ns:.2f} ns: {p.start.name} to {p.end.name}" for p in timing.paths[:3]],
        "tool": f"Yosys {tool.version}",
    }


def networks(data: Path) -> dict[str, Network]:
    """Those that presets are measured with."""
    from data import CASES
    from networks import load

    case = CASES["lite0"](data)
    return {
        "resnet8 W8A8": load("resnet8", data)[0],
        "resnet8 8/4/2": load("resnet8_mixed", data)[0],
        "Lite0 W8A8": bw.quantize(case.model, case.calibration[:8], weight_bits=8, activation_bits=8),
    }


def run(preset: str, network: Network, mhz: float) -> dict[str, Any]:
    """Cycles of a frame, and frames a second; or why it does not run."""
    target = get("bitsys")
    plan = target.plan(network, contract.make_options(target, {"hardware": preset}))
    if isinstance(plan, contract.Refusal):
        return {"refused": str(plan)}
    cycles = plan.estimate.interval_cycles
    return {"cycles": cycles, "frames_per_second": round(mhz * 1e6 / cycles, 1)}


def judged(preset: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds of a row: all presets fill their part."""
    flat = {f"{name} {key}": value for name, own in row["networks"].items() for key, value in own.items()}
    flat |= {"products": row["products"], "per_second": row["per_second"], "dsp": row["measured"]["dsp"]}
    flat["scarcest"] = max(row["utilization"].values())
    wanted = {f"scarcest, at {kind}": (kind, share) for kind, share in zip(("least", "most"), SCARCEST, strict=True)}
    wanted |= BOUNDS.get(preset, {})
    found = {}
    for name, (kind, bound) in wanted.items():
        value = flat[name.partition(",")[0]]
        met = value >= bound if kind == "least" else value <= bound
        found[name] = {kind: bound, "measured": value, "met": met}
    return found


def measure(preset: str, given: Mapping[str, Network], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A row; the synthesis of an earlier one where the hardware is the same."""
    machine, part = hardware.load(preset), find_device(PARTS[preset])
    digest = cache.digest([text for item in sorted(files(machine, part).items()) for text in item])
    row = dict(kept) if kept.get("files") == digest else {"files": digest, **synthesized(machine, part)}
    bits = machine.unit == "bitplane"
    products, mhz = machine.rows * machine.columns * (64 if bits else 1), row["clock_mhz"]["mid"]
    row |= {"device": part.name, "unit": machine.unit, "rows": machine.rows, "columns": machine.columns}
    estimate = part.estimated_utilization(cost.resources(machine))
    row |= {"estimated": {name: round(share, 4) for name, share in estimate.items()}, "products": products}
    row |= {"per_second": round(products * (2 if bits else 1) * mhz * 1e6)}
    row["networks"] = {name: run(preset, network, mhz) for name, network in given.items()}
    return row | {"bounds": judged(preset, row)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--only", nargs="+", metavar="PRESET", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--output", type=Path, default=HERE / "presets.json")
    arguments = parser.parse_args()
    given = networks(arguments.data)
    for preset in arguments.only:
        kept = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        kept[preset] = measure(preset, given, kept.get(preset, {}))
        print(preset, json.dumps(kept[preset]), flush=True)
        rows = {name: kept[name] for name in PARTS if name in kept}
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
