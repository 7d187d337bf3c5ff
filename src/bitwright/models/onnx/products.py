# SPDX-License-Identifier: Apache-2.0
"""Products and quotients: by constants, of values, and of functions of one value: activations however exported."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.chain import Chain
from bitwright.models.graph import TypedNode, is_a, ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.elementwise import affine, has_constant, per_channel, split, spread_out
from bitwright.models.onnx.functions.known import PROBES, named
from bitwright.models.onnx.surface import Readers, reads
from bitwright.models.onnx.tensors import Tensor
from bitwright.models.problems import OrderError
from bitwright.network.types import Floats

TABLE_BITS = 12  # of a value whose functions are tabulated
OfOne = tuple[str, tuple[ops.Pointwise, ...], tuple[ops.Pointwise, ...]]  # a value, and two functions of it


def _mul(context: Context, node: NodeView) -> Tensor:
    if has_constant(node):
        tensor, constant, _ = split(node)
        tensor, scale = per_channel(context, tensor, constant)
        return affine(context, tensor, node.output, scale, np.zeros(1))
    a, b = (context.plain(node.tensor(i)) for i in (0, 1))
    return _gate(context, node, a, b) or product(context, node, a, b)


def _gate(context: Context, node: NodeView, a: Tensor, b: Tensor) -> Tensor | None:
    """x * hard_sigmoid(x) and x * clip(x + 3, 0, 6)."""
    for x, g in ((a, b), (b, a)):
        gate = context.by_name.get(g.value)
        if gate is None or x.shape != g.shape:
            continue
        source = context.by_name.get(gate.inputs[0])
        if _is_hard_sigmoid(gate.op) and gate.inputs[0] == x.value:
            return x.on(context.emit(ops.HardSwish(), [x.value], node.output))
        if source is not None and source.inputs == (x.value,) and _is_relu6_of_x_plus_3(gate.op, source.op):
            swish = context.emit(ops.HardSwish(), [x.value], f"{node.output}/swish")
            return affine(context, x.on(swish), node.output, np.full(1, 6.0), np.zeros(1))
    return None


def _is_hard_sigmoid(op: ops.Op) -> bool:
    """Whether it is the gate of HardSwish."""
    return isinstance(op, ops.HardSigmoid) and math.isclose(op.alpha, 1 / 6, rel_tol=1e-6) and op.beta == 0.5


def _is_relu6_of_x_plus_3(gate: ops.Op, source: ops.Op) -> bool:
    if not isinstance(gate, ops.Clip) or not isinstance(source, ops.Affine):
        return False
    return gate.limits == (0.0, 6.0) and bool(np.all(source.scale == 1) and np.all(source.shift == 3))


def _function(context: Context, node: NodeView, a: Tensor, b: Tensor) -> Tensor | None:
    """left(x) * right(x) of one value x: an activation that is known, or else a function that a table holds."""
    found = _one_value(context, a, b)
    if found is None:
        return None
    x, left, right = found
    if any(isinstance(n.op, ops.Quant) for n in context.nodes):
        made = context.by_name.get(x)
        if made is None or not isinstance(made.op, ops.Quant) or made.op.quantizer.dtype.bits > TABLE_BITS:
            return None
    else:
        known = _known(context, a.on(x), node.output, found, np.multiply)
        if known is not None:
            return known
    return a.on(context.emit(ops.Product(left, right), [x], node.output))


def _one_value(context: Context, a: Tensor, b: Tensor) -> OfOne | None:
    """The last value that both tensors depend on alone, and the functions of it that they are."""
    paths = [_path(context, t.value) for t in (a, b)]
    values = [[n.inputs[0] for n in path] + [t.value] for path, t in zip(paths, (a, b), strict=True)]
    shared = [v for v in values[0] if v in values[1]]
    if not shared or a.shape != b.shape or a.layout != b.layout:
        return None
    if not a.layout and not np.array_equal(a.index, b.index):
        return None
    x = shared[-1]
    left, right = (tuple(n.op for n in path[v.index(x) :]) for path, v in zip(paths, values, strict=True))
    return x, left, right


def _path(context: Context, value: str) -> list[TypedNode[ops.Pointwise]]:
    """The elementwise nodes and quantizers that lead to a value, in order, as far back as they go."""
    path: list[TypedNode[ops.Pointwise]] = []
    while (made := context.by_name.get(value)) is not None and is_a(made, ops.Pointwise):
        path.insert(0, made)
        value = made.inputs[0]
    return path


def _known(
    context: Context, x: Tensor, name: str, parts: OfOne, join: Callable[[Floats, Floats], Floats]
) -> Tensor | None:
    """k * f(b * x) for a known f; None where the joined functions are none such."""
    _, left, right = parts
    constants = [a for op in (*left, *right) for a in op.arrays().values()]
    if any(a.size > 1 for a in constants):
        return None
    sides = (Chain(tuple(step for op in side for step in op.steps)) for side in (left, right))
    with np.errstate(all="ignore"):
        found = join(*(side.evaluate(PROBES) for side in sides))
    inner = {1.0, *(float(side[0].scale[0]) for side in (left, right) if side and isinstance(side[0], ops.Affine))}
    return named(context, x, name, found, inner)


def _div(context: Context, node: NodeView) -> Tensor:
    tensor = node.tensor(0)
    if isinstance(node.inputs[1], Tensor):
        a, b = context.plain(tensor), context.plain(node.tensor(1))
        found = _one_value(context, a, b)
        known = found and _known(context, a.on(found[0]), node.output, found, np.divide)
        if known:
            return known
        raise ModelError("divides by a computed tensor; legal are constants, and x / (1 + |x|)")
    divisor = node.array(1, "divisor")
    if np.any(divisor == 0):
        raise ModelError("divides by zero")
    tensor, divisor = per_channel(context, tensor, divisor)
    return affine(context, tensor, node.output, 1 / divisor, np.zeros(1))


def _product(context: Context, node: NodeView, a: Tensor, b: Tensor) -> Tensor:
    """The product of two values, the second of which may be of one pixel or of one channel."""
    whole = np.broadcast_shapes(a.shape, b.shape)
    if a.shape != whole:
        a, b = b, a
    if a.shape != whole:
        raise ModelError(
            f"stretches both tensors, {list(a.shape)} and {list(b.shape)}; legal is one shape that holds the other"
        )
    made = _broadcast(context, node, a, b, whole)
    if made is None and not a.layout:
        made = _broadcast(context, node, context.vector(a), context.vector(b) if a.shape == b.shape else b, whole)
    if made is None and len(b.shape) == len(whole):
        b = spread_out(context, b, whole)
        made = _broadcast(context, node, a, b, whole) if b.shape == whole else None
    if made is not None:
        return made
    shapes = f"{list(a.shape)} by {list(b.shape)}"
    raise OrderError(f"multiplies {shapes} of other orders; legal are one shape, one pixel or one channel for all")


def _broadcast(context: Context, node: NodeView, a: Tensor, b: Tensor, whole: tuple[int, ...]) -> Tensor | None:
    """The product where b has one element for each of a's, for its pixels, its channels or all, in a's order."""
    channels, size = a.value_shape[-1], math.prod(a.value_shape)
    index = np.empty(size, np.int64)  # which element of b each of a is multiplied by
    index[a.index.ravel()] = np.broadcast_to(b.index, whole).ravel()
    image = len(a.value_shape) == 3
    everywhere = (1, 1) if image else ()
    for shape, order in (
        (a.value_shape, np.arange(size)),
        ((*everywhere, channels), np.arange(size) % channels),
        ((*a.value_shape[:-1], 1), np.arange(size) // channels),
        ((*everywhere, 1), np.zeros(size, np.int64)),
    ):
        if np.array_equal(index, order) and math.prod(b.value_shape) == math.prod(shape):
            if len(b.value_shape) != len(shape):
                b = context.vector(b) if len(shape) == 1 else b.on(context.pixel(context.vector(b)))
            if context.shapes[b.value] == shape:
                return a.on(context.emit(ops.Mul(), [a.value, b.value], node.output))
    rows = index.reshape(-1, channels)
    if image and math.prod(b.value_shape) == channels and np.all(rows == rows[0]) and len(set(rows[0])) == channels:
        ordered = context.view(context.vector(b).value, rows[:1])  # a vector in the order of a's channels
        return a.on(context.emit(ops.Mul(), [a.value, context.pixel(ordered)], node.output))
    return None


def _pow(context: Context, node: NodeView) -> Tensor:
    exponents = node.array(1, "exponent")
    if np.all(exponents == 1):
        return node.tensor()
    if np.any(exponents != 2):
        raise ModelError("raises a computed tensor to a power; legal are constants, and the exponents 1 and 2")
    x = context.plain(node.tensor())
    return product(context, node, x, x)


def product(context: Context, node: NodeView, a: Tensor, b: Tensor) -> Tensor:
    """The product of two tensors, as a function where both are functions of one value."""
    return _function(context, node, a, b) or _product(context, node, a, b)


READERS: Readers = {**reads(_mul, "Mul", inputs=2), **reads(_div, "Div", inputs=2), **reads(_pow, "Pow", inputs=2)}
