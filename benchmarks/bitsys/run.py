"""Measure target bitsys and write results.json: python benchmarks/bitsys/run.py DATA [--only part ...] [--frames N]

DATA holds the reference networks (TFC, KWS, resnet8) and their data.
Parts: units, arrays, tfc (needs arrays), accelerator, networks.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import logic
import networks
import numpy as np

from bitwright.simulate import simulate
from bitwright.targets import contract, get
from bitwright.tools.model import Stalls

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
TARGET = get("bitsys")
NAMES = ("tfc_1w2a", "tfc_2w2a", "kws", "digits", "resnet8", "resnet8_mixed")
PARTS = ("units", "arrays", "tfc", "accelerator", "networks")
TFC_BOUNDS = (1.6, 1.6, 6.0, 40.0)


def design(net, hardware: str, batch: int = 0):
    """Plan and design of a network; raises where it is refused."""
    options = TARGET.options(hardware=hardware, batch=batch)
    contract.refuse(TARGET, TARGET.check(net, options))
    plan = TARGET.plan(net, options)
    return plan, TARGET.emit(plan)


def measure_networks(data: Path, frames: int) -> dict:
    """All networks by programs on one build: differences under stalls, cycles against the model, utilization."""
    found, digests = {}, set()
    for name in NAMES:
        net, x = networks.load(name, data)
        plan, made = design(net, "ultra96")
        digests.add(made.digest)
        result = simulate(made, x[:frames], stalls=Stalls(seed=1, input=0.3, output=0.3), jobs=1)
        counters, facts, layers = result.counters, made.parameters, plan.estimate.layers[1:]
        batches = counters["batches"]
        model = sum(layer.details["cycles_batch"] for layer in layers)
        peak = facts["hardware"]["rows"] * facts["hardware"]["columns"]
        found[name] = {
            "frames": frames,
            "differences": result.mismatches,
            "cycles_batch_simulated": counters["cycles_busy"] / batches,
            "cycles_batch_model": model,
            "batch": facts["batch"],
            "macs_per_frame": facts["macs_per_frame"],
            "macs_per_cycle_and_element": facts["macs_per_frame"] * facts["batch"] / (model * peak),
            "array_busy": counters["cycles_array"] / counters["cycles_busy"],
            "layers": {
                layer.name: {"cycles": layer.details["cycles_batch"], "array": layer.details["array_cycles"]}
                for layer in layers
            },
        }
        print(name, {k: v for k, v in found[name].items() if k != "layers"}, flush=True)
    return {"hardware": "ultra96", "builds": len(digests), "networks": found}


def measure_tfc(cells: dict) -> dict:
    """Cycles of the TFC networks at equal LUTs of the array: container and bit planes against plain 8-bit MACs."""
    rng, found = np.random.default_rng(5), {}
    for widths, bound in zip(networks.TFC_WIDTHS, TFC_BOUNDS, strict=True):
        net = networks.tfc(widths)
        x = rng.choice(net.input.type.dtype.values(), (64, *net.input.type.shape))
        row = {}
        for unit, hardware in (
            ("container", "container"),
            ("fixed", "fixed"),
            ("planes", "planes"),
            ("fixed_small", "fixed_small"),
        ):
            if unit.startswith("fixed"):
                net_run, x_run = networks.tfc((8, 8, 8, 8)), rng.integers(0, 256, (64, 784))
            else:
                net_run, x_run = net, x
            _, made = design(net_run, str(HERE / "hardware" / f"{hardware}.toml"), 16)
            result = simulate(made, x_run, jobs=1)
            if not result.bit_exact:
                raise SystemExit(f"{net_run.name} on {hardware}: {result.first_mismatch()}")
            row[unit] = {
                "cycles_frame": result.counters["cycles_busy"] / 64,
                "cycles_frame_with_streams": result.cycles / 64,
                "array_lut": cells[hardware],
            }
        for unit, base in (("container", "fixed"), ("planes", "fixed_small")):
            for key in ("cycles_frame", "cycles_frame_with_streams"):
                share = row[base][key] * row[base]["array_lut"] / (row[unit][key] * row[unit]["array_lut"])
                row[unit][key.replace("cycles_frame", "speedup_equal_lut")] = share
        row["bound"] = bound
        row["best"] = max(row[u]["speedup_equal_lut"] for u in ("container", "planes"))
        found["-".join(map(str, widths))] = row
        print(widths, {u: round(row[u]["speedup_equal_lut"], 2) for u in ("container", "planes")}, bound, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in arguments.only:
        if part == "units":
            results["units"] = logic.units()
        elif part == "arrays":
            results["arrays"] = logic.arrays()
        elif part == "tfc":
            results["tfc"] = measure_tfc(results["arrays"])
        elif part == "accelerator":
            results["accelerator"] = logic.accelerators()
        else:
            results["networks"] = measure_networks(arguments.data, arguments.frames)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
