# SPDX-License-Identifier: Apache-2.0
"""Integer types, tensor types and intervals of the integer network, and the types of arrays in annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bitwright.errors import ModelError

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAX_BITS = 32
_NAME = re.compile(r"(u?)int([1-9][0-9]?)")


def ints(values: Iterable[int]) -> Ints:
    """Whole numbers as an int64 array."""
    return np.array(list(values), np.int64)


def derived() -> Any:
    """A field of a dataclass that gets its value from others where it is left out."""
    return field(default=None)


@dataclass(frozen=True)
class IntType:
    """Integers of `bits` bits, two's complement where `signed`; `bipolar` is the set {-1, +1}.

    Range: signed [-2**(bits-1), 2**(bits-1) - 1], unsigned [0, 2**bits - 1], 1 <= bits <= 32.
    In hardware a bipolar value is one bit, 0 for -1 and 1 for +1.
    """

    bits: int
    signed: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.bits, (int, np.integer)) and 1 <= self.bits <= MAX_BITS):
            raise ModelError(f"an integer type has 1 to {MAX_BITS} bits, not {self.bits!r}")
        object.__setattr__(self, "bits", int(self.bits))
        if self.bipolar and (self.bits != 1 or not self.signed):
            raise ModelError("a bipolar type has exactly one bit and is signed")

    @property
    def min(self) -> int:
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def levels(self) -> int:
        """Number of values of the type."""
        return 1 << self.bits

    def values(self) -> Ints:
        """All values in ascending order, int64 [levels]."""
        return np.arange(self.min, self.max + 1, 2 if self.bipolar else 1, dtype=np.int64)

    def index(self, x: Ints) -> Ints:
        """Position of each value of `x` in `values()`."""
        return (x + 1) >> 1 if self.bipolar else x - self.min

    def contains(self, x: npt.ArrayLike) -> bool:
        """Whether every value of `x` belongs to the type."""
        x = np.asarray(x)
        if x.size == 0:
            return True
        inside = int(x.min()) >= self.min and int(x.max()) <= self.max
        return inside and (not self.bipolar or not np.any(x == 0))

    @property
    def wire(self) -> IntType:
        """The type of the word in hardware: a bipolar value w is the bit (w + 1) / 2."""
        return IntType(1) if self.bipolar else self

    def encode(self, x: Ints) -> Ints:
        """Values to hardware words: unsigned int64 of `bits` bits, two's complement."""
        return (x + 1) >> 1 if self.bipolar else x & ((1 << self.bits) - 1)

    def decode(self, words: npt.ArrayLike) -> Ints:
        """Hardware words (only the low `bits` bits count) to values, int64."""
        codes = np.asarray(words, dtype=np.int64) & ((1 << self.bits) - 1)
        if self.bipolar:
            return 2 * codes - 1
        if self.signed:
            return codes - ((codes >> (self.bits - 1)) << self.bits)
        return codes

    @staticmethod
    def holding(low: int, high: int) -> IntType:
        """The narrowest type that holds every integer of [low, high]; signed only where low < 0."""
        low, high = int(low), int(high)
        if low > high:
            raise ModelError(f"empty range [{low}, {high}]")
        if low >= 0:
            bits, signed = max(1, high.bit_length()), False
        else:
            bits, signed = max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1, True
        if bits > MAX_BITS:
            raise ModelError(f"range [{low}, {high}] needs {bits} bits; values have at most {MAX_BITS} bits")
        return IntType(bits, signed)

    @staticmethod
    def parse(name: str) -> IntType:
        """Type of its name: `int8`, `uint3`, `bipolar`."""
        if name == "bipolar":
            return BIPOLAR
        match = _NAME.fullmatch(name)
        if not match:
            raise ModelError(f"{name!r} is no integer type; legal are int1..int32, uint1..uint32, bipolar")
        return IntType(int(match[2]), signed=not match[1])

    def __str__(self) -> str:
        return "bipolar" if self.bipolar else f"{'' if self.signed else 'u'}int{self.bits}"


BIPOLAR = IntType(1, signed=True, bipolar=True)


@dataclass(frozen=True)
class TensorType:
    """Shape (H, W, C) or (C,), without a batch, and integer type of a value."""

    shape: tuple[int, ...]
    dtype: IntType

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.shape) not in (1, 3) or any(n < 1 for n in self.shape):
            raise ModelError(f"a value has shape (H, W, C) or (C,) with sizes of at least 1, not {self.shape}")

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def pixels(self) -> int:
        """H * W, or 1 for a vector."""
        return self.shape[0] * self.shape[1] if len(self.shape) == 3 else 1

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.pixels * self.channels

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, eq=False)
class Interval:
    """Every element of channel c lies in [low[c], high[c]]; both int64 [C].

    reach bounds the absolute value of every partial sum by which a value is computed, in any order.
    """

    low: Ints
    high: Ints
    reach: int

    @staticmethod
    def of(low: npt.ArrayLike, high: npt.ArrayLike, reach: int = 0) -> Interval:
        """The interval whose reach covers its own ends at least."""
        low, high = np.asarray(low, np.int64), np.asarray(high, np.int64)
        return Interval(low, high, max(int(reach), int(-low.min()), int(high.max()), 0))

    def including(self, value: int) -> Interval:
        """The interval of its values and one more number in every channel."""
        return Interval.of(np.minimum(self.low, value), np.maximum(self.high, value))
