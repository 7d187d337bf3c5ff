"""Fully unrolled layers, one result a cycle, against da4ml and alkaid on the same weights.

    python benchmarks/tlmac/unrolled.py DATA [--output unrolled.json] [--only NETWORK ...] [--count]

Networks: TFC_2W2A of DATA (784 ternary inputs to 10 raw sums), 16-64-32-32-5 with seeded Gaussian weights of 6 bits,
8-bit inputs and activations (ReLU, shift, saturation), and sparse matrices of 64 x 64, raw sums.
Every layer is one combinational module: the matrix by each tool's own solver, and behind it the same activation.
Registers between layers would cost each side the same. Two figures; of each tool the better setting counts for every
layer (`unrolled_rivals.SETTINGS`: its own Verilog, or its adders on bitwright's primitives, alkaid's in threes):

- "lut": LUT cells after the same Yosys script (synth_xilinx -family xcup -nodsp -flatten), and the positions of carry
  chains that no LUT of their own drives, which a LUT passes through. Activations included.
- "sites": LUT sites of the matrix alone by one rule for all adders and tables (`carry_sums.sites`), without synthesis.

A layer is measured once: solutions and netlists are cached, so a run goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from carry_sums import LIBRARY, Operand, Step, route_throughs, sites
from unrolled_rivals import SETTINGS, TOOLS, Emitted, available, emit, solve

import bitwright as bw
from bitwright.hardware.closure import flatten
from bitwright.hardware.library import with_vendor
from bitwright.network.ops import Dense, Threshold
from bitwright.targets.tlmac.elements.unrolled.emit import emit_graph, output_word
from bitwright.targets.tlmac.elements.unrolled.graph import Adder
from bitwright.targets.tlmac.elements.unrolled.sums import Graph, evaluate, unroll
from bitwright.targets.tlmac.emit import library_files
from bitwright.tools import cache, yosys

ZERO = ("1'sd0", 1)  # a sum of nothing: expression and bits
SIZES, WEIGHT_MAX, BITS, SEED = (16, 64, 32, 32, 5), 31, 8, 0


@dataclass(frozen=True, eq=False)
class Layer:
    """weights [inputs, sums] of signed inputs of `bits` bits (unsigned if low is 0) within [low, high].

    Activation: thresholds [sums, n] (y = count of x >= T, less one); else `shift` (y = clip(x >> shift, 0, 255)); else
    none, where both are None.
    """

    name: str
    weights: np.ndarray
    low: int
    high: int
    bits: int
    thresholds: np.ndarray | None = None
    shift: int | None = None


def random_network() -> list[Layer]:
    """Seeded Gaussian weights, the greatest of every layer being 31; shifts such that one in a thousand saturates."""
    rng, found = np.random.default_rng(SEED), []
    x = rng.integers(-128, 128, (4096, SIZES[0]))
    for k, (inputs, outputs) in enumerate(pairwise(SIZES)):
        w = rng.standard_normal((inputs, outputs))
        w = np.round(w / np.abs(w).max() * WEIGHT_MAX).astype(np.int64)
        y, low = x @ w, -128 if k == 0 else 0
        shift = max(0, int(np.ceil(np.log2(np.quantile(y, 0.999) / 255)))) if k < len(SIZES) - 2 else None
        found.append(Layer(f"dense_{k}", w, low, low + 255, BITS, shift=shift))
        x = np.clip(y >> (shift or 0), 0, 255)
    return found


def tfc(data: Path) -> list[Layer]:
    """The dense layers of TFC_2W2A; inputs that no weight reads are left out."""
    network = bw.load(data / "qonnx/TFC_2W2A.onnx")
    thresholds = [node.op.thresholds for node in network.nodes if isinstance(node.op, Threshold)]
    layers = []
    for k, node in enumerate(node for node in network.nodes if isinstance(node.op, Dense)):
        w = node.op.weight.T
        layers.append(Layer(node.name, w[w.any(1)], -1, 1, 2, [*thresholds, None][k]))
    return layers


def sparse(density: float, bits: int) -> list[Layer]:
    """64 x 64 seeded weights, of which `density` are not 0: of 6 bits for 8-bit inputs, else ternary; raw sums."""
    rng = np.random.default_rng(SEED)
    there = rng.random((64, 64)) < density
    values = rng.standard_normal((64, 64)) if bits > 2 else rng.choice([-1, 1], (64, 64))
    peak = WEIGHT_MAX / np.abs(values[there]).max() if bits > 2 else 1
    w = np.round(values * peak * there).astype(np.int64)
    low, high = (-128, 127) if bits > 2 else (-1, 1)
    return [Layer(f"{density:.0%} of 64 x 64", w, low, high, bits)]


NETWORKS = {"16-64-32-32-5": lambda data: random_network(), "TFC_2W2A": tfc} | {
    f"sparse {density:.0%}, {bits}-bit inputs": lambda data, density=density, bits=bits: sparse(density, bits)
    for bits in (8, 2)
    for density in (0.03, 0.1, 0.3)
}


def _module(layer: Layer, in_bits: tuple[int, ...], sums: list[tuple[str, int]], body: str) -> str:
    """Module `layer` around `body`, which reads x_i; sums: a signed expression and its bits for every output."""
    outs = [bits if layer.thresholds is None and layer.shift is None else layer.bits for _, bits in sums]
    text = f"module layer (input logic [{sum(in_bits) - 1}:0] x_i, output logic [{sum(outs) - 1}:0] y_o);\n{body}"
    for o, ((value, bits), low) in enumerate(zip(sums, np.cumsum([0, *outs]), strict=False)):
        text += f"  logic signed [{bits - 1}:0] sum_{o};\n  assign sum_{o} = {value};\n"
        result = f"y_o[{low}+:{outs[o]}]"
        if layer.thresholds is not None:
            hits = [f"2'(sum_{o} >= {_signed(int(t), bits + 2)})" for t in layer.thresholds[o]]
            text += f"  assign {result} = {' + '.join(hits)} - 2'd1;\n"
        elif layer.shift is not None:
            text += f"  logic signed [{bits - 1}:0] moved_{o};\n  assign moved_{o} = sum_{o} >>> {layer.shift};\n"
            over = f"moved_{o} > {_signed((1 << layer.bits) - 1, bits + layer.bits)}"
            text += f"  assign {result} = sum_{o}[{bits - 1}] ? '0 : {over} ? '1 : {layer.bits}'(moved_{o});\n"
        else:
            text += f"  assign {result} = sum_{o};\n"
    return text + "endmodule\n"


def _signed(value: int, bits: int) -> str:
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"


def rival_files(layer: Layer, emitted: Emitted) -> dict[str, str]:
    """The layer around a competitor's module."""
    body = f"  logic [{sum(emitted.out_bits) - 1}:0] out;\n  core i_core (.model_inp(x_i), .model_out(out));\n"
    sums = []
    rows = zip(emitted.out_bits, emitted.out_signed, emitted.out_shift, strict=True)
    for low, (bits, signed, shift) in zip(np.cumsum([0, *emitted.out_bits]), rows, strict=False):
        if not bits:  # a sum without weights
            sums.append(ZERO)
            continue
        word = f"out[{low}+:{bits}]"
        word = "{" + word + f", {shift}'d0" + "}" if shift else word
        sums.append((f"$signed({word})" if signed else f"$signed({{1'b0, {word}}})", bits + shift + (not signed)))
    text = _module(layer, emitted.in_bits, sums, body)
    return primitives([emitted.files.get(LIBRARY, "")]) | emitted.files | {"layer.sv": text}


