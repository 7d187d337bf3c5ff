"""Whole networks on bitsys with external memory, every row simulated cycle by cycle.

    python benchmarks/networks/run.py [--data DIR] [--only ROW ...] [--images N] [--redo] [--output FILE]

Every row is one network with all its maps, weights, parameters and records in the same memory: EfficientNet-Lite0 at
224 x 224 (real weights), resnet8 and DS-CNN of MLPerf Tiny (real weights), ResNet-18 at 224 x 224 with 3 bits (random
weights), MobileNetV2 at 224 x 224 (random weights), an encoder-decoder with Concat and Resize (random weights). The
hardware is preset ultra96_memory, 8 x 8; "two words" that of bitsys_8x8_memory.toml, which reads two words at once, and
"16 x 16" that of bitsys_16x16.toml. Lite0 in weights and inputs of 4 and 8 bits has the widths that the search chose
(mixed.py), on two words.

random: N images under a memory of random latencies, pauses and order, with pauses on the streams; every element is
compared with the integer network's. ideal: the memory that estimates hold for (100 cycles to the first beat, one
beat of 8 bytes a cycle), frames that follow each other; the cycle in which frames leave is compared with the model's:
of five frames, or of one where it takes more than a million cycles. bytes: of records, parameters, weights and maps
that a frame reads and writes; least: of weights, parameters, input and output. half_rate: the model's figures for a
beat in two cycles, 4 bytes a cycle. depthwise: the share of the multipliers that work in the cycles of depthwise
layers. What is in the file is kept; an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from depthwise import depthwise, products
from mobilenet import mobilenet_v2

import bitwright as bw
from bitwright.fast.evaluator import Evaluator
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.simulation import (
    MEMORY_BASE,
    compile_model,
    external_memory,
    inputs_of,
    outputs_of,
    stream_words,
)
from bitwright.targets import contract, get
from bitwright.targets.bitsys import planning
from bitwright.targets.contract import Design, Estimate
from bitwright.tools.model import Model, Run, Stalls

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "quantization"), str(HERE.parent / "tlmac")]
PRESET = "ultra96_memory"
WIDER = str(HERE / "bitsys_8x8_memory.toml")
LARGER = str(HERE / "bitsys_16x16.toml")
MIXED = HERE / "mixed.json"  # what mixed.py chose
CALIBRATION = 8  # samples; neither cycles nor bytes depend on the values
LARGE = 1_000_000  # cycles of a frame from which on the ideal memory sees one frame
BEHIND = 3  # batches of input behind those that are timed: input that goes on takes cycles, too
STALLS = Stalls(5, 0.1, 0.1)
SIDE = 96  # pixels of the encoder-decoder's images
PARAMETER_BYTES = 16  # of a channel
Case = tuple[Network, np.ndarray]  # and frames, integers or floats


def quantized(name: str, data: Path, count: int) -> Case:
    from data import CASES

    case = CASES[name](data)
    return bw.quantize(case.model, case.calibration[:CALIBRATION], weight_bits=8, activation_bits=8), case.x[:count]


def mixed(data: Path, count: int) -> Case:
    """Lite0 in the widths that the search chose."""
    from data import CASES

    case, found = CASES["lite0"](data), json.loads(MIXED.read_text())
    network = bw.quantize(case.model, case.calibration, layer_bits=found["widths"], **found["options"])
    return network, case.x[:count]


def resnet18(data: Path, count: int) -> Case:
    from resnet18 import resnet18 as make

    made = make()
    return made, np.random.default_rng(0).integers(0, 256, (count, *made.input.type.shape))


def mobilenet(data: Path, count: int) -> Case:
    made = mobilenet_v2()
    return made, np.random.default_rng(0).integers(0, 256, (count, *made.input.type.shape))


def encoder_decoder(data: Path, count: int) -> Case:
    """Three scales of 16, 32 and 64 channels; on the way up maps are enlarged and joined with those of the way down."""
    rng = np.random.default_rng(0)
    nodes, types = [], {"input": TensorType((SIDE, SIDE, 3), IntType(8))}

    def put(name: str, op: ops.Op, *inputs: str) -> str:
        types[name] = op.infer(*(types[n] for n in inputs))
        nodes.append(Node(name, op, inputs))
        return name

    def block(name: str, channels: int, source: str) -> str:
        inputs = types[source].channels
        weight = rng.integers(-128, 128, (channels, 3, 3, inputs))
        conv = put(f"{name}_conv", ops.Conv2d(weight, IntType(8, True), (1, 1), (1, 1, 1, 1)), source)
        multiplier = rng.integers(80, 120, channels)
        shift = np.full(channels, 12 + int(np.log2(inputs)) // 2)
        return put(name, ops.Requantize(IntType(8), multiplier, shift), conv)

    wide = block("down1", 16, "input")
    middle = block("down2", 32, put("pool1", ops.MaxPool((2, 2), (2, 2)), wide))
    low = block("bottom", 64, put("pool2", ops.MaxPool((2, 2), (2, 2)), middle))
    joined = put("join2", ops.Concat(), middle, put("up2", ops.Resize((2, 2)), low))
    up = block("up2_out", 32, joined)
    joined = put("join1", ops.Concat(), wide, put("up1", ops.Resize((2, 2)), up))
    block("mask", 8, block("up1_out", 16, joined))
    made = Network(InputSpec(types["input"]), tuple(nodes), name="encoder-decoder")
    return made, rng.integers(0, 256, (count, *types["input"].shape))


@dataclass(frozen=True)
class Row:
    """A network, what its bytes and cycles are to stay below, the share of busy multipliers to reach, the hardware."""

    make: Callable[[Path, int], Case]
    bounds: dict[str, float]
    depthwise: float | None = None
    hardware: str = PRESET


def real(name: str) -> Callable[[Path, int], Case]:
    return lambda data, count: quantized(name, data, count)


ROWS = {
    "kws W8A8": Row(real("kws"), {}, 0.50),
    "resnet8 W8A8": Row(real("resnet8"), {}),
    "encoder-decoder W8A8": Row(encoder_decoder, {}),
    "Lite0 W8A8": Row(real("lite0"), {"cycles": 7.2e6, "bytes_of_least": 1.10, "lost_at_half_rate": 0.05}),
    "Lite0 W8A8, two words": Row(
        real("lite0"), {"cycles": 7.2e6, "bytes_of_least": 1.10, "lost_at_half_rate": 0.05}, 0.70, WIDER
    ),
    "Lite0 W8A8, 16 x 16": Row(real("lite0"), {"cycles": 2.5e6, "bytes_of_least": 1.10, "lost": 0.06}, 0.22, LARGER),
    "Lite0 mixed W4/8": Row(mixed, {}, hardware=WIDER),
    "ResNet-18 W3A3": Row(resnet18, {"bytes": 7.3e6}),
    "MobileNetV2 W8A8": Row(mobilenet, {}),
}


def least_bytes(network: Network) -> int:
    """Bytes of weights, of 16 a channel of those for parameters, of input and output."""
    weights = [node.op for node in network.nodes if isinstance(node.op, (ops.Conv2d, ops.Dense))]
    bits = sum(op.weight.size * op.weight_type.bits for op in weights)
    ends = (network.input.type, network.output_type)
    return (
        bits // 8
        + sum(PARAMETER_BYTES * op.weight.shape[0] for op in weights)
        + sum(t.size * t.dtype.bits // 8 for t in ends)
    )


def run(model: Model, design: Design, words: np.ndarray, frames: int, stalls: Stalls | None) -> Run:
    """Frames through the simulated hardware; `words` of the input may be more than those of the frames."""
    assert design.memory is not None
    assert design.program is not None
    return model.with_memory(external_memory(design, None if stalls is None else stalls.seed)).run(
        {"s_axis": words},
        {"m_axis": frames * design.output.words},
        stalls=stalls,
        idle_cycles=100 * design.estimate.latency_cycles,
        program=np.concatenate([np.array(design.memory.placed(MEMORY_BASE), np.uint32), design.program]),
        counters=tuple((design.counters or {}).values()),
    )


def counted(design: Design, done: Run) -> dict[str, int]:
    """The counters of a run by name."""
    return {name: done.counters[address] for name, address in (design.counters or {}).items()}


@dataclass(frozen=True, eq=False)
class Bench:
    """A row's network with its plan, design and simulator, and frames: integers, and the words of the input stream.

    half_rate: the estimate for a memory of half the rate.
    """

    network: Network
    plan: Any
    half_rate: Estimate
    design: Design
    model: Model
    x: np.ndarray
    words: np.ndarray

    @property
    def frame(self) -> int:
        """Words of a frame."""
        return len(self.words) // len(self.x)


def prepared(row: Row, data: Path, images: int) -> Bench:
    network, x = row.make(data, max(images, BEHIND))
    target = get("bitsys")
    plan = contract.accepted(target, network, target.options(hardware=row.hardware))
    design = target.emit(plan)
    x = inputs_of(design, x)
    half = contract.accepted(target, network, target.options(hardware=row.hardware, memory_gap=2)).estimate
    return Bench(network, plan, half, design, compile_model(design, jobs=1), x, stream_words(design, x)["s_axis"])


def random(bench: Bench, images: int) -> dict[str, Any]:
    """Images under random memory, compared with the network."""
    start = time.perf_counter()
    done = run(bench.model, bench.design, bench.words[: images * bench.frame], images, STALLS)
    assert counted(bench.design, done)["errors"] == 0
    outputs, expected = outputs_of(bench.design, done), Evaluator(bench.network).run(bench.x[:images])
    return {
        "images": images,
        "differences": int(np.count_nonzero(outputs != expected)),
        "elements": images * bench.network.output_type.size,
        "cycles": done.cycles,
        "seconds": round(time.perf_counter() - start),
    }


def reached(value: float, bound: float) -> dict[str, Any]:
    """A value that is to be a bound at least."""
    return {"bound": bound, "measured": round(value, 4), "met": value >= bound}


def busy_share(bench: Bench) -> float | None:
    """Products of depthwise layers over those that the array can make in their cycles, of bytes; None without any."""
    network, array = bench.network, bench.plan.hardware
    own = {node.name: products(node, network) for node, *_ in depthwise(network)}
    cycles = sum(layer.cycles for layer in bench.design.estimate.layers if own.keys() & set(layer.nodes))
    return sum(own.values()) / cycles / (array.rows * array.columns) if own else None


def figures(row: Row, bench: Bench, ideal: dict[str, Any]) -> dict[str, Any]:
    """Cycles of a frame, bytes, cycles lost, and the bounds of a row."""
    design, parameters = bench.design, bench.design.parameters
    cycles = design.estimate.interval_cycles
    moved, least = parameters["bytes_read"] + parameters["bytes_written"], least_bytes(bench.network)
    lost = ideal["cycles_lost"] / ideal["frames"] / cycles
    assert bench.half_rate.shared is not None
    waits = sum(bench.half_rate.shared.details[f"cycles_{kind}"] for kind in ("loads", "stores"))
    half = waits / bench.half_rate.interval_cycles
    values = {
        "cycles": cycles,
        "bytes": moved,
        "bytes_of_least": moved / least,
        "lost": lost,
        "lost_at_half_rate": half,
    }
    busy, least_busy = busy_share(bench), row.depthwise
    return {
        "layers": len(bench.plan.staged.stages),
        "records": bench.plan.outside.image.records,
        "interval_cycles": cycles,
        "array_cycles": sum(layer.details["array_cycles"] for layer in design.estimate.layers),
        "bytes": {"read": parameters["bytes_read"], "written": parameters["bytes_written"], "least": least},
        "maps_outside": parameters["maps_outside"],
        "lost": round(lost, 4),
        "half_rate": {"interval_cycles": bench.half_rate.interval_cycles, "lost": round(half, 4)},
        "depthwise": None if busy is None else round(busy, 4),
        "bounds": {
            name: {"bound": bound, "measured": round(values[name], 4), "met": values[name] <= bound}
            for name, bound in row.bounds.items()
        }
        | ({} if busy is None or least_busy is None else {"depthwise": reached(busy, least_busy)}),
    }


def ideal(bench: Bench) -> dict[str, Any]:
    """Frames under the ideal memory: the cycles in which they leave, simulated and by the model; cycles lost."""
    plan, design, words, frame = bench.plan, bench.design, bench.words, bench.frame
    large = design.estimate.interval_cycles > LARGE
    parts = plan.outside.planned.input_pixels
    if large:
        expected = [design.estimate.latency_cycles]
        behind = -(-frame * 2 * parts // plan.network.input.type.pixels) if parts else frame
        given = words[: frame + behind]
    else:
        expected = planning.times(plan).ends.tolist()
        given = np.resize(words, ((len(expected) + BEHIND) * frame, words.shape[1]))
    frames = 1 if large else len(expected) + BEHIND
    done = run(bench.model, design, given, frames, None)
    ends = done.produced["m_axis"][design.output.words - 1 :: design.output.words] - done.accepted["s_axis"][0]
    ends, counters = ends[: len(expected)].tolist(), counted(design, done)
    assert counters["errors"] == 0
    return {
        "leave": ends,
        "as_modelled": ends == expected,
        "frames": frames,
        "cycles_lost": counters["cycles_loads"] + counters["cycles_stores"],
        "bytes": list(done.traffic),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--images", type=int, default=1, help="of each row under random memory")
    parser.add_argument("--redo", action="store_true", help="measure rows again that are in the file")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments = parser.parse_args()
    kept = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    for name in arguments.only:
        row, found = ROWS[name], {} if arguments.redo else kept.get(name, {})
        if {"ideal", "random", "half_rate"} <= found.keys():
            continue
        bench = prepared(row, arguments.data, arguments.images)
        for part, measure in (("ideal", ideal), ("random", lambda own: random(own, arguments.images))):
            if part not in found:
                found |= {part: measure(bench)}
                print(name, part, json.dumps(found[part]), flush=True)
            found |= figures(row, bench, found["ideal"])
            kept[name] = found
            rows = {row: kept[row] for row in ROWS if row in kept}
            arguments.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
