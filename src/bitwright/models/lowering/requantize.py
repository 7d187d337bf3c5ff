# SPDX-License-Identifier: Apache-2.0
"""Quantizers of affine functions as Requantize: exact where it can be, or fixed point of a given precision.

A chain of affine functions and clips is clamp(a * q + b, low, high) in every channel, in exact rationals.
With the output scale s and zero point z its code is round(M * q + O) + z, M = a / s, O = b / s, and the
clamp is that of the output type if the clips reach at least as far. Where they end inside the type, the codes are
shifted to its limits, saturate there and are shifted back: one Requantize more for each end, without multiplication.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import ONE, ZERO, Affine, Chain, Clip, spread
from bitwright.models.graph import ExtraRounding, Quantizer
from bitwright.network.ops import Requantize, Rounding
from bitwright.network.types import Ints, IntType, ints

MAX_SHIFT, MAX_PRODUCT = 32, 1 << 62
FEW_CHANNELS = 8
INFINITY = None
Bound = Fraction | None
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Clamped:
    """clamp(scale * q + shift, low, high) of one channel; None is no bound."""

    scale: Fraction
    shift: Fraction
    low: Bound = INFINITY
    high: Bound = INFINITY

    def affine(self, scale: Fraction, shift: Fraction) -> Clamped:
        low, high = (None if v is None else v * scale + shift for v in (self.low, self.high))
        low, high = (high, low) if scale < 0 else (low, high)
        if scale == 0:
            low = high = None
        return Clamped(self.scale * scale, self.shift * scale + shift, low, high)

    def clip(self, low: Bound, high: Bound) -> Clamped:
        def inside(v: Bound, otherwise: Bound) -> Bound:
            if v is None:
                return otherwise
            v = v if low is None else max(v, low)
            return v if high is None else min(v, high)

        return Clamped(self.scale, self.shift, inside(self.low, low), inside(self.high, high))


def clamped(chain: Chain, channels: int) -> list[Clamped] | None:
    """The chain as one clamped affine function per channel, where it is one."""
    found = [Clamped(ONE, ZERO)] * channels
    for step in chain.steps:
        if isinstance(step, Affine):
            scale, shift = spread(step.scale, channels), spread(step.shift, channels)
            found = [f.affine(a, b) for f, a, b in zip(found, scale, shift, strict=True)]
        elif isinstance(step, Clip):
            found = [f.clip(step.low, step.high) for f in found]
        else:
            return None
    return found


@dataclass(frozen=True, eq=False)
class Line:
    """code = then(clamp(round(multiplier * q + offset) + zero, dtype)); multiplier and offset per channel.

    moved: the part of `zero` that `then` takes back; inner: the codes that `then` clamps every channel to, [C] each,
    out of reach where it does not.
    """

    multiplier: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]
    zero: int
    dtype: IntType
    then: tuple[Requantize, ...] = ()
    moved: int = 0
    inner: tuple[Ints, Ints] | None = None


def line(chain: Chain, quantizer: Quantizer, dtype: IntType, channels: int) -> Line | None:
    """The quantized chain as a clamped line: by the output type's own clamp where that is right, else by more.

    The type may be one narrower than the quantizer's: codes [0, 127] of int8 are uint7.
    """
    functions = clamped(chain, channels)
    if functions is None or quantizer.dtype.bipolar:
        return None
    steps = Steps.of(quantizer)
    reach = [_reach(f, steps, c, dtype) for c, f in enumerate(functions)]
    low, high = max(r[0] for r in reach), min(r[1] for r in reach)
    types = [quantizer.dtype, IntType.holding(quantizer.low, quantizer.high)]
    if low <= high and quantizer.low <= low and high <= quantizer.high:
        types.append(IntType.holding(low, high))
    fitting = [t for t in types if all(_clamps(t, r) for r in reach)]
    clamps = None if fitting else inner_clamps(narrowest(quantizer), reach)
    scale, zero = spread(steps.scale, channels), spread(steps.zero, channels)
    # Ties to even, or away from zero, depend on the zero point, which the quantizer adds before it rounds; ties to odd
    # are those to even one code further.
    shared = 0 if quantizer.rounding in (Rounding.HALF_EVEN, Rounding.HALF_AWAY) else int(zero[0])
    shared += quantizer.rounding == ExtraRounding.HALF_ODD and shared % 2 == 0
    pairs = list(zip(functions, scale, zero, strict=True))
    multiplier = tuple(f.scale / s for f, s, _ in pairs)
    offset = tuple(f.shift / s + z - shared for f, s, z in pairs)
    if clamps is None:
        return Line(multiplier, offset, shared, fitting[0])
    first, moved, then = clamps
    lowest, highest, below, above = _sides(narrowest(quantizer), reach)
    inner = np.where(below, lowest, -MAX_PRODUCT), np.where(above, highest, MAX_PRODUCT)
    return Line(multiplier, offset, shared + moved, first, then, moved, inner)


def narrowest(quantizer: Quantizer) -> IntType:
    """The quantizer's type, or the one whose whole range its codes are."""
    if quantizer.dtype.bipolar:
        return quantizer.dtype
    tight = IntType.holding(quantizer.low, quantizer.high)
    exact = (tight.min, tight.max) == (quantizer.low, quantizer.high)
    return tight if exact else quantizer.dtype


