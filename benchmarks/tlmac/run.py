"""TLMAC on ResNet-18 against the published method, on the same weights and with the same cost model.

    python benchmarks/tlmac/run.py [--output results.json] [--only PART ...]

Rows: shared tables as published (groups of a kernel row, G = 3) with this compiler's clustering, sign sharing,
placement, and a select for every array; the same with the group size chosen for each layer; the element chosen
freely, at the same cycles; the whole network on a device. Every figure is measured in this run except what
`reference.py` cites.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import scipy
from reference import ALL_LAYERS_3BIT, FIRST_LAYER_4BIT, STEP_OUTPUTS, Layer, layer_weights, layers, luts
from resnet18 import resnet18

from bitwright.devices import find_device
from bitwright.hardware.resources import Resources
from bitwright.network import IntType, TensorType
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.elements.selects import own_selects
from bitwright.targets.tlmac.elements.sharing import find_clusters, find_groups, place_groups
from bitwright.targets.tlmac.layer import MacLayer
from bitwright.targets.tlmac.model import cost

CORE = ("tables", "gates", "adders", "accumulators")  # what the reference's LUTs count
SPARE_4BIT = 70
SELECT_BITS = 6  # of a LUT's address, less one for each activation of the group


def arranged(w: np.ndarray, group: int) -> np.ndarray:
    """Weights [O, I, 3, 3] as [steps, accumulators, group], with as many steps for every group size.

    3: a kernel row, 64 outputs and 3 rows in parallel. 2: two input channels, 32 outputs and 9 taps.
    1: one weight, 64 outputs and 9 taps.
    """
    outputs, inputs = w.shape[:2]
    if group == 3:
        w = w.reshape(-1, STEP_OUTPUTS, inputs, 3, 3).transpose(0, 2, 1, 3, 4)
        return w.reshape(-1, STEP_OUTPUTS * 3, 3)
    parallel = STEP_OUTPUTS // group
    w = w.reshape(outputs // parallel, parallel, inputs // group, group, 9)
    return w.transpose(0, 2, 1, 4, 3).reshape(-1, parallel * 9, group)


def share(layer: Layer, bits: int, group: int, rounds: int, spare: int = 0) -> dict[str, object]:
    """Shared tables with sign sharing for one layer: arrays, routes, LUTs of the reference's model, ROM, seconds.

    rounds: of placement. spare: arrays beyond those needed, for copies.
    """
    w = arranged(layer_weights(layer, bits), group)
    start, cpu = time.perf_counter(), time.process_time()
    groups = find_groups(w, sign_sharing=True)
    clusters = 1 << (SELECT_BITS - group)
    steps = find_clusters(groups, clusters, seed=0)
    common = place_groups(groups, steps, clusters, seed=0, rounds=rounds, spare=spare)
    placement = own_selects(groups, common, seed=0)
    wires = placement.routes.sum(0)
    lut = luts(placement.arrays, wires, layer.inputs, bits, group, sign_sharing=True)
    columns = (SELECT_BITS - group) * placement.arrays + sum((int(n) - 1).bit_length() + 1 for n in wires)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {
        "layer": layer.name,
        "group": group,
        "arrays": placement.arrays,
        "routes": placement.route_count,
        "routes_one_select": common.route_count,  # with one select for all arrays of a step
        "lut": lut,
        "rom_bits": len(w) * columns,  # selects, and every output's multiplexer and sign
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
    }


def free_choice(layer: Layer, bits: int) -> dict[str, object]:
    """The cheapest element at the cycles of the shared tables: 192 multiplications a cycle, ROM apart."""
    w = layer_weights(layer, bits).transpose(0, 2, 3, 1)
    mac = MacLayer(
        layer.name,
        TensorType((layer.size, layer.size, layer.inputs), IntType(bits)),
        np.ascontiguousarray(w),
        np.zeros(layer.outputs, np.int64),
        (layer.size, layer.size),
        pads=(1, 1, 1, 1),
    )
    per_step = STEP_OUTPUTS * 9 / bits  # multiplications of whole activations a cycle
    goal = int(mac.macs / per_step)
    found: dict[str, object] | None = None
    for option in fold.options(mac, goal, ("private", "products", "gates")):
        plan, parts = option.plan, cost.mac_cost(option.plan)
        core = sum((v for k, v in parts.items() if k in CORE), Resources())
        rom = sum(width * depth for width, depth in plan.element.rom_shapes.values())
        if found is None or core.lut < found["lut"]:
            found = {"layer": layer.name, "element": plan.element.kind, "lut": core.lut, "rom_bits": rom}
            found |= {"cycles": plan.cycles, "goal": goal, "taps": [patch.module for patch in plan.patches]}
    return found


def whole_network(goal: int, clock_mhz: float) -> dict[str, object]:
    """All of ResNet-18 planned for `goal` cycles a frame, against the XCVU13P; the clock is assumed."""
    start = time.perf_counter()
    target, device = get("tlmac"), find_device("xcvu13p")
    plan = target.plan(resnet18(), make_options(target, {"interval": goal}))
    used = plan.estimate.total
    return {
        "interval_cycles": plan.estimate.interval_cycles,
        "assumed_clock_mhz": clock_mhz,
        "frames_per_second": round(clock_mhz * 1e6 / plan.estimate.interval_cycles),
        "estimated": asdict(used),
        "utilization": {"lut": round(used.lut / device.lut, 3), "bram36": round(used.bram36 / device.bram36, 3)},
        "seconds": round(time.perf_counter() - start, 1),
        "rows": [
            {"layer": layer.name, "cycles": layer.cycles, "element": layer.details.get("element", layer.kind)}
            | {"lut": layer.resources.lut, "bram36": layer.resources.bram36}
            for layer in plan.estimate.layers
        ],
    }


def summed(rows: list[dict[str, object]], reference) -> dict[str, object]:
    """Totals of rows and their ratios to the reference."""
    keys = ("arrays", "routes", "routes_one_select", "lut", "rom_bits", "seconds", "cpu_seconds")
    total = {key: round(sum(row[key] for row in rows), 1) for key in keys}
    named = (
        ("arrays", reference.arrays),
        ("routes", reference.routes),
        ("routes_one_select", reference.routes),
        ("lut", reference.lut),
        ("rom_bits", reference.rom_bits),
        ("seconds", reference.seconds),
        ("cpu_seconds", reference.seconds),
    )
    return {"total": total, "ratio": {key: round(total[key] / value, 4) for key, value in named if value}, "rows": rows}


def kernel_rows() -> dict[str, object]:
    return summed([share(layer, 3, 3, rounds=2) for layer in layers()], ALL_LAYERS_3BIT)


def group_chosen() -> dict[str, object]:
    rows = [min((share(layer, 3, g, rounds=2) for g in (1, 2)), key=lambda row: row["lut"]) for layer in layers()]
    return summed(rows, ALL_LAYERS_3BIT)


def four_bits() -> list[dict[str, object]]:
    rows = [share(layers()[0], 4, group, 16, spare) for group, spare in ((2, 0), (3, SPARE_4BIT))]
    return [summed([row], FIRST_LAYER_4BIT) for row in rows]


def element_chosen() -> dict[str, object]:
    rows = [free_choice(layer, 3) for layer in layers()]
    lut = sum(row["lut"] for row in rows)
    return {"lut": lut, "ratio": round(lut / ALL_LAYERS_3BIT.lut, 4), "rows": rows}


PARTS = {
    "shared, kernel rows, 3 bits": kernel_rows,
    "shared, group chosen, 3 bits": group_chosen,
    "shared, 4 bits, first layer": four_bits,
    "element chosen, 3 bits": element_chosen,
    "whole network, 3 bits, estimated": lambda: whole_network(goal=40_000, clock_mhz=200),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="the others stay as they are")
    arguments = parser.parse_args()
    share(layers()[0], 3, 3, rounds=1)  # compiles the search, once a machine
    report = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    report |= {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    for name in arguments.only:
        report[name] = PARTS[name]()
        for part in report[name] if isinstance(report[name], list) else [report[name]]:
            print(name, {k: v for k, v in part.items() if k != "rows"}, flush=True)
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
