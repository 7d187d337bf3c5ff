# SPDX-License-Identifier: Apache-2.0
"""Where a quantizer steps: its codes as comparisons with exact boundaries.

code >= k holds exactly where v = x / scale + zero_point lies above the rounding's boundary of k, or on it where that
belongs to k. A bipolar quantizer has one boundary, x >= 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from bitwright.models.exact.chain import ZERO, Bounded, Rationals, Step, rationals, two_product
from bitwright.models.exact.quantizer import Quantizer
from bitwright.models.exact.rounding import boundary, round_exactly
from bitwright.network.types import Array, Floats

FEW_LEVELS = 1 << 12  # whose boundaries are computed without asking which of them occur


@dataclass(frozen=True, eq=False)
class Steps:
    """The codes of a quantizer over the reals: `code` for one exact value, `limits` for arrays."""

    quantizer: Quantizer
    scale: Rationals
    zero: Rationals

    @staticmethod
    def of(quantizer: Quantizer) -> Steps:
        return Steps(quantizer, rationals(quantizer.scale), rationals(quantizer.zero_point))

    def code(self, x: Fraction, c: int) -> int:
        """The code of a real number in channel c."""
        q = self.quantizer
        if q.dtype.bipolar:
            return 1 if x >= 0 else -1
        return min(max(self.unclamped(x, c), q.low), q.high)

    def unclamped(self, x: Fraction, c: int) -> int:
        """The integer that `code` clamps; stochastic rounding counts as its floor."""
        v = x / self.scale[c % len(self.scale)] + self.zero[c % len(self.zero)]
        return round_exactly(v, self.quantizer.rounding)

    def limits(self, k: Array) -> tuple[Bounded, Array]:
        """For codes k: the real number from which on the code is at least k, its error [C or 1, K], inclusive [K].

        (beta_k - zero_point) * scale, exact in float64 wherever that has the bits.
        """
        q = self.quantizer
        if q.dtype.bipolar:
            return (np.zeros((1, len(k))), np.zeros((1, len(k)))), np.ones(len(k), bool)
        beta, inclusive = boundary(q.rounding, k)
        scale, zero = (np.array([float(v) for v in a])[:, None] for a in (self.scale, self.zero))
        product, error = two_product(beta - zero, scale)
        slack = np.array([abs(float(v - Fraction(float(v)))) for v in self.scale])[:, None]
        return (product, error + np.abs(beta - zero) * slack), inclusive

    def estimate(self, x: Array) -> Array:
        """Codes of reals [C, ...] in plain float64: at most one off, next to a boundary."""
        q = self.quantizer
        if q.dtype.bipolar:
            return np.where(x >= 0, 1, -1).astype(np.int64)
        column = (-1, *[1] * (x.ndim - 1))
        v = x / q.scale.reshape(column) + q.zero_point.reshape(column)
        return np.asarray(np.clip(np.nan_to_num(np.rint(v)), q.low, q.high), np.int64)

    def confirmed(self, codes: Array, real: Array, error: Array) -> Array:
        """Where reals [C, K] of bounded error lie surely between the boundaries of their codes."""
        q = self.quantizer
        good = np.ones(codes.shape, bool)
        for offset in (0, 2 if q.dtype.bipolar else 1):
            level = codes + offset
            low, high = (int(pick) for pick in (level.min(initial=0), level.max(initial=0)))
            levels = np.arange(low, high + 1) if high - low < FEW_LEVELS else np.unique(level)
            (limit, slack), inclusive = self.limits(levels)
            position = level - low if high - low < FEW_LEVELS else np.searchsorted(levels, level)
            rows = np.minimum(np.arange(len(codes))[:, None], len(limit) - 1)
            limit, slack, inclusive = limit[rows, position], slack[rows, position] + error, inclusive[position]
            above = np.where(inclusive, real >= limit, real > limit)
            sure = (slack == 0) | (np.abs(real - limit) > slack)
            inside = (level > q.low) & (level <= q.high)  # the outermost codes have no outer boundary
            good &= ~inside | (sure & (above == (offset == 0)))
        return good


@dataclass(frozen=True, eq=False)
class Snap(Step):
    """A quantizer inside a chain: x -> (code(x) - zero_point) * scale."""

    quantizer: Quantizer

    def evaluate(self, x: Floats) -> Floats:
        return self._real(Steps.of(self.quantizer).estimate(x))[0]

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        steps = Steps.of(self.quantizer)
        codes = steps.estimate(x)
        real, lost = self._real(codes)
        return real, np.where(steps.confirmed(codes, x, error), lost, np.inf)

    def _real(self, codes: Floats) -> Bounded:
        q = self.quantizer
        column = (-1, *[1] * (codes.ndim - 1))
        zero = 0.0 if q.dtype.bipolar else q.zero_point.reshape(column)
        return two_product(codes - zero, np.broadcast_to(q.scale.reshape(column), codes.shape))

    def exact(self, x: Fraction, c: int) -> Fraction:
        steps = Steps.of(self.quantizer)
        zero = ZERO if self.quantizer.dtype.bipolar else steps.zero[c % len(steps.zero)]
        return (steps.code(x, c) - zero) * steps.scale[c % len(steps.scale)]

    def map(self, change: Callable[[Rationals], Rationals]) -> Snap:
        def changed(values: Floats) -> Floats:
            return np.array([float(v) for v in change(tuple(Fraction(float(v)) for v in values))])

        q = self.quantizer
        return Snap(replace(q, scale=changed(q.scale), zero_point=changed(q.zero_point)))
