# SPDX-License-Identifier: Apache-2.0
"""Module `multiply_pipe`."""

from __future__ import annotations

BLOCK_BITS = 18  # of a multiplier block's narrower operand, of any family


def latency(a_bits: int, b_bits: int) -> int:
    """Cycles from the operands to the product, p = a * b of signed numbers of 1 to 35 bits."""
    return 2 + (a_bits > BLOCK_BITS) + (b_bits > BLOCK_BITS)
