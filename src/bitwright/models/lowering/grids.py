# SPDX-License-Identifier: Apache-2.0
"""Values behind functions as integers again: on a quantizer's grid, or with a chain that is affine."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.chain import ONE, ZERO, Affine, Chain, rationals
from bitwright.models.graph import FloatNode, Quantizer
from bitwright.models.lowering.requantize import Clamped, clamped
from bitwright.models.lowering.steps import LOOKUP_BITS, Tabulated, tabulate
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.ops import Add, Requantize
from bitwright.network.types import IntType, ints

OWN_BITS = 12  # of a grid where the model has none


def dequantized(quantizer: Quantizer) -> Chain:
    """real = (code - zero_point) * scale."""
    scale, zero = rationals(quantizer.scale), rationals(quantizer.zero_point)
    less = () if not any(zero) else (Affine((ONE,), tuple(-z for z in zero)),)
    return Chain((*less, Affine(scale, (ZERO,))))


def coded(b: Builder, name: str, v: Value, table: Tabulated, quantizer: Quantizer) -> Value:
    """The codes of a quantizer that a tabulated function of the value yields."""
    chain, limits = dequantized(quantizer), (quantizer.low, quantizer.high)
    if len(table.ops) == 1:
        *before, last = *table.ops, *table.then
        for op in before:
            v = b.value(f"{name}/unclamped", op, [v], chain)
        return b.value(name, last, [v], chain, limits)
    first, second, narrowing = table.ops
    halves = [b.value(f"{name}/{k}", op, [v], chain) for k, op in (("first", first), ("second", second))]
    both = b.value(f"{name}/sum", Add(), halves, chain)
    return b.value(name, narrowing, [both], chain, limits)


def realize(b: Builder, node: FloatNode, v: Value) -> Value:
    """The value with an affine chain: a rectifier at an integer of every channel is computed on the integers.

    max(a * q + b, low) = |a| * max(sign(a) * q + n, 0) + low with n = (b - low) / |a|, if n is an integer.
    Any other function of few bits is rounded to a grid that just holds its values; a note tells.
    """
    if v.chain.affine() is not None:
        return v
    lines = clamped(v.chain, v.type.channels)
    parts = None if lines is None else [_rectified(f) for f in lines]
    if parts is None or any(p is None for p in parts):
        return _on_grid_of_its_own(b, node, v)
    sign, bias, scale, shift = zip(*(p for p in parts if p is not None), strict=True)
    t = v.type.dtype
    most = max(max(s * t.min, s * t.max) + n for s, n in zip(sign, bias, strict=True))
    op = Requantize(IntType.holding(0, max(most, 1)), multiplier=ints(sign), bias=ints(bias))
    return b.value(f"{node.inputs[0]}/rectified", op, [v], Chain((Affine(scale, shift),)))


def _on_grid_of_its_own(b: Builder, node: FloatNode, v: Value) -> Value:
    """The values of a function, rounded to `OWN_BITS` bits that reach from the lowest to the highest of them."""
    t = v.type.dtype
    if t.bits > LOOKUP_BITS:
        raise ModelError(
            f"reads a function of {t.bits} bits that has no quantizer behind it; legal are functions of at most "
            f"{LOOKUP_BITS} bits: insert a quantizer before the function or behind it"
        )
    codes = t.values()
    low, high = v.reach
    codes = codes[(codes >= low) & (codes <= high)]
    with np.errstate(all="ignore"):
        real = v.chain.evaluate(np.broadcast_to(codes.astype(np.float64), (v.type.channels, len(codes))).copy())
    if not np.all(np.isfinite(real)):
        raise ModelError("reads a function whose values are not all finite, which has no quantizer behind it")
    dtype = IntType(OWN_BITS, signed=bool(real.min() < 0))
    scale = max(real.max() / dtype.max, real.min() / dtype.min if dtype.signed else 0.0) or 1.0
    quantizer = Quantizer(dtype, np.array([scale]))
    table = tabulate(v.chain, quantizer, t, v.type.channels)
    b.note(node, f"its input, a function without a quantizer behind it, is rounded to {OWN_BITS} bits")
    return coded(b, f"{node.inputs[0]}/rounded", v, table, quantizer)


def _rectified(f: Clamped) -> tuple[int, int, Fraction, Fraction] | None:
    """Sign, bias, scale and shift of one channel, or None where it is no rectifier at an integer."""
    if f.low is None or f.high is not None:
        return None
    if f.scale == 0:
        return 0, 0, ONE, max(f.shift, f.low)
    size = abs(f.scale)
    n = (f.shift - f.low) / size
    if n.denominator != 1:
        return None
    return (1 if f.scale > 0 else -1), int(n), size, f.low
