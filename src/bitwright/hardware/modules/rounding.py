# SPDX-License-Identifier: Apache-2.0
"""Modules `round_up`, `saturate`, `lfsr32`: their cost for constant rules and sizes, and the matrix of the draws."""

from __future__ import annotations

import math

from bitwright.hardware.resources import Resources
from bitwright.network.lfsr import draws
from bitwright.network.ops import Rounding

ROUNDINGS = tuple(Rounding)  # the code of a rule is its position
_BY_REST = tuple(ROUNDINGS.index(rule) for rule in (Rounding.HALF_EVEN, Rounding.HALF_AWAY))
_STOCHASTIC = ROUNDINGS.index(Rounding.STOCHASTIC)


def round_up(fraction: int, rounding: int) -> Resources:
    """Rounding by `fraction` bits that are no constants, as the carry into an adder."""
    if rounding == _STOCHASTIC:
        return Resources(lut=fraction + 2, carry=math.ceil((fraction + 1) / 4))
    # The carry and its complement are a LUT each behind the bits that decide on it.
    others = fraction - 1 if rounding in _BY_REST else 0
    return Resources(lut=2 + (others + 2) // 4 * (others > 4))


def saturate(bits: int, out: int, signed: bool, positive: bool) -> Resources | None:
    """The limits of a number of `bits` bits, `positive` without a sign; None where it cannot pass them."""
    over = bits - out + signed  # top bits that decide whether the result fits
    if (signed or positive) and over <= (signed and not positive):
        return None
    if positive:
        return Resources(lut=math.ceil(over / 5))  # resets or sets the registers
    return Resources(lut=out + math.ceil(over / 6) * (over > 5))


def lfsr(jump: int) -> Resources:
    """The generator of a lane, with the matrix of `lfsr_jump`."""
    taps = [(jump >> 32 * bit & 0xFFFF_FFFF).bit_count() for bit in range(32)]
    return Resources(lut=sum(math.ceil((n - 1) / 5) for n in taps), ff=32)


def lfsr_jump(count: int) -> int:
    """The 32 x 32 matrix over GF(2) that moves the generator on by `count` draws, for module lfsr32.

    Bit 32*i + j is the share of state bit j in new state bit i.
    """
    matrix = 0
    for j in range(32):
        column = int(draws(1 << j, count + 1)[count])
        for i in range(32):
            matrix |= (column >> i & 1) << (32 * i + j)
    return matrix
