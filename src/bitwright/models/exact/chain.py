# SPDX-License-Identifier: Apache-2.0
"""Chains of elementwise functions of an integer, in exact and in error-bounded arithmetic.

A chain is f(q) = s_n(... s_1(q)) for every channel. Its constants are rationals: every float is one, so
nothing is lost when it is read. A chain is evaluated in three ways:

- `evaluate`, in float64, over arrays [C, ...];
- `bounded`, in float64 with a bound of the error of each result: products and sums are split by
  error-free transformations (Dekker, Knuth), so the bound is 0 wherever float64 was exact;
- `exact`, in rationals, for one channel and one integer.

Sigmoid, Tanh, Silu and the negative side of Elu are by definition their float64 values at the argument
rounded to float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np

from bitwright.network.types import Floats, Ints

EPSILON = 2.0**-52
Rationals = tuple[Fraction, ...]
Bounded = tuple[Floats, Floats]


def rationals(values: object) -> Rationals:
    """Floats or integers, one or per channel, as rationals; the reciprocal of a float32 is meant exactly.

    1/6 is no float: a division by 6 arrives as the float64 nearest to 1/6. Such a constant counts as the
    rational 1/6, so that what the model's own arithmetic would call a tie is one.
    """
    return tuple(_rational(float(v)) for v in np.atleast_1d(np.asarray(values, np.float64)))


def _rational(value: float) -> Fraction:
    if value != 0 and np.float64(np.float32(value)) != value:
        divisor = np.float64(np.float32(1 / value))
        if np.isfinite(divisor) and divisor != 0 and 1 / divisor == value:
            return 1 / Fraction(float(divisor))
    return Fraction(value)


def _mirror(values: Rationals) -> Bounded:
    """Rationals as float64 [C or 1] and the error that this makes."""
    near = [float(v) for v in values]
    error = [0.0 if v == Fraction(f) else abs(float(v - Fraction(f))) for v, f in zip(values, near, strict=True)]
    return np.array(near), np.array(error)


def _column(values: Floats, x: Floats) -> Floats:
    """Per-channel numbers that broadcast over x [C, ...]."""
    return values.reshape(-1, *[1] * (x.ndim - 1))


def two_product(a: Floats, b: Floats) -> Bounded:
    """Rounded product and its exact error, by Dekker's splitting."""
    product = a * b
    split = 134217729.0
    ah = split * a - (split * a - a)
    bh = split * b - (split * b - b)
    al, bl = a - ah, b - bh
    return product, np.abs(((ah * bh - product) + ah * bl + al * bh) + al * bl)


def two_sum(a: Floats, b: Floats) -> Bounded:
    """Rounded sum and its exact error, by Knuth."""
    total = a + b
    other = total - a
    return total, np.abs((a - (total - other)) + (b - other))


class Step:
    """What a chain is made of: a function with constants that are one number, or one per channel.

    valley: where a function that falls and then rises turns.
    """

    valley: ClassVar[float | None] = None

    def evaluate(self, x: Floats) -> Floats:
        """f(x) in float64; x [C, ...]."""
        raise NotImplementedError

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        """f(x) and a bound of its error, given that of x."""
        raise NotImplementedError

    def exact(self, x: Fraction, c: int) -> Fraction:
        """f(x) of channel c."""
        raise NotImplementedError

    def direction(self) -> Ints:
        """+1 rising (or constant), -1 falling, 0 neither; [C or 1]."""
        return np.ones(1, int)

    def map(self, change: Callable[[Rationals], Rationals]) -> Step:
        """The step with other per-channel constants."""
        return self

    def complement(self) -> tuple[Step, ...]:
        """1 - f(x) in other steps; none where there are no better ones."""
        return ()


@dataclass(frozen=True)
class Affine(Step):
    """x * scale + shift."""

    scale: Rationals
    shift: Rationals

    @cached_property
    def _floats(self) -> tuple[Bounded, Bounded]:
        return _mirror(self.scale), _mirror(self.shift)

    def evaluate(self, x: Floats) -> Floats:
        (scale, _), (shift, _) = self._floats
        return x * _column(scale, x) + _column(shift, x)

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        (scale, scale_error), (shift, shift_error) = ((_column(a, x), _column(e, x)) for a, e in self._floats)
        product, lost = two_product(x, scale)
        total, more = two_sum(product, shift)
        return total, lost + more + np.abs(scale) * error + (np.abs(x) + error) * scale_error + shift_error

    def exact(self, x: Fraction, c: int) -> Fraction:
        return x * self.scale[c % len(self.scale)] + self.shift[c % len(self.shift)]

    def direction(self) -> Ints:
        return np.array([-1 if s < 0 else 1 for s in self.scale])

    def map(self, change: Callable[[Rationals], Rationals]) -> Affine:
        return Affine(change(self.scale), change(self.shift))


@dataclass(frozen=True)
class Clip(Step):
    """min(max(x, low), high); None is no bound."""

    low: Fraction | None
    high: Fraction | None

    def evaluate(self, x: Floats) -> Floats:
        return np.clip(x, *self._floats)

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        low, high = self._floats
        certain = (x + error < low) | (x - error > high)
        return np.clip(x, low, high), np.where(certain, 0.0, error)

    @property
    def _floats(self) -> tuple[float, float]:
        return (
            -np.inf if self.low is None else float(self.low),
            np.inf if self.high is None else float(self.high),
        )

    def exact(self, x: Fraction, c: int) -> Fraction:
        x = x if self.low is None else max(x, self.low)
        return x if self.high is None else min(x, self.high)


