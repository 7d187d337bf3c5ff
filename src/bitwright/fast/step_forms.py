# SPDX-License-Identifier: Apache-2.0
"""Threshold and Requantize as a few floating-point operations: which forms are exact, and how they are emitted.

A form is y = clip(round(x * m + b + random), low, high) + after, with one m and b a channel. It may
be swallowed by the product before it, whose weights and bias then carry m and b.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bitwright.fast.onnx_builder import Builder
from bitwright.fast.staircase import FloatType, Steps, fit
from bitwright.network.lfsr import draws
from bitwright.network.ops import Requantize, Rounding, Threshold
from bitwright.network.types import Array, Floats, Interval, Ints

UNIT = 2.0**-24  # unit roundoff of float32
EXACT: dict[FloatType, int] = {np.float32: 1 << 24, np.float64: 1 << 53}


@dataclass(frozen=True, eq=False)
class Form:
    """y = clip(round(x * m + b + random), low, high) + after; m, b float64 [C], low, high int64 [C].

    round: "floor", "even", "away" or "none" (the sum is an integer already).
    unit [C]: the form is exact because every term is a multiple of unit and small; None for a staircase,
    whose sum may be rounded and keeps the distance margin [C] from the steps in exact arithmetic.
    random: float64 [H, W, C] or [C], or None.
    """

    dtype: FloatType
    m: Floats
    b: Floats
    round: str
    low: Ints
    high: Ints
    after: int = 0
    unit: Array | None = None
    margin: Array | None = None
    random: Floats | None = None

    def holds(self, reach: Ints | int) -> bool:
        """Whether an exact form stays exact for sums whose partial sums of |x| stay within reach [C]."""
        terms = np.abs(self.m) * np.asarray(reach, np.float64) + np.abs(self.b) + (self.random is not None)
        whole = np.all(terms / self.unit <= EXACT[self.dtype])
        return bool(whole and terms.max() + abs(self.after) <= EXACT[self.dtype])

    def folds(self, reach: Ints, terms: int) -> bool:
        """Whether a float32 product of `terms` terms, sum |w x| <= reach [C], may carry m and b.

        A float32 sum of n terms, in any order, errs by at most n * u / (1 - n * u) * sum |terms|, u = 2**-24
        (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2); four more roundings
        stand for those of m, b and weight * m.
        """
        if self.dtype is not np.float32:
            return False
        if self.unit is not None:
            return self.holds(reach)
        assert self.margin is not None
        error = (terms + 5) * UNIT
        return error < 0.5 and bool(
            np.all(error / (1 - error) * (np.abs(self.m) * reach + np.abs(self.b)) < self.margin)
        )


def forms(op: Threshold | Requantize, steps: Steps | None, x: Interval, shape: tuple[int, ...]) -> Iterator[Form]:
    """The exact forms of a step operation on x, whose value has `shape`, the cheapest first.

    steps: of the operation, None where it has too many of them.
    """
    for dtype in (np.float32, np.float64):
        if x.reach > EXACT[dtype]:
            continue
        if isinstance(op, Requantize):
            form = _shifted(op, dtype, len(x.low), shape)
            if form.holds(x.reach):
                yield form
                continue
        stair = fit(steps, dtype) if steps else None
        if stair:
            unit = np.ones(len(x.low)) if stair.flat else None
            wanted = "none" if stair.flat else "floor"
            m, b = stair.m.astype(np.float64), stair.b.astype(np.float64)
            yield Form(dtype, m, b, wanted, stair.low, stair.high, unit=unit, margin=stair.margin)


def _shifted(op: Requantize, dtype: FloatType, channels: int, shape: tuple[int, ...]) -> Form:
    """(x * multiplier + bias) / 2**shift, every term of it exact, then one rounding."""
    multiplier, bias, shift = (np.broadcast_to(a, channels) for a in (op.multiplier, op.bias, op.shift))
    unit = 2.0**-shift
    b, mode, random, after = bias.astype(np.float64), "floor", None, op.zero_point
    if op.rounding is Rounding.HALF_UP:
        b = b + ((np.int64(1) << shift) >> 1)
    elif op.rounding is Rounding.HALF_EVEN:
        mode = "even"
    elif op.rounding is Rounding.HALF_AWAY:
        mode = "away"
    elif op.rounding is Rounding.STOCHASTIC:
        drawn = draws(op.seed, int(np.prod(shape))).reshape(shape)
        random = (drawn & ((np.int64(1) << shift) - 1)) * unit
    b = b * unit
    if mode == "floor" or (mode == "even" and after % 2 == 0):
        b, after = b + after, 0
    low, high = (np.full(channels, bound - after) for bound in (op.dtype.min, op.dtype.max))
    if not np.any(shift) and random is None:
        mode = "none"
    return Form(dtype, multiplier * unit, b, mode, low, high, after, unit=unit, random=random)


def per_channel(g: Builder, a: Array, dtype: FloatType, image: bool) -> str:
    """A per-channel operand; a scalar where all channels are alike."""
    a = np.asarray(a).astype(dtype)
    if np.all(a == a.flat[0]):
        return g.operand(a.flat[0].reshape(()))
    return g.operand(a.reshape((1, -1, 1, 1) if image else (1, -1)))


def emit(g: Builder, x: str, form: Form, image: bool) -> str:
    """The form on a value of its float type."""
    scaled, moved = bool(np.any(form.m != 1)), bool(np.any(form.b != 0))
    if form.unit is not None and scaled and moved:
        return emit_tail(g, _scale_and_move(g, x, form), form, image)
    if scaled:
        x = g.add("Mul", x, per_channel(g, form.m, form.dtype, image))
    if moved:
        x = g.add("Add", x, per_channel(g, form.b, form.dtype, image))
    return emit_tail(g, x, form, image)


def _scale_and_move(g: Builder, x: str, form: Form) -> str:
    """x * m + b in one pass: a batch normalization with mean 0 and variance 1.

    For exact forms only: it may or may not round between the product and the sum.
    """
    m, b, mean, variance = (
        g.operand(np.asarray(a, form.dtype)) for a in (form.m, form.b, np.zeros_like(form.m), np.ones_like(form.m))
    )
    return g.add("BatchNormalization", x, m, b, mean, variance, epsilon=0.0)


def emit_tail(g: Builder, x: str, form: Form, image: bool) -> str:
    """What follows x * m + b: random, clip, rounding, after."""
    dtype = form.dtype
    if form.random is not None:
        random = np.moveaxis(form.random, -1, 0) if image else form.random
        x = g.add("Add", x, g.operand(random[None].astype(dtype)))
    if form.round == "away":
        magnitude = g.add("Floor", g.add("Add", g.add("Abs", x), g.operand(np.array(0.5, dtype))))
        x = g.add("Mul", magnitude, g.add("Sign", x))
    x = clip(g, x, form.low, form.high, dtype, image)
    if form.round in ("floor", "even"):
        x = g.add({"floor": "Floor", "even": "Round"}[form.round], x)
    return g.add("Add", x, g.operand(np.array(form.after, dtype))) if form.after else x


def clip(g: Builder, x: str, low: Ints, high: Ints, dtype: FloatType, image: bool) -> str:
    """clip(x, low[c], high[c]); integer bounds commute with rounding, so the clip may stand before it."""
    if np.all(low == low[0]) and np.all(high == high[0]):
        return g.add("Clip", x, g.constant(np.array(low[0], dtype)), g.constant(np.array(high[0], dtype)))
    x = g.add("Max", x, per_channel(g, low, dtype, image))
    return g.add("Min", x, per_channel(g, high, dtype, image))
