"""How many of the multipliers of rap and bitsys work in depthwise layers: python benchmarks/networks/depthwise.py DATA

    python benchmarks/networks/depthwise.py DATA [--only "rap 4 x 4, Lite0" ...] [--bits 8 4] [--rtl] [--output FILE]

A share is the products of a convolution over those that the array can make at these widths in the layer's cycles; that
of a network is over the sums of both. DS-CNN (kws) is compiled as a whole. EfficientNet-Lite0 at 224 x 224 fits neither
target, so each of its depthwise layers is a network of its own, in parts of its channels where it is still too large,
with the cycles of its cost model; the same code asks both targets. In the whole network, neighboring layers of rap
share the strips of columns, so "network" has that, too: the exact cycle model of all layers, as if the memories were
unlimited. rap's simulator runs every layer or part, with --rtl the RTL too: differences from the network are counted,
cycles and counters compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import bitwright as bw
from bitwright.fast.evaluator import Evaluator
from bitwright.network import INPUT, InputSpec, Network, Node, TensorType, ops
from bitwright.network.lowering import products_by_squares
from bitwright.simulation import simulate
from bitwright.targets import get
from bitwright.targets.bitsys import hardware as bitsys_hardware
from bitwright.targets.rap.compiler.codegen import Code, write_layer
from bitwright.targets.rap.compiler.layers import make_layers
from bitwright.targets.rap.compiler.storage import lane_bits, place, strips, wide_pitches
from bitwright.targets.rap.compiler.writer import Writer
from bitwright.targets.rap.cost import section_cycles
from bitwright.targets.rap.isa.machine import Program
from bitwright.targets.rap.planning import map_layer, simpler
from bitwright.targets.rap.simulator.run import execute

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "quantization"))
OUTPUT = HERE / "depthwise.json"
CALIBRATION = {"kws": 64, "lite0": 8}  # samples; shares do not depend on the values
NAMES = {"kws": "kws", "lite0": "Lite0"}
BOUNDS = {
    "rap 4 x 4, Lite0 W8A8": 0.80,
    "rap 4 x 4, kws W8A8": 0.52,
    "bitsys 8 x 8, Lite0 W8A8": 0.70,
    "bitsys 8 x 8, kws W8A8": 0.50,
}
WORD = 8  # channels
LARGE = {"a_words": 1 << 17, "b_words": 1 << 17, "param_words": 1 << 16, "program_words": 1 << 16}
BITSYS = HERE / "bitsys_8x8.toml"  # an array of 8 x 8, two words of activations at once


@dataclass(frozen=True)
class Array:
    """A target with options, and the products that it makes in a cycle at `bits` bits."""

    name: str
    target: str
    options: dict[str, Any]

    def products(self, bits: int) -> int:
        if self.target == "rap":
            return self.options["size"] ** 2 * 16 // bits
        array = bitsys_hardware.load(self.options["hardware"])
        return array.rows * array.columns * 8 // bits


ARRAYS = (
    Array("rap 4 x 4", "rap", {"size": 4, **LARGE}),
    Array("rap 8 x 8", "rap", {"size": 8, **LARGE}),
    Array("rap 2 x 2", "rap", {"size": 2, **LARGE}),
    Array("bitsys 8 x 8", "bitsys", {"hardware": str(BITSYS)}),
)


def quantized(name: str, bits: int, data: Path) -> Network:
    from data import CASES

    case = CASES[name](data)
    return bw.quantize(case.model, case.calibration[: CALIBRATION[name]], weight_bits=bits, activation_bits=bits)


def depthwise(network: Network) -> list[tuple[Node, ...]]:
    """Every depthwise convolution with the one operation behind it that takes its accumulators."""
    return [
        (node, *network.consumers[node.name])
        for node in network.nodes
        if isinstance(node.op, ops.Conv2d) and node.op.groups == network.types[node.inputs[0]].channels > 1
    ]


def products(node: Node, network: Network) -> int:
    """Products of a convolution."""
    assert isinstance(node.op, ops.Conv2d)
    h, w, _ = network.types[node.name].shape
    return int(h * w * node.op.weight.size)


def alone(network: Network, nodes: tuple[Node, ...], channels: slice) -> Network:
    """Some channels of a depthwise layer as a network."""
    conv, step = nodes
    assert isinstance(conv.op, ops.Conv2d)
    assert isinstance(step.op, ops.Requantize)
    source = network.types[conv.inputs[0]]
    weight = conv.op.weight[channels]
    bias = None if conv.op.bias is None else conv.op.bias[channels]
    parts = {
        name: values if len(values) == 1 else values[channels]
        for name in ("multiplier", "shift", "bias")
        for values in (np.atleast_1d(getattr(step.op, name)),)
    }
    first = Node(conv.name, replace(conv.op, weight=weight, bias=bias, groups=len(weight)), (INPUT,))
    second = Node(step.name, replace(step.op, **parts), (conv.name,))
    kind = TensorType((*source.shape[:2], len(weight)), source.dtype)
    return Network(InputSpec(kind), (first, second))


def parts(network: Network, nodes: tuple[Node, ...], array: Array) -> Iterator[tuple[Network, Any]]:
    """A layer as networks with their plans: halves of its channels, and halves of those, until the target takes all.

    Parts have whole words of channels: those of a word that lie in two parts would be read, and multiplied, twice.
    """
    target = get(array.target)
    options = target.options(**array.options)
    open_parts = [slice(0, network.types[nodes[0].name].channels)]
    while open_parts:
        part = open_parts.pop()
        made = alone(network, nodes, part)
        plan = target.plan(made, options)
        if hasattr(plan, "estimate"):
            yield made, plan
        elif part.stop - part.start == 1:
            raise AssertionError(f"{nodes[0].name} on {array.name}: {plan.problems}")
        else:
            half = (part.stop - part.start) // 2
            middle = part.start + (half if half < WORD else -(-half // WORD) * WORD)
            open_parts += [slice(part.start, middle), slice(middle, part.stop)]


def cycles_of(plan: Any, nodes: tuple[Node, ...]) -> int:
    """Cycles of a convolution in a plan."""
    return sum(layer.cycles for layer in plan.estimate.layers if nodes[0].name in layer.nodes)


def simulated(made: Network, plan: Any, rtl: bool) -> dict[str, Any]:
    """A frame in rap's simulator, and in the RTL: differences from the network, whether cycles and counters agree."""
    x = np.random.default_rng(0).integers(
        made.input.type.dtype.min, made.input.type.dtype.max + 1, made.input.type.shape
    )
    x = x[None]
    done = execute(plan.options.machine, plan.code.program, x.reshape(1, -1), made.output_type.size)
    outputs = made.output_type.dtype.decode(done.outputs).reshape(1, *made.output_type.shape)
    found = {
        "differences": int(np.count_nonzero(outputs != Evaluator(made).run(x))),
        "cycles_as_estimated": done.counters["cycles"] == plan.estimate.interval_cycles - 1,
    }
    if rtl:
        result = simulate(get("rap").emit(plan), x, jobs=1)
        equal = result.counters == done.counters | {"errors": 0}
        found |= {"differences_rtl": result.mismatches, "counters_equal": equal}
    return found


