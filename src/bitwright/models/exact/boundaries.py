# SPDX-License-Identifier: Apache-2.0
"""Where a quantizer steps: its codes as comparisons with exact boundaries.

A rounding is fixed by its boundaries: code >= k holds exactly where v = x / scale + zero_point lies above
a boundary beta_k, or on it where the boundary is inclusive. For the roundings (k an integer):

    half_even   k - 1/2   inclusive where k is even       floor       k       inclusive
    half_odd    k - 1/2   inclusive where k is odd        ceil        k - 1   exclusive
    half_up     k - 1/2   inclusive                       zero        k inclusive (k > 0), k - 1 exclusive
    half_away   k - 1/2   inclusive where k > 0           away        k - 1 exclusive (k > 0), k inclusive
    half_zero   k - 1/2   inclusive where k <= 0

A bipolar quantizer has one boundary, x >= 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from bitwright.models.exact.chain import Bounded, Rationals, rationals, two_product
from bitwright.models.exact.quantizer import ExtraRounding, Quantizer
from bitwright.network.ops import Rounding
from bitwright.network.types import Array

HALF = Fraction(1, 2)


def boundary(rounding: Rounding | ExtraRounding, k: Array) -> tuple[Array, Array]:
    """beta_k as float64, and whether it belongs to k."""
    k = np.asarray(k)
    whole = k.astype(np.float64)
    half = {
        Rounding.HALF_EVEN: k % 2 == 0,
        ExtraRounding.HALF_ODD: k % 2 != 0,
        Rounding.HALF_UP: k == k,
        Rounding.HALF_AWAY: k > 0,
        ExtraRounding.HALF_ZERO: k <= 0,
    }
    if rounding in half:
        return whole - 0.5, half[rounding]
    at_k = {
        Rounding.FLOOR: k == k,
        ExtraRounding.CEIL: k != k,
        ExtraRounding.ZERO: k > 0,
        ExtraRounding.AWAY: k <= 0,
    }[rounding]
    return np.where(at_k, whole, whole - 1), at_k


def round_exactly(v: Fraction, rounding: Rounding | ExtraRounding) -> int:
    """A rational rounded to an integer."""
    low = floor(v)
    if low == v:
        return low
    plain = {
        Rounding.FLOOR: low,
        Rounding.STOCHASTIC: low,
        ExtraRounding.CEIL: low + 1,
        ExtraRounding.ZERO: low if v > 0 else low + 1,
        ExtraRounding.AWAY: ceil(v) if v > 0 else low,
    }
    if rounding in plain:
        return plain[rounding]
    if v - low != HALF:
        return floor(v + HALF)
    up = {
        Rounding.HALF_EVEN: low % 2 == 1,
        ExtraRounding.HALF_ODD: low % 2 == 0,
        Rounding.HALF_UP: True,
        Rounding.HALF_AWAY: v > 0,
        ExtraRounding.HALF_ZERO: v < 0,
    }[rounding]
    return low + up


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
            levels = np.unique(level)
            (limit, slack), inclusive = self.limits(levels)
            position = np.searchsorted(levels, level)
            rows = np.minimum(np.arange(len(codes))[:, None], len(limit) - 1)
            limit, slack, inclusive = limit[rows, position], slack[rows, position] + error, inclusive[position]
            above = np.where(inclusive, real >= limit, real > limit)
            sure = (slack == 0) | (np.abs(real - limit) > slack)
            inside = (level > q.low) & (level <= q.high)  # the outermost codes have no outer boundary
            good &= ~inside | (sure & (above == (offset == 0)))
        return good
