# SPDX-License-Identifier: Apache-2.0
"""Nodes and graphs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeGuard, TypeVar

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.graph.ops import Layer, Op, Shape
from bitwright.network.nodes import INPUT, NodeGraph

Kind = TypeVar("Kind", bound=Op, covariant=True)
Role = TypeVar("Role", bound=Op)


@dataclass(frozen=True, eq=False)
class TypedNode(Generic[Kind]):
    """One operation on named values; `name` is also its value's name (the ONNX tensor name where there is one)."""

    name: str
    op: Kind
    inputs: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What people call the operation."""
        return type(self.op).__name__

    def dequantized(self) -> TypedNode[Kind]:
        """The node that computes with the values of its integer weights, in floats."""
        return replace(self, op=self.op.dequantized())

    def having(self, **parameters: Any) -> TypedNode[Kind]:
        """The node with other parameters of its operation."""
        return replace(self, op=replace(self.op, **parameters))


FloatNode = TypedNode[Op]
LayerNode = TypedNode[Layer]


def is_a(node: FloatNode, role: type[Role]) -> TypeGuard[TypedNode[Role]]:
    """Whether the node's operation has that role, or is of that class."""
    return isinstance(node.op, role)


@dataclass(frozen=True, eq=False)
class FloatGraph(NodeGraph[FloatNode]):
    """Nodes in topological order; the input value is called "input", the last node is the output.

    input_shape, input_layout: the model's own input without batch, e.g. (3, 32, 32) and "CHW" ("HWC", "C");
    output_shape, output_layout likewise. `shapes` gives every value's shape, (H, W, C) or (C,).
    Make one with `build`, which infers the shapes, or from another one with `with_nodes`.
    """

    nodes: tuple[FloatNode, ...]
    shapes: Mapping[str, tuple[int, ...]]
    input_shape: tuple[int, ...]
    input_layout: str
    output_shape: tuple[int, ...]
    output_layout: str
    name: str = "model"
    source: str = ""

    @staticmethod
    def build(
        nodes: Iterable[FloatNode],
        *,
        input_shape: tuple[int, ...],
        input_layout: str,
        output_shape: tuple[int, ...] = (),
        output_layout: str = "",
        name: str = "model",
        source: str = "",
        input_value: tuple[int, ...] = (),
    ) -> FloatGraph:
        """A checked graph with inferred shapes; raises `ModelError` with the node's name.

        Without an output shape and layout the model's output has the shape of the last value, as HWC or C.
        `input_value` is the shape (H, W, C) of "input" where the model's own shape does not tell it: a
        model that takes (28, 28) or (784,) and reshapes it to an image.
        """
        nodes = tuple(nodes)
        shapes = infer_shapes(nodes, input_value or value_shape(input_shape, input_layout))
        out = shapes[nodes[-1].name]
        return FloatGraph(
            nodes,
            shapes,
            tuple(input_shape),
            input_layout,
            tuple(output_shape) or out,
            output_layout or ("HWC" if len(out) == 3 else "C"),
            name,
            source,
        )

    def with_nodes(self, nodes: Iterable[FloatNode]) -> FloatGraph:
        """The same model with other nodes, its shapes inferred anew."""
        nodes = tuple(nodes)
        return replace(self, nodes=nodes, shapes=infer_shapes(nodes, self.shapes[INPUT]))

    def of(self, role: type[Role]) -> tuple[TypedNode[Role], ...]:
        """The nodes whose operations have that role, or are of that class, in order."""
        return tuple(node for node in self.nodes if is_a(node, role))

    @cached_property
    def layers(self) -> tuple[LayerNode, ...]:
        """The nodes with weights, in order."""
        return self.of(Layer)


def value_shape(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Shape (H, W, C) or (C,) of the value behind a model's own shape in "CHW", "HWC" or "C" order."""
    if layout == "CHW":
        return (shape[1], shape[2], shape[0])
    return tuple(shape) if layout == "HWC" else (math.prod(shape),)


def infer_shapes(nodes: Iterable[FloatNode], input_shape: Shape) -> dict[str, Shape]:
    """Shape, (H, W, C) or (C,), of every value; raises `ModelError` with the node's name and the rule."""
    shapes = {INPUT: tuple(input_shape)}
    work = 0
    for node in nodes:
        where = f"node {node.name!r} ({node.kind})"
        if node.name in shapes:
            raise ModelError(f"{where}: the name is taken already")
        missing = [name for name in node.inputs if name not in shapes]
        if missing:
            raise ModelError(f"{where}: input {missing[0]!r} is not defined before it")
        try:
            shapes[node.name] = node.op.infer(*(shapes[name] for name in node.inputs))
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from None
        work += node.op.work(shapes[node.name])
    limits.check("nodes", len(shapes) - 1, "the model has")
    limits.check("macs", work, "one sample takes")
    limits.check("bytes", 4 * sum(map(math.prod, shapes.values())), "the values of one sample have")
    if len(shapes) == 1:
        raise ModelError("the model computes nothing")
    return shapes