def in_network(network: Network, array: Array) -> dict[str, Any]:
    """rap: cycles of each depthwise layer of the whole network, and of all layers, as if memories were unlimited."""
    options = get("rap").options(**array.options)
    layered = make_layers(simpler(products_by_squares(network), options.size))
    bits = lane_bits(layered, options.lane_bits)
    strip, _ = strips(layered, options.size)
    stored, _ = place(layered, options.size, bits, strip, wide_pitches(layered, options.size, bits))
    stored = {name: replace(value, address=0) for name, value in stored.items()}
    plans, writer = [], Writer()
    for layer in layered.stages:
        plan, _, problems = map_layer(layer, stored, options)
        assert not problems
        plans.append(plan)
        writer.mark(layer.name)
        write_layer(writer, plan)
    code = Code(Program(writer.code()), tuple(writer.marks), 0, 0)
    sections = section_cycles(plans, code, [])
    names = {nodes[0].name for nodes in depthwise(network)}
    own = {p.layer.name: c for p, c in zip(plans, sections, strict=True) if names & set(p.layer.nodes)}
    assert len(own) == len(names)
    return {"cycles": own, "all_layers_cycles": sum(sections)}


def measure(network: Network, array: Array, bits: int, whole: bool, rtl: bool) -> dict[str, Any]:
    """Products, cycles and shares of a network's depthwise layers; whole: it is compiled as it is."""
    rows, checks = {}, []
    plan = bw.api.plan(network, array.target, array.options) if whole else None
    for nodes in depthwise(network):
        count = products(nodes[0], network)
        if plan is not None:
            cycles, number = cycles_of(plan, nodes), 1
        else:
            made = list(parts(network, nodes, array))
            cycles, number = sum(cycles_of(p, nodes) for _, p in made), len(made)
            checks += [simulated(n, p, rtl) for n, p in made] if array.target == "rap" else []
        share = count / cycles / array.products(bits)
        rows[nodes[0].name] = {"products": count, "cycles": cycles, "parts": number, "share": round(share, 4)}
    total = sum(row["products"] for row in rows.values())
    found: dict[str, Any] = {"layers": rows, "share": share_of(total, rows, array, bits)}
    if plan is not None:
        found["interval_cycles"] = plan.estimate.interval_cycles
        checks += [simulated(network, plan, rtl)] if array.target == "rap" else []
    elif array.target == "rap":
        model = in_network(network, array)
        found["network"] = model | {"share": round(total / sum(model["cycles"].values()) / array.products(bits), 4)}
    if checks:
        found["checks"] = {
            key: sum(c[key] for c in checks) if "differences" in key else all(c[key] for c in checks)
            for key in checks[0]
        }
    return found


def share_of(total: int, rows: dict[str, dict[str, Any]], array: Array, bits: int) -> float:
    return round(total / sum(row["cycles"] for row in rows.values()) / array.products(bits), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", help="parts of the rows' names")
    parser.add_argument("--bits", nargs="+", type=int, default=[8, 4])
    parser.add_argument("--rtl", action="store_true", help="run the RTL of rap, too")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    for name in NAMES:
        for bits in arguments.bits:
            titles = {f"{array.name}, {NAMES[name]} W{bits}A{bits}": array for array in ARRAYS}
            chosen = [t for t in titles if not arguments.only or any(part in t for part in arguments.only)]
            network = quantized(name, bits, arguments.data) if chosen else None
            for title in chosen:
                row = measure(network, titles[title], bits, name == "kws", arguments.rtl)
                if title in BOUNDS:
                    row |= {"bound": BOUNDS[title], "met": row.get("network", row)["share"] >= BOUNDS[title]}
                print(title, row["share"], row.get("network", {}).get("share"), row.get("checks"), flush=True)
                kept = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
                arguments.output.write_text(json.dumps(kept | {title: row}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
