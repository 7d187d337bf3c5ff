# SPDX-License-Identifier: Apache-2.0
"""Functions of one value, element by element: `Threshold`, `Requantize` and `Lookup`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from bitwright.network.lfsr import draws
from bitwright.network.ops.base import Op, array, require, require_channels
from bitwright.network.types import Interval, Ints, IntType, TensorType


class Rounding(StrEnum):
    """How a fraction v / 2**s becomes an integer."""

    FLOOR = "floor"
    HALF_UP = "half_up"  # floor(v + 1/2)
    HALF_EVEN = "half_even"
    HALF_AWAY = "half_away"  # half away from zero
    STOCHASTIC = "stochastic"  # floor(v + r), r uniform in [0, 1) from `lfsr.draws`


@dataclass(frozen=True, eq=False)
class Threshold(Op):
    """y = base[c] + step[c] * (number of k with x >= thresholds[c, k]).

    thresholds [C or 1, K], ascending along k; base, step [C or 1]. A threshold above the input's
    maximum never counts. step is +1 (rising), -1 (falling) or, for a bipolar output, +2 or -2.
    """

    thresholds: Ints = array(required=True)
    dtype: IntType = field(default=IntType(1))
    base: Ints = array(0)
    step: Ints = array(1)

    def check(self) -> None:
        for name in ("base", "step"):
            object.__setattr__(self, name, np.atleast_1d(getattr(self, name)))
            require(getattr(self, name).ndim == 1, f"Threshold {name} must have one axis")
        require(self.thresholds.ndim == 2, f"thresholds must be [C or 1, K], not {self.thresholds.shape}")
        ascending = self.thresholds[:, 1:] >= self.thresholds[:, :-1]
        require(bool(np.all(ascending)), "thresholds must ascend in each channel")
        require(bool(np.all((self.step >= -2) & (self.step <= 2))), "Threshold steps lie in -2..2")
        last = self.base + self.step * self.thresholds.shape[1]
        reach = np.stack([np.broadcast_to(self.base, last.shape), last])
        require(
            self.dtype.contains(reach),
            f"Threshold yields [{reach.min()}, {reach.max()}], outside its type {self.dtype}",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        for name in ("thresholds", "base", "step"):
            require_channels(getattr(self, name), t.channels, f"Threshold {name}")
        return TensorType(t.shape, self.dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        (x,) = inputs
        per_channel = np.broadcast_to(self.thresholds, (x.shape[-1], self.thresholds.shape[1]))
        count = np.empty_like(x)
        for c, row in enumerate(per_channel):
            count[..., c] = np.searchsorted(row, x[..., c], side="right")
        return self.base + self.step * count

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return _between(self.evaluate(np.stack([inputs[0].low, inputs[0].high])))


def _between(ends: Ints) -> Interval:
    """The interval of a monotone function, of its values at the ends [.., C]."""
    return Interval.of(ends.min(axis=0), ends.max(axis=0))


def _largest(a: Ints) -> int:
    """Largest magnitude; int64 has none for its own minimum."""
    return max(-int(a.min()), int(a.max()))


def round_shift(v: Ints, shift: Ints, rounding: Rounding, seed: int = 1) -> Ints:
    """v / 2**shift rounded to integers; int64 v [N, ..., C], shift [C or 1]."""
    half = (np.int64(1) << shift) >> 1
    if rounding is Rounding.FLOOR:
        return v >> shift
    if rounding is Rounding.HALF_UP:
        return (v + half) >> shift
    if rounding is Rounding.HALF_AWAY:
        return np.asarray(np.sign(v) * ((np.abs(v) + half) >> shift))
    if rounding is Rounding.HALF_EVEN:
        low = v >> shift
        rest = v - (low << shift)
        return np.asarray(low + ((rest > half) | ((rest == half) & (low & 1 == 1) & (shift > 0))))
    random = draws(seed, int(np.prod(v.shape[1:]))).reshape(v.shape[1:])
    return (v + (random & ((np.int64(1) << shift) - 1))) >> shift


@dataclass(frozen=True, eq=False)
class Requantize(Op):
    """y = clamp(round((x * multiplier[c] + bias[c]) / 2**shift[c]) + zero_point, dtype).

    multiplier, bias and shift are [C or 1], 0 <= shift <= 32, |x * multiplier + bias| < 2**62.
    Powers of two: multiplier 1. Stochastic rounding adds the low `shift` bits of the element's
    draw (see `lfsr.draws`) before the floor; `seed` starts the sequence.
    """

    dtype: IntType
    multiplier: Ints = array(1)
    shift: Ints = array(0)
    bias: Ints = array(0)
    zero_point: int = 0
    rounding: Rounding = Rounding.HALF_EVEN
    seed: int = 1

    def check(self) -> None:
        for name in ("multiplier", "shift", "bias"):
            object.__setattr__(self, name, np.atleast_1d(getattr(self, name)))
            require(getattr(self, name).ndim == 1, f"Requantize {name} must have one axis")
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        low, high = int(self.shift.min()), int(self.shift.max())
        require(low >= 0 and high <= 32, f"Requantize shifts lie in 0..32, not [{low}, {high}]")
        require(1 <= self.seed < 1 << 32, f"Requantize seed lies in 1..2**32-1, not {self.seed}")
        require(not self.dtype.bipolar, "Requantize cannot yield bipolar; use Threshold")

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        for name in ("multiplier", "shift", "bias"):
            require_channels(getattr(self, name), t.channels, f"Requantize {name}")
        reach = max(-t.dtype.min, t.dtype.max) * _largest(self.multiplier) + _largest(self.bias)
        require(reach < 1 << 62, f"Requantize product of {t.dtype} and its multiplier passes 62 bits")
        return TensorType(t.shape, self.dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        v = inputs[0] * self.multiplier + self.bias
        y = round_shift(v, self.shift, self.rounding, self.seed) + self.zero_point
        return np.clip(y, self.dtype.min, self.dtype.max)

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        ends = np.stack([inputs[0].low, inputs[0].high])
        if self.rounding is not Rounding.STOCHASTIC:
            return _between(self.evaluate(ends))
        floor = replace(self, rounding=Rounding.FLOOR)
        above = replace(floor, bias=self.bias + (np.int64(1) << self.shift) - 1)
        return _between(np.concatenate([floor.evaluate(ends), above.evaluate(ends)]))

    def is_trivial(self, t: TensorType) -> bool:
        same = self.dtype == t.dtype and self.zero_point == 0
        return same and bool(np.all(self.multiplier == 1) and not np.any(self.shift) and not np.any(self.bias))


@dataclass(frozen=True, eq=False)
class Lookup(Op):
    """y = table[c, index of x in `domain`]; table [C or 1, levels], entries in ascending order of x."""

    domain: IntType
    table: Ints = array(required=True)
    dtype: IntType = field(default=IntType(8, True))

    def check(self) -> None:
        levels = self.domain.levels
        require(
            self.table.ndim == 2 and self.table.shape[1] == levels,
            f"Lookup over {self.domain} needs a table [C or 1, {levels}], not {self.table.shape}",
        )
        require(
            self.dtype.contains(self.table),
            f"Lookup table spans [{self.table.min()}, {self.table.max()}], outside its type {self.dtype}",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        require_channels(self.table, t.channels, "Lookup table")
        require(t.dtype == self.domain, f"Lookup is over {self.domain}, its input is {t.dtype}")
        return TensorType(t.shape, self.dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        (x,) = inputs
        table = np.broadcast_to(self.table, (x.shape[-1], self.table.shape[1]))
        return table[np.arange(x.shape[-1]), self.domain.index(x)]

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        low, high = self.table.min(axis=1), self.table.max(axis=1)
        return Interval.of(np.broadcast_to(low, shape[-1]), np.broadcast_to(high, shape[-1]))

    def is_trivial(self, t: TensorType) -> bool:
        return self.dtype == t.dtype and bool(np.all(self.table == self.domain.values()))
