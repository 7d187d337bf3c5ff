# SPDX-License-Identifier: Apache-2.0
"""What a slot does to one accumulator; compiled. Equal to `Requantize` and `Threshold` of the integer network."""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit
from bitwright.network.lfsr import STEPS_PER_DRAW, TAPS
from bitwright.targets.rap.isa.lanes import wrap32
from bitwright.targets.rap.isa.table import MODES, ROUNDINGS
from bitwright.targets.rap.isa.timing import HEADER_STEPS, PARAM_LANES

FLOOR, HALF_UP, HALF_EVEN = ROUNDINGS["floor"], ROUNDINGS["half_up"], ROUNDINGS["half_even"]
HALF_AWAY, STOCHASTIC = ROUNDINGS["half_away"], ROUNDINGS["stochastic"]
RAW, REQUANTIZE = MODES["raw"], MODES["requantize"]


@njit(cache=False)
def next_draw(state: int) -> int:
    """The following draw of `network.lfsr`."""
    for _ in range(STEPS_PER_DRAW):
        low = state & 1
        state >>= 1
        if low:
            state ^= TAPS
    return state


@njit(cache=False)
def rounded(v: int, shift: int, rounding: int, draw: int) -> int:
    """v / 2**shift as an integer: an addend, then the floor."""
    if shift == 0:
        return v
    half = int(np.int64(1) << (shift - 1))
    if rounding == HALF_UP:
        v += half
    elif rounding == HALF_EVEN:
        v += half - 1 + ((v >> shift) & 1)
    elif rounding == HALF_AWAY:
        v += half - (1 if v < 0 else 0)
    elif rounding == STOCHASTIC:
        v += draw & int((np.int64(1) << shift) - 1)
    return v >> shift


@njit(cache=False)
def post_element(acc: int, mode: int, rounding: int, slot: np.ndarray, words: np.ndarray, draw: int) -> int:
    """Result of one accumulator. words: its parameter words [n, 4]; slot: its row of `State.slots`.

    requantize: multiplier (signed), shift, bias low, bias high. threshold: the first word holds base (low half) and
    step (high half) in its last place; all other places hold thresholds.
    """
    if mode == RAW:
        return acc
    if mode == REQUANTIZE:
        bias = np.int64(words[0, 2]) | (np.int64(wrap32(words[0, 3])) << 32)
        v = np.int64(acc) * np.int64(wrap32(words[0, 0])) + bias
        y = rounded(int(v), words[0, 1] & 63, rounding, draw) + slot[6]
        return int(min(max(y, slot[4]), slot[5]))
    count = 0
    for i in range(len(words)):
        for j in range(HEADER_STEPS if i == 0 else PARAM_LANES):
            if acc >= wrap32(words[i, j]):
                count += 1
    base, step = words[0, 3] & 0xFFFF, words[0, 3] >> 16
    base -= (base >> 15) << 16
    step -= (step >> 15) << 16
    return int(base + step * count)
