"""Estimated clock against the routed one, for modules and small networks on the ECP5.

    python benchmarks/clock/calibrate.py [--data ../shared/data] [--only NAME ...] [--seeds 3] [--output FILE]

Each case is synthesized between shift registers, timed before placement, then placed and routed with every seed. The
error is of the middle estimate against the median of the seeds. Cases that the output holds are left as they are, if
their sources are the same; run again, the command goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from modules import DEVICE, Block, blocks, harnessed, synthesized

import bitwright as bw
from bitwright.demo.run import files
from bitwright.devices import find_device
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.hardware.timing import analyze, read_modules
from bitwright.hardware.timing import flatten as joined
from bitwright.placement import TOP, harness_files, place_and_route
from bitwright.tools import cache, nextpnr, yosys

OUTPUT = Path(__file__).with_name("calibration.json")
NETWORKS = (
    ("digits", 4608),
    ("digits", 2304),
    ("TFC_2W2A", 784),
    ("TFC_2W2A", 196),
    ("kws_finn_submission_v0.7", 1960),
)
TARGET_MHZ = 200
PART = find_device(DEVICE)


def network_files(data: Path, name: str, interval: int) -> dict[str, str]:
    """The streaming circuit of a network between shift registers."""
    path = files()[0] if name == "digits" else data / "qonnx" / f"{name}.onnx"
    design = bw.compile(bw.load(path), target="tlmac", interval=interval)
    flat = with_vendor(flatten(design.files), PART.primitives)
    return closure(flat | harness_files(design), TOP)


def module_files(block: Block) -> dict[str, str]:
    """A module between shift registers."""
    return harnessed(block, PART, synthesized(block, PART)[1])


def measure(sources: dict[str, str], seeds: int) -> dict[str, object]:
    """Estimate and truth of one case."""
    options = yosys.Synthesis(PART.family, TOP, netlist=True)
    _, folder, _ = yosys.synthesize_module(sources, options, yosys.find(), cache.folder(None))
    netlist = joined(read_modules(folder / yosys.NETLIST), TOP)
    timing = analyze(netlist, PART.traits, PART.grade, worst=1)
    stat, routed = (folder / yosys.STAT).read_text(), {}
    for seed in range(1, seeds + 1):
        run = nextpnr.PlaceRoute(PART.part_name, clock_mhz=TARGET_MHZ, seed=seed)
        placed = place_and_route(folder / yosys.NETLIST, stat, PART.traits.placing, run, cache.folder(None))
        routed[seed] = placed.fmax_mhz
    median = statistics.median(routed.values())
    estimate = timing.fmax_mhz
    return {
        "cells": len(netlist.cells),
        "estimated_mhz": {name: round(mhz, 1) for name, mhz in asdict(estimate).items()},
        "routed_mhz": {str(seed): round(mhz, 1) for seed, mhz in routed.items()},
        "median_mhz": round(median, 1),
        "error": round(estimate.mid / median - 1, 3),
        "tools": [f"Yosys {yosys.find().version}", placed.tool],
    }


def keep(output: Path, name: str, row: dict[str, object]) -> None:
    """Add a row, though other processes add theirs."""
    with output.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = json.loads(output.read_text()) if output.exists() else {"cases": {}}
        found["cases"][name] = row
        errors = sorted(abs(case["error"]) for case in found["cases"].values())
        found["median_error"], found["worst_error"] = statistics.median(errors), errors[-1]
        found["device"] = DEVICE
        output.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    cases: dict[str, Callable[[], dict[str, str]]] = {}
    for block in blocks():
        cases[block.name] = lambda block=block: module_files(block)
    for name, interval in NETWORKS:
        cases[f"{name} at {interval}"] = lambda n=name, i=interval: network_files(args.data, n, i)
    done = json.loads(args.output.read_text())["cases"] if args.output.exists() else {}
    for name, make in cases.items():
        if args.only and not any(name.startswith(start) for start in args.only):
            continue
        sources = make()
        delays = PART.traits.delays
        model = [delays.cells, delays.direct, repr(delays.nets), repr(args.seeds)]
        digest = cache.digest([*(text for item in sorted(sources.items()) for text in item), *model])
        if done.get(name, {}).get("sources") != digest:
            row = measure(sources, args.seeds) | {"sources": digest}
            keep(args.output, name, row)
            print(f"{name}: {row['estimated_mhz']['mid']:.1f} {row['median_mhz']} {row['error']:+.1%}", flush=True)


if __name__ == "__main__":
    main()