def _sides(dtype: IntType, reach: list[tuple[int, int, int, int]]) -> tuple[Ints, Ints, Bools, Bools]:
    """Lowest and highest codes [C], and where the line passes them inside the type, so that something must clamp."""
    low, high, least, most = (np.array(values, object) for values in zip(*reach, strict=True))
    below, above = (low > dtype.min) & (least < low), (high < dtype.max) & (most > high)
    return low.astype(np.int64), high.astype(np.int64), below.astype(bool), above.astype(bool)


def inner_clamps(dtype: IntType, reach: list[tuple[int, int, int, int]]) -> tuple[IntType, int, tuple[Requantize, ...]]:
    """The first type, what is added to its zero point, and what follows, for a clamp to [low, high] inside `dtype`.

    A shift up to the type's maximum saturates at `high`, a shift down to its minimum at `low`. Where every channel
    has the same codes, the first of the shifts is that of the zero point.
    """
    low, high, below, above = _sides(dtype, reach)
    alike = len(set(low[below])) <= 1 and len(set(high[above])) <= 1
    alike = alike and bool((not below.any() or below.all()) and (not above.any() or above.all()))
    wide = dtype if alike else IntType(dtype.bits + 1, signed=True)
    up, down = (wide.max - high) * above, (wide.min - low) * below
    if alike and not (above.any() and below.any()):
        shift = int((up + down)[0])
        return dtype, shift, (Requantize(dtype, bias=ints([-shift])),)
    steps = [up, down - up, -down] if below.any() else [up, -up]
    types = [wide] * (len(steps) - 1) + [dtype]
    zero = int(up[0]) if alike else 0
    later = list(zip(types, steps, strict=True))[1 if alike else 0 :]
    return wide, zero, tuple(Requantize(t, bias=ints(_single(shift.tolist()))) for t, shift in later)


def _reach(f: Clamped, steps: Steps, c: int, dtype: IntType) -> tuple[int, int, int, int]:
    """Codes that bound channel c: lowest and highest after clamping, and those of the line alone."""
    ends = [steps.unclamped(f.scale * q + f.shift, c) for q in (dtype.min, dtype.max)]
    low = steps.quantizer.low if f.low is None else steps.code(f.low, c)
    high = steps.quantizer.high if f.high is None else steps.code(f.high, c)
    return low, high, min(ends), max(ends)


def _clamps(dtype: IntType, reach: tuple[int, int, int, int]) -> bool:
    """Whether clamping to a type is clamping to the codes: each bound is the type's, or the line never passes it."""
    low, high, least, most = reach
    below = low == dtype.min or (low > dtype.min and least >= low) or (low < dtype.min and least >= dtype.min)
    above = high == dtype.max or (high < dtype.max and most <= high) or (high > dtype.max and most <= dtype.max)
    return below and above


def exact_requantize(found: Line | None, quantizer: Quantizer, dtype: IntType) -> tuple[Requantize, ...] | None:
    """The Requantize whose multiplier and bias are the line's own, where they are binary fractions, and its clamps."""
    rounding = line_rounding(quantizer)
    if found is None or rounding is None:
        return None
    denominators = [v.denominator for v in (*found.multiplier, *found.offset)]
    shift = max(denominators).bit_length() - 1
    if shift > MAX_SHIFT or any(d & (d - 1) for d in denominators):
        return None
    multiplier, bias = ([int(v * (1 << shift)) for v in values] for values in (found.multiplier, found.offset))
    if not _fits(multiplier, bias, dtype):
        return None
    return _made(found, multiplier, [shift], bias, rounding, quantizer.seed)


def line_rounding(quantizer: Quantizer) -> Rounding | None:
    """How `line` of the quantizer rounds, where Requantize can."""
    if quantizer.rounding == ExtraRounding.HALF_ODD:
        return Rounding.HALF_EVEN
    return Rounding(quantizer.rounding) if quantizer.rounding in set(Rounding) else None


def _fits(multiplier: list[int], bias: list[int], dtype: IntType) -> bool:
    most = max(-dtype.min, dtype.max) * max(map(abs, multiplier)) + max(map(abs, bias))
    return most < MAX_PRODUCT


def _single(values: list[int]) -> list[int]:
    """One number where all channels agree."""
    return values[:1] if len(set(values)) == 1 else values


def _made(
    found: Line, multiplier: list[int], shift: list[int], bias: list[int], rounding: Rounding, seed: int
) -> tuple[Requantize, ...]:
    m, s, b = (ints(_single(values)) for values in (multiplier, shift, bias))
    return Requantize(found.dtype, m, s, b, found.zero, rounding, seed), *found.then


