# SPDX-License-Identifier: Apache-2.0
"""The dot-product units: how operands are packed into words, and what a unit computes from them.

A unit takes one word of each operand a cycle. `pack` makes those words from values and `dot` says what the
hardware's accumulator holds after them; both are exact and are what the compiler and the tests use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.network import IntType

CONTAINER_BITS = 8
PLANE_CHANNELS = 64
CONTAINER_WIDTHS = (1, 2, 4, 8)  # of the modes 0 to 3
CONTAINER_SHIFT = (6, 6, 4, 0)  # the sum is scaled by 2 ** shift


def container_mode(bits: int) -> int:
    """The narrowest mode of the container unit that holds `bits` bits; 3-bit values run as 4 bits, exactly."""
    return next(mode for mode, width in enumerate(CONTAINER_WIDTHS) if bits <= width)


def container_words(values: np.ndarray, mode: int, reverse: bool) -> np.ndarray:
    """Codes [..., K] (two's complement or unsigned, bipolar as 0/1) as container words [..., ceil(K / channels)].

    The first channel lies in the lowest bits, or in the highest where `reverse` (one of the two operands).
    The end is filled up with zeros, which add nothing except in mode 0, where the caller accounts for them.
    """
    width = CONTAINER_WIDTHS[mode]
    channels = CONTAINER_BITS // width
    fill = -values.shape[-1] % channels
    codes = np.pad(values & ((1 << width) - 1), [(0, 0)] * (values.ndim - 1) + [(0, fill)])
    codes = codes.reshape(*values.shape[:-1], -1, channels)
    order = np.arange(channels)[::-1] if reverse else np.arange(channels)
    words: np.ndarray = (codes << (width * order)).sum(-1)
    return words


def plane_words(values: np.ndarray, bits: int) -> np.ndarray:
    """Codes [..., K] as bit planes uint64 [..., bits, ceil(K / 64)], channel 0 in bit 0; filled up with zeros."""
    fill = -values.shape[-1] % PLANE_CHANNELS
    codes = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, fill)])
    planes = np.stack([(codes >> i) & 1 for i in range(bits)], axis=-2).astype(np.uint64)
    planes = planes.reshape(*planes.shape[:-1], -1, PLANE_CHANNELS)
    words: np.ndarray = (planes << np.arange(PLANE_CHANNELS, dtype=np.uint64)).sum(-1, dtype=np.uint64)
    return words


@dataclass(frozen=True)
class PlaneStep:
    """One pair of planes (i, j): shift the accumulator before its first word, subtract its products."""

    i: int
    j: int
    shift: bool
    negate: bool


def plane_steps(a: IntType, b: IntType) -> list[PlaneStep]:
    """The pairs of planes of two operands by falling weight; the top plane of a signed operand is negative."""
    steps = []
    for weight in range(a.bits + b.bits - 2, -1, -1):
        pairs = [(i, weight - i) for i in range(a.bits) if 0 <= weight - i < b.bits]
        for k, (i, j) in enumerate(pairs):
            negative = (a.signed and i == a.bits - 1) != (b.signed and j == b.bits - 1)
            steps.append(PlaneStep(i, j, k == 0 and weight < a.bits + b.bits - 2, negative))
    return steps
