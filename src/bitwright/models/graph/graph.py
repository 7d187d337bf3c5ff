# SPDX-License-Identifier: Apache-2.0
"""Nodes and graphs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeGuard, TypeVar

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.graph.ops import Layer, Op, Shape
from bitwright.network.nodes import INPUT, OUTPUT, NodeGraph

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
class Output(Op):
    """What reads a value that leaves the model: the operation of `FloatGraph.sinks`, which no node has."""


@dataclass(frozen=True)
class Port:
    """An input or output of the model: its name, the value that it is, and the model's own shape and layout of it.

    shape is without the batch, e.g. (3, 32, 32), layout its order: "CHW", "HWC" or "C"; shape () with a layout is one
    number. An input's value has its name.
    """

    name: str
    value: str
    shape: Shape = ()
    layout: str = ""

    def of(self, value: Shape) -> Port:
        """Of a value of that shape, which is in HWC or C order where nothing else is said."""
        if self.layout:
            return self if self.shape or math.prod(value) == 1 else replace(self, shape=value)
        return replace(self, shape=self.shape or value, layout="HWC" if len(value) == 3 else "C")


@dataclass(frozen=True, eq=False)
class FloatGraph(NodeGraph[FloatNode]):
    """Nodes in topological order, between inputs and outputs. `shapes` gives every value's shape, (H, W, C) or (C,).

    One input is called "input"; one output is the last node. Make a graph of one input and one output with `build`, of
    any with `between`, which infer the shapes, or from another one with `with_nodes`.
    """

    nodes: tuple[FloatNode, ...]
    shapes: Mapping[str, tuple[int, ...]]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    name: str = "model"
    source: str = ""

    @staticmethod
    def between(
        nodes: Iterable[FloatNode],
        inputs: Mapping[Port, Shape],
        outputs: Sequence[Port],
        name: str = "model",
        source: str = "",
    ) -> FloatGraph:
        """A checked graph with inferred shapes; raises `ModelError` with the node's name.

        inputs: with the shapes of their values. Outputs without shape and layout are as their values, in HWC or C.
        """
        nodes = tuple(nodes)
        shapes = infer_shapes(nodes, {port.value: shape for port, shape in inputs.items()})
        ends = tuple(port.of(shapes[port.value]) for port in outputs)
        return FloatGraph(nodes, shapes, tuple(inputs), ends, name, source)

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
        given = Port(INPUT, INPUT, tuple(input_shape), input_layout)
        shape = input_value or value_shape(input_shape, input_layout)
        last = Port(OUTPUT, nodes[-1].name if nodes else INPUT, tuple(output_shape), output_layout)
        return FloatGraph.between(nodes, {given: shape}, [last], name, source)

    def with_nodes(
        self,
        nodes: Iterable[FloatNode],
        renamed: Mapping[str, str] | None = None,
        shapes: Mapping[str, Shape] | None = None,
    ) -> FloatGraph:
        """The same model with other nodes; renamed: outputs' values that have other names.

        One output is the last node, whatever its name. Shapes that are not given are inferred anew.
        """
        nodes, renamed = tuple(nodes), renamed or {}
        if shapes is None:
            shapes = infer_shapes(nodes, {port.value: self.shapes[port.value] for port in self.inputs})
        ends = [renamed.get(v, v) for v in self.output_values] if len(self.outputs) > 1 else [nodes[-1].name]
        outputs = tuple(replace(port, value=value) for port, value in zip(self.outputs, ends, strict=True))
        return replace(self, nodes=nodes, shapes=shapes, outputs=outputs)

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(port.value for port in self.inputs)

    @cached_property
    def sinks(self) -> tuple[FloatNode, ...]:
        return tuple(FloatNode(port.name, Output(), (port.value,)) for port in self.outputs)

    @property
    def input(self) -> Port:
        """The only input; `ModelError` where there are several."""
        return self._only(self.inputs, "inputs")

    @property
    def output(self) -> Port:
        """The only output; `ModelError` where there are several."""
        return self._only(self.outputs, "outputs")

    def _only(self, ports: tuple[Port, ...], what: str) -> Port:
        if len(ports) > 1:
            names = ", ".join(port.name for port in ports)
            legal = "what is asked for takes models of one"
            raise ModelError(f"{self.source or self.name} has {len(ports)} {what} ({names}); {legal}")
        return ports[0]

    @property
    def input_shape(self) -> Shape:
        """The only input's own shape, without the batch."""
        return self.input.shape

    @property
    def input_layout(self) -> str:
        """The only input's own layout."""
        return self.input.layout

    @property
    def output_shape(self) -> Shape:
        """The only output's own shape, without the batch."""
        return self.output.shape

    @property
    def output_layout(self) -> str:
        """The only output's own layout."""
        return self.output.layout

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


def infer_shapes(nodes: Iterable[FloatNode], inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shape, (H, W, C) or (C,), of every value; raises `ModelError` with the node's name and the rule."""
    shapes = {name: tuple(shape) for name, shape in inputs.items()}
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
    count = len(shapes) - len(inputs)
    limits.check("nodes", count, "the model has")
    limits.check("macs", work, "one sample takes")
    limits.check("bytes", 4 * sum(map(math.prod, shapes.values())), "the values of one sample have")
    if not count:
        raise ModelError("the model computes nothing")
    return shapes
