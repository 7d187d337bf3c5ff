# SPDX-License-Identifier: Apache-2.0
"""Products of two functions of one value, and quantizers, as steps of a chain.

A product reads one quantized value x twice, as x * sigmoid(x) with a quantizer on both branches does:
y = left(x) * right(x). Each side is a chain whose quantizers put what passes them on their grids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import ZERO, Bounded, Chain, Rationals, Step, two_product
from bitwright.models.exact.quantizer import Quantizer
from bitwright.network.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class Snap(Step):
    """A quantizer inside a chain: x -> (code(x) - zero_point) * scale."""

    quantizer: Quantizer

    def evaluate(self, x: Floats) -> Floats:
        return self._real(Steps.of(self.quantizer).estimate(x))[0]

    def bounded(self, x: Floats, error: Floats) -> Bounded:
        steps = Steps.of(self.quantizer)
        codes = steps.estimate(x)
        real, lost = self._real(codes)
        return real, np.where(steps.confirmed(codes, x, error), lost, np.inf)

    def _real(self, codes: Floats) -> Bounded:
        q = self.quantizer
        column = (-1, *[1] * (codes.ndim - 1))
        zero = 0.0 if q.dtype.bipolar else q.zero_point.reshape(column)
        return two_product(codes - zero, np.broadcast_to(q.scale.reshape(column), codes.shape))

    def exact(self, x: Fraction, c: int) -> Fraction:
        steps = Steps.of(self.quantizer)
        zero = ZERO if self.quantizer.dtype.bipolar else steps.zero[c % len(steps.zero)]
        return (steps.code(x, c) - zero) * steps.scale[c % len(steps.scale)]

    def map(self, change: Callable[[Rationals], Rationals]) -> Snap:
        def changed(values: Floats) -> Floats:
            return np.array([float(v) for v in change(tuple(Fraction(float(v)) for v in values))])

        q = self.quantizer
        return Snap(replace(q, scale=changed(q.scale), zero_point=changed(q.zero_point)))


@dataclass(frozen=True, eq=False)
class Product(Step):
    """left(x) * right(x); of any shape, so only values of few bits can be tabulated."""

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
