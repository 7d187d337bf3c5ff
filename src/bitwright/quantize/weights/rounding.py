"""Rounding of real arrays to integers; the integer network's own rounding is `network.ops.round_shift`."""

from __future__ import annotations

import numpy as np

from bitwright.network.ops import Rounding


def round_array(x: np.ndarray, rounding: Rounding, seed: int = 1) -> np.ndarray:
    """x rounded to integers, float64, by the rule; stochastic: floor(x + r), r uniform in [0, 1) from `seed`.

    Stochastic rounding is unbiased, E[round(x)] = x, and its variance is frac(x) * (1 - frac(x)).
    """
    x = np.asarray(x, np.float64)
    if rounding is Rounding.FLOOR:
        return np.floor(x)
    if rounding is Rounding.HALF_UP:
        return np.floor(x + 0.5)
    if rounding is Rounding.HALF_AWAY:
        return np.copysign(np.floor(np.abs(x) + 0.5), x)
    if rounding is Rounding.HALF_EVEN:
        return np.rint(x)
    return np.floor(x + np.random.default_rng(seed).random(x.shape))
