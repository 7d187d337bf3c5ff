# SPDX-License-Identifier: Apache-2.0
"""The integer network as one ONNX model in floating point, exactly equal to `evaluate`.

Values are NCHW (vectors [N, C]) in float32 where every partial sum of theirs stays within 2**24, else
in float64. The proofs are in `products` and `staircase`; every node takes the cheapest exact form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bitwright.fast.code_fit import emit_codes, fit_codes
from bitwright.fast.input_onnx import CODE_BITS, code_base, coding, quantizing
from bitwright.fast.onnx_builder import Builder
from bitwright.fast.products import (
    FLOAT32_EXACT,
    codes_exact,
    conv,
    dense,
    dense_of_codes,
    float_conv,
    float_dense,
    pad,
    taps,
)
from bitwright.fast.staircase import steps_of
from bitwright.fast.step_fallbacks import requantize, search, table
from bitwright.fast.step_forms import Form, emit, emit_tail, forms, per_channel
from bitwright.network import ops
from bitwright.network.graph import Network, Node
from bitwright.network.inputs import InputSpec
from bitwright.network.ranges import intervals
from bitwright.network.types import Floats, Interval


@dataclass(frozen=True)
class Value:
    """A tensor of the ONNX graph: its name and whether it is float64.

    order: for a vector that is kept in channel-major order, the (H, W, C) of the image it comes from.
    codes: the tensor is uint8 and holds the value minus this number; None where it holds the value.
    """

    name: str
    wide: bool
    order: tuple[int, ...] = ()
    codes: int | None = None


@dataclass(frozen=True)
class _Product:
    """A node that is a Conv2d or Dense."""

    node: Node
    op: ops.Product

    @staticmethod
    def of(node: Node) -> _Product:
        assert isinstance(node.op, ops.Product)  # nothing else is deferred
        return _Product(node, node.op)

    @property
    def source(self) -> str:
        return self.node.inputs[0]


def translate(network: Network, values: tuple[str, ...], *, floats: bool) -> bytes:
    """The ONNX model that computes the named values.

    Inputs are named x and outputs y, with their positions. floats: inputs are the model's own float inputs, and outputs
    float NCHW tensors; otherwise all are int64 [N, *shape].
    """
    return Translator(network, values).model(floats)


class Translator:
    """State of one translation: the ONNX graph under construction and the values it has so far."""

    def __init__(self, network: Network, wanted: tuple[str, ...]) -> None:
        self.network = network
        self.wanted = wanted
        self.intervals = intervals(network)
        self.g = Builder()
        self.values: dict[str, Value] = {}

    def model(self, floats: bool) -> bytes:
        needed = _needed(self.network, self.wanted)
        for position, spec in enumerate(self.network.inputs):
            made = self.float_input if floats else self._integer_input
            self.values[spec.name] = made(spec, f"x{position}")
        for node in self.network.nodes:
            if node.name in needed and not self.is_deferred(node):
                self.values[node.name] = self.emit_node(node)
        for position, name in enumerate(self.wanted):
            self._output(name, f"y{position}", floats)
        return self.g.model()

    def _integer_input(self, spec: InputSpec, x: str) -> Value:
        t = spec.type
        wide = self.intervals[spec.name].reach > FLOAT32_EXACT
        x = self.g.cast(self.g.input(x, "int64", t.shape), "float64" if wide else "float32")
        return Value(self.g.transpose(x, 0, 3, 1, 2) if len(t.shape) == 3 else x, wide)

    def float_input(self, spec: InputSpec, x: str) -> Value:
        """The codes of an input that is the model's own floats."""
        x = self.g.input(x, "float32", spec.shape)
        if self.codes_suffice(spec):
            return Value(coding(self.g, spec, x), False, codes=code_base(spec))
        wide = self.intervals[spec.name].reach > FLOAT32_EXACT
        return Value(quantizing(self.g, spec, x, wide), wide)

    def codes_suffice(self, spec: InputSpec) -> bool:
        """Whether the input is only read by Dense nodes, behind Flattens, that integer kernels compute exactly."""
        name = spec.name
        readers = self.network.consumers[name]
        while len(readers) == 1 and isinstance(readers[0].op, ops.Flatten) and name not in self.wanted:
            name = readers[0].name
            readers = self.network.consumers[name]
        narrow = spec.type.dtype.bits <= CODE_BITS and not spec.type.dtype.bipolar
        if not readers or name in self.wanted or not narrow:
            return False
        return all(isinstance(r.op, ops.Dense) and codes_exact(r.op, code_base(spec), spec.high) for r in readers)

    def _output(self, name: str, as_name: str, floats: bool) -> None:
        value, t = self.in_order(self.values[name]), self.network.types[name]
        if floats:
            self.g.output(value.name, as_name, "float64" if value.wide else "float32")
            return
        y = self.g.transpose(value.name, 0, 2, 3, 1) if len(t.shape) == 3 else value.name
        self.g.output(self.g.cast(y, "int64"), as_name, "int64")

    def in_order(self, value: Value) -> Value:
        """The value with the elements of a flattened image in (H, W, C) order."""
        if not value.order:
            return value
        h, w, c = value.order
        image = self.g.transpose(self.g.reshape(value.name, 0, c, h, w), 0, 2, 3, 1)
        return Value(self.g.reshape(image, 0, h * w * c), value.wide)

    def widen(self, value: Value) -> Value:
        return value if value.wide else Value(self.g.cast(value.name, "float64"), True, value.order)

    def is_deferred(self, node: Node) -> bool:
        """Whether the only reader of a product is a step that may swallow it (see `_folded`)."""
        readers = self.network.consumers[node.name]
        return (
            isinstance(node.op, ops.Product)
            and node.name not in self.wanted
            and len(readers) == 1
            and isinstance(readers[0].op, (ops.Threshold, ops.Requantize))
        )

    def emit_node(self, node: Node) -> Value:
        """The value of a node whose inputs are there."""
        if isinstance(node.op, (ops.Threshold, ops.Requantize)):
            return self._step(node, node.op)
        if isinstance(node.op, ops.Product):
            return self.product(node, node.op)
        inputs = [self.values[name] for name in node.inputs]
        if not isinstance(node.op, ops.Flatten):
            inputs = [self.in_order(value) for value in inputs]
        return _EMITTERS[type(node.op)](self, node, node.op, *inputs)

    def image(self, name: str) -> bool:
        return len(self.network.types[name].shape) == 3

    def product(self, node: Node, op: ops.Product) -> Value:
        """A Conv2d or Dense, exactly, without what follows it."""
        x, interval = self.values[node.inputs[0]], self.intervals[node.inputs[0]]
        if isinstance(op, ops.Conv2d):
            shapes = self.network.types[node.inputs[0]].shape, self.network.types[node.name].shape
            return Value(*conv(self.g, op, self.in_order(x).name, x.wide, interval, shapes))
        op = _channel_major(op, x.order)
        if x.codes is not None:
            return Value(dense_of_codes(self.g, op, x.name, x.codes), False)
        return Value(*dense(self.g, op, x.name, x.wide, _reorder(interval, x.order)))

    def _step(self, node: Node, op: ops.Threshold | ops.Requantize) -> Value:
        """Threshold or Requantize in the cheapest exact form, the product before it taking what it can of it."""
        source = node.inputs[0]
        interval, shape = self.intervals[source], self.network.types[source].shape
        image = len(shape) == 3
        producer = _Product.of(self.network.node(source)) if source not in self.values else None
        steps = steps_of(op, interval)
        found = next(forms(op, steps, interval, shape), None)
        if producer and found and self._folds(producer, found):
            y = self._scaled_product(producer, found.m, found.b)
            return Value(emit_tail(self.g, y, found, image), False)
        codes = fit_codes(steps) if steps and interval.reach <= FLOAT32_EXACT else None
        if producer and codes and self._is_plain(producer):
            return Value(emit_codes(self.g, self._scaled_product(producer, np.ones(1), codes.shift), codes), False)
        x = self.product(producer.node, producer.op) if producer else self.in_order(self.values[source])
        if codes and not x.wide:
            shifted = x.name if not np.any(codes.shift) else self._shifted(x.name, codes.shift, image)
            return Value(emit_codes(self.g, shifted, codes), False)
        if found:
            x = self.widen(x) if found.dtype is np.float64 else x
            found = found if x.wide == (found.dtype is np.float64) else replace(found, dtype=np.float64)
            return self._narrowed(Value(emit(self.g, x.name, found, image), x.wide), node)
        return self._narrowed(Value(self._fallback(op, x, interval, shape), True), node)

    def _shifted(self, x: str, shift: Floats, image: bool) -> str:
        return self.g.add("Add", x, per_channel(self.g, shift, np.float32, image))

    def _fallback(
        self, op: ops.Threshold | ops.Requantize, x: Value, interval: Interval, shape: tuple[int, ...]
    ) -> str:
        """The operation without a floating-point form, in float64."""
        if isinstance(op, ops.Requantize):
            return requantize(self.g, x.name, op, shape)
        rest = (self.g, x.name, x.wide, op, interval, len(shape) == 3)
        return table(*rest) or search(*rest)

    def _narrowed(self, y: Value, node: Node) -> Value:
        """A value as float32 where its range allows it."""
        if not y.wide or self.intervals[node.name].reach > FLOAT32_EXACT:
            return y
        return Value(self.g.cast(y.name, "float32"), False)

    def _is_plain(self, product: _Product) -> bool:
        """Whether a product may be computed in float32 with other weights and another bias."""
        x, op = self.values[product.source], product.op
        padded = isinstance(op, ops.Conv2d) and op.pad_value and any(op.pads)
        return not (x.wide or x.codes is not None or padded)

    def _folds(self, product: _Product, form: Form) -> bool:
        """Whether a product may carry the m and b of a form without changing a result."""
        reach = product.op.reach(self.intervals[product.source])
        return self._is_plain(product) and form.folds(reach, product.op.weight[0].size)

    def _scaled_product(self, product: _Product, m: Floats, b: Floats) -> str:
        """m * product + b in float32, m in the weights and b in the bias; m, b float64 [O or 1]."""
        x, op = self.values[product.source], product.op
        bias = b if op.bias is None else b + m * op.bias
        if isinstance(op, ops.Conv2d):
            return float_conv(self.g, op, self.in_order(x).name, op.weight * m[:, None, None, None], bias)
        weight = _channel_major(op, x.order).weight * m[:, None]
        return float_dense(self.g, x.name, weight, bias, np.float32)


