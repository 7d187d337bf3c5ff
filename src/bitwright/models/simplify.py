# SPDX-License-Identifier: Apache-2.0
"""Folding in a float graph: scales and shifts into weights and biases, pads into convolutions, no-ops away.

Where weights are integers already only shifts are folded, into biases: scaling a quantized weight, or
adding up constants, would round what has to be tabulated exactly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.limits import Deadline
from bitwright.models.graph import FloatGraph, FloatNode
from bitwright.models.graph.ops import Affine, ArgMax, Conv, Distribution, Layer, MaxPool, Pad, Quant


def simplify(graph: FloatGraph, deadline: Deadline) -> FloatGraph:
    """The same function with fewer nodes; what is folded has the last name, a quantized layer its own."""
    exact = bool(graph.of(Quant)) or any(node.op.quantized for node in graph.layers)
    given, changed = graph, True
    while changed:
        changed = False
        for node in graph.nodes:
            deadline.check("reading the model")
            rewritten = _rewrite(graph, node, exact)
            if rewritten is not None:
                graph, changed = rewritten, True
                break
    return graph if graph is given else graph.with_nodes(graph.nodes)


def _rewrite(graph: FloatGraph, node: FloatNode, exact: bool) -> FloatGraph | None:
    if node.op.is_trivial(graph.shapes[node.inputs[0]]) and len(graph.nodes) > 1:
        return _without(graph, node)
    if len(node.inputs) != 1 or node.inputs[0] in graph.input_names:
        return None
    before = graph.node(node.inputs[0])
    if len(graph.consumers[before.name]) != 1:
        return None
    merged = _merged(before, node, exact)
    if merged is None:
        return None
    kept = [merged if n is node else n for n in graph.nodes if n is not before]
    shapes = {name: shape for name, shape in graph.shapes.items() if name not in (before.name, node.name)}
    shapes[merged.name] = graph.shapes[node.name]
    return graph.with_nodes((_renamed(n, node.name, merged.name) for n in kept), {node.name: merged.name}, shapes)


def _without(graph: FloatGraph, node: FloatNode) -> FloatGraph | None:
    """The graph without a node that changes nothing; an output must stay a node, and one output the last one."""
    (source,) = node.inputs
    if node.name in graph.output_values:
        legal = graph.nodes[-2:-1] if len(graph.outputs) == 1 else graph.nodes
        if source not in [n.name for n in legal]:
            return None
    kept = (_renamed(n, node.name, source) for n in graph.nodes if n is not node)
    shapes = {name: shape for name, shape in graph.shapes.items() if name != node.name}
    return graph.with_nodes(kept, {node.name: source}, shapes)


def _renamed(node: FloatNode, old: str, new: str) -> FloatNode:
    """The node with `new` where it read `old`."""
    return replace(node, inputs=tuple(new if i == old else i for i in node.inputs)) if old in node.inputs else node


def _merged(before: FloatNode, node: FloatNode, exact: bool) -> FloatNode | None:
    """One node in place of two that follow one another, where there is one."""
    match before.op, node.op:
        case Layer() as layer, Affine() as affine if layer.quantized:
            if np.any(affine.scale != 1) or (layer.bias is not None and np.any(layer.bias)):
                return None
            return before.having(bias=np.broadcast_to(affine.shift, len(layer.weight)).copy())
        case Layer() as layer, Affine() as affine:
            outputs = len(layer.weight)
            bias = np.zeros(outputs) if layer.bias is None else layer.bias
            shifted = np.broadcast_to(bias * affine.scale + affine.shift, outputs).copy()
            scaled = layer.weight * layer.rows(affine.scale)
            return FloatNode(node.name, replace(layer, weight=scaled, bias=shifted), before.inputs)
        case Affine() as first, Affine() as second if not exact:
            both = Affine(first.scale * second.scale, first.shift * second.scale + second.shift)
            return FloatNode(node.name, both, before.inputs)
        case Pad() as pad, (Conv() | MaxPool()) as window if pad.value == (0 if isinstance(window, Conv) else -np.inf):
            top, left, bottom, right = (a + b for a, b in zip(pad.pads, window.pads, strict=True))
            wider = replace(window, pads=(top, left, bottom, right))
            if isinstance(wider, MaxPool) and any(p >= k for p, k in zip(wider.pads, wider.span * 2, strict=True)):
                return None
            return FloatNode(node.name, wider, before.inputs)
        case Distribution(), ArgMax():
            return replace(node, inputs=before.inputs)
    return None