def primitives(texts: list[str]) -> dict[str, str]:
    """The library's files that the texts need, with the vendor's primitives."""
    return with_vendor(flatten(library_files(texts)), "xilinx")


def own_files(layer: Layer) -> tuple[dict[str, str], dict[str, object]]:
    """The layer around bitwright's graph, and what the cost model says; the graph is checked on random inputs."""
    shift = -(1 << (layer.bits - 1)) if layer.low < 0 else 0
    inputs = np.ones(len(layer.weights), np.int64)
    start = time.perf_counter()
    graph = unroll(layer.weights, (layer.low - shift) * inputs, (layer.high - shift) * inputs, -shift)
    seconds = time.perf_counter() - start
    x = np.random.default_rng(1).integers(layer.low, layer.high + 1, (256, len(inputs)))
    if not np.array_equal(evaluate(graph, x - shift) + shift * layer.weights.sum(0), x @ layer.weights):
        raise AssertionError("the graph does not compute the matrix")
    words = [f"x_i[{i * layer.bits}+:{layer.bits}]" for i in range(len(inputs))]
    sums = []
    for o, total in enumerate(layer.weights.sum(0)):
        if graph.outputs[o] is None:
            sums.append(ZERO)
            continue
        word, bits = output_word(graph, o, 0)
        value, zeros, _ = graph.outputs[o]
        constant = (graph.values[value].offset << zeros) - shift * int(total)
        width = bits + zeros + 1
        wide = f"$signed({{1'b0, {word}, {zeros}'d0}})" if zeros else f"$signed({{1'b0, {word}}})"
        sums.append((f"{wide} - {_signed(constant, width)}", width))
    text = _module(layer, (layer.bits,) * len(inputs), sums, emit_graph(graph, words, 0))
    levels = max(value.level for value in graph.values)
    row = {"estimate": graph.luts, "sites": own_sites(graph), "levels": levels, "solve_seconds": round(seconds, 1)}
    return primitives([text]) | {"layer.sv": text}, row


def own_sites(graph: Graph) -> int:
    """LUT sites of the graph by the same rule; a subtracted operand is inverted bits, its ones are in the offsets."""
    total = 0
    for number, value in enumerate(graph.values):
        if isinstance(value.source, Adder):
            parts = [(o, graph.values[o.value]) for o in value.source.operands]
            operands = tuple(Operand(o.value, part.bits, False, o.shift, False) for o, part in parts)
            total += sites(Step(number, value.bits, False, 0, operands, constant=value.source.constant))
        else:
            total += value.luts
    return total


