# SPDX-License-Identifier: Apache-2.0
"""The integer network as one ONNX model in floating point, exactly equal to `evaluate`.

Values are NCHW (vectors [N, C]) in float32 where every partial sum of theirs stays within 2**24, else
in float64. The proofs are in `products` and `staircase`; every node takes the cheapest exact form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.fast import kernels
from bitwright.fast.code_fit import CodeForm, emit_codes, fit_codes
from bitwright.fast.emitters import EMITTERS
from bitwright.fast.input_onnx import CODE_BITS, code_base, coding, quantizing
from bitwright.fast.products import (
    FLOAT32_EXACT,
    codes_exact,
    conv,
    dense,
    dense_of_codes,
    float_conv,
    float_dense,
)
from bitwright.fast.staircase import steps_of
from bitwright.fast.step_fallbacks import requantize, search, table
from bitwright.fast.step_forms import Form, emit, emit_tail, forms, per_channel
from bitwright.fast.values import Translation, Value
from bitwright.network import ops
from bitwright.network.graph import Network, Node
from bitwright.network.inputs import InputSpec
from bitwright.network.types import Floats, Interval


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


class Translator(Translation):
    """One translation with what it has so far, node by node."""

    def __init__(self, network: Network, wanted: tuple[str, ...]) -> None:
        super().__init__(network)
        self.wanted = wanted
        self.values: dict[str, Value] = {}
        self._decoded: dict[str, Value] = {}
        self._kernels: dict[str, kernels.KernelForm | None] = {}

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
        if self.codes_suffice(spec) or (self.wants_codes(spec.name) and not spec.type.dtype.bipolar):
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
        value, t = self.in_order(self.plain(name)), self.network.types[name]
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

    def plain(self, name: str) -> Value:
        """A value as numbers."""
        value = self.values[name]
        if value.codes is None:
            return value
        if name not in self._decoded:
            self._decoded[name] = self.decoded(value)
        return self._decoded[name]

    def coded(self, name: str) -> Value:
        """A value as uint8 codes, which suffice for it."""
        value, base = self.values[name], kernels.code_base(self.intervals[name])
        assert base is not None
        if value.codes is not None:
            return value
        x = (
            self.g.add("Sub", value.name, self.g.operand(np.array(base, np.float64 if value.wide else np.float32)))
            if base
            else value.name
        )
        self._decoded[name] = value
        self.values[name] = Value(self.g.cast(x, "uint8"), False, value.order, base)
        return self.values[name]

    def kernel(self, product: Node) -> kernels.KernelForm | None:
        """How a product and the step behind it are one integer kernel; None where they are not."""
        if product.name not in self._kernels:
            self._kernels[product.name] = self._fit_kernel(product) if self.is_deferred(product) else None
        return self._kernels[product.name]

    def _fit_kernel(self, product: Node) -> kernels.KernelForm | None:
        (step,) = self.network.consumers[product.name]
        op, x = product.op, self.intervals[product.inputs[0]]
        assert isinstance(op, ops.Product)
        assert isinstance(step.op, (ops.Threshold, ops.Requantize))
        factor = kernels.factor_here(op, x) if kernels.takes(op, x) else None
        steps = steps_of(step.op, self.intervals[product.name]) if factor else None
        return kernels.fit_kernel(steps, factor) if steps and factor else None

    def wants_codes(self, name: str) -> bool:
        """Whether an integer kernel reads a value."""
        return any(self.kernel(reader) for reader in self.network.consumers[name])

    def is_deferred(self, node: Node) -> bool:
        """Whether the only reader of a product is a step that may swallow it (see `_folded`)."""
        if not isinstance(node.op, ops.Product) or node.name in self.wanted:
            return False
        readers = self.network.consumers[node.name]
        return len(readers) == 1 and isinstance(readers[0].op, (ops.Threshold, ops.Requantize))

    def emit_node(self, node: Node) -> Value:
        """The value of a node whose inputs are there."""
        if isinstance(node.op, (ops.Threshold, ops.Requantize)):
            return self._step(node, node.op)
        if isinstance(node.op, ops.Product):
            return self.product(node, node.op)
        keeps = isinstance(node.op, (ops.Flatten, ops.MaxPool))  # what does not read numbers
        inputs = [self.values[name] if keeps else self.plain(name) for name in node.inputs]
        if not isinstance(node.op, ops.Flatten):
            inputs = [self.in_order(value) for value in inputs]
        return EMITTERS[type(node.op)](self, node, node.op, *inputs)

    def product(self, node: Node, op: ops.Product) -> Value:
        """A Conv2d or Dense, exactly, without what follows it."""
        source = node.inputs[0]
        x, interval = self.values[source], self.intervals[source]
        if isinstance(op, ops.Conv2d):
            x = self.in_order(self.plain(source))
            shapes = self.network.types[source].shape, self.network.types[node.name].shape
            return Value(*conv(self.g, op, x.name, x.wide, interval, shapes))
        op = _channel_major(op, x.order)
        if x.codes is not None and codes_exact(op, x.codes, int(interval.high.max())):
            return Value(dense_of_codes(self.g, op, x.name, x.codes), False)
        x = self.plain(source)
        return Value(*dense(self.g, op, x.name, x.wide, _reorder(interval, x.order)))

    def _step(self, node: Node, op: ops.Threshold | ops.Requantize) -> Value:
        """Threshold or Requantize in the cheapest exact form, the product before it taking what it can of it."""
        source = node.inputs[0]
        interval, shape = self.intervals[source], self.network.types[source].shape
        image = len(shape) == 3
        producer = _Product.of(self.network.node(source)) if source not in self.values else None
        kernel = self.kernel(producer.node) if producer else None
        if producer and kernel:
            x = self.coded(producer.source)
            assert x.codes is not None
            product = _channel_major(producer.op, x.order) if isinstance(producer.op, ops.Dense) else producer.op
            return Value(kernels.emit_kernel(self.g, product, x.name, x.codes, kernel), False, codes=kernel.base)
        steps = steps_of(op, interval)
        found = next(forms(op, steps, interval, shape), None)
        if producer and found and self._folds(producer, found):
            y = self._scaled_product(producer, found.m, found.b)
            return Value(emit_tail(self.g, y, found, image), False)
        codes = fit_codes(steps) if steps and interval.reach <= FLOAT32_EXACT else None
        if producer and codes and self._is_plain(producer):
            return self._codes(node, self._scaled_product(producer, np.ones(1), codes.shift), codes)
        x = self.product(producer.node, producer.op) if producer else self.in_order(self.plain(source))
        if codes and not x.wide:
            shifted = x.name if not np.any(codes.shift) else self._shifted(x.name, codes.shift, image)
            return self._codes(node, shifted, codes)
        if found:
            x = self.widen(x) if found.dtype is np.float64 else x
            found = found if x.wide == (found.dtype is np.float64) else replace(found, dtype=np.float64)
            return self._narrowed(Value(emit(self.g, x.name, found, image), x.wide), node)
        return self._narrowed(Value(self._fallback(op, x, interval, shape), True), node)

    def _codes(self, node: Node, x: str, form: CodeForm) -> Value:
        """A step as QuantizeLinear of x that is shifted already; its codes stay where an integer kernel reads them."""
        y = emit_codes(self.g, x, form)
        if form.dtype is np.uint8 and kernels.code_base(self.intervals[node.name]) == 0 and self.wants_codes(node.name):
            return Value(y, False, codes=0)
        return Value(self.g.cast(y, "float32"), False)

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
        x, op = self.plain(product.source), product.op
        padded = isinstance(op, ops.Conv2d) and op.pad_value and any(op.pads)
        return not (x.wide or padded)

    def _folds(self, product: _Product, form: Form) -> bool:
        """Whether a product may carry the m and b of a form without changing a result."""
        reach = product.op.reach(self.intervals[product.source])
        return self._is_plain(product) and form.folds(reach, product.op.weight[0].size)

    def _scaled_product(self, product: _Product, m: Floats, b: Floats) -> str:
        """m * product + b in float32, m in the weights and b in the bias; m, b float64 [O or 1]."""
        x, op = self.plain(product.source), product.op
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
