# SPDX-License-Identifier: Apache-2.0
"""Quantizers before pools, since the maximum of few bits costs less than that of an accumulator, and at the input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.models.graph import FloatGraph, FloatNode, Quantizer, ops
from bitwright.models.graph.ops import Elementwise, MaxPool, Quant
from bitwright.network.types import IntType
from bitwright.text import unique

WIDE = 16  # bits of an input that several quantizers read


def quantizers_first(graph: FloatGraph) -> FloatGraph:
    """The same function with every maximum pool moved behind the quantizer that follows it.

    max(f(x)) = f(max(x)) for every function that does not fall, so pools change places with elementwise
    nodes and with the quantizer where nothing else reads the values between.
    """
    for name in [n.name for n in graph.of(MaxPool)]:
        pool = graph.node(name)
        run = _run(graph, pool)
        if run:
            graph = _moved(graph, pool, run)
    return graph


def _run(graph: FloatGraph, pool: FloatNode) -> list[FloatNode]:
    """The elementwise nodes from a pool to the quantizer behind it, or nothing."""
    run: list[FloatNode] = []
    at = pool
    while len(graph.consumers[at.name]) == 1:
        at = graph.consumers[at.name][0]
        run.append(at)
        if isinstance(at.op, Quant):
            return run
        if not isinstance(at.op, Elementwise) or any(np.any(step.direction() < 1) for step in at.op.steps):
            return []
    return []


def _moved(graph: FloatGraph, pool: FloatNode, run: list[FloatNode]) -> FloatGraph:
    """The run reads what the pool read, the pool reads the quantizer, and what read that reads the pool."""
    first, last = run[0], run[-1]
    kept: list[FloatNode] = []
    for node in graph.nodes:
        if node is first:
            node = replace(node, inputs=pool.inputs)
        elif node is not last:
            node = replace(node, inputs=tuple(pool.name if i == last.name else i for i in node.inputs))
        if node.name != pool.name:
            kept.append(node)
        if node.name == last.name:
            kept.append(replace(pool, inputs=(last.name,)))
    return graph.with_nodes(kept, {last.name: pool.name})


def inputs_quantized(graph: FloatGraph, notes: list[str]) -> FloatGraph:
    """The graph with a quantizer of each input in front of the moves that stand before its quantizers.

    A focus stem slices the image, joins the parts and quantizes them. Where all that reads moved elements
    quantizes them alike, with one scale and zero point, to a grid that holds what pads add, that quantizer moves.
    Where the parts have several quantizers, one of 16 bits stands in front of them that holds the numbers of all.
    """
    for name in graph.input_names:
        graph = _input_quantized(graph, name, notes)
    return graph


def _input_quantized(graph: FloatGraph, name: str, notes: list[str]) -> FloatGraph:
    moved = {name}
    for node in graph.nodes:
        if isinstance(node.op, (ops.Move, ops.Concat)) and moved.issuperset(node.inputs):
            moved.add(node.name)
    ends = [n for n in graph.nodes if n.name not in moved and not moved.isdisjoint(n.inputs)]
    grids = [n.op.quantizer for n in ends if isinstance(n.op, Quant)]
    pads = [0.0, *(n.op.value for n in graph.of(ops.Pad) if n.name in moved)]
    gone = {n.name: n.inputs[0] for n in ends}
    several = len(moved) > 1 or len(ends) > 1
    if not several or not grids or len(grids) < len(ends) or not {*moved, *gone}.isdisjoint(graph.output_values):
        return graph
    if all(q.same_as(grids[0]) for q in grids) and (len(moved) == 1 or _holds(grids[0], pads)):
        first = replace(ends[0], inputs=(name,))
    else:
        first = FloatNode(unique(f"{name}/quantized", graph.shapes), Quant(_of_all(grids, pads)), (name,))
        notes.append(f"input {name!r}: has {len(grids)} quantizers, and one of {WIDE} bits in front of them")
        gone = {}
    kept = [first]
    for node in graph.nodes:
        if node.name not in gone:
            inputs = (gone.get(i, i) for i in node.inputs)
            kept.append(replace(node, inputs=tuple(first.name if i == name else i for i in inputs)))
    return graph.with_nodes(kept)


def _of_all(grids: list[Quantizer], numbers: list[float]) -> Quantizer:
    """A quantizer of 16 bits whose grid reaches from the lowest to the highest number of all grids."""
    ends = [((edge - q.zero_point) * q.scale) for q in grids for edge in (q.low, q.high)]
    low, high = (float(pick([*map(pick, ends), *numbers])) for pick in (min, max))
    dtype = IntType(WIDE, signed=low < 0)
    return Quantizer(dtype, np.array([max(high / dtype.max, low / dtype.min if low < 0 else 0.0)]))


def _holds(quantizer: Quantizer, numbers: list[float]) -> bool:
    """Whether numbers are on the grid of a quantizer with one scale and zero point."""
    if quantizer.dtype.bipolar or quantizer.scale.size > 1 or quantizer.zero_point.size > 1:
        return False
    codes = np.array(numbers) / quantizer.scale + quantizer.zero_point
    return bool(np.all((codes == np.rint(codes)) & (codes >= quantizer.low) & (codes <= quantizer.high)))
