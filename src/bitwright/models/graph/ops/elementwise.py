# SPDX-License-Identifier: Apache-2.0
"""Functions of each element: their steps, with which they are evaluated and made integer operations."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bitwright.models.exact import chain
from bitwright.models.exact.boundaries import Snap
from bitwright.models.exact.chain import EPSILON, ONE, ZERO, Bounded, Chain, Step, rationals
from bitwright.models.exact.formula import Computed, Formula, erf
from bitwright.models.exact.quantizer import Quantizer
from bitwright.models.graph.ops.base import Op, Shape
from bitwright.network.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class Pointwise(Op):
    """A function of each element, with constants per channel or without."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The function in exact and in float arithmetic: steps that follow one another."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Quant(Pointwise):
    """Floats in, floats on the quantizer's grid out."""

    quantizer: Quantizer

    @property
    def steps(self) -> tuple[Step, ...]:
        return (Snap(self.quantizer),)


@dataclass(frozen=True, eq=False)
class Elementwise(Pointwise):
    """A real function of each element, which folds into the quantizer behind it."""

    @property
    def limits(self) -> tuple[float, float] | None:
        """The least and the largest value, where they are parameters."""
        return None

    @property
    def by_table(self) -> bool:
        """Whether only a table over codes of few bits can hold it, since it may rise and fall at will."""
        return False


@dataclass(frozen=True, eq=False)
class Affine(Elementwise):
    """x * scale + shift, each [C or 1]."""

    scale: Floats
    shift: Floats

    def is_trivial(self, shape: Shape) -> bool:
        return bool(np.all(self.scale == 1) and np.all(self.shift == 0))

    @property
    def steps(self) -> tuple[Step, ...]:
        return (chain.Affine(rationals(self.scale), rationals(self.shift)),)


@dataclass(frozen=True, eq=False)
class Relu(Elementwise):
    """max(x, 0)."""

    homogeneous = True
    steps = (chain.Clip(ZERO, None),)


@dataclass(frozen=True, eq=False)
class Clip(Elementwise):
    """min(max(x, low), high); bounds may be infinite."""

    low: float
    high: float

    @property
    def limits(self) -> tuple[float, float]:
        return float(self.low), float(self.high)

    @property
    def steps(self) -> tuple[Step, ...]:
        return (chain.Clip(*(Fraction(v) if np.isfinite(v) else None for v in self.limits)),)


@dataclass(frozen=True, eq=False)
class LeakyRelu(Elementwise):
    """x where x >= 0, x * slope below, [C or 1]; also PReLU and the absolute value."""

    slope: Floats
    homogeneous = True

    @property
    def steps(self) -> tuple[Step, ...]:
        return (chain.Leaky(rationals(self.slope)),)


@dataclass(frozen=True, eq=False)
class HardSigmoid(Elementwise):
    """min(max(x * alpha + beta, 0), 1)."""

    alpha: float = 0.2
    beta: float = 0.5

    @property
    def limits(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def steps(self) -> tuple[Step, ...]:
        return chain.Affine(rationals(self.alpha), rationals(self.beta)), chain.Clip(ZERO, ONE)


@dataclass(frozen=True, eq=False)
class Product(Elementwise):
    """left(x) * right(x): what stands between x and each factor, in order."""

    left: tuple[Pointwise, ...]
    right: tuple[Pointwise, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        sides = (Chain(tuple(step for op in side for step in op.steps)) for side in (self.left, self.right))
        return (chain.Product(*sides),)

    @property
    def by_table(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class Function(Elementwise):
    """Any function of each element, given as a formula."""

    formula: Formula

    @property
    def steps(self) -> tuple[Step, ...]:
        return (Computed(self.formula),)

    @property
    def by_table(self) -> bool:
        return True


@dataclass(frozen=True)
class Activation(Elementwise, Step):
    """A function without constants per channel: a step of a chain by itself. `steepness` bounds its slope."""

    @property
    def steepness(self) -> float:
        return 1.1

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self,)

    def direction(self) -> Ints:
        return np.array([1 if self.valley is None else 0])

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        y = self.evaluate(x)
        return y, np.where(error == 0, 0.0, self.steepness * error + 8 * EPSILON * (np.abs(y) + EPSILON))

    def exact(self, x: Fraction, c: int) -> Fraction:
        return Fraction(float(self.evaluate(np.array([float(x)]))[0]))


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    def evaluate(self, x: Floats) -> Floats:
        small = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + small), small / (1 + small))

    def complement(self) -> tuple[Step, ...]:
        return chain.NEGATION, self


