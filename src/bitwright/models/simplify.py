# SPDX-License-Identifier: Apache-2.0
"""Folding in a float graph: scales and shifts into weights and biases, pads into convolutions, no-ops away.

Where weights are integers already only shifts are folded, into biases: scaling a quantized weight, or
adding up constants, would round what has to be tabulated exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bitwright.limits import Deadline
from bitwright.models.graph import INPUT, FloatGraph, FloatNode, is_trivial


def simplify(graph: FloatGraph, deadline: Deadline) -> FloatGraph:
    """The same function with fewer nodes; what is folded has the last name, a quantized layer its own."""
    exact = any(node.kind == "Quant" or node.quantized for node in graph.nodes)
    changed = True
    while changed:
        changed = False
        for node in graph.nodes:
            deadline.check("reading the model")
            rewritten = _rewrite(graph, node, exact)
            if rewritten is not None:
                graph, changed = rewritten, True
                break
    return graph


def _rewrite(graph: FloatGraph, node: FloatNode, exact: bool) -> FloatGraph | None:
    if is_trivial(node, graph.shapes[node.inputs[0]]) and len(graph.nodes) > 1:
        return _without(graph, node)
    if len(node.inputs) != 1 or node.inputs[0] == INPUT:
        return None
    before = graph.node(node.inputs[0])
    if len(graph.consumers[before.name]) != 1:
        return None
    for rule in _RULES:
        merged = rule(before, node, exact)
        if merged is not None:
            kept = [merged if n is node else n for n in graph.nodes if n is not before]
            return graph.with_nodes(_renamed(n, node.name, merged.name) for n in kept)
    return None


def _without(graph: FloatGraph, node: FloatNode) -> FloatGraph | None:
    """The graph without a node that changes nothing; the last node must stay a node."""
    if node is graph.nodes[-1] and node.inputs[0] != graph.nodes[-2].name:
        return None
    return graph.with_nodes(_renamed(n, node.name, node.inputs[0]) for n in graph.nodes if n is not node)


def _renamed(node: FloatNode, old: str, new: str) -> FloatNode:
    """The node with `new` where it read `old`."""
    return replace(node, inputs=tuple(new if i == old else i for i in node.inputs))


def _with(node: FloatNode, name: str, inputs: tuple[str, ...], **attributes: object) -> FloatNode:
    return FloatNode(name, node.kind, inputs, {**node.attributes, **attributes}, node.quantized)


def _scale_into_weights(before: FloatNode, node: FloatNode, exact: bool) -> FloatNode | None:
    if before.kind not in ("Conv", "Dense") or node.kind != "Affine":
        return None
    weight, scale, shift = before["weight"], node["scale"], node["shift"]
    bias = np.zeros(len(weight)) if before["bias"] is None else before["bias"]
    if before.quantized:
        if np.any(scale != 1) or np.any(bias):
            return None
        return _with(before, before.name, before.inputs, bias=np.broadcast_to(shift, len(weight)).copy())
    column = np.broadcast_to(scale, len(weight)).reshape(-1, *[1] * (weight.ndim - 1))
    shifted = np.broadcast_to(bias * scale + shift, len(weight)).copy()
    return _with(before, node.name, before.inputs, weight=weight * column, bias=shifted)


def _affine_of_affine(before: FloatNode, node: FloatNode, exact: bool) -> FloatNode | None:
    if exact or before.kind != "Affine" or node.kind != "Affine":
        return None
    scale, shift = before["scale"] * node["scale"], before["shift"] * node["scale"] + node["shift"]
    return _with(node, node.name, before.inputs, scale=scale, shift=shift)


def _pads_into_window(before: FloatNode, node: FloatNode, exact: bool) -> FloatNode | None:
    if before.kind != "Pad" or node.kind not in ("Conv", "MaxPool"):
        return None
    pads = tuple(a + b for a, b in zip(before["pads"], node["pads"], strict=True))
    if before["value"] != (0 if node.kind == "Conv" else -np.inf):
        return None
    if node.kind == "MaxPool" and any(p >= k for p, k in zip(pads, node["kernel"] * 2, strict=True)):
        return None
    return _with(node, node.name, before.inputs, pads=pads)


def _maximum_of_softmax(before: FloatNode, node: FloatNode, exact: bool) -> FloatNode | None:
    if before.kind == "Softmax" and node.kind == "ArgMax":
        return _with(node, node.name, before.inputs)
    return None


Rule = Callable[[FloatNode, FloatNode, bool], FloatNode | None]
_RULES: tuple[Rule, ...] = (_scale_into_weights, _affine_of_affine, _pads_into_window, _maximum_of_softmax)
