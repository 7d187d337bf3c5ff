# SPDX-License-Identifier: Apache-2.0
"""Sums of values whose scales have no common measure: how near the integers come, and whether it matters.

The real sum a1 * q1 + a2 * q2 is represented by u * (m1 * q1 + m2 * q2) with whole m1, m2. The quantizer behind
it is exact all the same if no pair of integers (q1, q2) lies between a boundary and its image; for
activations of few bits all pairs can be tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np

from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import ZERO, Affine, Chain, Rationals, two_sum
from bitwright.models.exact.rounding import round_exactly
from bitwright.models.graph import ExtraRounding, Quantizer
from bitwright.models.lowering.requantize import clamped
from bitwright.network.ops import Op, Requantize, Rounding
from bitwright.network.types import Ints

MAX_PAIRS = 1 << 22
FEW_PAIRS = 64  # that are not worth lines


@dataclass(frozen=True, eq=False)
class Alignment:
    """A sum that is inexact or wide: exact scales and multipliers of both operands (per channel), their integers, the
    shift; the operands' names before they are multiplied."""

    name: str
    operands: tuple[str, str]
    scales: tuple[Rationals, Rationals]
    multipliers: tuple[tuple[int, ...], tuple[int, ...]]
    reaches: tuple[tuple[int, int], tuple[int, int]]
    shift: Rationals
    length: int  # of the chain that the sum starts with: the steps behind it are the same for the exact sum


def deviation(sum_of: Alignment, chain: Chain, quantizer: Quantizer, ops: tuple[Op, ...], channels: int) -> Ints | None:
    """How many codes `ops`, one after the other, are off for every pair of integers [C, pairs]; None for too many."""
    sizes = [high - low + 1 for low, high in sum_of.reaches]
    if not all(isinstance(op, Requantize) for op in ops[1:]) or channels * sizes[0] * sizes[1] > MAX_PAIRS:
        return None
    first, second = (np.arange(low, high + 1) for low, high in sum_of.reaches)
    a, c = (grid.ravel() for grid in np.meshgrid(first, second, indexing="ij"))
    multiplied = [np.array(m)[:, None] * q for m, q in zip(sum_of.multipliers, (a, c), strict=True)]
    integers = np.broadcast_to(multiplied[0] + multiplied[1], (channels, a.size))
    found = integers.T
    for op in ops:
        found = op.evaluate(found)
    return np.abs(found.T - _exact_codes(sum_of, chain, quantizer, a, c, channels))


def exact_pairs(sum_of: Alignment, chain: Chain, quantizer: Quantizer, channels: int) -> Ints:
    """Codes of the exact sums of all pairs [C, n * m], the second operand changing fastest."""
    first, second = (np.arange(low, high + 1) for low, high in sum_of.reaches)
    a, c = (grid.ravel() for grid in np.meshgrid(first, second, indexing="ij"))
    return _exact_codes(sum_of, chain, quantizer, a, c, channels)


def _exact_codes(sum_of: Alignment, chain: Chain, quantizer: Quantizer, a: Ints, c: Ints, channels: int) -> Ints:
    """Codes of the exact sums [C, pairs]; pairs that float64 leaves open are decided in rationals."""
    steps = Steps.of(quantizer)
    behind = Chain(chain.steps[sum_of.length :])
    lines = [Affine(s, shift) for s, shift in zip(sum_of.scales, (sum_of.shift, (ZERO,)), strict=True)]
    operands = list(zip(lines, (a, c), strict=True))
    with np.errstate(all="ignore"):
        parts = [
            line.bounded(np.broadcast_to(q.astype(float), (channels, a.size)), np.zeros(1)) for line, q in operands
        ]
        total, lost = two_sum(parts[0][0], parts[1][0])
        real, error = behind.bounded(total, lost + parts[0][1] + parts[1][1])
    codes = steps.estimate(real)
    open_pairs = np.argwhere(~steps.confirmed(codes, real, error))
    by_lines = _by_lines(sum_of, behind, steps, channels) if len(open_pairs) > FEW_PAIRS else None
    for channel, i in open_pairs.tolist():
        if by_lines is not None:
            codes[channel, i] = by_lines[channel](int(a[i]), int(c[i]))
            continue
        exact = sum((line.exact(Fraction(int(q[i])), channel) for line, q in operands), ZERO)
        for step in behind.steps:
            exact = step.exact(exact, channel)
        codes[channel, i] = steps.code(exact, channel)
    return codes


def _by_lines(sum_of: Alignment, behind: Chain, steps: Steps, channels: int) -> list[Callable[[int, int], int]] | None:
    """For each channel the code of an exact sum, where clamped lines stand behind it: whole numbers over one divisor.

    With v = (n1 * q1 + n2 * q2 + n0) / d between bounds the code depends on floor(v) and on whether the rest is 0,
    below a half, a half or above.
    """
    functions, q = clamped(behind, channels), steps.quantizer
    if functions is None or q.dtype.bipolar:
        return None
    found: list[Callable[[int, int], int]] = []
    for channel, f in enumerate(functions):
        s, z = steps.scale[channel % len(steps.scale)], steps.zero[channel % len(steps.zero)]
        first, second = (scale[channel % len(scale)] * f.scale / s for scale in sum_of.scales)
        rest = (sum_of.shift[channel % len(sum_of.shift)] * f.scale + f.shift) / s + z
        ends = [q.low if f.low is None else steps.code(f.low, channel)]
        ends.append(q.high if f.high is None else steps.code(f.high, channel))
        divisor = math.lcm(first.denominator, second.denominator, rest.denominator)
        numbers = [int(n * divisor) for n in (first, second, rest)]
        found.append(partial(_code, numbers, divisor, ends, q.rounding))
    return found


def _code(numbers: list[int], divisor: int, ends: list[int], rounding: Rounding | ExtraRounding, a: int, c: int) -> int:
    whole, rest = divmod(numbers[0] * a + numbers[1] * c + numbers[2], divisor)
    part = 0 if rest == 0 else 2 + (2 * rest > divisor) - (2 * rest < divisor)
    return min(max(_rounded(whole, part, rounding), ends[0]), ends[1])


@lru_cache(maxsize=1 << 16)
def _rounded(whole: int, part: int, rounding: Rounding | ExtraRounding) -> int:
    """Of whole + part / 4."""
    return round_exactly(whole + Fraction(part, 4), rounding)