def synthesized(files: dict[str, str], root: Path) -> dict[str, object]:
    """Cells of module `layer`."""
    options = yosys.Synthesis("xcup", "layer", dsp=False, netlist=True)
    _, folder, _ = yosys.synthesize_module(files, options, yosys.find(), root)
    cells = yosys.count((folder / yosys.STAT).read_text())
    through = route_throughs(json.loads((folder / yosys.NETLIST).read_text())["modules"]["layer"]["cells"])
    return {"lut": cells.lut + through, "route_throughs": through, "carry": cells.carry, "cells": cells.cells}


def solved(tool: str, layer: Layer, root: Path) -> tuple[Path, float]:
    """A tool's solution, and the seconds that it took; cached, as the solvers take minutes for the largest layer."""
    parts = [tool, importlib.metadata.version(tool), f"{layer.low} {layer.high}", str(layer.weights.shape)]
    key = cache.digest([*parts, layer.weights.astype("<i8").tobytes()])

    def make(folder: Path) -> list[Path]:
        start = time.perf_counter()
        solve(tool, layer.weights, layer.low, layer.high, folder / "logic.json")
        (folder / "seconds.json").write_text(json.dumps(round(time.perf_counter() - start, 1)))
        return [folder / "logic.json", folder / "seconds.json"]

    folder, _ = cache.entry(root / "unrolled_solved", key, make)
    return folder / "logic.json", json.loads((folder / "seconds.json").read_text())


def counted(layer: Layer, root: Path) -> dict[str, object]:
    """A layer's row before synthesis: sites, adders and solving times."""
    row = {"layer": layer.name, "shape": layer.weights.shape, **own_files(layer)[1]}
    for tool in filter(available, TOOLS):
        path, seconds = solved(tool, layer, root)
        for setting in SETTINGS[tool]:
            found = emit(tool, setting, path, layer.weights, layer.low, layer.high)
            row[f"{tool} {setting}"] = {"adders": found.adders, "sites": found.sites, "solve_seconds": seconds}
    return row


def mapped(layer: Layer, row: dict[str, object], root: Path) -> Iterator[str]:
    """Add the synthesized cells to a layer's row; what has been added, one by one."""
    row["bitwright"] = synthesized(own_files(layer)[0], root)
    yield f"bitwright {row['bitwright']['lut']} LUT"
    for tool in filter(available, TOOLS):
        path, _ = solved(tool, layer, root)
        for setting in SETTINGS[tool]:
            found = emit(tool, setting, path, layer.weights, layer.low, layer.high)
            row[f"{tool} {setting}"] |= synthesized(rival_files(layer, found), root)
            yield f"{tool} {setting} {row[f'{tool} {setting}']['lut']} LUT"


def summary(found: list[dict[str, object]]) -> dict[str, object]:
    """Sums over the layers, of competitors with the best setting for every layer, and ratios to the better one.

    LUTs only where all layers are synthesized.
    """
    tools = list(filter(available, TOOLS))
    names = [f"{tool} {setting}" for tool in tools for setting in SETTINGS[tool]]
    done = all("lut" in row.get(name, {}) for row in found for name in ("bitwright", *names))
    result: dict[str, object] = {"estimate": sum(row["estimate"] for row in found)}
    for figure in ("sites", "lut") if done else ("sites",):
        own = (row["bitwright"]["lut"] if figure == "lut" else row["sites"] for row in found)
        result[figure] = {"bitwright": sum(own)}
        for tool in tools:
            result[figure][tool] = sum(min(row[f"{tool} {s}"][figure] for s in SETTINGS[tool]) for row in found)
        best = min((result[figure][tool] for tool in tools), default=None)
        result[f"{figure}_ratio"] = best and round(result[figure]["bitwright"] / best, 4)
    return result | {"rows": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the reference networks")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("unrolled.json"))
    parser.add_argument(
        "--only", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="the others stay as they are"
    )
    parser.add_argument("--count", action="store_true", help="count LUT sites, without synthesis")
    arguments = parser.parse_args()
    for tool in TOOLS:
        if not available(tool):
            print(f"{tool} is not installed, its columns are left out: pip install bitwright[compare]")
    report = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    report["tools"] = {tool: importlib.metadata.version(tool) for tool in filter(available, TOOLS)}
    report["tools"]["yosys"] = yosys.find().version
    root, layers = cache.folder(None), {}

    def keep(name: str, found: list[dict[str, object]]) -> None:
        report[name] = {"layers": len(found)} | summary(found)
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")

    for name in arguments.only:  # all counts first: they need no synthesis
        layers[name] = sorted(NETWORKS[name](arguments.data), key=lambda layer: layer.weights.size)
        keep(name, [counted(layer, root) for layer in layers[name]])
        print(name, "sites", report[name]["sites"], report[name]["sites_ratio"], flush=True)
    for name in [] if arguments.count else arguments.only:
        found = report[name]["rows"]
        for layer, row in zip(layers[name], found, strict=True):
            for said in mapped(layer, row, root):
                print(name, layer.name, said, flush=True)
        keep(name, found)
        print(name, "LUT", report[name]["lut"], report[name]["lut_ratio"], flush=True)


if __name__ == "__main__":
    main()
