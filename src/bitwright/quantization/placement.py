# SPDX-License-Identifier: Apache-2.0
"""Where quantizers go: which values need a grid, of what width, and the graph with them inserted.

Convolutions, dense layers, joins, pools and moves read values on a grid of codes; elementwise
functions between an accumulator and the next quantizer stay real, since lowering folds them into it, but for those
that only a table can hold. The operands of an addition or concatenation share one scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bitwright.errors import OptionError
from bitwright.models.graph import FloatGraph, FloatNode, Output, Quantizer
from bitwright.models.graph.ops import (
    Add,
    ArgMax,
    Concat,
    Distribution,
    Elementwise,
    Join,
    Layer,
    Mean,
    Move,
    Op,
    Quant,
)
from bitwright.network.types import MAX_BITS, IntType
from bitwright.text import unique

SUFFIX = "_q"


@dataclass(frozen=True)
class Widths:
    """Bit widths of a graph: `layers` gives (weight, input activation) bits of every Conv and Dense.

    activation: all other values; input: the network's input; output: an output that cannot stay an
    accumulator; add_extra: bits that operands of additions have beyond `activation`.
    """

    layers: Mapping[str, tuple[int, int]]
    activation: int
    input: int
    output: int
    add_extra: int


def on_grid(graph: FloatGraph) -> set[str]:
    """Values that are on a grid once every raw value that needs one has its quantizer: the moved ones."""
    return {node.name for node in graph.nodes if isinstance(node.op, (Move, Concat, Quant))}


def _own_bits(value: str, graph: FloatGraph, widths: Widths) -> int | None:
    """Width that the readers of a value ask for, the widest wins; None where only additions read it."""
    wanted: list[int] = []
    for node in graph.consumers[value]:
        if isinstance(node.op, Layer):
            wanted.append(widths.layers[node.name][1])
        elif _reads_codes(node.op):
            wanted.append(widths.activation)
        elif isinstance(node.op, Move):
            wanted.append(_own_bits(node.name, graph, widths) or widths.activation)
    return max(wanted, default=None)


def _reads_codes(op: Op) -> bool:
    """Whether it reads values on grids of their own, though it has no weights and moves nothing."""
    if isinstance(op, Join):
        return not op.one_scale
    return isinstance(op, Mean) or (isinstance(op, Elementwise) and op.by_table)


def own_widths(graph: FloatGraph, widths: Widths) -> dict[str, int]:
    """Every raw value that gets a quantizer of its own, with its bits, in order."""
    moved = on_grid(graph)
    own: dict[str, int] = {}
    for value in [*graph.input_names, *(node.name for node in graph.nodes)]:
        if value in moved:
            continue
        bits = _own_bits(value, graph, widths)
        if value in graph.input_names:
            bits = bits or widths.input
        elif bits is None and _needs_output_grid(value, graph):
            bits = widths.output
        if bits is not None:
            own[value] = bits
    return own


def _needs_output_grid(value: str, graph: FloatGraph) -> bool:
    """An output stays an accumulator (a layer, an addition) unless a function or an arg-max follows."""
    readers = [node.op for node in graph.consumers[value]]
    if any(isinstance(op, ArgMax) for op in readers):
        return True
    at_end = any(isinstance(op, (Output, Distribution)) for op in readers)
    return at_end and isinstance(graph.node(value).op, Elementwise)


def calibrated_values(graph: FloatGraph, widths: Widths) -> list[str]:
    """Raw values whose distribution is needed, in order: those with a grid of their own and aligned operands."""
    moved = on_grid(graph)
    needed = set(own_widths(graph, widths))
    for node in graph.of(Join):
        needed.update(v for v in node.inputs if v not in moved)
    return [v for v in [*graph.input_names, *(n.name for n in graph.nodes)] if v in needed]


Choose = Callable[[str, int], Quantizer]


@dataclass
class _Builder:
    """Grows the quantized graph; `names` maps raw values to those on their own grids, `grids` holds the grids.

    taken: all names in use.
    """

    taken: set[str]
    nodes: list[FloatNode] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    grids: dict[str, Quantizer] = field(default_factory=dict)

    def quantize(self, value: str, name: str, quantizer: Quantizer) -> str:
        name = unique(name, self.taken)
        self.taken.add(name)
        self.nodes.append(FloatNode(name, Quant(quantizer), (value,)))
        self.grids[name] = quantizer
        return name


def insert_quantizers(
    graph: FloatGraph, widths: Widths, choose: Choose, silent: frozenset[str] = frozenset()
) -> FloatGraph:
    """The graph with `Quant` nodes; `choose(value, bits)` gives the quantizer of a calibrated raw value.

    An output that is read inside the model, too, leaves as its readers see it.
    silent: values whose scales count only where no operand of an addition or concatenation has another one.
    """
    own, build = own_widths(graph, widths), _Builder(set(graph.shapes))

    def own_grid(value: str) -> None:
        if value in own:
            build.names[value] = build.quantize(value, value + SUFFIX, choose(value, own[value]))

    for value in graph.input_names:
        own_grid(value)
    for node in graph.nodes:
        inputs = tuple(build.names.get(v, v) for v in node.inputs)
        if isinstance(node.op, Join) and node.op.one_scale:
            inputs = _aligned_inputs(node, build, widths, choose, silent)
        elif isinstance(node.op, Elementwise) and not node.op.by_table and node.inputs[0] not in graph.input_names:
            inputs = node.inputs  # functions fold into the quantizer behind them, before any grid
        build.nodes.append(replace(node, inputs=inputs))
        if isinstance(node.op, (Move, Concat)) and inputs[0] in build.grids:
            build.grids[node.name] = _widest([build.grids[v] for v in inputs])
        own_grid(node.name)
    return graph.with_nodes(build.nodes, build.names)


def _widest(grids: list[Quantizer]) -> Quantizer:
    return max(grids, key=lambda q: (q.dtype.signed, q.dtype.bits))


def _aligned_inputs(
    node: FloatNode, build: _Builder, widths: Widths, choose: Choose, silent: frozenset[str]
) -> tuple[str, ...]:
    """Values on one common scale for the operands of an addition or concatenation.

    Where an operand has a grid that is coarse enough for both, its scale is divided by the largest power of two
    that leaves room for the other operand, so that its alignment is exact; else the coarser of both scales serves.
    """
    bits = min(widths.activation + (widths.add_extra if isinstance(node.op, Add) else 0), MAX_BITS // 2)
    sources = [build.names.get(v, v) for v in node.inputs]
    grids = [build.grids.get(s) for s in sources]
    wanted = [_operand(v, g, bits, choose) for v, g in zip(node.inputs, grids, strict=True)]
    heard = [k for k, v in enumerate(node.inputs) if v not in silent] or range(len(wanted))
    scale = max(float(wanted[k].scale[0]) for k in heard)
    base = max((float(g.scale[0]) for k in heard if (g := grids[k]) is not None and _is_plain(g)), default=0.0)
    if base >= scale * (1 - 1e-9):
        scale = base * 2.0 ** -math.floor(math.log2(base / scale) + 1e-9)
    inputs = []
    for position, (source, grid, own) in enumerate(zip(sources, grids, wanted, strict=True)):
        reach = own.scale[0] * max(own.high, -own.low)
        quantizer = _scaled(own, scale, reach, bits)
        same = grid is not None and _is_plain(grid) and grid.scale[0] == scale
        name = f"{node.name}_in{position}{SUFFIX}"
        inputs.append(source if same else build.quantize(source, name, quantizer))
    return tuple(inputs)


def _is_plain(grid: Quantizer) -> bool:
    """Whether codes are the value's multiples of the scale."""
    return not grid.zero_point.any() and not grid.dtype.bipolar


