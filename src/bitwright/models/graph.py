# SPDX-License-Identifier: Apache-2.0
"""The float graph: a cleaned-up model between the ONNX file and the integer network.

The readers make it, the quantizer adds quantizers to it, and `lower` turns a fully quantized float
graph into the integer `Network`. Values have shape (H, W, C) or (C,), without a batch, as in the
integer network; shape arithmetic, constants, dropout and batch norms are folded away already, and
the weights behind a flattened image are in (H, W, C) order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.network.ops import Rounding, window_output
from bitwright.network.sizes import check_padded
from bitwright.network.types import Floats, Ints, IntType, derived

INPUT = "input"
Shape = tuple[int, ...]
PAIRS = ("Add", "Concat")
MOVES = ("MaxPool", "Pad", "Resize", "Flatten")  # the values of the input and no others, but for those of pads

# Each kind with its attributes. Weight layouts are those of the integer operations; arrays are float64.
KINDS: dict[str, tuple[str, ...]] = {
    "Conv": ("weight", "bias", "stride", "pads", "dilation", "groups"),  # weight [O,KH,KW,C/groups], bias [O] or None
    "Dense": ("weight", "bias"),  # weight [O, I], bias [O] or None
    "Affine": ("scale", "shift"),  # x * scale + shift, each [C or 1]
    "Relu": (),
    "Clip": ("low", "high"),  # floats, may be infinite
    "LeakyRelu": ("slope",),  # [C or 1]; also PRelu
    "Sigmoid": (),
    "Tanh": (),
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "Silu": (),  # x * sigmoid(x)
    "Elu": ("alpha",),
    "Sign": (),
    "Product": ("left", "right"),  # left(x) * right(x): the elementwise and Quant nodes from x to each factor, in order
    "Add": (),  # two values
    "Concat": (),  # two values, channels
    "MaxPool": ("kernel", "stride", "pads"),
    "AveragePool": ("kernel", "stride", "pads", "count_include_pad"),  # global pooling: kernel = the whole image
    "Pad": ("pads", "value"),
    "Resize": ("factor",),
    "Flatten": (),
    "Softmax": (),
    "ArgMax": (),
    "Quant": ("quantizer",),  # a Quantizer: floats in, floats on its grid out
}


class ExtraRounding(StrEnum):
    """Roundings of a Quantizer that no Requantize has; they are tabulated exactly."""

    CEIL = "ceil"
    HALF_ZERO = "half_zero"  # half toward zero
    HALF_ODD = "half_odd"
    AWAY = "away"  # away from zero
    ZERO = "zero"  # toward zero


@dataclass(frozen=True, eq=False)
class Quantizer:
    """x -> (clamp(round(x / scale + zero_point), low..high) - zero_point) * scale.

    scale [C or 1] float64 positive; zero_point [C or 1] integer-valued; `low`, `high` the code limits
    (they express narrow range); `dtype` holds every code. For a bipolar dtype: x >= 0 -> +scale, else -scale.
    rounding is done after the clamp where both are given in QONNX order; results are the same.
    zero_after: float32 adds the zero point after rounding (QuantizeLinear); where ties go is `rounding` all the same.
    `seed` belongs to stochastic rounding.
    """

    dtype: IntType
    scale: Floats
    zero_point: Floats = field(default_factory=lambda: np.zeros(1))
    low: int = derived()
    high: int = derived()
    rounding: Rounding | ExtraRounding = Rounding.HALF_EVEN
    seed: int = 1
    zero_after: bool = False

    def __post_init__(self) -> None:
        for name in ("scale", "zero_point"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "low", self.dtype.min if self.low is None else int(self.low))
        object.__setattr__(self, "high", self.dtype.max if self.high is None else int(self.high))
        if not np.all(np.isfinite(self.scale) & (self.scale > 0)):
            raise ModelError("quantizer scales must be positive and finite")
        if not np.all(self.zero_point == np.rint(self.zero_point)):
            raise ModelError("quantizer zero points must be integers")
        if not self.dtype.min <= self.low < self.high <= self.dtype.max:
            raise ModelError(f"quantizer codes [{self.low}, {self.high}] are not two or more codes of {self.dtype}")


def same_quantizer(a: Quantizer, b: Quantizer) -> bool:
    """Whether two quantizers have the same parameters."""
    arrays = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("scale", "zero_point"))
    names = ("dtype", "low", "high", "rounding", "seed", "zero_after")
    return arrays and all(getattr(a, name) == getattr(b, name) for name in names)


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """Integer weights: the float weight is values * scale[o]; a Conv or Dense node that has one is quantized.

    values: integers in the layout of the node's weight; scale [O or 1] float64.
    """

    values: Ints
    dtype: IntType
    scale: Floats


@dataclass(frozen=True, eq=False)
class FloatNode:
    """One operation of a kind in `KINDS`; `name` is also its value's name (the ONNX tensor name where there is one).

    `weight` of Conv and Dense is always the float weight; `quantized` its integer form where it has one.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    quantized: QuantizedWeight | None = None

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]


