# SPDX-License-Identifier: Apache-2.0
"""Joins of two values, moves, and the ends of classifiers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.models.graph.ops.base import Op, Pads, Pair, Shape, image
from bitwright.network import ops as integer_ops
from bitwright.network.ops.base import require
from bitwright.network.types import Floats


@dataclass(frozen=True, eq=False)
class Join(Op):
    """An operation on two values. one_scale: integers of both must stand for multiples of the same number."""

    arity: ClassVar[int] = 2
    homogeneous: ClassVar[bool] = True
    one_scale: ClassVar[bool] = True

    def join(self, a: Floats, b: Floats) -> Floats:
        """The result for values [N, *shape]."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Add(Join):
    """The sum of two values of one shape."""

    def shape(self, *inputs: Shape) -> Shape:
        require(inputs[0] == inputs[1], f"takes two values of one shape, not {inputs[0]} and {inputs[1]}")
        return inputs[0]

    def join(self, a: Floats, b: Floats) -> Floats:
        return a + b


@dataclass(frozen=True, eq=False)
class Mul(Join):
    """The product of a value and one of its shape, or with 1 in place of its channels, of its size, or of both."""

    homogeneous: ClassVar[bool] = False
    one_scale: ClassVar[bool] = False

    def shape(self, *inputs: Shape) -> Shape:
        a, b = inputs
        legal = len(a) == len(b) and b[-1] in (1, a[-1]) and b[:-1] in (a[:-1], (1,) * (len(a) - 1))
        require(legal, f"multiplies values of shapes {a} and {b}; legal are one shape, one pixel or one channel")
        return a

    def join(self, a: Floats, b: Floats) -> Floats:
        return a * b


@dataclass(frozen=True, eq=False)
class Concat(Join):
    """The channels of both values."""

    def shape(self, *inputs: Shape) -> Shape:
        a, b = inputs
        require(a[:-1] == b[:-1], f"takes values of one size, not {a} and {b}")
        return (*a[:-1], a[-1] + b[-1])

    def join(self, a: Floats, b: Floats) -> Floats:
        return np.concatenate([a, b], axis=-1)


@dataclass(frozen=True, eq=False)
class Move(Op):
    """The values of the input and no others, but for those of pads."""

    homogeneous: ClassVar[bool] = True

    def on_integers(self) -> integer_ops.Op:
        """The same move of integers, where it does not matter what they stand for."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Pad(Move):
    """`value` around an image."""

    pads: Pads
    value: float = 0.0

    @property
    def is_homogeneous(self) -> bool:
        return self.value == 0

    @property
    def is_padded(self) -> bool:
        return any(self.pads)

    def shape(self, *inputs: Shape) -> Shape:
        h, w, c = image(inputs[0])
        top, left, bottom, right = self.pads
        return (h + top + bottom, w + left + right, c)

    def is_trivial(self, shape: Shape) -> bool:
        return not any(self.pads)


@dataclass(frozen=True, eq=False)
class Resize(Move):
    """Every row and every column of an image `factor` times: y[i, j] = x[i // factor[0], j // factor[1]].

    A vector is an image of one pixel.
    """

    factor: Pair

    def shape(self, *inputs: Shape) -> Shape:
        h, w, c = inputs[0] if len(inputs[0]) == 3 else (1, 1, *inputs[0])
        return (h * self.factor[0], w * self.factor[1], c)

    def is_trivial(self, shape: Shape) -> bool:
        return tuple(self.factor) == (1, 1) and len(shape) == 3

    def on_integers(self) -> integer_ops.Op:
        return integer_ops.Resize(self.factor)


def one_pixel() -> Op:
    """What makes an image of one pixel of a vector."""
    return Resize((1, 1))


@dataclass(frozen=True, eq=False)
class Channels(Move):
    """Some channels, in any order: y[..., k] = x[..., picked[k]]."""

    picked: tuple[int, ...]
    homogeneous: ClassVar[bool] = False

    def shape(self, *inputs: Shape) -> Shape:
        *size, channels = inputs[0]
        legal = self.picked and min(self.picked) >= 0 and max(self.picked) < channels
        require(bool(legal), f"picks channels {self.picked[:4]}, ... of {channels}")
        return (*size, len(self.picked))

    def is_trivial(self, shape: Shape) -> bool:
        return self.picked == tuple(range(shape[-1]))


@dataclass(frozen=True, eq=False)
class Flatten(Move):
    """(H, W, C) to (H * W * C,)."""

    def shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def is_trivial(self, shape: Shape) -> bool:
        return len(shape) == 1


@dataclass(frozen=True, eq=False)
class Distribution(Op):
    """A function along an axis at the end, which the output's specification computes under the name `function`.

    axis: "" for the channels, "height", "width", "pixels" for both of them, or "all" for all elements of an image.
    """

    kind: ClassVar[str]
    axis: str = ""

    @property
    def function(self) -> str:
        return f"{self.kind}_{self.axis}" if self.axis else self.kind


@dataclass(frozen=True, eq=False)
class Softmax(Distribution):
    """exp(x) over its sum."""

    kind: ClassVar[str] = "softmax"


@dataclass(frozen=True, eq=False)
class LogSoftmax(Distribution):
    """The logarithm of the softmax: x less the logarithm of the sum of exp(x)."""

    kind: ClassVar[str] = "log_softmax"


@dataclass(frozen=True, eq=False)
class ArgMax(Op):
    """The first channel of the largest value, as a float."""

    def shape(self, *inputs: Shape) -> Shape:
        return (*inputs[0][:-1], 1)