def _operand(value: str, grid: Quantizer | None, bits: int, choose: Choose) -> Quantizer:
    """The symmetric quantizer that an operand would have alone with `bits` bits."""
    if grid is None:
        chosen = choose(value, bits)
        if _is_plain(chosen):
            return chosen
        grid = chosen
    low = float(((grid.low - grid.zero_point) * grid.scale).min())
    high = float(((grid.high - grid.zero_point) * grid.scale).max())
    dtype = IntType(bits, signed=low < 0)
    scale = max(high / dtype.max if dtype.max else 0.0, low / dtype.min if low < 0 else 0.0)
    other_seed = grid.seed % ((1 << 32) - 1) + 1  # two roundings in a row must not share their random bits
    return Quantizer(dtype, np.array([scale or 1.0]), rounding=grid.rounding, seed=other_seed)


def _scaled(own: Quantizer, scale: float, reach: float, bits: int) -> Quantizer:
    """A quantizer of the common scale, no wider than its operand's range needs and `bits` allows."""
    needed = math.ceil(math.log2(reach / scale + 1) - 1e-9) + int(own.dtype.signed)
    dtype = IntType(max(1 + int(own.dtype.signed), min(bits, needed)), own.dtype.signed)
    return Quantizer(dtype, np.array([scale]), rounding=own.rounding, seed=own.seed)


def grids(graph: FloatGraph) -> dict[str, Quantizer]:
    """Quantizer of every value of a quantized graph that is on a grid."""
    found: dict[str, Quantizer] = {}
    for node in graph.nodes:
        if isinstance(node.op, Quant):
            found[node.name] = node.op.quantizer
        elif isinstance(node.op, (Elementwise, Move, Concat)) and all(v in found for v in node.inputs):
            found[node.name] = _widest([found[v] for v in node.inputs])
    return found


def check_layer_names(graph: FloatGraph, names: list[str]) -> None:
    """`OptionError` where a name is no layer of the graph."""
    legal = [node.name for node in graph.layers]
    unknown = [name for name in names if name not in legal]
    if unknown:
        raise OptionError(f"no layer is called {', '.join(map(repr, unknown))}; legal are {', '.join(legal)}")
