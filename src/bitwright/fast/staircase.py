# SPDX-License-Identifier: Apache-2.0
"""Monotone steps as floating-point staircases, with proof.

A staircase is y = clip(floor(fl(fl(x * m) + b)), low, high), one m and b a channel. Each of its
operations is monotone in x, so it equals a monotone step function for every integer x of [x_low, x_high]
as soon as it does so at both sides of every step, x = T_k and x = T_k - 1, and at both ends. That is
checked in the very arithmetic that is used later; nothing rests on an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bitwright.network.ops import Requantize, Rounding, Threshold
from bitwright.network.types import Array, Floats, Interval, Ints

SEARCH_STEPS = 48  # of the golden-section search for a slope
ALL_BUT_NONE = 0.95  # share of channels that fail at the first guess at which no more are made
HOPELESS = 0.6  # share of channels left after the first guesses at which no more are made
MAX_STEPS = 1024  # steps a channel that are tabulated for a proof
FloatType = type[np.floating[Any]]
Guess = tuple[Array, Array, Array, bool]  # m, b, margin, flat of a Staircase


@dataclass(frozen=True, eq=False)
class Steps:
    """y = base[c] + step[c] * (number of k with x >= thresholds[c, k]); as `Threshold`, channels spelt out.

    thresholds [C, K] ascending, base and step [C]; x of channel c lies in [x.low[c], x.high[c]].
    slope [C]: distance of the thresholds, where it is known from a multiplier.
    """

    thresholds: Ints
    base: Ints
    step: Ints
    x: Interval
    slope: Floats | None = None

    def __call__(self, x: Ints) -> Ints:
        """The exact function of x [C, n], int64."""
        count = np.empty_like(x)
        for c, row in enumerate(self.thresholds):
            count[c] = np.searchsorted(row, x[c], side="right")
        return self.base[:, None] + self.step[:, None] * count

    @cached_property
    def ends(self) -> tuple[Ints, Ints]:
        """Smallest and largest y of each channel over the interval of x, int64 [C]."""
        y = self(np.stack([self.x.low, self.x.high], axis=1))
        return y.min(axis=1), y.max(axis=1)

    @cached_property
    def points(self) -> Ints:
        """x at both sides of every step and at both ends, clipped to the interval, int64 [C, n]."""
        low, high = self.x.low[:, None], self.x.high[:, None]
        t = self.thresholds
        return np.concatenate([low, np.clip(t - 1, low, high), np.clip(t, low, high), high], axis=1)

    @cached_property
    def exact(self) -> Ints:
        """y at `points`."""
        return self(self.points)

    def equal(self, form: Callable[[Ints], Array], channels: Ints | slice = slice(None)) -> npt.NDArray[np.bool_]:
        """In which of the channels a form of x [C, n], monotone in x, equals the steps everywhere."""
        right: npt.NDArray[np.bool_] = np.all(form(self.points[channels]) == self.exact[channels], axis=1)
        return right

    @cached_property
    def active(self) -> npt.NDArray[np.bool_]:
        """Which thresholds lie inside the interval of x, bool [C, K]."""
        return (self.thresholds > self.x.low[:, None]) & (self.thresholds <= self.x.high[:, None])

    @cached_property
    def levels(self) -> tuple[Array, Array, Ints]:
        """Active steps as points (u = T_k - 1/2, k) [C, K], and their number [C]; inactive places repeat one."""
        active = self.active
        count: Ints = active.sum(axis=1)
        number = np.broadcast_to(np.arange(1.0, active.shape[1] + 1), active.shape)
        first = active.argmax(axis=1)[:, None] if active.shape[1] else np.zeros((len(count), 0), np.int64)
        u = self.thresholds - 0.5
        u = np.where(active, u, np.take_along_axis(u, first, 1))
        k = np.where(active, number, np.take_along_axis(number, first, 1))
        return u, k, count

    @cached_property
    def line(self) -> tuple[Floats, Floats, Floats]:
        """The line u = slope * k + center of least maximal deviation: (slope, center, deviation), each [C]."""
        u, k, count = self.levels
        slope = _best_slope(u, k, count) if self.slope is None else self.slope
        if u.shape[1]:  # with one step the slope is free: the next one is put beyond the interval
            reach = np.maximum(self.x.high - u[:, 0], u[:, 0] - self.x.low) + 1
            slope = np.where(count == 1, 2.0 ** np.ceil(np.log2(np.maximum(reach, 1))), slope)
        return slope, *spread(u, k, slope)


@dataclass(frozen=True, eq=False)
class Staircase:
    """y = clip(floor(x * m + b), low, high); m, b [C] of one float type; low, high int64 [C].

    flat: x * m + b is an integer for every integer x, so that the floor may be left out.
    margin [C]: distance that x * m + b keeps from the steps at every integer x, in exact arithmetic.
    """

    m: Array
    b: Array
    low: Ints
    high: Ints
    flat: bool
    margin: Array

    def __call__(self, x: Ints) -> Array:
        """The function as it is computed, in the float type of m; x int64 [C, n]."""
        y = x.astype(self.m.dtype) * self.m[:, None] + self.b[:, None]
        z: Array = np.clip(np.floor(y), self.low[:, None], self.high[:, None])
        return z


def steps_of(op: Threshold | Requantize, x: Interval) -> Steps | None:
    """The steps of a monotone operation; None where it has too many of them or is random."""
    channels = len(x.low)
    if isinstance(op, Threshold):
        if op.thresholds.shape[1] > MAX_STEPS:
            return None
        rows = np.broadcast_to(op.thresholds, (channels, op.thresholds.shape[1]))
        return Steps(rows, np.broadcast_to(op.base, channels), np.broadcast_to(op.step, channels), x)
    if op.rounding is Rounding.STOCHASTIC:
        return None
    return _requantize_steps(op, x)


def _requantize_steps(op: Requantize, x: Interval) -> Steps | None:
    """Where a Requantize steps: y >= k where x * multiplier + bias >= the least product that rounds to k."""
    channels = len(x.low)
    ends = op.evaluate(np.stack([x.low, x.high]))
    low, high = int(ends.min()), int(ends.max())
    if high - low > MAX_STEPS:
        return None
    multiplier, bias, shift = (np.broadcast_to(a, channels)[:, None] for a in (op.multiplier, op.bias, op.shift))
    k = np.arange(low + 1, high + 1, dtype=np.int64)[None] - op.zero_point
    product = _least_product(k, shift, op.rounding) - bias
    rising = multiplier > 0
    safe = np.where(multiplier == 0, 1, multiplier)
    up = -((-product) // safe)  # least x with x * multiplier >= product
    down = product // safe + 1  # with a negative multiplier: least x with x * multiplier < product
    thresholds = np.where(rising, up, down[:, ::-1])
    beyond = x.high[:, None] + 1
    thresholds = np.where(multiplier == 0, beyond, np.clip(thresholds, x.low[:, None], beyond))
    constant = op.evaluate(x.low[None])[0]
    base = np.where(rising[:, 0], low, np.where(multiplier[:, 0] == 0, constant, high))
    slope = 2.0 ** shift[:, 0] / np.abs(safe[:, 0])
    return Steps(thresholds, base, np.where(multiplier[:, 0] < 0, -1, 1), x, slope)


def _least_product(k: Ints, shift: Ints, rounding: Rounding) -> Ints:
    """The least v with round(v / 2**shift) >= k."""
    half = (np.int64(1) << shift) >> 1
    if rounding is Rounding.FLOOR:
        return k << shift
    least = (k << shift) - half
    fraction = (shift > 0).astype(np.int64)
    if rounding is Rounding.HALF_EVEN:
        return np.asarray(least + (k & 1) * fraction)  # a tie goes down to k - 1 where that is even
    if rounding is Rounding.HALF_AWAY:
        return np.asarray(least + (k <= 0) * fraction)
    return least


def fit(steps: Steps, dtype: FloatType) -> Staircase | None:
    """A staircase in `dtype` that is proved equal to `steps`; None where none was found."""
    for solve in (_single_step, _line):
        for m, b, margin, flat in solve(steps, dtype):
            found = _proved(steps, m, b, margin, flat)
            if found is not None:
                return found
    return None


def _proved(steps: Steps, m: Array, b: Array, margin: Array, flat: bool) -> Staircase | None:
    """The staircase with these m, b if it equals `steps`: with clip bounds common to all channels, or else its own."""
    low, high = steps.ends
    whole = np.full_like(low, low.min()), np.full_like(high, high.max())
    for bounds in (whole, (low, high)):
        candidate = Staircase(m, b, *bounds, flat, margin)
        if np.all(steps.equal(candidate)):
            return candidate
    return None


def _single_step(steps: Steps, dtype: FloatType) -> Iterator[Guess]:
    """Where no channel has more than one step: y = step * (x - T) + step + base is an integer already."""
    active = steps.active
    if active.sum(axis=1).max(initial=0) > 1:
        return
    has = active.any(axis=1)
    t = np.zeros_like(steps.base)
    if active.size:
        t = np.where(has, np.take_along_axis(steps.thresholds, active.argmax(axis=1)[:, None], 1)[:, 0], 0)
    before = steps(steps.x.low[:, None])[:, 0]
    m = np.where(has, steps.step, 0)
    b = np.where(has, before + steps.step - steps.step * t, before)
    yield m.astype(dtype), b.astype(dtype), np.where(has, 0.5, np.inf), True


def _line(steps: Steps, dtype: FloatType) -> Iterator[Guess]:
    """Lines through the steps: x * m + b crosses level k between T_k - 1 and T_k."""
    if np.any(np.abs(steps.step) != 1):
        return
    u, k, count = steps.levels
    slope, center, deviation = steps.line
    sign = steps.step.astype(np.float64)
    inverse = np.where(count > 0, 1 / slope, 0.0)
    start = steps.base + np.where(sign < 0, 1, 0)
    constant = steps(steps.x.low[:, None])[:, 0] + 0.5
    margin = np.where(count > 0, inverse * (0.5 - deviation), 0.5)
    if np.any(margin <= 0):
        return
    m = (sign * inverse).astype(dtype)
    b = np.where(count > 0, start - sign * center * inverse, constant).astype(dtype)
    yield m, b, margin, False
    yield from ((m, b, margin, False) for m, b in _neighbors(steps, m, b, u, k, start))


def spread(u: Array, k: Array, slope: Floats) -> tuple[Floats, Floats]:
    """Center and half width of u - slope * k in each channel."""
    rest = u - slope[:, None] * k
    low, high = rest.min(axis=1), rest.max(axis=1)
    return (low + high) / 2, (high - low) / 2


def _best_slope(u: Array, k: Array, count: Ints) -> Floats:
    """The slope of the line u = slope * k + center of least maximal deviation, [C].

    The half width is convex in the slope; a golden-section search finds its minimum.
    """
    levels = k.max(axis=1) - k.min(axis=1)
    rise = np.maximum(u.max(axis=1) - u.min(axis=1), 0)
    middle = rise / np.maximum(levels, 1)
    low = np.maximum(middle - 1.5 / np.maximum(levels, 1), 1 / (2 * np.maximum(count, 1)))
    high = np.maximum(middle + 1.5 / np.maximum(levels, 1), low)
    ratio = (np.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = spread(u, k, a)[1], spread(u, k, b)[1]
    for _ in range(SEARCH_STEPS):
        left = at_a <= at_b
        low, high = np.where(left, low, a), np.where(left, b, high)
        new = np.where(left, high - ratio * (high - low), low + ratio * (high - low))
        at_new = spread(u, k, new)[1]
        a, b = np.where(left, new, b), np.where(left, a, new)
        at_a, at_b = np.where(left, at_new, at_b), np.where(left, at_a, at_new)
    return np.asarray((low + high) / 2)


def _neighbors(steps: Steps, m: Array, b: Array, u: Array, k: Array, start: Ints) -> Iterator[tuple[Array, Array]]:
    """One better guess: for each channel that fails, the first (m, b) close by whose rounding errors do no harm."""
    low, high = steps.ends
    bad = np.flatnonzero(~steps.equal(Staircase(m, b, low, high, False, low)))
    failed = len(bad)
    if failed > ALL_BUT_NONE * len(m):
        return
    m, b = m.copy(), b.copy()
    sign = steps.step.astype(np.float64)
    for i in (0, 1, -1, 2, -2, 3, -3, 4, -4):
        slanted = m[bad] * m.dtype.type(1 + i * np.finfo(m.dtype).eps)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(slanted != 0, np.abs(1 / slanted.astype(np.float64)), 0.0)
            center = start[bad] - sign[bad] * spread(u[bad], k[bad], slope)[0] / slope
        for j in (0, 1, -1, 2, -2, 3, -3, 4, -4, 6, -6, 8, -8):
            moved = center.astype(m.dtype)
            moved = moved + j * np.spacing(moved)
            trial = Staircase(slanted, moved, low[bad], high[bad], False, low[bad])
            right = steps.equal(trial, bad)
            m[bad[right]], b[bad[right]] = slanted[right], moved[right]
            bad, slanted, center = bad[~right], slanted[~right], center[~right]
            if not len(bad):
                yield m, b
                return
        if i == 0 and len(bad) > HOPELESS * failed:
            return