@dataclass(frozen=True)
class Leaky(Step):
    """x where x >= 0, x * slope below; with a negative slope a valley at 0."""

    slope: Rationals
    valley: ClassVar[float] = 0.0

    @cached_property
    def _floats(self) -> Bounded:
        return _mirror(self.slope)

    def evaluate(self, x: Floats) -> Floats:
        return np.where(x >= 0, x, x * _column(self._floats[0], x))

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        slope, slope_error = (_column(a, x) for a in self._floats)
        product, lost = two_product(x, slope)
        below = lost + np.abs(slope) * error + (np.abs(x) + error) * slope_error
        spread = error * (1 + np.abs(slope))  # of an argument that may lie on either side of 0
        return np.where(x >= 0, x, product), np.where(x - error >= 0, error, np.where(x + error < 0, below, spread))

    def exact(self, x: Fraction, c: int) -> Fraction:
        return x if x >= 0 else x * self.slope[c % len(self.slope)]

    def direction(self) -> Ints:
        return np.array([0 if s < 0 else 1 for s in self.slope])

    def map(self, change: Callable[[Rationals], Rationals]) -> Leaky:
        return Leaky(change(self.slope))


ONE, ZERO = Fraction(1), Fraction(0)
NEGATION, COMPLEMENT = Affine((-ONE,), (ZERO,)), Affine((-ONE,), (ONE,))


@dataclass(frozen=True)
class Chain:
    """Steps one after the other; the constants of each are one, or one per channel."""

    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> Chain:
        """The chain with further steps; 1 - sigmoid(x) becomes sigmoid(-x)."""
        if self.steps and steps == (COMPLEMENT,) and (better := self.steps[-1].complement()):
            return Chain((*self.steps[:-1], *better))
        return Chain((*self.steps, *steps))

    def merged(self) -> Chain:
        """The chain with neighboring affine functions in one."""
        found: list[Step] = []
        for step in self.steps:
            both = Chain((found[-1], step)).affine() if found else None
            found[-1 if both else len(found) :] = [both or step]
        return Chain(tuple(found))

    def evaluate(self, x: Floats) -> Floats:
        """f(x) in float64; x [C, ...]."""
        for step in self.steps:
            x = step.evaluate(x)
        return x

    def bounded(self, x: Floats, error: Floats | float = 0.0) -> Bounded:
        """f(x) in float64 and a bound of its error, which is 0 where the result is exact; x itself may have one."""
        error = np.broadcast_to(np.float64(error), x.shape)
        for step in self.steps:
            x, error = step.bounded(x, error)
            error = np.where(np.isfinite(error), error * (1 + 2.0**-40), np.inf)
        return x, error

    def exact(self, q: int | Fraction, c: int) -> Fraction:
        """f(q) of channel c."""
        x = Fraction(q)
        for step in self.steps:
            x = step.exact(x, c)
        return x

    def directions(self) -> Ints:
        """+1 rising (or constant), -1 falling, 0 neither; [C or 1]."""
        found = np.ones(1, int)
        for step in self.steps:
            found = found * step.direction()
        return found

    def affine(self) -> Affine | None:
        """The chain as one exact affine function, where it is one."""
        scale: Rationals = (ONE,)
        shift: Rationals = (ZERO,)
        for step in self.steps:
            if not isinstance(step, Affine):
                return None
            scale, shift = (
                combine(scale, step.scale, lambda a, b: a * b),
                combine(combine(shift, step.scale, lambda a, b: a * b), step.shift, lambda a, b: a + b),
            )
        return Affine(scale, shift)

    def map(self, change: Callable[[Rationals], Rationals]) -> Chain:
        """The chain with other per-channel constants: `change` gets one number, or one per channel."""
        return Chain(tuple(step.map(change) for step in self.steps))


@dataclass(frozen=True, eq=False)
class Product(Step):
    """left(x) * right(x), as x * sigmoid(x) with a quantizer on both branches is.

    Of any shape, so only values of few bits can be tabulated.
    """

    left: Chain
    right: Chain

    def evaluate(self, x: Floats) -> Floats:
        return self.left.evaluate(x) * self.right.evaluate(x)

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        (a, more), (b, less) = self.left.bounded(x, error), self.right.bounded(x, error)
        product, lost = two_product(a, b)
        with np.errstate(invalid="ignore"):  # an unknown error times 0 is unknown, too
            return product, lost + np.abs(a) * less + np.abs(b) * more + more * less

    def exact(self, x: Fraction, c: int) -> Fraction:
        return self.left.exact(x, c) * self.right.exact(x, c)

    def direction(self) -> Ints:
        return np.zeros(1, int)

    def map(self, change: Callable[[Rationals], Rationals]) -> Product:
        return Product(self.left.map(change), self.right.map(change))


def combine(a: Rationals, b: Rationals, function: Callable[[Fraction, Fraction], Fraction]) -> Rationals:
    """Elementwise over two per-channel sequences, either of which may have a single entry."""
    length = max(len(a), len(b))
    return tuple(function(x, y) for x, y in zip(spread(a, length), spread(b, length), strict=True))


def spread(a: Sequence[Fraction], channels: int) -> Rationals:
    """One number for every channel."""
    return tuple(a) if len(a) == channels else tuple(a) * channels


def single(values: Rationals) -> Rationals:
    """One number where all channels agree."""
    return values[:1] if len(set(values)) == 1 else values
