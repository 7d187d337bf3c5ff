"""What clock whole designs reach, and what it costs: routed for the ECP5, estimated for UltraScale+, before and after.

    python benchmarks/clock/run.py [--data ../shared/data] [--only NAME ...] [--seeds 1 2 3] [--grades 6 8] [--cheap]
    PYTHONPATH=OTHER/src python benchmarks/clock/run.py --column before --cheap

Each design is compiled, synthesized between shift registers, timed before placement, and placed and routed with every
seed at both speed grades; a frame takes the cycles of the cycle model, which simulations confirm elsewhere. Results
are written after every step. What they hold for the same sources is not measured again, so a run that was stopped goes
on: all designs with the first seed at the first grade, then the others. --cheap leaves placing and routing out. The
column "before" is measured by this script on the program of another checkout.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

import bitwright as bw
from bitwright.demo.run import files as demo_files
from bitwright.devices import Device, find_device
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.hardware.timing import analyze, read_modules
from bitwright.hardware.timing import flatten as joined
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.placement import HARNESS, TOP, Placement, harness_files, place_and_route
from bitwright.targets import get
from bitwright.targets.contract import Design
from bitwright.tools import cache as store
from bitwright.tools import nextpnr, yosys

OUTPUT = Path(__file__).with_name("results.json")
ROUTED, ESTIMATED = "ecp5-85k", "xczu3eg"
GRADES, SEEDS = (6, 8), (1, 2, 3)
CELLS = ("lut", "ff", "carry", "bram36", "dsp")
IMAGES, BATCH = 64, 8  # of calibration; of TFC on bitsys
GRID = {"a_words": 8192, "b_words": 16384}  # the most that fits the block RAM of the ECP5


@dataclass(frozen=True)
class Case:
    """A design: network "" where the hardware is the same for all; goals by grade, or of the middle estimate, MHz."""

    name: str
    target: str
    device: str
    goals: dict[str, float]
    network: str = ""
    options: dict[str, Any] = field(default_factory=dict)


STREAMING = (("TFC_2W2A", 784), ("TFC_2W2A", 196), ("digits", 4608), ("digits", 2304), ("KWS", 1960))
CASES = (
    *(
        Case(f"tlmac {network} at {interval}", "tlmac", ROUTED, {"6": 180, "8": 225}, network, {"interval": interval})
        for network, interval in STREAMING
    ),
    Case("rap 2 x 2", "rap", ROUTED, {"6": 120, "8": 150}, "", {"size": 2, **GRID}),
    Case("bitsys small", "bitsys", ROUTED, {"6": 120, "8": 150}, "", {"hardware": "small"}),
    *(
        Case(f"tlmac {network} at {interval}", "tlmac", ESTIMATED, {"mid": 350}, network, {"interval": interval})
        for network, interval in STREAMING
    ),
    Case("bitsys ultra96", "bitsys", ESTIMATED, {"mid": 250}, "", {"hardware": "ultra96"}),
    Case("rap 4 x 4", "rap", ESTIMATED, {"mid": 250}),
)
# Cycles a frame: target, network, options of the target, and how much longer than before it may be.
SPEEDS = (
    *(("tlmac", network, {"interval": interval}, 0.0) for network, interval in STREAMING),
    ("bitsys", "resnet8", {"hardware": "ultra96"}, 0.01),
    ("rap", "resnet8", {}, 0.02),
    ("bitsys", "TFC_2W2A", {"hardware": "ultra96", "batch": BATCH}, 0.03),
)


@cache
def network(name: str, data: Path) -> Network:
    """A network; one that is quantized is kept as a file, so that another checkout compiles the very same one."""
    if not name:  # the hardware is the same for all
        copy = Node("copy", ops.Requantize(IntType(8)), (INPUT,))
        return Network(InputSpec(TensorType((4, 4, 4), IntType(8))), (copy,))
    if name == "digits":
        return bw.load(demo_files()[0])
    if name != "resnet8":
        return bw.load(data / "qonnx" / f"{ {'KWS': 'kws_finn_submission_v0.7'}.get(name, name) }.onnx")
    kept = Path(gettempdir()) / "bitwright-networks" / "clock_resnet8.bw"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        images = np.load(data / "cifar10" / "calibration.npz")["images"][:IMAGES].transpose(0, 3, 1, 2)
        bw.save(bw.quantize(str(data / "mlperf_tiny" / "resnet8.onnx"), images.astype(np.float32)), kept)
    return bw.load(kept)


def design(target: str, name: str, options: dict[str, Any], data: Path) -> Design:
    """The hardware for a network."""
    found = get(target)
    return found.emit(found.plan(network(name, data), found.options(**options)))


def sources(case: Case, data: Path) -> dict[str, str]:
    """The design between shift registers."""
    made = design(case.target, case.network, case.options, data)
    flat = with_vendor(flatten(made.files), find_device(case.device).primitives)
    return closure(flat | harness_files(made), TOP)


def digest(files: dict[str, str], part: Device) -> str:
    """Of all that a row depends on."""
    texts = (text for item in sorted(files.items()) for text in item)
    delays = part.traits.delays
    model = (delays.cells, delays.direct, repr(delays.nets), getattr(yosys, "PACKING", ""))
    return store.digest([*texts, *model, yosys.find().version])


def synthesized(files: dict[str, str], part: Device) -> Path:
    """The folder with the netlist, for placing where the part can be placed."""
    placed = part.traits.placing is not None
    options = yosys.Synthesis(part.family, TOP, netlist=placed, wiring=not placed, contents=placed)
    return yosys.synthesize_module(files, options, yosys.find(), store.folder(None))[1]


def measure(folder: Path, part: Device, grades: Iterable[str]) -> dict[str, Any]:
    """Cells without the harness, and the estimated clock by grade with the slowest path."""
    stat = (folder / yosys.STAT).read_text()
    whole, harness = yosys.count(stat), yosys.count(stat, HARNESS)
    name = yosys.NETLIST if part.traits.placing else yosys.WIRING
    netlist = joined(read_modules(folder / name), TOP)
    found = {grade: analyze(netlist, part.traits, grade, worst=1) for grade in grades}
    path = next(iter(found.values())).paths[0]
    return {
        "cells": {kind: getattr(whole, kind) - getattr(harness, kind) for kind in CELLS},
        "estimated_mhz": {g: {k: round(mhz, 1) for k, mhz in asdict(t.fmax_mhz).items()} for g, t in found.items()},
        "path": f"{path.start.name} to {path.end.name}, {path.ns:.2f} ns: {path.hint}",
        "tools": [f"Yosys {yosys.find().version}"],
    }


def routed(folder: Path, case: Case, part: Device, grade: int, seed: int) -> Placement:
    """The design after place and route."""
    goal = max(case.goals.values())
    run = nextpnr.PlaceRoute(part.size, part.package, grade, clock_mhz=goal, seed=seed)
    stat = (folder / yosys.STAT).read_text()
    return place_and_route(folder / yosys.NETLIST, stat, part.traits.placing, run, store.folder(None))


class Results:
    """One column of the file, written after every change."""

    def __init__(self, path: Path, column: str, commit: str) -> None:
        self.path, self.name, self.commit = path, column, commit

    def update(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the column, though other processes change theirs."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = json.loads(self.path.read_text()) if self.path.exists() else {}
            column = found.setdefault(self.name, {"designs": {}, "cycles": {}})
            change(column)
            self.path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")

    @property
    def column(self) -> dict[str, Any]:
        found = json.loads(self.path.read_text()) if self.path.exists() else {}
        return found.get(self.name, {"designs": {}, "cycles": {}})


def key(case: Case) -> str:
    return f"{case.name}, {case.device}"


def prepare(case: Case, data: Path, results: Results) -> None:
    """The row of a design, new where its sources are."""
    files, part = sources(case, data), find_device(case.device)
    found = digest(files, part)
    if results.column["designs"].get(key(case), {}).get("sources") == found:
        results.update(lambda column: column["designs"][key(case)].update(commit=results.commit))
        return
    grades = [str(grade) for grade in GRADES] if part.traits.placing else [part.grade]
    row = measure(synthesized(files, part), part, grades)
    row |= {"sources": found, "commit": results.commit, "routed_mhz": {}}
    results.update(lambda column: column["designs"].update({key(case): row}))
    print(key(case), row["cells"], row["estimated_mhz"], flush=True)


def route(case: Case, data: Path, grade: int, seed: int, results: Results) -> None:
    """One place and route, unless the row holds it."""
    row = results.column["designs"][key(case)]
    if str(seed) in row["routed_mhz"].get(str(grade), {}):
        return
    part = find_device(case.device)
    placed = routed(synthesized(sources(case, data), part), case, part, grade, seed)
    mhz = round(placed.fmax_mhz, 1)

    def keep(column: dict[str, Any]) -> None:
        own = column["designs"][key(case)]
        own["routed_mhz"].setdefault(str(grade), {})[str(seed)] = mhz
        own["placed"] = {kind: getattr(placed.total, kind) for kind in CELLS}
        own["tools"] = [*own["tools"][:1], placed.tool]

    results.update(keep)
    print(key(case), f"grade {grade}, seed {seed}: {mhz} MHz", flush=True)


def cycles(data: Path, results: Results) -> None:
    """Cycles a frame by the cycle models."""
    for target, name, options, _ in SPEEDS:
        label = speed_key(target, name, options)
        interval = design(target, name, options, data).estimate.interval_cycles
        results.update(lambda column, k=label, n=interval: column["cycles"].update({k: n}))
        print(label, interval, flush=True)


def speed_key(target: str, name: str, options: dict[str, Any]) -> str:
    said = ", ".join(f"{k}={v}" for k, v in options.items())
    return f"{target} {name}" + (f", {said}" if said else "")


def chosen(case: Case, only: list[str]) -> bool:
    return not only or any(key(case).startswith(start) for start in only)


def head() -> str:
    """The commit of the program that is measured."""
    folder = Path(bw.__file__).parent
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Measure what the results do not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--grades", nargs="*", type=int, default=list(GRADES))
    parser.add_argument("--cheap", action="store_true")
    parser.add_argument("--column", choices=("before", "after"), default="after")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    results = Results(args.output, args.column, head())
    if not args.only:
        cycles(args.data, results)
    own = [case for case in CASES if chosen(case, args.only)]
    for case in own:
        prepare(case, args.data, results)
    if not args.cheap:
        rounds = sorted((seed, grade) for seed in args.seeds for grade in args.grades)
        for seed, grade in rounds:
            for case in own:
                if case.device == ROUTED:
                    route(case, args.data, grade, seed, results)


if __name__ == "__main__":
    main()
