# SPDX-License-Identifier: Apache-2.0
"""Streaming statistics of a tensor: one pass, fixed memory, any range.

A bin is the upper 19 bits of a float32 (sign, exponent, 10 bits of mantissa), so an octave has 1,024
bins and no range has to be known before. A histogram reserves 4 MiB of address space; only the pages
of octaves that occur are ever touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.errors import DataError
from bitwright.jit import njit

DROPPED_BITS = 13
BINS = 1 << (32 - DROPPED_BITS)
_SIGN = BINS >> 1
_NON_FINITE = 0xFF << (23 - DROPPED_BITS)
MOMENTUM = 0.01


@njit(nogil=True)
def _update(values: np.ndarray, words: np.ndarray, counts: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    for n in range(values.shape[0]):
        least, most = np.float32(np.inf), np.float32(-np.inf)
        for i in range(values.shape[1]):
            counts[words[n, i] >> DROPPED_BITS] += 1
            v = values[n, i]
            least = min(least, v)
            most = max(most, v)
        low[n], high[n] = least, most


@dataclass(frozen=True, eq=False)
class Distribution:
    """Non-empty bins in ascending order: edges of each, its center, its count; and exact extremes.

    Exact zeros stand in a bin whose center is 0.
    average_low, average_high: moving averages of the samples' extremes.
    """

    left: np.ndarray
    right: np.ndarray
    center: np.ndarray
    count: np.ndarray
    low: float
    high: float
    average_low: float
    average_high: float

    @property
    def total(self) -> float:
        return float(self.count.sum())

    @property
    def peak(self) -> float:
        """Largest magnitude."""
        return max(abs(self.low), abs(self.high))

    def magnitude_quantile(self, fraction: float, *, nonzero: bool = False) -> float:
        """Magnitude below which `fraction` of the values lie; 0 where there are none."""
        keep = self.center != 0 if nonzero else np.ones(self.center.shape, bool)
        if not keep.any():
            return 0.0
        order = np.argsort(np.abs(self.center[keep]), kind="stable")
        cumulative = np.cumsum(self.count[keep][order])
        index = np.searchsorted(cumulative, fraction * cumulative[-1])
        return float(np.abs(self.center[keep][order])[min(index, len(order) - 1)])

    def quantile(self, fraction: float) -> float:
        """Value below which `fraction` of the values lie."""
        cumulative = np.cumsum(self.count)
        index = np.searchsorted(cumulative, fraction * cumulative[-1])
        return float(np.clip(self.center[min(index, len(self.center) - 1)], self.low, self.high))


def _magnitude(word: np.ndarray) -> np.ndarray:
    """Lower edge of the bins with these exponent and mantissa bits; the last edge of all is the largest float32."""
    edge = (word << DROPPED_BITS).astype(np.uint32).view(np.float32).astype(np.float64)
    return np.minimum(edge, np.finfo(np.float32).max)


class Histogram:
    """Accumulates batches of one tensor; see the module for the bins."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self._counts = np.zeros(BINS, np.int64)
        self._low, self._high = np.inf, -np.inf
        self._average = np.zeros(2)

    def update(self, batch: np.ndarray) -> None:
        """Add a batch [N, ...]; `DataError` where it holds NaN or infinity."""
        values = np.ascontiguousarray(batch, np.float32).reshape(len(batch), -1)
        if values.size == 0:
            return
        low, high = np.empty(len(values), np.float32), np.empty(len(values), np.float32)
        _update(values, values.view(np.uint32), self._counts, low, high)
        if self._counts[_NON_FINITE:_SIGN].any() or self._counts[_SIGN + _NON_FINITE :].any():
            raise DataError(
                f"value {self.name!r} becomes NaN or infinite on the calibration data; "
                "legal are finite inputs that keep the float model finite"
            )
        self._low, self._high = min(self._low, float(low.min())), max(self._high, float(high.max()))
        for extremes in np.stack([low, high], 1).astype(np.float64):
            self.samples += 1
            self._average += (extremes - self._average) * max(MOMENTUM, 1 / self.samples)

    def distribution(self) -> Distribution:
        """What was seen so far; `DataError` where that is nothing."""
        if not self.samples:
            raise DataError(f"value {self.name!r} was never computed: calibration needs at least one sample")
        used = np.flatnonzero(self._counts)
        used = np.concatenate([used[used >= _SIGN][::-1], used[used < _SIGN]])
        inner, outer = (_magnitude((used & (_SIGN - 1)) + step) for step in (0, 1))
        sign = np.where(used >= _SIGN, -1.0, 1.0)
        center = sign * np.where(inner == 0, 0.0, (inner + outer) / 2)
        left, right = np.minimum(sign * inner, sign * outer), np.maximum(sign * inner, sign * outer)
        return Distribution(
            left, right, center, self._counts[used].astype(np.float64), self._low, self._high, *self._average.tolist()
        )
