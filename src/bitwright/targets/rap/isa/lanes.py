# SPDX-License-Identifier: Apache-2.0
"""Lanes of 16-bit words, as the processing elements see them; compiled."""

from __future__ import annotations

from bitwright.jit import njit


@njit(cache=False)
def lane(word: int, index: int, bits: int, signed: int) -> int:
    """Value of one lane of `bits` bits."""
    value = (word >> (index * bits)) & ((1 << bits) - 1)
    if signed and value >> (bits - 1):
        value -= 1 << bits
    return value


@njit(cache=False)
def clamp(value: int, bits: int, signed: int) -> int:
    """Value limited to the range of `bits` bits."""
    low = -(1 << (bits - 1)) if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    return min(max(value, low), high)


@njit(cache=False)
def wrap32(value: int) -> int:
    """Low 32 bits as a signed number."""
    value &= 0xFFFFFFFF
    return value - ((value >> 31) << 32)


@njit(cache=False)
def alu(op: int, a: int, b: int, imm: int, bits: int, signed: int) -> int:
    """A word of one of the lane operations; op counts from 0 as ADD, SUB, MAX, MIN, SHR, SHL, SAT, PACK, UNPL, UNPH."""
    if op >= 7:
        return _repack(op, a, b, bits, signed)
    out = 0
    mask = (1 << bits) - 1
    for i in range(16 // bits):
        x, y = lane(a, i, bits, signed), lane(b, i, bits, signed)
        if op <= 1:
            v = x + y if op == 0 else x - y
            if imm:
                v = clamp(v, bits, signed)
        elif op == 2:
            v = max(x, y)
        elif op == 3:
            v = min(x, y)
        elif op == 4:
            v = x >> imm
        elif op == 5:
            v = x << imm
        else:
            v = clamp(x, min(imm, bits), signed)
        out |= (v & mask) << (i * bits)
    return out


@njit(cache=False)
def _repack(op: int, a: int, b: int, bits: int, signed: int) -> int:
    """PACK, UNPL and UNPH; at width 16 the word stays as it is."""
    if bits == 16:
        return a
    out, half, wide = 0, 8 // bits, 2 * bits
    for i in range(half):
        if op == 7:
            mask = (1 << bits) - 1
            out |= (clamp(lane(a, i, wide, signed), bits, signed) & mask) << (i * bits)
            out |= (clamp(lane(b, i, wide, signed), bits, signed) & mask) << ((half + i) * bits)
        else:
            v = lane(a, i + (half if op == 9 else 0), bits, signed)
            out |= (v & ((1 << wide) - 1)) << (i * wide)
    return out
