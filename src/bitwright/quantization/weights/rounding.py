# SPDX-License-Identifier: Apache-2.0
"""Rounding of real arrays to integers; the integer network's own rounding is `network.ops.round_shift`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bitwright.network.ops import Rounding
from bitwright.network.types import Floats


def round_array(x: npt.ArrayLike, rounding: Rounding, seed: int = 1) -> Floats:
    """x rounded to integers, float64, by the rule; stochastic: floor(x + r), r uniform in [0, 1) from `seed`.

    Stochastic rounding is unbiased, E[round(x)] = x, and its variance is frac(x) * (1 - frac(x)).
    """
    a: Floats = np.asarray(x, np.float64)
    if rounding is Rounding.FLOOR:
        return np.floor(a)
    if rounding is Rounding.HALF_UP:
        return np.floor(a + 0.5)
    if rounding is Rounding.HALF_AWAY:
        return np.copysign(np.floor(np.abs(a) + 0.5), a)
    if rounding is Rounding.HALF_EVEN:
        return np.rint(a)
    return np.floor(a + np.random.default_rng(seed).random(a.shape))