@dataclass(frozen=True, eq=False)
class FloatGraph:
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
        kept = ("input_shape", "input_layout", "output_shape", "output_layout", "name", "source")
        same = {name: getattr(self, name) for name in kept}
        return FloatGraph.build(nodes, **same, input_value=self.shapes[INPUT])

    @property
    def output_name(self) -> str:
        return self.nodes[-1].name

    def node(self, name: str) -> FloatNode:
        """The node of that name; `KeyError` where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, FloatNode]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, tuple[FloatNode, ...]]:
        """For every value the nodes that read it, in order; a node that reads it twice stands twice."""
        found: dict[str, list[FloatNode]] = {name: [] for name in (INPUT, *(n.name for n in self.nodes))}
        for node in self.nodes:
            for name in node.inputs:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}


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
            shapes[node.name] = node_shape(node, *(shapes[name] for name in node.inputs))
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from None
        work += node_work(node, shapes[node.name])
    limits.check("nodes", len(shapes) - 1, "the model has")
    limits.check("macs", work, "one sample takes")
    limits.check("bytes", 4 * sum(map(math.prod, shapes.values())), "the values of one sample have")
    if len(shapes) == 1:
        raise ModelError("the model computes nothing")
    return shapes


def node_work(node: FloatNode, shape: Shape) -> int:
    """Operations on numbers that a node's value of that shape takes."""
    if node.kind in ("Conv", "Dense"):
        taps: Shape = node["weight"].shape[1:]
    else:
        taps = node.attributes.get("kernel", (1,))
    return math.prod(shape) * math.prod(taps)


def node_shape(node: FloatNode, *inputs: Shape) -> Shape:
    """Shape of a node's value for those of its inputs, if the budget allows it."""
    shape = _node_shape(node, *inputs)
    limits.check_shape(shape, "its value has")
    limits.check("macs", node_work(node, shape), "one sample takes")
    return shape


def _node_shape(node: FloatNode, *inputs: Shape) -> Shape:
    if node.kind not in KINDS:
        raise ModelError(f"the kind is unknown; legal are {', '.join(KINDS)}")
    _require(len(inputs) == (2 if node.kind in PAIRS else 1), f"takes {1 + (node.kind in PAIRS)} inputs")
    shape = inputs[0]
    if node.kind in ("Conv", "MaxPool", "AveragePool"):
        return _window_shape(node, shape)
    if node.kind == "Dense":
        weight = node["weight"]
        _require(shape == weight.shape[1:], f"weight [O, I] {weight.shape} does not fit the input {shape}")
        _check_bias(node)
        return (len(weight),)
    if node.kind == "Add":
        _require(inputs[0] == inputs[1], f"takes two values of one shape, not {inputs[0]} and {inputs[1]}")
    if node.kind == "Concat":
        _require(inputs[0][:-1] == inputs[1][:-1], f"takes values of one size, not {inputs[0]} and {inputs[1]}")
        return (*shape[:-1], shape[-1] + inputs[1][-1])
    if node.kind == "Pad":
        h, w, c = _image(shape)
        top, left, bottom, right = node["pads"]
        return (h + top + bottom, w + left + right, c)
    if node.kind == "Resize":
        h, w, c = _image(shape)
        return (h * node["factor"][0], w * node["factor"][1], c)
    if node.kind == "Flatten":
        return (math.prod(shape),)
    return (*shape[:-1], 1) if node.kind == "ArgMax" else shape


def is_trivial(node: FloatNode, shape: Shape) -> bool:
    """Whether a node hands on an input of that shape as it is."""
    if node.kind in ("MaxPool", "AveragePool"):
        return (*node["kernel"], *node["stride"]) == (1, 1, 1, 1) and not any(node["pads"])
    if node.kind == "Flatten":
        return len(shape) == 1
    if node.kind == "Resize":
        return tuple(node["factor"]) == (1, 1)
    if node.kind == "Pad":
        return not any(node["pads"])
    return node.kind == "Affine" and bool(np.all(node["scale"] == 1) and np.all(node["shift"] == 0))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ModelError(message)


def _image(shape: Shape) -> Shape:
    _require(len(shape) == 3, f"takes a value of shape (H, W, C), not {shape}")
    return shape


def _check_bias(node: FloatNode) -> None:
    outputs, bias = len(node["weight"]), node["bias"]
    _require(bias is None or bias.shape == (outputs,), f"has {np.shape(bias)} biases; legal are ({outputs},)")


def _window_shape(node: FloatNode, shape: Shape) -> Shape:
    h, w, c = _image(shape)
    channels, kernel, dilation = c, node.attributes.get("kernel", ()), (1, 1)
    if node.kind == "Conv":
        channels, *kernel, depth = node["weight"].shape
        dilation = node["dilation"]
        _require(c == depth * node["groups"], f"takes {depth * node['groups']} input channels, not {c}")
        _require(channels % node["groups"] == 0, f"has {channels} output channels for {node['groups']} groups")
        _check_bias(node)
    stride, pads = node["stride"], node["pads"]
    check_padded(shape, pads)
    size = tuple(window_output(n, kernel[i], stride[i], pads[i], pads[i + 2], dilation[i]) for i, n in ((0, h), (1, w)))
    _require(min(size) >= 1, f"the window {tuple(kernel)} is larger than the padded input")
    return (*size, channels)
