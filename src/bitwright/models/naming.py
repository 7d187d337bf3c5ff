# SPDX-License-Identifier: Apache-2.0
"""Names of a float graph's nodes: those of the ONNX nodes that they come from, which people see in their model.

They are the names of layers everywhere after that: in `check`, `.bw` files, estimates, reports, headers of RTL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import onnx

from bitwright.models.graph import FloatGraph, FloatNode
from bitwright.models.graph.ops import Layer
from bitwright.text import unique

KINDS = {"Conv": "conv2d", "ConvTranspose": "conv2d", "Gemm": "dense", "MatMul": "dense"}  # of layers, for people


def named(graph: FloatGraph, model: onnx.ModelProto) -> FloatGraph:
    """The graph whose nodes have the names of the model's nodes, or those of type and order (`conv2d_3`).

    A layer into which others were folded has that of the convolution or product itself. What a node needs beside its
    own operation keeps its suffix ("conv/pad").
    """
    makers = {output: node for node in _nodes(model.graph) for output in node.output if output}
    labels = _labels(_nodes(model.graph))
    taken = set(graph.input_names)
    names: dict[str, str] = {}
    for node in graph.nodes:
        names[node.name] = unique(_label(node, makers, labels), taken)
        taken.add(names[node.name])
    nodes = (
        replace(node, name=names[node.name], inputs=tuple(names.get(i, i) for i in node.inputs)) for node in graph.nodes
    )
    return graph.with_nodes(nodes, names)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _labels(nodes: Iterable[onnx.NodeProto]) -> dict[str, str]:
    """The name of every node by its first output."""
    counts: Counter[str] = Counter()
    found = {}
    for node in nodes:
        kind = KINDS.get(node.op_type, node.op_type.lower())
        found[_first(node)] = node.name or f"{kind}_{counts[kind]}"
        counts[kind] += 1
    return found


def _first(node: onnx.NodeProto) -> str:
    return next((output for output in node.output if output), "")


def _label(node: FloatNode, makers: Mapping[str, onnx.NodeProto], labels: Mapping[str, str]) -> str:
    """The name of the ONNX node that a float node comes from, with the suffix that it has; its own without one."""
    value, suffix = node.name, ""
    while value not in makers and "/" in value:
        value, _, last = value.rpartition("/")
        suffix = f"/{last}{suffix}"
    if value not in makers:
        return node.name
    maker = makers[value]
    if isinstance(node.op, Layer) and not suffix:
        maker = _layer_of(maker, makers)
    return labels[_first(maker)] + suffix


def _layer_of(maker: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto]) -> onnx.NodeProto:
    """The convolution or product that a node scales or shifts, or the node itself."""
    seen, left = {_first(maker)}, [maker]
    while left:
        node = left.pop(0)
        if node.op_type in KINDS:
            return node
        before = [makers[i] for i in node.input if i in makers and _first(makers[i]) not in seen]
        seen.update(map(_first, before))
        left += before
    return maker
