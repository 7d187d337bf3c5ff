# SPDX-License-Identifier: Apache-2.0
"""Threshold and Requantize where no floating-point form was proved: integer arithmetic, tables, search."""

from __future__ import annotations

import numpy as np

from bitwright.fast.onnx_builder import Builder
from bitwright.network.lfsr import draws
from bitwright.network.ops import Requantize, Rounding, Threshold
from bitwright.network.types import Interval, Ints

MAX_TABLE = 1 << 20  # entries


def requantize(g: Builder, x: str, op: Requantize, shape: tuple[int, ...]) -> str:
    """Requantize in int64, |x * multiplier + bias| < 2**62 as its type rules guarantee; yields float64.

    ONNX Runtime's int64 Max, Min, Clip, Abs and Sign err between numbers whose high words are equal; none is used.
    """
    image = len(shape) == 3
    v = g.cast(x, "int64")
    if np.any(op.multiplier != 1):
        v = g.add("Mul", v, _operand(g, op.multiplier, image))
    if np.any(op.bias != 0):
        v = g.add("Add", v, _operand(g, op.bias, image))
    y = _round_shift(g, v, op, shape)
    y = g.add("Add", y, g.operand(np.array(op.zero_point, np.int64)))
    y = g.cast(y, "float64")
    return g.add("Clip", y, *(g.constant(np.array(bound, np.float64)) for bound in (op.dtype.min, op.dtype.max)))


def _operand(g: Builder, a: Ints, image: bool) -> str:
    return g.operand(a.astype(np.int64).reshape((1, -1, 1, 1) if image else (1, -1)))


def _floor_shift(g: Builder, v: str, shift: Ints, image: bool) -> str:
    """v >> shift: Div truncates, so one is taken off where the remainder is negative."""
    divisor = _operand(g, np.int64(1) << shift, image)
    quotient = g.add("Div", v, divisor)
    rest = g.add("Sub", v, g.add("Mul", quotient, divisor))
    return g.add("Sub", quotient, _is_negative(g, rest))


def _is_negative(g: Builder, v: str) -> str:
    """1 where v < 0, else 0."""
    return g.cast(g.add("Less", v, g.operand(np.array(0, np.int64))), "int64")


def _round_shift(g: Builder, v: str, op: Requantize, shape: tuple[int, ...]) -> str:
    image, shift = len(shape) == 3, op.shift
    half = (np.int64(1) << shift) >> 1
    if op.rounding is Rounding.FLOOR:
        return _floor_shift(g, v, shift, image)
    if op.rounding is Rounding.HALF_UP:
        return _floor_shift(g, g.add("Add", v, _operand(g, half, image)), shift, image)
    if op.rounding is Rounding.HALF_AWAY:
        sign = g.add("Sub", g.operand(np.array(1)), g.add("Mul", _is_negative(g, v), g.operand(np.array(2))))
        magnitude = g.add("Add", g.add("Mul", v, sign), _operand(g, half, image))
        return g.add("Mul", _floor_shift(g, magnitude, shift, image), sign)
    if op.rounding is Rounding.STOCHASTIC:
        random = draws(op.seed, int(np.prod(shape))).reshape(shape) & ((np.int64(1) << shift) - 1)
        random = np.moveaxis(random, -1, 0) if image else random
        return _floor_shift(g, g.add("Add", v, g.operand(random[None])), shift, image)
    return _half_even(g, v, shift, half, image)


def _half_even(g: Builder, v: str, shift: Ints, half: Ints, image: bool) -> str:
    """round up where the rest passes one half, or is one half and the floor is odd (never for shift 0)."""
    low = _floor_shift(g, v, shift, image)
    rest = g.add("Sub", v, g.add("Mul", low, _operand(g, np.int64(1) << shift, image)))
    bound = _operand(g, np.where(shift > 0, half, 1), image)
    odd = g.add("Mod", low, g.operand(np.array(2, np.int64)))  # 0 or 1: the sign is the divisor's
    twice = g.add("Add", g.add("Add", rest, rest), odd)
    above = g.add("Greater", twice, g.add("Add", bound, bound))
    return g.add("Add", low, g.cast(above, "int64"))


def table(g: Builder, x: str, wide: bool, op: Threshold, interval: Interval, image: bool) -> str | None:
    """Threshold as one table over each channel's x from below its first step to its last; None where too long."""
    channels = len(interval.low)
    rows = np.broadcast_to(op.thresholds, (channels, op.thresholds.shape[1]))
    first = np.clip(rows[:, :1] - 1, interval.low[:, None], interval.high[:, None])[:, 0]
    last = np.clip(rows[:, -1:], interval.low[:, None], interval.high[:, None])[:, 0]
    lengths = last - first + 1
    if lengths.sum() > MAX_TABLE:
        return None
    start = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    base, step = (np.broadcast_to(a, channels) for a in (op.base, op.step))
    entries = [
        base[c] + step[c] * np.searchsorted(rows[c], np.arange(first[c], last[c] + 1), side="right")
        for c in range(channels)
    ]
    dtype = np.float64 if wide else np.float32
    shape = (1, -1, 1, 1) if image else (1, -1)
    x = g.add("Max", x, g.operand(first.astype(dtype).reshape(shape)))
    x = g.add("Min", x, g.operand(last.astype(dtype).reshape(shape)))
    offset = g.operand((start - first).reshape(shape))
    position = g.add("Add", g.cast(x, "int64"), offset)
    return g.add("Gather", g.constant(np.concatenate(entries).astype(np.float64)), position)


def search(g: Builder, x: str, wide: bool, op: Threshold, interval: Interval, image: bool) -> str:
    """Threshold by binary search: one Gather and one comparison for each bit of the count; yields float64.

    The count grows by 2**j where x >= thresholds[c, count + 2**j - 1]; rows are filled up with a value
    that no x reaches.
    """
    channels, steps = len(interval.low), op.thresholds.shape[1]
    bits = max(1, steps.bit_length())
    dtype = np.float64 if wide else np.float32
    never = float(interval.high.max()) + 1
    rows = np.full((channels, 1 << bits), never)
    rows[:, :steps] = np.minimum(op.thresholds, never)
    rows = np.maximum(rows, float(interval.low.min()))
    flat = g.constant(rows.reshape(-1).astype(dtype))
    shape = (1, -1, 1, 1) if image else (1, -1)
    start = g.operand((np.arange(channels, dtype=np.int64) << bits).reshape(shape))
    position = start
    for bit in reversed(range(bits)):
        stride = np.int64(1) << bit
        probe = g.add("Add", position, g.operand(np.array(stride - 1)))
        hit = g.cast(g.add("GreaterOrEqual", x, g.add("Gather", flat, probe)), "int64")
        position = g.add("Add", position, g.add("Mul", hit, g.operand(np.array(stride))))
    count = g.cast(g.add("Sub", position, start), "float64")
    step, base = (np.broadcast_to(a, channels).astype(np.float64).reshape(shape) for a in (op.step, op.base))
    return g.add("Add", g.add("Mul", count, g.operand(step)), g.operand(base))