@dataclass(frozen=True)
class Tanh(Activation):
    def evaluate(self, x: Floats) -> Floats:
        return np.tanh(x)


@dataclass(frozen=True)
class Silu(Activation):
    """x * sigmoid(x), which has a valley."""

    valley = -1.2784645427610738

    def evaluate(self, x: Floats) -> Floats:
        return x * Sigmoid().evaluate(x)


@dataclass(frozen=True)
class Erf(Activation):
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""

    steepness = 1.2

    def evaluate(self, x: Floats) -> Floats:
        return erf(x)


@dataclass(frozen=True)
class Gelu(Activation):
    """x * (1 + erf(x / sqrt(2))) / 2, which has a valley."""

    steepness = 1.2
    valley = -0.7517915246935645

    def evaluate(self, x: Floats) -> Floats:
        return np.asarray(x * (1 + erf(x / np.sqrt(2))) / 2)


@dataclass(frozen=True)
class GeluTanh(Activation):
    """x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2, which has a valley."""

    steepness = 1.2
    valley = -0.7524614220710162

    def evaluate(self, x: Floats) -> Floats:
        return np.asarray(x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2)


@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp(x))."""

    def evaluate(self, x: Floats) -> Floats:
        return np.asarray(np.logaddexp(0.0, x))


@dataclass(frozen=True)
class Softsign(Activation):
    """x / (1 + |x|)."""

    def evaluate(self, x: Floats) -> Floats:
        return np.asarray(x / (1 + np.abs(x)))


@dataclass(frozen=True)
class Mish(Activation):
    """x * tanh(softplus(x)), which has a valley."""

    valley = -1.1924312145154952

    def evaluate(self, x: Floats) -> Floats:
        return np.asarray(x * np.tanh(np.logaddexp(0.0, x)))


@dataclass(frozen=True)
class Elu(Activation):
    """x where x >= 0, alpha * (exp(x) - 1) below."""

    alpha: float = 1.0

    @property
    def steepness(self) -> float:
        return max(1.1, self.alpha)

    def evaluate(self, x: Floats) -> Floats:
        return np.where(x >= 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def exact(self, x: Fraction, c: int) -> Fraction:
        return x if x >= 0 else super().exact(x, c)


@dataclass(frozen=True)
class HardSwish(Activation):
    """x * min(max(x + 3, 0), 6) / 6, which has a valley."""

    valley = -1.5

    def evaluate(self, x: Floats) -> Floats:
        return np.where(x >= 3, x, np.where(x <= -3, 0.0, x * (x + 3) / 6))

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        whole = np.abs(x) - error >= 3
        rounded = 1.5 * error + 8 * EPSILON * (np.abs(x) + 1)
        return self.evaluate(x), np.where(whole, np.where(x > 0, error, 0.0), rounded)

    def exact(self, x: Fraction, c: int) -> Fraction:
        return x * min(max(x + 3, ZERO), Fraction(6)) / 6


@dataclass(frozen=True)
class Sign(Activation):
    """-1, 0 or 1."""

    def evaluate(self, x: Floats) -> Floats:
        return np.sign(x)

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        return self.evaluate(x), np.where((np.abs(x) > error) | (error == 0), 0.0, 2.0)

    def exact(self, x: Fraction, c: int) -> Fraction:
        return Fraction((x > 0) - (x < 0))
