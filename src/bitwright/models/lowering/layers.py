# SPDX-License-Identifier: Apache-2.0
"""Lowering of layers, sums, pools and moves: integer operations on values with affine chains."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.chain import ONE, ZERO, Affine, Chain, Rationals, rationals, single, spread
from bitwright.models.graph import FloatNode, LayerNode, TypedNode, ops
from bitwright.models.lowering.grids import realize
from bitwright.models.lowering.moves import of_places
from bitwright.models.lowering.products import cut, in_parts, phases, sum_bits, sum_shift
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.ops import Conv2d, Dense, Flatten, MaxPool, Mul, Pad, Requantize, SumPool
from bitwright.network.types import MAX_BITS, Ints, IntType, ints


def _layer(b: Builder, node: LayerNode, v: Value) -> Value:
    """Conv and Dense: acc = sum of w * q, real = s * sw * (acc - sum of w * z) + bias, with q - z = real / s."""
    v, layer = realize(b, node, v), node.op
    groups = layer.groups
    scale = _group_scales(v, groups)
    zero = _zeros(v, scale, groups)
    pad_value = 0
    if layer.is_padded and v.factor == (1, 1):
        v, zero, pad_value = _padding(b, node, v, zero)
    assert layer.quantized is not None
    weights = layer.quantized.values
    outputs = len(weights)
    weight_scale = spread(rationals(layer.quantized.scale), outputs)
    real_scale = tuple(scale[o * groups // outputs] * s for o, s in enumerate(weight_scale))
    bias = (ZERO,) if layer.bias is None else rationals(layer.bias)
    steps: tuple[Affine, ...] = (Affine(single(real_scale), single(bias)),)
    if v.factor != (1, 1) and isinstance(layer, ops.Conv):
        return phases(b, node, layer, v, int(zero[0]), Chain(steps))
    correction = _correction(weights, zero, groups)
    if any(correction):
        steps = (Affine((ONE,), tuple(-c for c in correction)), *steps)
    op = _layer_op(layer, weights, layer.quantized.dtype, pad_value)
    if sum_bits(op, v) <= MAX_BITS:
        return b.value(node.name, op, [v], Chain(steps))
    parts = cut(op, v)
    unit = 1 << sum_shift(parts, v)
    b.note(node, f"its sums pass {MAX_BITS} bits; they are rounded to multiples of {unit}")
    return in_parts(b, node.name, v, parts, unit, Chain((Affine((Fraction(unit),), (ZERO,)), *steps)))


def _layer_op(layer: ops.Layer, weights: Ints, dtype: IntType, pad_value: int) -> Conv2d | Dense:
    if not isinstance(layer, ops.Conv):
        return Dense(weights, dtype)
    return Conv2d(weights, dtype, layer.stride, layer.pads, layer.dilation, layer.groups, pad_value)


def _group_scales(v: Value, groups: int) -> Rationals:
    """The scale of each group's input channels."""
    scale = spread(v.line().scale, v.type.channels)
    size = v.type.channels // groups
    parts = [set(scale[g * size : (g + 1) * size]) for g in range(groups)]
    if any(len(p) != 1 or 0 in p for p in parts):
        raise ModelError("its input channels have different scales; legal is one scale for the channels of a group")
    return tuple(p.pop() for p in parts)


