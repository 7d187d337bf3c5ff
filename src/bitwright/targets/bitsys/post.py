# SPDX-License-Identifier: Apache-2.0
"""What follows on the sums, as the post stage computes it: search, multiplier, bias, shift, clamp.

The hardware's sum v stands for the network's sum k * v + c, per channel: c holds the bias of a convolution and what
the coding of operands leaves over, k is 2 where a bipolar value is read as 0 and 1. Everything is folded in, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bitwright.network import IntType
from bitwright.network.affine import folded, table
from bitwright.network.ops import Lookup, Requantize, Rounding, Threshold
from bitwright.network.stages import Elementwise

ROUNDINGS = {Rounding.FLOOR: 0, Rounding.HALF_UP: 1, Rounding.HALF_EVEN: 2, Rounding.HALF_AWAY: 3}
LOW, HIGH = -(1 << 31), (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class PostStage:
    """Per-channel parameters [C] of the post stage. table: [C, 2**table_bits] or None; lookup: it holds results."""

    multiplier: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    rounding: int
    zero_point: int
    low: int
    high: int
    table: np.ndarray | None = None
    lookup: bool = False
    most: int = 0  # no x * multiplier + bias is farther from zero

    @property
    def table_bits(self) -> int:
        return 0 if self.table is None else int(self.table.shape[1]).bit_length() - 1


@dataclass(frozen=True, eq=False)
class Sums:
    """The network's sums are k * v + c of the hardware's sums v, low <= v <= high; c [C]."""

    k: int
    c: np.ndarray
    low: int
    high: int


def post(op: Elementwise | None, sums: Sums, result: IntType, coded: bool) -> PostStage:
    """Parameters for `op` on the sums; coded: a bipolar result leaves as 0 and 1.

    result: type of the value.
    """
    channels = len(sums.c)
    if isinstance(op, Lookup):
        made = _lookup(op, sums, channels, coded)
    elif op is not None:
        op = folded(op, sums.k, sums.c)
        made = _requantize(op, channels) if isinstance(op, Requantize) else _threshold(op, channels, coded)
    elif coded:
        # (k * v + c + 1) / 2 is whole for the two values that occur.
        made = _affine(channels, sums.k, sums.c + 1, 1, 0, 1)
    else:
        made = _affine(channels, sums.k, sums.c, 0, result.min, result.max)
    return replace(made, most=_most(made, sums))


def _most(made: PostStage, sums: Sums) -> int:
    """The largest |x * multiplier + bias| of what enters the multiplier: a sum, or what a table makes of it."""
    x = max(-sums.low, sums.high)
    if made.table is not None:
        x = int(np.abs(made.table).max()) if made.lookup else made.table.shape[1]
    return max(
        x * abs(int(m)) + abs(int(b)) for m, b in set(zip(made.multiplier.tolist(), made.bias.tolist(), strict=True))
    )


def _affine(channels: int, multiplier: ArrayLike, bias: ArrayLike, shift: int, low: int, high: int) -> PostStage:
    def spread(values: ArrayLike) -> np.ndarray:
        return np.broadcast_to(np.asarray(values, np.int64), (channels,))

    return PostStage(spread(multiplier), spread(bias), spread(shift), 0, 0, low, high)


def _requantize(op: Requantize, channels: int) -> PostStage:
    made = _affine(channels, op.multiplier, op.bias, 0, op.dtype.min, op.dtype.max)
    shift = np.broadcast_to(op.shift, (channels,))
    return replace(made, shift=shift, rounding=ROUNDINGS[op.rounding], zero_point=op.zero_point)


def _threshold(op: Threshold, channels: int, coded: bool) -> PostStage:
    count = op.thresholds.shape[1]
    thresholds = np.clip(op.thresholds, LOW, HIGH)
    base, step = (np.broadcast_to(v, (channels,)) for v in (op.base, op.step))
    # A bipolar result y leaves as (y + 1) / 2.
    base, shift = (base + 1, 1) if coded else (base, 0)
    ends = np.stack([base, base + step * count]) >> shift
    low, high = int(ends.min()), int(ends.max())
    if count == 0:
        return _affine(channels, 0, base, shift, low, high)
    if count == 1 and high - low <= 1:
        # One threshold: base + step * clamp(v - T + 1, 0, 1), where the clamp is the layer's.
        base, step = base >> shift, step >> shift
        return _affine(channels, step, base + step * (1 - thresholds[:, 0]), 0, low, high)
    entries = np.full((channels, 1 << int(count).bit_length()), HIGH, np.int64)
    entries[:, :count] = thresholds
    return replace(_affine(channels, step, base, shift, low, high), table=entries)


def _lookup(op: Lookup, sums: Sums, channels: int, coded: bool) -> PostStage:
    """Entries in the order of the low bits of the hardware's sum: each stands for the least sum in the domain."""
    source = op.domain
    levels = source.levels << int(source.bipolar and sums.k == 1)
    first = -((sums.c[:, None] - source.min) // sums.k)  # the sum that stands for the least value, or the next
    v = first + (np.arange(levels) - first) % levels
    entries = table(op, sums.k, sums.c, v)
    low, high = (0, 1) if coded else (op.dtype.min, op.dtype.max)
    return replace(_affine(channels, 1, 0, 0, low, high), table=(entries + 1) // 2 if coded else entries, lookup=True)
