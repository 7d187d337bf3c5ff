# SPDX-License-Identifier: Apache-2.0
"""Lowering of sums, products and concatenations of two values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from bitwright.errors import ModelError
from bitwright.models.exact.chain import ONE, ZERO, Affine, Chain, Leaky, Rationals, Step, combine, single, spread
from bitwright.models.graph import FloatNode, ops
from bitwright.models.lowering.alignment import Alignment
from bitwright.models.lowering.grids import realize
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.ops import Add, Concat, Mul, Requantize
from bitwright.network.types import MAX_BITS, IntType, ints

SUM_BITS = 30  # of an aligned sum: the widest that leaves room for the sum itself
ALIGN_BITS = 24
NARROW_BITS = 16
FACTOR_BITS = 16


def add(b: Builder, node: FloatNode, v: Value, w: Value) -> Value:
    """The sum of two values: of their integers where the scales agree, else on a common grid."""
    if v.name == w.name and v.chain == w.chain:
        return v.then(Affine((Fraction(2),), (ZERO,)))
    v, w = realize(b, node, v), realize(b, node, w)
    a, c = v.line(), w.line()
    shift = combine(a.shift, c.shift, lambda x, y: x + y)
    x, y = (spread(line.scale, v.type.channels) for line in (a, c))
    common, exact = _common(v, w, x, y, b)
    first, second = (tuple(round(s / u) for s, u in zip(side, common, strict=True)) for side in (x, y))
    reaches, names = (v.reach, w.reach), (v.name, w.name)
    v, w = (_multiplied(b, f"{node.name}/{k}", i, m) for k, i, m in (("a", v, first), ("b", w, second)))
    made = b.value(node.name, Add(), [v, w], Chain((Affine(single(common), single(shift)),)))
    alignment = Alignment(node.name, names, (a.scale, c.scale), (first, second), reaches, shift, 1)
    if exact:
        narrow = max(v.type.dtype.bits, w.type.dtype.bits) <= NARROW_BITS
        return made if narrow else replace(made, alignment=alignment)
    steps = zip(first + second, common * 2, x + y, strict=True)
    error = float(max(abs(m * u / s - 1) for m, u, s in steps if s))
    text = f"its inputs' scales have no common measure; they are aligned with a relative error of {error:.1e}"
    b.inexact[node.name] = (f"{node.kind} {node.name!r}: {text}", [])
    return replace(made, alignment=alignment)


def _common(v: Value, w: Value, x: Rationals, y: Rationals, b: Builder) -> tuple[Rationals, bool]:
    """The unit of each channel's sum: the scales' common measure where the sum fits, else the closest one."""
    measures = tuple(_measure(s, t) for s, t in zip(x, y, strict=True))
    widths = (_width(v, s / u) + _width(w, t / u) for s, t, u in zip(x, y, measures, strict=True))
    if all(width < 1 << (SUM_BITS if b.align_bits is None else b.align_bits - 1) for width in widths):
        return measures, True
    if b.align_bits is not None:
        return tuple(_rounded(v, w, s, t, b.align_bits) for s, t in zip(x, y, strict=True)), False
    bits = min(ALIGN_BITS, b.multiplier_bits or ALIGN_BITS)
    return tuple(_closest(v, w, s, t, bits) for s, t in zip(x, y, strict=True)), False


def _measure(x: Fraction, y: Fraction) -> Fraction:
    """The largest u of which x and y are whole multiples."""
    if x == 0 and y == 0:
        return ONE
    denominator = x.denominator * y.denominator
    return Fraction(math.gcd(x.numerator * y.denominator, y.numerator * x.denominator), denominator)


def _width(v: Value, factor: Fraction) -> int:
    return int(abs(factor)) * max(-v.type.dtype.min, v.type.dtype.max)


def _closest(v: Value, w: Value, x: Fraction, y: Fraction, bits: int) -> Fraction:
    """A unit in which both scales are nearly whole: a part of the larger one, at most 2**bits - 1 of which make it."""
    large, multiplier = max(abs(x), abs(y)), (1 << bits) - 1
    while multiplier > 1:
        unit = large / multiplier
        if _width(v, Fraction(round(x / unit))) + _width(w, Fraction(round(y / unit))) < 1 << SUM_BITS:
            return unit
        multiplier >>= 1
    return large


def _rounded(v: Value, w: Value, x: Fraction, y: Fraction, bits: int) -> Fraction:
    """A unit in which the sum fits `bits` bits, of those the one in which both scales are closest to whole numbers."""
    large, small = max(abs(x), abs(y)), min(abs(x), abs(y))
    best, least = large, None
    for multiplier in range(1, 1 << bits):
        unit = large / multiplier
        if _width(v, Fraction(round(x / unit))) + _width(w, Fraction(round(y / unit))) >= 1 << (bits - 1):
            break
        error = abs(round(small / unit) - small / unit) / multiplier
        if least is None or error <= least:
            best, least = unit, error
    return best


def _multiplied(b: Builder, name: str, v: Value, factors: tuple[int, ...]) -> Value:
    if all(f == 1 for f in factors):
        return v
    t = v.type.dtype
    ends = [f * e for f in factors for e in (t.min, t.max)]
    factors = factors[:1] if len(set(factors)) == 1 else factors
    op = Requantize(IntType.holding(min(ends), max(ends)), multiplier=ints(factors))
    return b.value(name, op, [v], Chain())


def common_grid(b: Builder, node: FloatNode, v: Value, line: Affine) -> Value:
    """The integers m * q + n with one scale for all channels and no shift, as close as 31 bits allow."""
    scale, shift = (spread(a, v.type.channels) for a in (line.scale, line.shift))
    t = v.type.dtype
    largest = max(max(abs(s * t.min + o), abs(s * t.max + o)) for s, o in zip(scale, shift, strict=True))
    unit = largest / (1 << SUM_BITS) or ONE
    measure = ZERO
    for value in (*scale, *shift):
        measure = _measure(measure, value) if measure else abs(value)
    exact = measure and largest / measure < 1 << SUM_BITS
    unit = measure if exact else unit
    if not exact:
        b.note(node, "its channels' scales and shifts have no common measure; they are aligned to 30 bits")
    multiplier, bias = ([round(a / unit) for a in values] for values in (scale, shift))
    dtype = IntType.holding(-(1 << (SUM_BITS + 1)), (1 << (SUM_BITS + 1)) - 1)
    if exact:
        ends = [m * e + n for m, n in zip(multiplier, bias, strict=True) for e in (t.min, t.max)]
        dtype = IntType.holding(min(ends), max(ends))
    op = Requantize(dtype, multiplier=ints(multiplier), bias=ints(bias))
    return b.value(f"{node.name}/aligned", op, [v], Chain((Affine((unit,), (ZERO,)),)))


def _mul(b: Builder, node: FloatNode, v: Value, w: Value) -> Value:
    """(s * (q - z)) * (t * (r - y)) = s * t * (q - z) * (r - y), with the integers z, y that stand for 0.

    Where that passes 32 bits, as of two values of 16, the wider factor is halved and rounded.
    """
    v, w = (_factor(b, node, realize(b, node, x), k) for k, x in enumerate((v, w)))
    while _is_too_wide(v, w):
        first_wider = v.type.dtype.bits >= w.type.dtype.bits
        v, w = (_halved(b, node, v), w) if first_wider else (v, _halved(b, node, w))
    (first, zero), (second, other) = (_scaled_zero(x) for x in (v, w))
    scale = combine(first, second, lambda x, y: x * y)
    return b.value(node.name, Mul((zero, other)), [v, w], Chain((Affine(single(scale), (ZERO,)),)))


def _is_too_wide(v: Value, w: Value) -> bool:
    """Whether the product of what both stand for passes the integers of 32 bits."""
    ends = []
    for x in (v, w):
        (_, zero), t = _scaled_zero(x), x.type.dtype
        ends.append((t.min - zero, t.max - zero))
    products = [p * q for p in ends[0] for q in ends[1]]
    wide = IntType(MAX_BITS, signed=min(products) < 0)
    return min(products) < wide.min or max(products) > wide.max


def _halved(b: Builder, node: FloatNode, v: Value) -> Value:
    """(q - z) / 2 rounded, which has one bit less; a note tells."""
    (scale, zero), t = _scaled_zero(v), v.type.dtype
    dtype = IntType.holding((t.min - zero) // 2, (t.max - zero + 1) // 2)
    op = Requantize(dtype, multiplier=ints([1]), shift=ints([1]), bias=ints([-zero]))
    b.note(node, f"{v.name!r} is halved and rounded, since the product passes {MAX_BITS} bits")
    return b.value(f"{v.name}/half", op, [v], Chain((Affine(tuple(2 * s for s in scale), (ZERO,)),)))


def _scaled_zero(v: Value) -> tuple[Rationals, int]:
    """Scales of the channels, and the integer of all of them that stands for 0."""
    line = v.line()
    return line.scale, int(-line.shift[0] / line.scale[0])


def _factor(b: Builder, node: FloatNode, v: Value, position: int) -> Value:
    """The value with one whole zero for all channels: integers n * q + m, n the denominator of the zero."""
    line, channels = v.line(), v.type.channels
    pairs = list(zip(spread(line.scale, channels), spread(line.shift, channels), strict=True))
    zeros = {-shift / scale if scale else None for scale, shift in pairs}
    if len(zeros) == 1 and (zero := next(iter(zeros))) is not None and zero.denominator == 1:
        return v
    multiplier, bias, unit = zip(*(_whole(scale, shift) for scale, shift in pairs), strict=True)
    t = v.type.dtype
    ends = [m * e + n for m, n in zip(multiplier, bias, strict=True) for e in (t.min, t.max)]
    if max(map(abs, ends)) >= 1 << FACTOR_BITS:
        raise ModelError(
            f"multiplies a value whose zero is no integer: in integers it takes more than {FACTOR_BITS} bits; "
            "legal are whole zero points"
        )
    op = Requantize(IntType.holding(min(ends), max(ends)), multiplier=ints(multiplier), bias=ints(bias))
    return b.value(f"{node.name}/centered{position}", op, [v], Chain((Affine(single(unit), (ZERO,)),)))


def _whole(scale: Fraction, shift: Fraction) -> tuple[int, int, Fraction]:
    """m, n and u with scale * q + shift = u * (m * q + n)."""
    if not scale:
        return 0, int(shift != 0), shift or ONE
    ratio = shift / scale
    return ratio.denominator, ratio.numerator, scale / ratio.denominator


def _concat(b: Builder, node: FloatNode, v: Value, w: Value) -> Value:
    """The channels of both, each with its own scale; chains that are not affine must be of one form."""
    v, w = (replace(x, chain=x.chain.merged()) for x in (v, w))
    if not _alike(v.chain, w.chain):
        v, w = realize(b, node, v), realize(b, node, w)
        v, w = (Value(x.name, x.type, Chain((x.line(),))) for x in (v, w))
    steps = tuple(
        _joined(a, c, v.type.channels, w.type.channels) for a, c in zip(v.chain.steps, w.chain.steps, strict=True)
    )
    return b.value(node.name, Concat(), [v, w], Chain(steps))


def _alike(a: Chain, c: Chain) -> bool:
    """Whether the chains differ in per-channel constants alone."""
    if len(a.steps) != len(c.steps):
        return False
    pairs = zip(a.steps, c.steps, strict=True)
    return all(x == y or (type(x) is type(y) and isinstance(x, (Affine, Leaky))) for x, y in pairs)


def _joined(a: Step, c: Step, first: int, second: int) -> Step:
    """The step of the channels of both."""
    if isinstance(a, Affine) and isinstance(c, Affine):
        both = ((a.scale, c.scale), (a.shift, c.shift))
        return Affine(*(single(spread(x, first) + spread(y, second)) for x, y in both))
    if isinstance(a, Leaky) and isinstance(c, Leaky):
        return Leaky(single(spread(a.slope, first) + spread(c.slope, second)))
    return a


HANDLERS: dict[type[ops.Op], Callable[..., Value]] = {ops.Add: add, ops.Mul: _mul, ops.Concat: _concat}
