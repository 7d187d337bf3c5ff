# SPDX-License-Identifier: Apache-2.0
"""Models that a tool has quantized in part: what it left in floats gets calibrated grids, its own grids stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from bitwright.models.graph import FloatGraph, FloatNode, Output, Quantizer, TypedNode, is_a
from bitwright.models.graph.ops import (
    Affine,
    Clip,
    Concat,
    Distribution,
    Elementwise,
    Flatten,
    Layer,
    Move,
    Quant,
    Relu,
)
from bitwright.quantization.placement import SUFFIX, Widths, grids, own_widths
from bitwright.text import unique

WHOLE = 1e-3  # from a multiple, as biases in float32 are
ABSENT = (Elementwise, Quant, Output, Distribution)  # readers that need no grid


def is_begun(graph: FloatGraph) -> bool:
    """Whether the model holds integers or quantizers."""
    return bool(graph.of(Quant)) or any(node.op.quantized is not None for node in graph.layers)


def open_values(graph: FloatGraph, widths: Widths) -> dict[str, int]:
    """The values of a model that is quantized in part that need a grid and have none, with the bits of each, in order.

    Those are inputs that no quantizer reads, functions that integers cannot stand for, and what layers with float
    weights read. Sums and means between integer layers stay as they are.
    """
    own, known = own_widths(graph, widths), grids(graph)
    found = {}
    for node in graph.nodes:
        bits = own.get(node.name)
        if _is_on_grid(graph, node) or isinstance(node.op, (Move, Concat)):
            continue
        bent = _is_bent(graph, node, known)
        read = any(not isinstance(r.op, ABSENT) for r in graph.consumers[node.name])
        if (bent and read) or (bits is not None and any(_is_float(r) for r in _readers(graph, node.name))):
            found[node.name] = bits or widths.activation
    inputs = {name: own[name] for name in graph.input_names if not _reaches_grids(graph, name, found)}
    return inputs | found


def _is_on_grid(graph: FloatGraph, node: FloatNode) -> bool:
    """Whether a quantizer, functions and moves of its codes make the value."""
    if isinstance(node.op, Quant):
        return True
    if not isinstance(node.op, (Elementwise, Move, Concat)):
        return False
    return all(name not in graph.input_names and _is_on_grid(graph, graph.node(name)) for name in node.inputs)


def _is_bent(graph: FloatGraph, node: FloatNode, known: Mapping[str, Quantizer]) -> bool:
    """Whether no integer stands for the value: functions are straight, or rectify sums whose zero is an integer."""
    functions: list[TypedNode[Elementwise]] = []
    while is_a(node, Elementwise):
        functions.append(node)
        if node.inputs[0] in graph.input_names:
            return True
        node = graph.node(node.inputs[0])
    if all(isinstance(n.op, Affine) for n in functions):
        return False
    whole = is_a(node, Layer) and node.inputs[0] in known and _has_whole_zero(node.op, known[node.inputs[0]])
    return not (whole and [type(n.op) for n in functions] == [Relu])


def _has_whole_zero(layer: Layer, grid: Quantizer) -> bool:
    """Whether the biases are multiples of the scale of the layer's sums."""
    if layer.quantized is None or layer.bias is None:
        return layer.quantized is not None
    steps = layer.bias / (layer.quantized.scale * grid.scale.max())
    return bool(np.abs(steps - np.rint(steps)).max() < WHOLE)


def _readers(graph: FloatGraph, value: str) -> Iterable[FloatNode]:
    """What reads the value or what is moved of it."""
    for reader in graph.consumers[value]:
        if isinstance(reader.op, (Move, Concat)):
            yield from _readers(graph, reader.name)
        else:
            yield reader


def _is_float(node: FloatNode) -> bool:
    return is_a(node, Layer) and node.op.quantized is None


def _reaches_grids(graph: FloatGraph, value: str, found: dict[str, int]) -> bool:
    """Whether all that reads an input quantizes it, behind rising straight functions at most."""

    def ends(reader: FloatNode) -> bool:
        if isinstance(reader.op, Quant) or reader.name in found:
            return isinstance(reader.op, (Quant, Affine, Clip, Relu))
        return isinstance(reader.op, (Affine, Clip, Relu, Flatten)) and _reaches_grids(graph, reader.name, found)

    return all(map(ends, graph.consumers[value]))


def insert(graph: FloatGraph, values: dict[str, int], choose: Callable[[str, int], Quantizer]) -> FloatGraph:
    """The graph with a quantizer behind each of the values; `choose(value, bits)` gives it.

    An input that some quantizer reads already has that one's grid.
    """
    taken, nodes, renamed = set(graph.shapes), list[FloatNode](), dict[str, str]()

    def quantize(value: str) -> None:
        if value not in values:
            return
        given = [r.op.quantizer for r in graph.consumers[value] if isinstance(r.op, Quant)]
        chosen = given[0] if given and value in graph.input_names else choose(value, values[value])
        renamed[value] = unique(value + SUFFIX, taken)
        taken.add(renamed[value])
        nodes.append(FloatNode(renamed[value], Quant(chosen), (value,)))

    for name in graph.input_names:
        quantize(name)
    for node in graph.nodes:
        raw = isinstance(node.op, (Elementwise, Quant)) and node.inputs[0] not in graph.input_names
        nodes.append(node if raw else replace(node, inputs=tuple(renamed.get(v, v) for v in node.inputs)))
        quantize(node.name)
    return graph.with_nodes(nodes)