def _zeros(v: Value, scale: Rationals, groups: int) -> Rationals:
    """The integer (or fraction) of each input channel that stands for the real 0."""
    shift = spread(v.line().shift, v.type.channels)
    size = v.type.channels // groups
    return tuple(-o / scale[c // size] for c, o in enumerate(shift))


def _padding(b: Builder, node: FloatNode, v: Value, zero: Rationals) -> tuple[Value, Rationals, int]:
    """The value in a type that holds its zero, one zero for all channels, and that zero."""
    if any(z.denominator != 1 for z in zero):
        raise ModelError("pads with 0, which no integer of its input stands for; legal are whole zero points")
    if len(set(zero)) > 1:
        t = v.type.dtype
        reach = [(t.min - int(z), t.max - int(z)) for z in zero]
        dtype = IntType.holding(min(0, *(r[0] for r in reach)), max(0, *(r[1] for r in reach)))
        centered = Requantize(dtype, bias=ints(-int(z) for z in zero))
        return b.value(f"{node.name}/centered", centered, [v], Chain()), (ZERO,) * len(zero), 0
    value = int(zero[0])
    return b.widened(node.inputs[0], v, value, value), zero, value


def _correction(weights: Ints, zero: Rationals, groups: int) -> Rationals:
    """sum of w * z per output channel, over all taps."""
    if not any(zero):
        return (ZERO,)
    outputs = len(weights)
    sums = weights.reshape(outputs, -1, weights.shape[-1]).sum(1)  # per input channel of the group
    size = sums.shape[1]
    group = np.arange(outputs) * groups // outputs
    channels = group[:, None] * size + np.arange(size)  # that each column of the sums belongs to
    if all(z.denominator == 1 for z in zero):
        whole = np.array([int(z) for z in zero], object)  # Python's integers: no overflow
        return tuple(Fraction(int(n)) for n in (sums.astype(object) * whole[channels]).sum(1))
    return tuple(
        sum((int(w) * zero[c] for w, c in zip(row, own, strict=True)), ZERO)
        for row, own in zip(sums, channels, strict=True)
    )


def _max_pool(b: Builder, node: TypedNode[ops.MaxPool], v: Value) -> Value:
    """The maximum of the integers, negated first in channels whose chain falls."""
    directions = v.chain.directions()
    if np.any(directions == 0):
        v = realize(b, node, v)
        directions = v.chain.directions()
    if np.any(directions < 0):
        t = v.type.dtype
        reach = IntType.holding(min(-t.max, t.min), max(-t.min, t.max))
        sign = tuple(Fraction(int(d)) for d in directions)
        negated = Requantize(reach, multiplier=directions)
        v = b.value(f"{node.name}/turned", negated, [v], Chain((Affine(sign, (ZERO,)), *v.chain.steps)))
    return b.value(
        node.name, MaxPool(node.op.kernel, node.op.stride, node.op.pads, node.op.dilation), [v], v.chain, v.limits
    )


def _average_pool(b: Builder, node: TypedNode[ops.AveragePool], v: Value) -> Value:
    """The sum of the integers; the division by the number of taps joins the chain."""
    v = realize(b, node, v)
    kernel, stride, pads = node.op.kernel, node.op.stride, node.op.pads
    if any(pads) and not node.op.count_include_pad:
        return _average_inside(b, node, v)
    if any(pads):
        zero = _zeros(v, spread(_scale_of_all(v), v.type.channels), v.type.channels)
        v, zero, value = _padding(b, node, v, zero)
        v = Value(v.name, v.type, v.chain if v.chain.steps else Chain((Affine(_scale_of_all(v), (ZERO,)),)))
        if value:
            v = b.value(f"{node.name}/padded", Pad(pads, value), [v], v.chain)
            pads = (0, 0, 0, 0)
    mean = Affine((Fraction(1, kernel[0] * kernel[1]),), (ZERO,))
    return b.value(node.name, SumPool(kernel, stride, pads, node.op.dilation), [v], Chain((mean, *v.chain.steps)))


def _average_inside(b: Builder, node: TypedNode[ops.AveragePool], v: Value) -> Value:
    """The mean of the pixels inside each window: their sum, weighted by row and column, over one number of taps."""
    op, chain, scale = node.op, v.chain, ONE
    v = b.widened(node.inputs[0], v, 0, 0)
    made = b.value(f"{node.name}/sum", SumPool(op.kernel, op.stride, op.pads, op.dilation), [v], Chain())
    for axis in (0, 1):
        inside = np.pad(np.ones(v.type.shape[axis], np.int64), (op.pads[axis], op.pads[axis + 2]))
        starts = np.arange(made.type.shape[axis]) * op.stride[axis]
        taps = [int(inside[start : start + op.span[axis] : op.dilation[axis]].sum()) for start in starts]
        if not all(taps):
            raise ModelError("has windows without a pixel of the image; legal are smaller pads")
        whole = math.lcm(*taps)
        scale /= whole
        weights = [whole // n for n in taps]
        if set(weights) != {1}:
            name = f"{node.name}/{('rows', 'columns')[axis]}"
            made = b.value(name, Mul(), [made, of_places(b, f"{name}/taps", made, axis, weights)], Chain())
    return Value(made.name, made.type, Chain((Affine((scale,), (ZERO,)), *chain.steps)))


def _scale_of_all(v: Value) -> Rationals:
    return v.line().scale


def _pad(b: Builder, node: TypedNode[ops.Pad], v: Value) -> Value:
    """Padding with the integer that stands for the pad value."""
    v = realize(b, node, v)
    line, channels = v.line(), v.type.channels
    real = Fraction(float(node.op.value))
    pairs = zip(spread(line.scale, channels), spread(line.shift, channels), strict=True)
    codes = {(real - shift) / scale if scale else None for scale, shift in pairs}
    code = codes.pop()
    if not codes and code is not None and code.denominator != 1 and b.multiplier_bits is not None:
        code = Fraction(round(code))  # of a model that is being quantized: the pad's number is, too
    if codes or code is None or code.denominator != 1:
        raise ModelError(f"pads with {node.op.value:g}, which no single integer of its input stands for")
    v = b.widened(node.inputs[0], v, int(code), int(code))
    return b.value(node.name, Pad(node.op.pads, int(code)), [v], v.chain)


def move(b: Builder, node: TypedNode[ops.Move], v: Value) -> Value:
    """The same on the integers, whatever their chain."""
    return b.value(node.name, node.op.on_integers(), [v], v.chain, v.limits)


def _flatten(b: Builder, node: FloatNode, v: Value) -> Value:
    """(H, W, C) to (H*W*C,): the constants of every channel repeat from pixel to pixel."""
    channels, pixels = v.type.channels, v.type.pixels
    chain = v.chain.map(lambda a: a * pixels if len(a) == channels and channels > 1 else a)
    if not v.name:
        flat = type(v.type)((channels * pixels,), v.type.dtype)
        return Value("", flat, chain, source=v.source)
    return b.value(node.name, Flatten(), [v], chain, v.limits)


HANDLERS: dict[type[ops.Op], Callable[..., Value]] = {
    ops.Conv: _layer,
    ops.Dense: _layer,
    ops.MaxPool: _max_pool,
    ops.AveragePool: _average_pool,
    ops.Pad: _pad,
    ops.Flatten: _flatten,
}
