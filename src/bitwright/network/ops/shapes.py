# SPDX-License-Identifier: Apache-2.0
"""Operations that move values: `Pad`, `Resize` and `Flatten`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bitwright.network.ops.base import Op, require, require_image
from bitwright.network.types import Interval, Ints, TensorType


@dataclass(frozen=True, eq=False)
class Pad(Op):
    """Rows and columns of `value` around the image; pads are (top, left, bottom, right)."""

    pads: tuple[int, int, int, int]
    value: int = 0

    def check(self) -> None:
        require(len(self.pads) == 4 and min(self.pads) >= 0, f"pads must be 4 integers of at least 0, not {self.pads}")

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        h, w, c = require_image(t, "Pad")
        require(t.dtype.contains(self.value), f"Pad value {self.value} is outside its input type {t.dtype}")
        top, left, bottom, right = self.pads
        return TensorType((h + top + bottom, w + left + right, c), t.dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        top, left, bottom, right = self.pads
        return np.pad(inputs[0], ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=self.value)

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return inputs[0].including(self.value)

    def is_trivial(self, t: TensorType) -> bool:
        return not any(self.pads)


@dataclass(frozen=True, eq=False)
class Resize(Op):
    """Nearest-neighbour enlargement by whole factors: y[i, j] = x[i // factor_h, j // factor_w].

    A vector is an image of one pixel.
    """

    factor: tuple[int, int]

    @property
    def repeats(self) -> tuple[int, int]:
        return self.factor

    def check(self) -> None:
        legal = len(self.factor) == 2 and min(self.factor) >= 1
        require(legal, f"factor must be 2 integers of at least 1, not {self.factor}")

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        h, w = t.shape[:2] if len(t.shape) == 3 else (1, 1)
        return TensorType((h * self.factor[0], w * self.factor[1], t.channels), t.dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        (x,) = inputs
        x = x[:, None, None] if x.ndim == 2 else x
        return x.repeat(self.factor[0], axis=1).repeat(self.factor[1], axis=2)

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return Interval.of(inputs[0].low, inputs[0].high)

    def is_trivial(self, t: TensorType) -> bool:
        return self.factor == (1, 1) and len(t.shape) == 3


def repeated(size: tuple[int, int]) -> Op:
    """What makes an image of `size` of one pixel."""
    return Resize(size)


@dataclass(frozen=True, eq=False)
class Flatten(Op):
    """(H, W, C) to (H*W*C,), row-major: the order of a stream of pixels."""

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType((inputs[0].size,), inputs[0].dtype)

    def evaluate(self, *inputs: Ints) -> Ints:
        return inputs[0].reshape(len(inputs[0]), -1)

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        pixels = math.prod(shape[:-1])
        return Interval.of(np.tile(inputs[0].low, pixels), np.tile(inputs[0].high, pixels))

    def is_trivial(self, t: TensorType) -> bool:
        return len(t.shape) == 1
