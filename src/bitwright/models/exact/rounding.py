# SPDX-License-Identifier: Apache-2.0
"""Roundings of reals to integers, given by their boundaries.

The result is at least k exactly where v lies above a boundary beta_k, or on it where the boundary belongs to k:

    half_even   k - 1/2   belongs where k is even       floor       k       belongs
    half_odd    k - 1/2   belongs where k is odd        ceil        k - 1   does not
    half_up     k - 1/2   belongs                       zero        k where k > 0, which belongs, else k - 1
    half_away   k - 1/2   belongs where k > 0           away        k where k <= 0, which belongs, else k - 1
    half_zero   k - 1/2   belongs where k <= 0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np

from bitwright.network.ops import Rounding
from bitwright.network.types import Array


class ExtraRounding(StrEnum):
    """Roundings of a Quantizer that no Requantize has; they are tabulated exactly."""

    CEIL = "ceil"
    HALF_ZERO = "half_zero"  # half toward zero
    HALF_ODD = "half_odd"
    AWAY = "away"  # away from zero
    ZERO = "zero"  # toward zero


HALF = Fraction(1, 2)
Belongs = Mapping[Rounding | ExtraRounding, Callable[[Any], Any]]  # of an integer k, or an array of some
HALVES: Belongs = {
    Rounding.HALF_EVEN: lambda k: k % 2 == 0,
    ExtraRounding.HALF_ODD: lambda k: k % 2 != 0,
    Rounding.HALF_UP: lambda k: k == k,
    Rounding.HALF_AWAY: lambda k: k > 0,
    ExtraRounding.HALF_ZERO: lambda k: k <= 0,
}
WHOLES: Belongs = {
    Rounding.FLOOR: lambda k: k == k,
    ExtraRounding.CEIL: lambda k: k != k,
    ExtraRounding.ZERO: lambda k: k > 0,
    ExtraRounding.AWAY: lambda k: k <= 0,
}


def boundary(rounding: Rounding | ExtraRounding, k: Array) -> tuple[Array, Array]:
    """beta_k as float64, and whether it belongs to k."""
    if rounding in HALVES:
        return k - 0.5, HALVES[rounding](k)
    at_k = WHOLES[rounding](k)
    return np.where(at_k, k, k - 1.0), at_k


def round_exactly(v: Fraction, rounding: Rounding | ExtraRounding) -> int:
    """A rational rounded to an integer; stochastic rounding counts as its floor."""
    low = floor(v)
    if v == low or rounding is Rounding.STOCHASTIC:
        return low
    if rounding in WHOLES:
        return low + (not WHOLES[rounding](low + 1))
    return low + (v - low > HALF or (v - low == HALF and bool(HALVES[rounding](low + 1))))


def round_array(x: Array, rounding: Rounding | ExtraRounding, seed: int = 1) -> Array:
    """x rounded to integers in its own precision; stochastic: floor(x + r), r uniform in [0, 1) from `seed`.

    Stochastic rounding is unbiased, E[round(x)] = x, and its variance is frac(x) * (1 - frac(x)).
    """
    if rounding is Rounding.STOCHASTIC:
        return np.floor(x + np.random.default_rng(seed).random(x.shape))
    if rounding is Rounding.HALF_EVEN:
        return np.rint(x)  # the same, many times as fast
    low = np.floor(x)
    part = x - low
    if rounding in WHOLES:
        up = (part > 0) & ~WHOLES[rounding](low + 1)
    else:
        up = (part > 0.5) | ((part == 0.5) & HALVES[rounding](low + 1))
    return np.asarray(np.copysign(low + up, x))  # a zero keeps its sign