def _needed(network: Network, wanted: tuple[str, ...]) -> set[str]:
    """The values that the wanted ones depend on."""
    needed = set(wanted)
    for node in reversed(network.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return needed


def _reorder(interval: Interval, order: tuple[int, ...]) -> Interval:
    """The interval of a flattened image in channel-major order."""
    if not order:
        return interval
    low, high = (a.reshape(order).transpose(2, 0, 1).reshape(-1) for a in (interval.low, interval.high))
    return Interval(low, high, interval.reach)


def _channel_major(op: ops.Dense, order: tuple[int, ...]) -> ops.Dense:
    """The Dense with its inputs in channel-major order."""
    if not order:
        return op
    weight = op.weight.reshape(-1, *order).transpose(0, 3, 1, 2).reshape(op.weight.shape)
    return ops.Dense(weight, op.weight_type, op.bias)


def _flatten(t: Translator, node: Node, _op: ops.Flatten, x: Value) -> Value:
    before = t.network.types[node.inputs[0]].shape
    if len(before) == 1:
        return x
    flat = t.g.reshape(x.name, 0, t.network.types[node.name].size)
    trivial = before[2] == 1 or before[:2] == (1, 1)
    return replace(x, name=flat, order=() if trivial else before)


def _combine(kind: str, **attributes: int) -> Callable[[Translator, Node, ops.Op, Value, Value], Value]:
    """Add or Concat: both inputs in one float type, float64 where one is or the result needs it."""

    def emit(t: Translator, node: Node, _op: ops.Op, a: Value, b: Value) -> Value:
        if a.wide or b.wide or t.intervals[node.name].reach > FLOAT32_EXACT:
            a, b = t.widen(a), t.widen(b)
        return Value(t.g.add(kind, a.name, b.name, **attributes), a.wide)

    return emit


def _weave(t: Translator, node: Node, op: ops.Weave, a: Value, b: Value) -> Value:
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


def _product(t: Translator, node: Node, op: ops.Mul, a: Value, b: Value) -> Value:
    """Both factors less their zeros, in float64 where one is or the product needs it."""
    if a.wide or b.wide or t.intervals[node.name].reach > FLOAT32_EXACT:
        a, b = t.widen(a), t.widen(b)
    dtype = np.float64 if a.wide else np.float32
    factors = [
        t.g.add("Sub", x.name, t.g.operand(np.array(zero, dtype))) if zero else x.name
        for x, zero in zip((a, b), op.zeros, strict=True)
    ]
    return Value(t.g.add("Mul", *factors), a.wide)


def _max_pool(t: Translator, node: Node, op: ops.MaxPool, x: Value) -> Value:
    name, pads = x.name, op.pads
    if any(p >= k for p, k in zip(pads, op.kernel * 2, strict=True)):  # more than ONNX Runtime takes
        lowest = t.network.types[node.inputs[0]].dtype.min
        name, pads = pad(t.g, name, x.wide, pads, lowest), (0, 0, 0, 0)
    lists = {"kernel_shape": list(op.kernel), "strides": list(op.stride), "pads": list(pads)}
    return Value(t.g.add("MaxPool", name, **lists, dilations=list(op.dilation)), x.wide)


def _sum_pool(t: Translator, node: Node, op: ops.SumPool, x: Value) -> Value:
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


def _pad(t: Translator, _node: Node, op: ops.Pad, x: Value) -> Value:
    return Value(pad(t.g, x.name, x.wide, op.pads, op.value), x.wide)


def _resize(t: Translator, node: Node, op: ops.Resize, x: Value) -> Value:
    *size, c = t.network.types[node.inputs[0]].shape
    (h, w), (fh, fw) = size or (1, 1), op.factor
    parts = t.g.reshape(x.name, 0, c, h, 1, w, 1)
    repeated = t.g.add("Expand", parts, t.g.constant(np.array([1, 1, 1, fh, 1, fw], np.int64)))
    return Value(t.g.reshape(repeated, 0, c, h * fh, w * fw), x.wide)


def _arg_max(t: Translator, _node: Node, _op: ops.ArgMax, x: Value) -> Value:
    return Value(t.g.cast(t.g.add("ArgMax", x.name, axis=1, keepdims=1), "float32"), False)


def _lookup(t: Translator, node: Node, op: ops.Lookup, x: Value) -> Value:
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


_EMITTERS: dict[type[ops.Op], Callable[..., Value]] = {  # of translator, node, operation and inputs
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
