"""The clock model against static timing of synthesized units: what a plan says of a unit before there is a netlist.

    python benchmarks/clock/units.py [--data ../shared/data] [--only NAME ...]

Writes units.json: for every unit of each case the model's MHz and the middle estimate of its netlist, out of context,
with registers beyond its ports; the model's error, and its median and worst. What has been measured stays, if the
unit's sources are the same; the model is always computed anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from run import ESTIMATED, ROUTED, network

from bitwright.devices import Device, find_device
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.hardware.timing import analyze, read_modules
from bitwright.hardware.timing import flatten as joined
from bitwright.targets import get
from bitwright.targets.tlmac.model.clock import ClockGoal, unit_paths
from bitwright.tools import cache, yosys

OUTPUT = Path(__file__).with_name("units.json")
CASES = (("digits", 4608), ("TFC_2W2A", 784), ("TFC_2W2A", 196), ("KWS", 1960))
TARGET = get("tlmac")


def measured(files: dict[str, str], top: str, part: Device) -> float:
    """MHz by static timing of the module's netlist."""
    options = yosys.Synthesis(part.family, top, wiring=True, contents=not part.traits.memory_step)
    _, folder, _ = yosys.synthesize_module(files, options, yosys.find(), cache.folder(None))
    return analyze(joined(read_modules(folder / yosys.WIRING), top), part.traits, part.grade, worst=1).fmax_mhz.mid


def rows(name: str, interval: int, device: str, data: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Rows of a design's units by name."""
    part = find_device(device)
    plan = TARGET.plan(network(name, data), TARGET.options(interval=interval))
    design = TARGET.emit(plan)
    flat, found = with_vendor(flatten(design.files), part.primitives), {}
    for unit, own in zip(design.units, plan.units, strict=False):
        key = f"{name} at {interval}, {device}, {unit.top}"
        files = closure(flat, unit.top)
        delays = part.traits.delays
        digest = cache.digest([*(t for item in sorted(files.items()) for t in item), delays.cells, repr(delays.nets)])
        row = known.get(key, {})
        mhz = row["netlist_mhz"] if row.get("sources") == digest else round(measured(files, unit.top, part), 1)
        model, limit = ClockGoal(1.0, part).reached(unit_paths(own))
        found[key] = {
            "netlist_mhz": mhz,
            "model_mhz": round(model, 1),
            "error": round(model / mhz - 1, 3),
            "limit": limit,
            "sources": digest,
        }
    return found


def main() -> None:
    """Measure what is new, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=[])
    args = parser.parse_args()
    known = json.loads(OUTPUT.read_text())["units"] if OUTPUT.exists() else {}
    for name, interval in CASES:
        for device in (ROUTED, ESTIMATED):
            if args.only and name not in args.only:
                continue
            start = f"{name} at {interval}, {device}, "
            known = {key: row for key, row in known.items() if not key.startswith(start)} | rows(
                name, interval, device, args.data, known
            )
            errors = sorted(abs(row["error"]) for row in known.values())
            summary = {"median_error": round(statistics.median(errors), 3), "worst_error": errors[-1], "units": known}
            OUTPUT.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
            print(start, f"median {summary['median_error']:.1%}, worst {summary['worst_error']:.1%}", flush=True)


if __name__ == "__main__":
    main()
