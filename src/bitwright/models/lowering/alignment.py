# SPDX-License-Identifier: Apache-2.0
"""Sums of values whose scales have no common measure: how near the integers come, and whether it matters.

The real sum a1 * q1 + a2 * q2 is represented by u * (m1 * q1 + m2 * q2) with whole m1, m2. The quantizer behind
it is exact all the same if no pair of integers (q1, q2) lies between a boundary and its image; for
activations of few bits all pairs can be tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import ZERO, Affine, Chain, Rationals, two_sum
from bitwright.models.graph import Quantizer
from bitwright.network.ops import Op, Requantize
from bitwright.network.types import Ints

MAX_PAIRS = 1 << 22


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
    for channel, i in np.argwhere(~steps.confirmed(codes, real, error)):
        exact = sum((line.exact(Fraction(int(q[i])), int(channel)) for line, q in operands), ZERO)
        for step in behind.steps:
            exact = step.exact(exact, int(channel))
        codes[channel, i] = steps.code(exact, int(channel))
    return codes
