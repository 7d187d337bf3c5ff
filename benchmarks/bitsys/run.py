"""Measure target bitsys and write results.json: python benchmarks/bitsys/run.py DATA [--only part ...] [--frames N]

DATA holds the reference networks (TFC, KWS, resnet8) and their data. Results are written after every step; a second
run repeats no simulation of the same hardware and program, and synthesis comes from the tools' cache. Parts, and
networks (--networks), may run side by side.
Parts: units, arrays, tfc (needs arrays), presets, ecp5, networks, stream.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import accelerator
import ecp5
import logic
import stream
import tfc

RESULTS = Path(__file__).parent / "results.json"
PARTS = ("units", "arrays", "tfc", "presets", "ecp5", "networks", "stream")
UTILIZATION_BOUND = 0.85  # of the array on resnet8


def networks(data: Path, names: list[str], frames: int, known: dict) -> Iterator[dict]:
    """Of the part `networks` the runs that have changed, by name: frames of all, then the layers of all."""
    runs = {name: known.get("runs", {}).get(name, {}) for name in names}
    for name in names:
        for run in accelerator.measure(name, data, frames, runs[name]):
            runs[name] = run
            yield {name: run}
    for name in names:
        yield {name: accelerator.time_layers(name, data, runs[name])}


def _network_summary(known: dict, found: dict) -> dict:
    """The part `networks` after some of its runs have changed."""
    runs = known.get("runs", {}) | found
    runs = {name: runs[name] for name in accelerator.NAMES if name in runs}
    return {
        "hardware": accelerator.HARDWARE,
        "builds": len({run["run"]["build"] for run in runs.values()}),
        "frames": {name: run["frames"] for name, run in runs.items()},
        "differences": sum(run["differences"] for run in runs.values()),
        "batches_off_the_model": sum(run["batches_off_the_model"] for run in runs.values()),
        "layers_timed": {name: len(run["layers"] or ()) for name, run in runs.items()},
        "layers_off_the_model": sum(run["layers_off_the_model"] or 0 for run in runs.values()),
        "resnet8_utilization": runs.get("resnet8", {}).get("macs_per_cycle_and_element"),
        "resnet8_utilization_bound": UTILIZATION_BOUND,
        "runs": runs,
    }


def measure(part: str, arguments, results: dict) -> Iterator[dict]:
    """One part's results, complete with the last item; of `networks`, runs."""
    known = results.get(part, {})
    if part == "units":
        yield logic.units()
    elif part == "arrays":
        yield logic.arrays()
    elif part == "tfc":
        yield tfc.measure(known, results["arrays"]["lut"])
    elif part == "presets":
        yield from logic.presets()
    elif part == "ecp5":
        yield from ecp5.measure()
    elif part == "stream":
        yield from stream.measure(arguments.data, known)
    else:
        yield from networks(arguments.data, arguments.networks, arguments.frames, known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--networks", nargs="+", choices=accelerator.NAMES, default=list(accelerator.NAMES))
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in arguments.only:
        for found in measure(part, arguments, results):
            # Another part may have been written meanwhile.
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results[part] = _network_summary(results.get(part, {}), found) if part == "networks" else found
            results = {name: results[name] for name in PARTS if name in results}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
