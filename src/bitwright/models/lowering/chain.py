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
from typing import Protocol

import numpy as np

from bitwright.models.graph import FloatNode
from bitwright.network.types import Floats, Ints

EPSILON = 2.0**-52
SILU_VALLEY = -1.2784645427610738
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


@dataclass(frozen=True)
class Affine:
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
class Clip:
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

    def direction(self) -> Ints:
        return np.ones(1, int)

    def map(self, change: Callable[[Rationals], Rationals]) -> Clip:
        return self


@dataclass(frozen=True)
class Leaky:
    """x where x >= 0, x * slope below; with a negative slope a valley at 0."""

    slope: Rationals
    valley = 0.0

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


@dataclass(frozen=True)
class Smooth:
    """An activation without constants per channel: Sigmoid, Tanh, HardSwish, Silu, Elu or Sign.

    `steepness` bounds its slope; HardSwish and Silu have a valley.
    """

    kind: str
    alpha: float = 1.0

    def evaluate(self, x: Floats) -> Floats:
        return _SMOOTH[self.kind](x, self.alpha)

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        y = self.evaluate(x)
        if self.kind == "Sign":
            return y, np.where(np.abs(x) > error, 0.0, np.where(error == 0, 0.0, 2.0))
        if self.kind == "HardSwish":
            whole = np.abs(x) - error >= 3
            rounded = 1.5 * error + 8 * EPSILON * (np.abs(x) + 1)
            return y, np.where(whole, np.where(x > 0, error, 0.0), rounded)
        steepness = max(1.1, self.alpha)
        return y, np.where(error == 0, 0.0, steepness * error + 8 * EPSILON * (np.abs(y) + EPSILON))

    def exact(self, x: Fraction, c: int) -> Fraction:
        if self.kind == "Sign":
            return Fraction((x > 0) - (x < 0))
        if self.kind == "HardSwish":
            return x * min(max(x + 3, Fraction(0)), Fraction(6)) / 6
        if self.kind == "Elu" and x >= 0:
            return x
        return Fraction(float(self.evaluate(np.array([float(x)]))[0]))

    def direction(self) -> Ints:
        return np.array([0 if self.kind in ("HardSwish", "Silu") else 1])

    @property
    def valley(self) -> float:
        return -1.5 if self.kind == "HardSwish" else SILU_VALLEY

    def map(self, change: Callable[[Rationals], Rationals]) -> Smooth:
        return self


def _sigmoid(x: Floats, alpha: float) -> Floats:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


_SMOOTH: dict[str, Callable[[Floats, float], Floats]] = {
    "Sigmoid": _sigmoid,
    "Tanh": lambda x, alpha: np.tanh(x),
    "HardSwish": lambda x, alpha: np.where(x >= 3, x, np.where(x <= -3, 0.0, x * (x + 3) / 6)),
    "Silu": lambda x, alpha: x * _sigmoid(x, alpha),
    "Elu": lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "Sign": lambda x, alpha: np.sign(x),
}


class Step(Protocol):
    """What a chain is made of; `elementwise` has those that hold quantizers."""

    def evaluate(self, x: Floats) -> Floats:
        """f(x) in float64; x [C, ...]."""

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        """f(x) and a bound of its error, given that of x."""

    def exact(self, x: Fraction, c: int) -> Fraction:
        """f(x) of channel c."""

    def direction(self) -> Ints:
        """+1 rising (or constant), -1 falling, 0 neither; [C or 1]."""

    def map(self, change: Callable[[Rationals], Rationals]) -> Step:
        """The step with other per-channel constants."""


ONE, ZERO = Fraction(1), Fraction(0)
RELU = Clip(ZERO, None)
SIGMOID = Smooth("Sigmoid")
NEGATION, COMPLEMENT = Affine((-ONE,), (ZERO,)), Affine((-ONE,), (ONE,))


def steps_of(node: FloatNode) -> tuple[Step, ...]:
    """The steps of an elementwise float node; a `KeyError` for any other."""
    a = node.attributes
    made: dict[str, Callable[[], tuple[Step, ...]]] = {
        "Affine": lambda: (Affine(rationals(a["scale"]), rationals(a["shift"])),),
        "Relu": lambda: (RELU,),
        "Clip": lambda: (Clip(_bound(a["low"]), _bound(a["high"])),),
        "LeakyRelu": lambda: (Leaky(rationals(a["slope"])),),
        "HardSigmoid": lambda: (Affine(rationals(a["alpha"]), rationals(a["beta"])), Clip(ZERO, ONE)),
        "Elu": lambda: (Smooth("Elu", float(a["alpha"])),),
    }
    if node.kind in ("Sigmoid", "Tanh", "HardSwish", "Silu", "Sign"):
        return (Smooth(node.kind),)
    return made[node.kind]()


def _bound(value: float) -> Fraction | None:
    return Fraction(float(value)) if np.isfinite(value) else None


ELEMENTWISE = (
    "Affine",
    "Relu",
    "Clip",
    "LeakyRelu",
    "HardSigmoid",
    "Elu",
    "Sigmoid",
    "Tanh",
    "HardSwish",
    "Silu",
    "Sign",
)


@dataclass(frozen=True)
class Chain:
    """Steps one after the other; the constants of each are one, or one per channel."""

    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> Chain:
        """The chain with further steps; 1 - sigmoid(x) becomes sigmoid(-x)."""
        if self.steps and self.steps[-1] == SIGMOID and steps == (COMPLEMENT,):
            return Chain((*self.steps[:-1], NEGATION, SIGMOID))
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
