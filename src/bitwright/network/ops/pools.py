# SPDX-License-Identifier: Apache-2.0
"""Sums and extremes of windows and of channels: `MaxPool`, `SumPool` and `ArgMax`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bitwright.network.ops.base import Op, all_see_pixels, check_window, require, window_shape, windows
from bitwright.network.types import Interval, Ints, IntType, TensorType


@dataclass(frozen=True, eq=False)
class Pool(Op):
    """One result for each window of each channel, its taps `dilation` apart; pads: (top, left, bottom, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def check(self) -> None:
        check_window(self.kernel, self.stride, self.pads, self.dilation)

    def is_trivial(self, t: TensorType) -> bool:
        return self.kernel == (1, 1) and self.stride == (1, 1) and not any(self.pads)

    def work(self, result: TensorType) -> int:
        return result.size * math.prod(self.kernel)

    def _size(self, t: TensorType) -> tuple[int, int]:
        return window_shape(t, self.kernel, self.stride, self.pads, self.dilation, type(self).__name__)

    def _windows(self, x: Ints, value: int) -> Ints:
        found: Ints = windows(x, self.kernel, self.stride, self.pads, self.dilation, value)
        return found


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """y = maximum over each window; padding never wins."""

    def check(self) -> None:
        super().check()
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        require(
            all(p < span for p, span in zip(self.pads, spans * 2, strict=True)),
            f"MaxPool pads {self.pads} must be smaller than the window {tuple(spans)}",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        shape = self._size(t)
        ends = zip(t.shape, self.kernel, self.stride, self.pads, self.dilation, shape, strict=False)
        require(all(all_see_pixels(*end) for end in ends), "MaxPool has windows that see padding alone")
        return TensorType((*shape, t.channels), t.dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        low = int(np.iinfo(np.int64).min)
        y: Ints = self._windows(inputs[0], low).max(axis=(3, 4))
        return y

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return Interval.of(inputs[0].low, inputs[0].high)


@dataclass(frozen=True, eq=False)
class SumPool(Pool):
    """y = sum over each window, padding counting as 0; an average pool is a SumPool and a Requantize."""

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        shape = self._size(t)
        taps = math.prod(self.kernel)
        low = min(t.dtype.min, 0) if any(self.pads) else t.dtype.min
        return TensorType((*shape, t.channels), IntType.holding(taps * low, taps * t.dtype.max))

    def evaluate(self, *inputs: Ints) -> Ints:
        y: Ints = self._windows(inputs[0], 0).sum(axis=(3, 4))
        return y

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        (x,) = inputs
        taps = math.prod(self.kernel)
        low, high = x.low, x.high
        if any(self.pads):
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        return Interval.of(taps * low, taps * high, taps * x.reach)


@dataclass(frozen=True, eq=False)
class ArgMax(Op):
    """Index of the first maximum over the channels; (C,) to (1,), (H, W, C) to (H, W, 1)."""

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        return TensorType((*t.shape[:-1], 1), IntType.holding(0, max(1, t.channels - 1)))

    def evaluate(self, *inputs: Ints) -> Ints:
        y: Ints = inputs[0].argmax(axis=-1)[..., None].astype(np.int64)
        return y

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return Interval.of(np.zeros(1), np.full(1, shape[-1] - 1))