def fixed_point(
    chain: Chain, quantizer: Quantizer, dtype: IntType, channels: int, multiplier_bits: int
) -> tuple[Requantize, ...] | None:
    """round((q * m + bias) / 2**shift) + z with |m| < 2**multiplier_bits, the closest to the line per channel.

    A multiplier that is a power of two stays one: m = 1 and a pure shift. Clamps that the type does not make follow.
    None where the chain is no clamped line or the rounding is one that Requantize does not have.
    """
    found, rounding = line(chain, quantizer, dtype, channels), line_rounding(quantizer)
    if found is None or rounding is None:
        return None
    parts = [_fixed(m, o, dtype, multiplier_bits) for m, o in zip(found.multiplier, found.offset, strict=True)]
    multiplier, shift, bias = ([p[i] for p in parts] for i in range(3))
    if not _fits(multiplier, bias, dtype):
        return None
    return _made(found, multiplier, shift, bias, rounding, quantizer.seed)


def _fixed(m: Fraction, offset: Fraction, dtype: IntType, bits: int) -> tuple[int, int, int]:
    """Multiplier, shift and bias of one channel."""
    size = abs(m)
    if size and not (size.numerator & (size.numerator - 1)) and not (size.denominator & (size.denominator - 1)):
        shift = size.denominator.bit_length() - 1
        if shift <= MAX_SHIFT:
            return int(m * (1 << shift)), shift, round(offset * (1 << shift))
    reach = max(-dtype.min, dtype.max)
    # |m| >= 2**(least - 1), so that larger shifts than the first one pass the bits of the multiplier.
    least = size.numerator.bit_length() - size.denominator.bit_length()
    start = max(min(MAX_SHIFT, bits - least + 1), 0) if size else MAX_SHIFT
    for shift in range(start, -1, -1):
        multiplier, bias = round(m * (1 << shift)), round(offset * (1 << shift))
        if abs(multiplier) < 1 << bits and reach * abs(multiplier) + abs(bias) < MAX_PRODUCT:
            return multiplier, shift, bias
    return round(m), 0, round(offset)


def searched_requantize(
    found: Line | None, dtype: IntType, levels: Ints, first: Ints, falling: Bools
) -> tuple[Requantize, ...] | None:
    """A Requantize that is equal to the exact thresholds `first` [C, K], with the smallest common shift.

    With floor((q * m + bias) / 2**shift) the code is >= k from the integer T on (rising) exactly if
    k * 2**shift - m * T <= bias < k * 2**shift - m * (T - 1): an interval per threshold. A multiplier is
    right where the intervals of all thresholds of its channel have a bias in common.
    """
    if found is None:
        return None
    code = np.concatenate([[levels[0] - 1], levels, [levels[-1] + 1]])
    never, always = (np.full((len(first), 1), v) for v in (dtype.max + 1, dtype.min))
    rows = np.hstack([np.where(falling, never, always), first, np.where(falling, always, never)])
    if found.inner is not None:  # where steps beyond the clamps lie does not matter
        low, high = (limit[:, None] for limit in found.inner)
        rows = np.where((code > low) & (code <= high), rows, dtype.max + 2)
    within = (code + found.moved >= found.dtype.min + 1) & (code + found.moved <= found.dtype.max)
    rows, k = rows[:, within], code[within] - (found.zero - found.moved)
    inside, outside = np.where(falling, rows - 1, rows), np.where(falling, rows, rows - 1)
    some = np.arange(0, len(first), -(-len(first) // FEW_CHANNELS))  # a shift that is too small for these is for all
    sample = replace(found, multiplier=tuple(found.multiplier[c] for c in some))
    for shift in range(MAX_SHIFT + 1):
        if len(some) < len(first) and _at_shift(sample, dtype, shift, k, inside[some], outside[some]) is None:
            continue
        made = _at_shift(found, dtype, shift, k, inside, outside)
        if made is not None:
            return made
    return None


def _at_shift(
    found: Line, dtype: IntType, shift: int, k: Ints, inside: Ints, outside: Ints
) -> tuple[Requantize, ...] | None:
    near = [round(m * (1 << shift)) for m in found.multiplier]
    if max(map(abs, near), default=0) * max(-dtype.min, dtype.max) >= MAX_PRODUCT // 4:
        return None
    aim = k << shift
    infinite = np.int64(1) << 61
    in_range, out_range = ((a >= dtype.min) & (a <= dtype.max) for a in (inside, outside))
    multiplier = np.zeros(len(near), np.int64)
    bias = np.zeros(len(near), np.int64)
    open_channels = np.ones(len(near), bool)
    for change in (0, 1, -1):
        m = np.array(near)[:, None] + change
        least = np.where(in_range, aim - m * inside, -infinite).max(1)
        most = np.where(out_range, aim - 1 - m * outside, infinite).min(1)
        good = open_channels & (least <= most)
        middle = np.where(
            least <= -infinite,
            np.minimum(most, 0),
            np.where(most >= infinite, np.maximum(least, 0), (least + most) // 2),
        )
        multiplier[good], bias[good] = m[good, 0], middle[good]
        open_channels &= ~good
    if np.any(open_channels) or not _fits(multiplier.tolist(), bias.tolist(), dtype):
        return None
    return _made(found, multiplier.tolist(), [shift], bias.tolist(), Rounding.FLOOR, 1)
