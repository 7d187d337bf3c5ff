# SPDX-License-Identifier: Apache-2.0
"""Functions of one number as formulas of elementary ones, which are called as ONNX calls them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from bitwright.models.exact.chain import EPSILON, Bounded, Step
from bitwright.network.types import Array, Floats, Ints

MOST_PARTS = 64  # of a formula


@dataclass(frozen=True, eq=False)
class Formula:
    """An operation of `OPERATIONS` on numbers and formulas; "x" is the number that it is a function of."""

    operation: str
    arguments: tuple[Formula | float, ...] = ()


X = Formula("x")


FEW = 1024  # values for which the import of SciPy takes longer than it saves


def erf(x: Array) -> Array:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x, of each element, to an ulp."""
    if np.size(x) <= FEW:
        return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.float64)
    from scipy.special import erf as of_many

    return np.asarray(of_many(x))


OPERATIONS: Mapping[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Neg": np.negative,
    "Max": np.maximum,
    "Min": np.minimum,
    "Abs": np.abs,
    "Sign": np.sign,
    "Relu": lambda x: np.maximum(x, 0.0),
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Reciprocal": lambda x: 1 / x,
    "Erf": erf,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "Asin": np.arcsin,
    "Acos": np.arccos,
    "Atan": np.arctan,
    "Sinh": np.sinh,
    "Cosh": np.cosh,
    "Tanh": np.tanh,
    "Asinh": np.arcsinh,
    "Acosh": np.arccosh,
    "Atanh": np.arctanh,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Equal": np.equal,
    "Not": np.logical_not,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Where": np.where,
}


def parts(formula: Formula) -> list[Formula]:
    """The formulas that one consists of, each once, those that others need first."""
    found: dict[int, Formula] = {}

    def visit(part: Formula) -> None:
        if id(part) not in found:
            for argument in part.arguments:
                if isinstance(argument, Formula):
                    visit(argument)
            found[id(part)] = part

    visit(formula)
    return list(found.values())


def computed(formula: Formula, x: Any, operations: Mapping[str, Callable[..., Any]]) -> Any:
    """What a formula gives for x, with operations on whatever x is."""
    values: dict[int, Any] = {}
    for part in parts(formula):
        arguments = [values[id(a)] if isinstance(a, Formula) else a for a in part.arguments]
        values[id(part)] = operations[part.operation](*arguments) if part.arguments else x
    return values[id(formula)]


@dataclass(frozen=True, eq=False)
class Computed(Step):
    """A formula as a step of a chain: of any shape, so only values of few bits can be tabulated."""

    formula: Formula

    def evaluate(self, x: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(computed(self.formula, np.asarray(x, np.float64), OPERATIONS), np.float64)

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        """The error is estimated from the values around x; it is 0 where x has none, by definition."""
        y = self.evaluate(x)
        around = np.maximum(np.abs(self.evaluate(x - error) - y), np.abs(self.evaluate(x + error) - y))
        return y, np.where(error == 0, 0.0, 2 * around + 8 * EPSILON * (np.abs(y) + EPSILON))

    def exact(self, x: Fraction, c: int) -> Fraction:
        return Fraction(float(self.evaluate(np.array([float(x)]))[0]))

    def direction(self) -> Ints:
        return np.zeros(1, int)
