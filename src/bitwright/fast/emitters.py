# SPDX-License-Identifier: Apache-2.0
"""Every operation but products and steps as ONNX nodes: one function each, of what a translation knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bitwright.fast.products import FLOAT32_EXACT, float_conv, pad, taps
from bitwright.fast.values import Translation, Value
from bitwright.network import ops
from bitwright.network.graph import Node


def _flatten(t: Translation, node: Node, _op: ops.Flatten, x: Value) -> Value:
    before = t.network.types[node.inputs[0]].shape
    if len(before) == 1:
        return x
    flat = t.g.reshape(x.name, 0, t.network.types[node.name].size)
    trivial = before[2] == 1 or before[:2] == (1, 1)
    return replace(x, name=flat, order=() if trivial else before)


def _combine(kind: str, **attributes: int) -> Callable[[Translation, Node, ops.Op, Value, Value], Value]:
    """Add or Concat: both inputs in one float type, float64 where one is or the result needs it."""

    def emit(t: Translation, node: Node, _op: ops.Op, a: Value, b: Value) -> Value:
        if a.wide or b.wide or t.intervals[node.name].reach > FLOAT32_EXACT:
            a, b = t.widen(a), t.widen(b)
        return Value(t.g.add(kind, a.name, b.name, **attributes), a.wide)

    return emit


def _weave(t: Translation, node: Node, op: ops.Weave, a: Value, b: Value) -> Value:
    """Both with an axis more, that of what takes turns, joined along the one behind it."""
    if a.wide or b.wide:
        a, b = t.widen(a), t.widen(b)
    parts = []
    for value, name, count in zip((a, b), node.inputs, op.counts, strict=True):
        h, w, c = t.network.types[name].shape
        shape = (0, c, h // count, count, w) if op.axis == 0 else (0, c, h, w // count, count)
        parts.append(t.g.reshape(value.name, *shape))
    h, w, c = t.network.types[node.name].shape
    return Value(t.g.reshape(t.g.add("Concat", *parts, axis=3 + op.axis), 0, c, h, w), a.wide)


def _product(t: Translation, node: Node, op: ops.Mul, a: Value, b: Value) -> Value:
    """Both factors less their zeros, in float64 where one is or the product needs it."""
    if a.wide or b.wide or t.intervals[node.name].reach > FLOAT32_EXACT:
        a, b = t.widen(a), t.widen(b)
    dtype = np.float64 if a.wide else np.float32
    factors = [
        t.g.add("Sub", x.name, t.g.operand(np.array(zero, dtype))) if zero else x.name
        for x, zero in zip((a, b), op.zeros, strict=True)
    ]
    return Value(t.g.add("Mul", *factors), a.wide)


def _max_pool(t: Translation, node: Node, op: ops.MaxPool, x: Value) -> Value:
    name, pads = x.name, op.pads
    if any(p >= k for p, k in zip(pads, op.kernel * 2, strict=True)):  # more than ONNX Runtime takes
        lowest = t.network.types[node.inputs[0]].dtype.min
        x = t.decoded(x)
        name, pads = pad(t.g, x.name, x.wide, pads, lowest), (0, 0, 0, 0)
    lists = {"kernel_shape": list(op.kernel), "strides": list(op.stride), "pads": list(pads)}
    return replace(x, name=t.g.add("MaxPool", name, **lists, dilations=list(op.dilation)))


def _sum_pool(t: Translation, node: Node, op: ops.SumPool, x: Value) -> Value:
    shape = t.network.types[node.inputs[0]].shape
    wide = t.intervals[node.name].reach > FLOAT32_EXACT
    if wide:
        x = t.widen(x)
    if not any(op.pads) and op.kernel == shape[:2]:
        return Value(t.g.add("ReduceSum", x.name, t.g.constant(np.array([2, 3])), keepdims=1), wide)
    if not wide:
        channels = shape[2]
        weight = np.ones((channels, *op.kernel, 1), np.int64)
        ones = ops.Conv2d(weight, stride=op.stride, pads=op.pads, dilation=op.dilation, groups=channels)
        return Value(float_conv(t.g, ones, x.name, ones.weight, None), False)
    name = x.name
    if any(op.pads):
        top, left, bottom, right = op.pads
        name, shape = pad(t.g, name, True, op.pads, 0), (shape[0] + top + bottom, shape[1] + left + right, shape[2])
    return Value(t.g.add("Sum", *taps(t.g, name, shape, op.kernel, op.stride, op.dilation)), True)


def _pad(t: Translation, _node: Node, op: ops.Pad, x: Value) -> Value:
    return Value(pad(t.g, x.name, x.wide, op.pads, op.value), x.wide)


def _resize(t: Translation, node: Node, op: ops.Resize, x: Value) -> Value:
    *size, c = t.network.types[node.inputs[0]].shape
    (h, w), (fh, fw) = size or (1, 1), op.factor
    parts = t.g.reshape(x.name, 0, c, h, 1, w, 1)
    repeated = t.g.add("Expand", parts, t.g.constant(np.array([1, 1, 1, fh, 1, fw], np.int64)))
    return Value(t.g.reshape(repeated, 0, c, h * fh, w * fw), x.wide)


def _arg_max(t: Translation, _node: Node, _op: ops.ArgMax, x: Value) -> Value:
    return Value(t.g.cast(t.g.add("ArgMax", x.name, axis=1, keepdims=1), "float32"), False)


def _lookup(t: Translation, node: Node, op: ops.Lookup, x: Value) -> Value:
    channels = t.network.types[node.name].channels
    wide = t.intervals[node.name].reach > FLOAT32_EXACT
    position = t.g.cast(x.name, "int32")
    if op.domain.bipolar:
        position = t.g.add("Greater", x.name, t.g.constant(np.zeros((), np.float32)))
        position = t.g.cast(position, "int32")
    start = np.arange(len(op.table)) * op.domain.levels - (0 if op.domain.bipolar else op.domain.min)
    shape = (1, -1, 1, 1) if t.image(node.name) else (1, -1)
    offset = np.broadcast_to(start, channels) if len(start) > 1 else start
    position = t.g.add("Add", position, t.g.constant(offset.astype(np.int32).reshape(shape)))
    table = op.table.reshape(-1).astype(np.float64 if wide else np.float32)
    return Value(t.g.add("Gather", t.g.constant(table), position), wide)


EMITTERS: dict[type[ops.Op], Callable[..., Value]] = {  # of translator, node, operation and inputs
    ops.Lookup: _lookup,
    ops.Add: _combine("Add"),
    ops.Mul: _product,
    ops.Concat: _combine("Concat", axis=1),
    ops.Weave: _weave,
    ops.MaxPool: _max_pool,
    ops.SumPool: _sum_pool,
    ops.Pad: _pad,
    ops.Resize: _resize,
    ops.Flatten: _flatten,
    ops.ArgMax: _arg_max,
}
