# SPDX-License-Identifier: Apache-2.0
"""A float graph as an ONNX model, for ONNX Runtime: calibration, accuracy, comparison with the original."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bitwright.models.exact.formula import OPERATIONS, computed
from bitwright.models.graph import ExtraRounding, FloatGraph, FloatNode, Port, Quantizer, Shape, ops
from bitwright.network.lfsr import draws
from bitwright.network.ops import Rounding, windows

OPSET, IR_VERSION = 17, 8
TRUTHS = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Not", "And", "Or", "Xor")  # yield truth values
LOGICAL = ("Where", "Not", "And", "Or", "Xor")  # take them


def to_onnx(graph: FloatGraph, outputs: Sequence[str] | None = None) -> onnx.ModelProto:
    """The graph in float32, opset 17, with a free batch dimension.

    Inputs are called as the graph's and have the model's own shape and order, [N, *shape]; without `outputs` so are and
    have the outputs. With `outputs`, exactly those values are the outputs, each under its own
    name, as [N, H, W, C] or [N, C]. Inside, images are in NCHW order, which
    ONNX Runtime computes fastest. A Quant node becomes Div, Add, rounding, Clip, Sub and Mul in float32;
    stochastic rounding adds draw / 2**32 before the floor.
    """
    build = _Builder(graph)
    for node in graph.nodes:
        build.add(node)
    if outputs is None:
        named = [(port.name, build.model_output(port)) for port in graph.outputs]
    else:
        named = [(name, build.value_output(name)) for name in dict.fromkeys(outputs)]
    float_info = helper.make_tensor_value_info
    model = helper.make_graph(
        build.nodes,
        graph.name,
        [float_info(port.value, TensorProto.FLOAT, ["N", *port.shape]) for port in graph.inputs],
        [float_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in named],
        build.constants,
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(model, opset_imports=opset, ir_version=IR_VERSION, producer_name="bitwright")


class _Builder:
    """The ONNX nodes and constants so far; `inside[name]` is the NCHW (or NC) tensor of a value."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.count = 0
        self.inside = {port.value: self._model_input(port) for port in graph.inputs}

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Append a node; the name of its result."""
        name = name or self._fresh(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def _fresh(self, kind: str) -> str:
        """A name that no value of the graph has, even if the graph was exported before."""
        while True:
            self.count += 1
            name = f"//{kind}{self.count}"
            if name not in self.graph.shapes:
                return name

    def constant(self, value: object, dtype: type = np.float32) -> str:
        name = self._fresh("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def channels(self, value: np.ndarray, shape: tuple[int, ...]) -> str:
        """A per-channel constant [C or 1] that broadcasts over the channels of a value."""
        value = np.asarray(value, np.float64)
        if value.size == 1:
            return self.constant(value.reshape(()))
        return self.constant(value.reshape(-1, 1, 1) if len(shape) == 3 else value)

    def _model_input(self, port: Port) -> str:
        value = self.graph.shapes[port.value]
        order = (value[2], *value[:2]) if port.layout == "CHW" else value
        inside = port.value
        if order != port.shape:
            inside = self.op("Reshape", inside, self.constant([-1, *order], np.int64))
        return self.op("Transpose", inside, perm=[0, 3, 1, 2]) if port.layout == "HWC" else inside

    def model_output(self, port: Port) -> tuple[int, ...]:
        """Give an output's value its name, in the model's own shape; that shape."""
        inside = self.inside[port.value]
        if len(self.graph.shapes[port.value]) == 3 and port.layout == "HWC":
            inside = self.op("Transpose", inside, perm=[0, 2, 3, 1])
        self.op("Reshape", inside, self.constant([-1, *port.shape], np.int64), name=port.name)
        return port.shape

    def value_output(self, name: str) -> tuple[int, ...]:
        """Give the value its own name, as [N, H, W, C] or [N, C]; its shape."""
        shape = self.graph.shapes[name]
        if len(shape) == 3:
            self.op("Transpose", self.inside[name], name=name, perm=[0, 2, 3, 1])
        else:
            self.op("Identity", self.inside[name], name=name)
        return shape

    def add(self, node: FloatNode) -> None:
        inputs = [self.inside[name] for name in node.inputs]
        shape = self.graph.shapes[node.inputs[0]]
        self.inside[node.name] = self.emit(node.op, shape, *inputs)

    def emit(self, op: ops.Op, shape: Shape, *x: str) -> str:
        """The ONNX nodes of an operation: one of the same name, with its numbers, where nothing else is said."""
        special = _EMIT.get(type(op))
        if special is not None:
            return special(self, op, shape, *x)
        numbers: dict[str, Any] = {f.name: float(getattr(op, f.name)) for f in fields(op)}
        return self.op(type(op).__name__, *x, **numbers)


def _conv(b: _Builder, op: ops.Conv, shape: Shape, x: str) -> str:
    weight = b.constant(np.moveaxis(op.weight, 3, 1))
    bias = [] if op.bias is None else [b.constant(op.bias)]
    lists: dict[str, Any] = {"strides": list(op.stride), "pads": list(op.pads), "dilations": list(op.dilation)}
    return b.op("Conv", x, weight, *bias, group=op.groups, **lists)


def _dense(b: _Builder, op: ops.Dense, shape: Shape, x: str) -> str:
    bias = [] if op.bias is None else [b.constant(op.bias)]
    return b.op("Gemm", x, b.constant(op.weight), *bias, transB=1)


def _affine(b: _Builder, op: ops.Affine, shape: Shape, x: str) -> str:
    if np.any(op.scale != 1):
        x = b.op("Mul", x, b.channels(op.scale, shape))
    if np.any(op.shift != 0):
        x = b.op("Add", x, b.channels(op.shift, shape))
    return x


def _clip(b: _Builder, op: ops.Clip, shape: Shape, x: str) -> str:
    low, high = (b.constant(v) if np.isfinite(v) else "" for v in (op.low, op.high))
    return b.op("Clip", x, low, high) if high else b.op("Clip", x, low)


def _leaky(b: _Builder, op: ops.LeakyRelu, shape: Shape, x: str) -> str:
    return b.op("PRelu", x, b.channels(op.slope, shape))


def _silu(b: _Builder, op: ops.Silu, shape: Shape, x: str) -> str:
    return b.op("Mul", x, b.op("Sigmoid", x))


def _gelu(b: _Builder, op: ops.Gelu, shape: Shape, x: str) -> str:
    one = b.op("Add", b.op("Erf", b.op("Div", x, b.constant(np.sqrt(2)))), b.constant(1.0))
    return b.op("Mul", b.op("Mul", x, one), b.constant(0.5))


def _gelu_tanh(b: _Builder, op: ops.GeluTanh, shape: Shape, x: str) -> str:
    cube = b.op("Mul", b.op("Mul", x, b.op("Mul", x, x)), b.constant(0.044715))
    inner = b.op("Mul", b.op("Add", x, cube), b.constant(np.sqrt(2 / np.pi)))
    return b.op("Mul", b.op("Mul", x, b.op("Add", b.op("Tanh", inner), b.constant(1.0))), b.constant(0.5))


def _mish(b: _Builder, op: ops.Mish, shape: Shape, x: str) -> str:
    return b.op("Mul", x, b.op("Tanh", b.op("Softplus", x)))


def _function(b: _Builder, op: ops.Function, shape: Shape, x: str) -> str:
    truths = set[str]()

    def emit(kind: str) -> Callable[..., str]:
        def node(*arguments: str | float) -> str:
            given = [a if isinstance(a, str) else b.constant(a) for a in arguments]
            if kind not in LOGICAL:  # numbers are counted with what is true
                given = [b.op("Cast", a, to=TensorProto.FLOAT) if a in truths else a for a in given]
            made = b.op(kind, *given)
            truths.update([made] if kind in TRUTHS else [])
            return made

        return node

    made = str(computed(op.formula, x, {kind: emit(kind) for kind in OPERATIONS}))
    return b.op("Cast", made, to=TensorProto.FLOAT) if made in truths else made


def _product(b: _Builder, op: ops.Product, shape: Shape, x: str) -> str:
    sides = []
    for path in (op.left, op.right):
        sides.append(x)
        for inner in path:
            sides[-1] = b.emit(inner, shape, sides[-1])
    return b.op("Mul", *sides)


def _max_pool(b: _Builder, op: ops.Pool, shape: Shape, x: str, **more: Any) -> str:
    kernel, stride, pads = (list(v) for v in (op.kernel, op.stride, op.pads))
    if any(p >= k for p, k in zip(pads, kernel * 2, strict=True)):  # more than ONNX Runtime takes
        x, pads = _pad(b, ops.Pad(op.pads, float(np.finfo(np.float32).min)), shape, x), [0] * 4
    if op.dilation != (1, 1):
        more["dilations"] = list(op.dilation)
    return b.op(type(op).__name__, x, kernel_shape=kernel, strides=stride, pads=pads, **more)


def _average_pool(b: _Builder, op: ops.AveragePool, shape: Shape, x: str) -> str:
    if op.dilation == (1, 1):
        return _max_pool(b, op, shape, x, count_include_pad=int(op.count_include_pad))
    weight = b.constant(np.ones((shape[2], 1, *op.kernel)))
    lists: dict[str, Any] = {"strides": list(op.stride), "pads": list(op.pads), "dilations": list(op.dilation)}
    total = b.op("Conv", x, weight, group=shape[2], **lists)
    if op.count_include_pad:
        return b.op("Div", total, b.constant(math.prod(op.kernel)))
    inside = windows(np.ones((1, *shape[:2], 1)), op.kernel, op.stride, op.pads, op.dilation)
    return b.op("Div", total, b.constant(inside.sum(axis=(3, 4))[0, ..., 0]))


def _pad(b: _Builder, op: ops.Pad, shape: Shape, x: str) -> str:
    top, left, bottom, right = op.pads
    pads = b.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return b.op("Pad", x, pads, b.constant(op.value))


def _resize(b: _Builder, op: ops.Resize, shape: Shape, x: str) -> str:
    if len(shape) == 1:
        x = b.op("Reshape", x, b.constant([-1, *shape, 1, 1], np.int64))
    scales = b.constant([1, 1, *op.factor])
    rule: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return b.op("Resize", x, "", scales, mode="nearest", **rule)


def _channels(b: _Builder, op: ops.Channels, shape: Shape, x: str) -> str:
    return b.op("Gather", x, b.constant(op.picked, np.int64), axis=1)


def _pixels(b: _Builder, op: ops.Pixels, shape: Shape, x: str) -> str:
    for axis, places, whole in ((2, op.rows, shape[0]), (3, op.columns, shape[1])):
        if places != tuple(range(whole)):
            x = b.op("Gather", x, b.constant(places, np.int64), axis=axis)
    return x


def _stretch(b: _Builder, op: ops.Stretch, shape: Shape, x: str) -> str:
    (h, w, c), (high, wide) = shape, op.factor
    x = b.op("Reshape", x, b.constant([-1, c, h, 1, w, 1], np.int64))
    x = b.op("Pad", x, b.constant([0] * 9 + [high - 1, 0, wide - 1], np.int64))
    return b.op("Reshape", x, b.constant([-1, c, h * high, w * wide], np.int64))


def _blend(b: _Builder, op: ops.Blend, shape: Shape, x: str) -> str:
    weight = np.broadcast_to(op.window / op.window.sum(), (shape[2], 1, *op.window.shape))
    return b.op("Conv", x, b.constant(weight), group=shape[2])


def _interpolation(b: _Builder, op: ops.Interpolation, shape: Shape, x: str) -> str:
    for axis, line, size in ((2, op.rows, shape[0]), (3, op.columns, shape[1])):
        part = (np.array(line.weights) / line.whole).reshape(-1, *[1] * (3 - axis))
        sides = []
        for places, weight in ((line.places, 1 - part), (line.following(size), part)):
            picked = b.op("Gather", x, b.constant(places, np.int64), axis=axis)
            sides.append(b.op("Mul", picked, b.constant(weight)))
        x = b.op("Add", *sides)
    return x


def _depth_to_space(b: _Builder, op: ops.DepthToSpace, shape: Shape, x: str) -> str:
    (h, w, c), (high, wide) = shape, op.factor
    x = b.op("Reshape", x, b.constant([-1, c // (high * wide), high, wide, h, w], np.int64))
    x = b.op("Transpose", x, perm=[0, 1, 4, 2, 5, 3])
    return b.op("Reshape", x, b.constant([-1, c // (high * wide), h * high, w * wide], np.int64))


def _of_channels(kind: str) -> Callable[..., str]:
    return lambda b, op, shape, x: b.op(kind, x, axes=[1], keepdims=1)


def _flatten(b: _Builder, op: ops.Flatten, shape: Shape, x: str) -> str:
    if len(shape) == 3 and shape[2] > 1 and shape[0] * shape[1] > 1:
        x = b.op("Transpose", x, perm=[0, 2, 3, 1])
    return b.op("Flatten", x)


def _softmax(b: _Builder, op: ops.Distribution, shape: Shape, x: str) -> str:
    kind = type(op).__name__
    if op.axis in ("", "height", "width"):
        return b.op(kind, x, axis={"": 1, "height": 2, "width": 3}[op.axis])
    lines = [-1, shape[2], shape[0] * shape[1]] if op.axis == "pixels" else [-1, 1, math.prod(shape)]
    flat = b.op(kind, b.op("Reshape", x, b.constant(lines, np.int64)), axis=2)
    return b.op("Reshape", flat, b.constant([-1, shape[2], *shape[:2]], np.int64))


def _arg_max(b: _Builder, op: ops.ArgMax, shape: Shape, x: str) -> str:
    return b.op("Cast", b.op("ArgMax", x, axis=1, keepdims=1), to=TensorProto.FLOAT)


def _quant(b: _Builder, op: ops.Quant, shape: Shape, x: str) -> str:
    q = op.quantizer
    scale = b.channels(q.scale, shape) if np.any(q.scale != 1) else ""
    if q.dtype.bipolar:
        sign = b.op("GreaterOrEqual", x, b.constant(0.0))
        x = b.op("Where", sign, b.constant(1.0), b.constant(-1.0))
        return b.op("Mul", x, scale) if scale else x
    x = b.op("Div", x, scale) if scale else x
    zero = b.channels(q.zero_point, shape) if np.any(q.zero_point != 0) else ""
    x = b.op("Add", x, zero) if zero else x
    x = b.op("Clip", _round(b, q, shape, x), b.constant(q.low), b.constant(q.high))
    x = b.op("Sub", x, zero) if zero else x
    return b.op("Mul", x, scale) if scale else x


def _round(b: _Builder, q: Quantizer, shape: Shape, x: str) -> str:
    simple = {Rounding.HALF_EVEN: "Round", Rounding.FLOOR: "Floor", ExtraRounding.CEIL: "Ceil"}
    if q.rounding in simple:
        return b.op(simple[q.rounding], x)
    if q.rounding == ExtraRounding.HALF_ODD:
        one = b.constant(1.0)
        return b.op("Sub", b.op("Round", b.op("Add", x, one)), one)
    if q.rounding == Rounding.HALF_UP:
        return b.op("Floor", b.op("Add", x, b.constant(0.5)))
    if q.rounding == Rounding.STOCHASTIC:
        random = draws(q.seed, int(np.prod(shape))).reshape(shape) / 2.0**32
        random = np.moveaxis(random, 2, 0) if len(shape) == 3 else random
        return b.op("Floor", b.op("Add", x, b.constant(random)))
    size = b.op("Abs", x)
    if q.rounding == Rounding.HALF_AWAY:
        size = b.op("Floor", b.op("Add", size, b.constant(0.5)))
    elif q.rounding == ExtraRounding.HALF_ZERO:
        size = b.op("Ceil", b.op("Sub", size, b.constant(0.5)))
    else:
        size = b.op("Ceil" if q.rounding == ExtraRounding.AWAY else "Floor", size)
    return b.op("Mul", b.op("Sign", x), size)


_EMIT: dict[type[ops.Op], Callable[..., str]] = {  # of builder, operation, shape of its first input, and inputs
    ops.Conv: _conv,
    ops.Dense: _dense,
    ops.Affine: _affine,
    ops.Clip: _clip,
    ops.LeakyRelu: _leaky,
    ops.Silu: _silu,
    ops.Gelu: _gelu,
    ops.GeluTanh: _gelu_tanh,
    ops.Mish: _mish,
    ops.Function: _function,
    ops.Product: _product,
    ops.Concat: lambda b, op, shape, *x: b.op("Concat", *x, axis=1),
    ops.MaxPool: _max_pool,
    ops.AveragePool: _average_pool,
    ops.Pad: _pad,
    ops.Resize: _resize,
    ops.Channels: _channels,
    ops.Pixels: _pixels,
    ops.Stretch: _stretch,
    ops.DepthToSpace: _depth_to_space,
    ops.Stack: lambda b, op, shape, *x: b.op("Concat", *x, axis=2 + op.axis),
    ops.Blend: _blend,
    ops.Interpolation: _interpolation,
    ops.ChannelMean: _of_channels("ReduceMean"),
    ops.ChannelMax: _of_channels("ReduceMax"),
    ops.Flatten: _flatten,
    ops.Softmax: _softmax,
    ops.LogSoftmax: _softmax,
    ops.ArgMax: _arg_max,
    ops.Quant: _quant,
}
