# SPDX-License-Identifier: Apache-2.0
"""Which quantizers of a quantized graph share one trained factor, and which are not trained."""

from __future__ import annotations

from collections.abc import Iterable

from bitwright.models.graph import INPUT, FloatGraph, FloatNode
from bitwright.models.graph.ops import Concat, Distribution, Elementwise, Join, Move, Pad, Quant, Relu

ON_GRID = (Move, Concat, Relu)  # what keeps a value on its grid


def scale_groups(graph: FloatGraph) -> dict[str, str]:
    """{quantizer: the first one of its group} of all `Quant` nodes whose scales are trained.

    Scales of a group keep their ratios: those of the operands of an addition or concatenation, and of a quantizer that
    reads a value on another's grid. Not trained are quantizers of the model's
    input, whose grid is that of the data; of a grid that holds the value of a pad; and those behind a softmax.
    """
    quantizers = {node.name: node for node in graph.of(Quant)}
    groups = _Groups(quantizers)
    for node in graph.nodes:
        if isinstance(node.op, Join) and node.op.one_scale:
            sources = [source_of(graph, value) for value in node.inputs]
            groups.join([s for s in sources if s is not None] if None not in sources else [])
        elif isinstance(node.op, Quant):
            source = source_of(graph, node.inputs[0])
            groups.join([node.name, *([source] if source else [])])
    fixed = {groups.root(name) for name, node in quantizers.items() if _is_fixed(graph, node)}
    for node in graph.of(Pad):
        if node.op.value and (source := source_of(graph, node.inputs[0])) is not None:
            fixed.add(groups.root(source))
    return {name: root for name in quantizers if (root := groups.root(name)) not in fixed}


class _Groups:
    """Disjoint sets of names; the root of a set is its first member in the graph."""

    def __init__(self, names: Iterable[str]) -> None:
        self.order = {name: i for i, name in enumerate(names)}
        self.parent = {name: name for name in names}

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            name = self.parent[name]
        return name

    def join(self, names: list[str]) -> None:
        roots = sorted({self.root(name) for name in names}, key=self.order.__getitem__)
        self.parent.update(dict.fromkeys(roots, roots[0]) if roots else {})


def source_of(graph: FloatGraph, value: str) -> str | None:
    """The quantizer whose grid a value is on, if there is one."""
    while value != INPUT and not isinstance((node := graph.node(value)).op, Quant):
        if not isinstance(node.op, ON_GRID):
            return None
        value = node.inputs[0]
    return None if value == INPUT else value


def _is_fixed(graph: FloatGraph, node: FloatNode) -> bool:
    return is_of_input(graph, node) or (
        node.inputs[0] != INPUT and isinstance(graph.node(node.inputs[0]).op, Distribution)
    )


def is_of_input(graph: FloatGraph, node: FloatNode) -> bool:
    """Whether only elementwise functions and moves lie between the model's input and this node."""
    value = node.inputs[0]
    while value != INPUT:
        node = graph.node(value)
        if not isinstance(node.op, (Elementwise, Move)):
            return False
        value = node.inputs[0]
    return True
