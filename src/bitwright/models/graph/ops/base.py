# SPDX-License-Identifier: Apache-2.0
"""What all operations of the float graph have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import numpy as np

from bitwright import limits
from bitwright.network.ops.base import require
from bitwright.network.types import Floats

Shape = tuple[int, ...]
Pair = tuple[int, int]
Pads = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True, eq=False)
class Op:
    """Base of all operations: fields of arrays become float64, at least [1].

    Values have shape (H, W, C) or (C,). homogeneous: s * x in gives s * y out for every s > 0, channel by channel.
    """

    arity: ClassVar[int] = 1
    homogeneous: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if str(f.type).startswith("Floats") and value is not None:
                object.__setattr__(self, f.name, np.atleast_1d(np.asarray(value, np.float64)))

    def shape(self, *inputs: Shape) -> Shape:
        """Shape of the value for those of the inputs; `ModelError` where they do not fit."""
        return inputs[0]

    def work(self, shape: Shape) -> int:
        """Operations on numbers that a value of that shape takes."""
        return math.prod(shape)

    def is_trivial(self, shape: Shape) -> bool:
        """Whether it hands on an input of that shape as it is."""
        return False

    @property
    def is_homogeneous(self) -> bool:
        """`homogeneous`, with these parameters."""
        return self.homogeneous

    @property
    def is_padded(self) -> bool:
        """Whether it adds pixels around its input."""
        return False

    def dequantized(self) -> Self:
        """The operation that computes with the values of its integer weights, in floats."""
        return self

    def infer(self, *inputs: Shape) -> Shape:
        """`shape`, if the number of inputs is right and the budget allows it."""
        require(len(inputs) == self.arity, f"takes {self.arity} inputs")
        shape = self.shape(*inputs)
        limits.check_shape(shape, "its value has")
        limits.check("macs", self.work(shape), "one sample takes")
        return shape

    def arrays(self) -> dict[str, Floats]:
        """The parameters that are arrays, by name."""
        return {f.name: v for f in fields(self) if isinstance(v := getattr(self, f.name), np.ndarray)}


def image(shape: Shape) -> tuple[int, int, int]:
    """The shape as (H, W, C); `ModelError` where it is none."""
    require(len(shape) == 3, f"takes a value of shape (H, W, C), not {shape}")
    h, w, c = shape
    return h, w, c
