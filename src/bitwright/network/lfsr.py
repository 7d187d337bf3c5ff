# SPDX-License-Identifier: Apache-2.0
"""The random bits of stochastic rounding: one LFSR, defined once for evaluators and hardware."""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit
from bitwright.network.types import Ints

TAPS = 0xA3000000  # x^32 + x^30 + x^26 + x^25 + 1, Galois form, right shift
STEPS_PER_DRAW = 16


@njit
def _draws(state: int, count: int) -> Ints:
    out = np.empty(count, np.int64)
    for i in range(count):
        out[i] = state
        for _ in range(STEPS_PER_DRAW):
            low = state & 1
            state >>= 1
            if low:
                state ^= TAPS
    return out


def draws(seed: int, count: int) -> Ints:
    """The first `count` 32-bit draws after `seed` (1 <= seed < 2**32), int64.

    Draw 0 is the seed itself; between two draws a 32-bit Galois LFSR (right shift, feedback mask
    0xA3000000) makes 16 steps. Element e of a frame, in (H, W, C) row-major order, uses draw e;
    each frame starts anew from the seed, so a frame's result does not depend on its predecessors.
    """
    return _draws(int(seed), count)
