# SPDX-License-Identifier: Apache-2.0
"""Operations on two values: `Add`, `Mul`, `Concat` and `Weave`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.network.ops.base import Op, require, require_image
from bitwright.network.types import Interval, Ints, IntType, TensorType


@dataclass(frozen=True, eq=False)
class Join(Op):
    """One result of two values."""

    arity: ClassVar[int] = 2


@dataclass(frozen=True, eq=False)
class Add(Join):
    """y = a + b, elementwise, in the narrowest type that holds every sum."""

    def infer(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        require(a.shape == b.shape, f"Add takes two values of one shape, not {a.shape} and {b.shape}")
        return TensorType(a.shape, IntType.holding(a.dtype.min + b.dtype.min, a.dtype.max + b.dtype.max))

    def evaluate(self, *inputs: Ints) -> Ints:
        return inputs[0] + inputs[1]

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        a, b = inputs
        return Interval.of(a.low + b.low, a.high + b.high, a.reach + b.reach)


@dataclass(frozen=True, eq=False)
class Mul(Join):
    """y = (a - zeros[0]) * (b - zeros[1]), elementwise, in the narrowest type that holds every product.

    zeros: the integers that stand for 0. b has the shape of a, or 1 in place of its channels, or 1 in place of its
    height and width, or of all three: what it has one of belongs to all that a has.
    """

    zeros: tuple[int, int] = (0, 0)

    def check(self) -> None:
        require(len(self.zeros) == 2, f"zeros must be 2 integers, not {self.zeros}")

    def infer(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        legal = len(a.shape) == len(b.shape) and b.channels in (1, a.channels)
        legal = legal and b.shape[:-1] in (a.shape[:-1], (1,) * (len(a.shape) - 1))
        require(
            legal,
            f"Mul takes a value and one of its shape, of one pixel or of one channel, not {a.shape} and {b.shape}",
        )
        for t, zero in zip(inputs, self.zeros, strict=True):
            IntType.holding(t.dtype.min - zero, t.dtype.max - zero)
        ends = self._corners(*((np.array(t.dtype.min, object), np.array(t.dtype.max, object)) for t in inputs))
        return TensorType(a.shape, IntType.holding(int(ends.min()), int(ends.max())))

    def _corners(self, a: tuple[Ints, Ints], b: tuple[Ints, Ints]) -> Ints:
        """Products of the lowest and highest operands, [4, ...]."""
        return np.stack(np.broadcast_arrays(*((x - self.zeros[0]) * (y - self.zeros[1]) for x in a for y in b)))

    def evaluate(self, *inputs: Ints) -> Ints:
        return (inputs[0] - self.zeros[0]) * (inputs[1] - self.zeros[1])

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        a, b = inputs
        ends = self._corners((a.low, a.high), (b.low, b.high))
        reach = max(x.reach + abs(zero) for x, zero in zip(inputs, self.zeros, strict=True))
        return Interval.of(ends.min(axis=0), ends.max(axis=0), reach)


@dataclass(frozen=True, eq=False)
class Concat(Join):
    """y = the channels of a, then the channels of b; the type holds both."""

    def infer(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        require(a.shape[:-1] == b.shape[:-1], f"Concat takes values of one size, not {a.shape} and {b.shape}")
        return TensorType((*a.shape[:-1], a.channels + b.channels), _type_of_both(a, b))

    def evaluate(self, *inputs: Ints) -> Ints:
        return np.concatenate(inputs, axis=-1)

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        a, b = inputs
        return Interval.of(np.concatenate([a.low, b.low]), np.concatenate([a.high, b.high]))


def _type_of_both(a: TensorType, b: TensorType) -> IntType:
    """The type of a, or the narrowest that holds both where they differ."""
    if a.dtype == b.dtype:
        return a.dtype
    return IntType.holding(min(a.dtype.min, b.dtype.min), max(a.dtype.max, b.dtype.max))


@dataclass(frozen=True, eq=False)
class Weave(Join):
    """The rows (axis 0) or columns (axis 1) of two images in turns: counts[0] of a, counts[1] of b, and so on.

    All of a and then all of b where the counts are their sizes. The type holds both.
    """

    axis: int
    counts: tuple[int, int] = (1, 1)

    def check(self) -> None:
        require(self.axis in (0, 1), f"axis must be 0 or 1, not {self.axis}")
        legal = len(self.counts) == 2 and min(self.counts) >= 1
        require(legal, f"counts must be 2 integers of at least 1, not {self.counts}")

    def turns(self, t: TensorType) -> int:
        """How often both take turns, for the type of the first value."""
        return t.shape[self.axis] // self.counts[0]

    def infer(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        require_image(a, "Weave")
        require_image(b, "Weave")
        turns = self.turns(a)
        wanted = [list(a.shape) for _ in inputs]
        for shape, count in zip(wanted, self.counts, strict=True):
            shape[self.axis] = turns * count
        fits = turns >= 1 and [list(t.shape) for t in inputs] == wanted
        require(fits, f"Weave takes {self.counts} along axis {self.axis} in turns, not of {a.shape} and {b.shape}")
        shape = list(a.shape)
        shape[self.axis] += b.shape[self.axis]
        return TensorType((shape[0], shape[1], shape[2]), _type_of_both(a, b))

    def evaluate(self, *inputs: Ints) -> Ints:
        place = self.axis + 1
        parts = []
        for x, count in zip(inputs, self.counts, strict=True):
            parts.append(x.reshape(*x.shape[:place], -1, count, *x.shape[place + 1 :]))
        both = np.concatenate(parts, axis=place + 1)
        return both.reshape(*both.shape[:place], -1, *both.shape[place + 2 :])

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        a, b = inputs
        return Interval.of(np.minimum(a.low, b.low), np.maximum(a.high, b.high))
