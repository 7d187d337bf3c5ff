# SPDX-License-Identifier: Apache-2.0
"""Exact tabulation: quantize(f(q)) for every integer q of a range, as operations of the integer network.

Let f be a chain of elementwise functions and Q a quantizer. Where f rises in channel c, Q(f(q)) >= k holds
from a smallest integer T[c, k] on; where it falls, Q(f(q)) < k does. The T are found by bisection over all
channels and codes at once in float64. Then f(T) and f(T - 1) are evaluated with an error bound
(`chain.bounded`): a threshold that the bound leaves open is decided in rational arithmetic. The result is
exact, ties included, for every integer of the input type.

A function with one valley or peak (HardSwish, Silu, |x|) is cut there into two monotone halves, and
Q(f(q)) = base + first(q) + second(q), each a count of thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import Chain, Product, Rationals
from bitwright.models.exact.formula import Computed
from bitwright.models.graph import Quantizer
from bitwright.models.lowering.requantize import exact_requantize, fixed_point, line, narrowest, searched_requantize
from bitwright.network.ops import Lookup, Op, Requantize, Rounding, Threshold
from bitwright.network.types import Array, IntType, ints

MAX_THRESHOLD_COUNT = 4096
FEW_STEPS = 15
LOOKUP_BITS, MAX_LOOKUP_BITS = 12, 16  # of what is tabulated where other forms exist, and where none does
CLOSEST_MULTIPLIER_BITS = 24


@dataclass(frozen=True, eq=False)
class Tabulated:
    """One operation on the input, or (falling, rising, narrowing): narrowing(falling(x) + rising(x)).

    `then` follow one after the other on the result, clamping it; `note` says where the result is only the closest
    that a Requantize can do.
    """

    ops: tuple[Op, ...]
    note: str = ""
    then: tuple[Op, ...] = ()

    @staticmethod
    def of(ops: tuple[Op, ...], note: str = "") -> Tabulated:
        """Operations one after the other."""
        return Tabulated(ops[:1], note, ops[1:])


@dataclass(frozen=True, eq=False)
class Tabulation:
    """Tabulate quantize(chain(q)) for q of an input type, over C channels."""

    chain: Chain
    quantizer: Quantizer
    dtype: IntType
    channels: int

    @property
    def steps(self) -> Steps:
        return Steps.of(self.quantizer)

    def column(self, a: npt.ArrayLike) -> Array:
        """Per-channel numbers [C or 1] as [C, 1]."""
        return np.broadcast_to(a, (self.channels,))[:, None]


def tabulate(
    chain: Chain, quantizer: Quantizer, dtype: IntType, channels: int, multiplier_bits: int | None = None
) -> Tabulated:
    """quantize(chain(q)), exactly, for every integer q of `dtype` in each of `channels` channels.

    The first that fits: Threshold for up to 15 steps; Requantize where one exists that is equal on the
    whole range, with some more that clamp where a clip ends inside the output's type; Threshold with more steps;
    Lookup where f is not monotone and q has at most 12 bits, or where it is smaller; for a valley or a peak the
    sum of two Thresholds. With `multiplier_bits`, chains of affine functions and clips become fixed point (see
    `fixed_point`), which rounds the multiplier; stochastic rounding always does. Raises `ModelError` where f has
    several valleys or peaks and q has many bits.
    """
    wanted = Tabulation(chain, quantizer, dtype, channels)
    stochastic = quantizer.rounding == Rounding.STOCHASTIC
    if multiplier_bits is not None or stochastic:
        ops = fixed_point(chain, quantizer, dtype, channels, multiplier_bits or CLOSEST_MULTIPLIER_BITS)
        if ops is not None and (len(ops) == 1 or stochastic or len(_reached(wanted)) > FEW_STEPS):
            return Tabulated.of(ops)
        if stochastic:
            raise ModelError("rounds stochastically after a function that is not affine; legal are affine and clip")
    if np.any(chain.directions() == 0):
        return _not_monotone(wanted)
    levels = _reached(wanted)
    if len(levels) > FEW_STEPS:
        straight = line(chain, quantizer, dtype, channels)
        ops = exact_requantize(straight, quantizer, dtype)
        if ops is not None:
            return Tabulated.of(ops)
        if len(levels) > MAX_THRESHOLD_COUNT:
            return _closest(wanted)
    falling = wanted.column(chain.directions() < 0)
    first = crossings(wanted, levels, falling, wanted.column(dtype.min), wanted.column(dtype.max))
    if len(levels) > FEW_STEPS:
        ops = searched_requantize(straight, dtype, levels, first, falling)
        if ops is not None:
            return Tabulated.of(ops)
    op = _threshold(wanted, levels, first, falling)
    if 2 * dtype.levels <= op.thresholds.shape[1]:
        return Tabulated((_lookup(wanted),))
    return Tabulated((op,))


def _closest(wanted: Tabulation) -> Tabulated:
    bits = CLOSEST_MULTIPLIER_BITS
    ops = fixed_point(wanted.chain, wanted.quantizer, wanted.dtype, wanted.channels, bits)
    if ops is None and wanted.dtype.bits <= MAX_LOOKUP_BITS:
        return Tabulated((_lookup(wanted),))
    if ops is None:
        raise ModelError(
            f"takes more than {MAX_THRESHOLD_COUNT} steps and is not affine; legal are quantizers of at most 12 bits, "
            f"or values of at most {MAX_LOOKUP_BITS} bits before the function"
        )
    return Tabulated.of(ops, f"rounded to a {bits}-bit multiplier: no exact one exists and the steps are too many")


def _reached(wanted: Tabulation) -> Array:
    """The codes k whose boundary may lie inside the range: a superset, ascending."""
    q = wanted.quantizer
    ends = np.broadcast_to(np.array([wanted.dtype.min, wanted.dtype.max], np.float64), (wanted.channels, 2))
    with np.errstate(all="ignore"):
        codes = wanted.steps.estimate(wanted.chain.evaluate(ends.copy()))
    if q.dtype.bipolar:
        return np.array([1])
    low, high = max(q.low, int(codes.min()) - 1), min(q.high, int(codes.max()) + 1)
    return np.arange(low + 1, min(high, low + 1 + MAX_THRESHOLD_COUNT) + 1)  # more need not be told


def crossings(wanted: Tabulation, levels: Array, falling: Array, low: Array, high: Array) -> Array:
    """The first integer of [low, high] from which on code >= k (rising) or code < k (falling); high + 1 for none.

    falling, low, high [C, 1]; the result is int64 [C, K]. f must be monotone on [low, high] in each channel.
    """
    limits.check_shape((wanted.channels, len(levels)), "its table of steps has")
    (limit, limit_error), inclusive = wanted.steps.limits(levels)

    def passed(q: Array) -> tuple[Array, Array]:
        value, error = wanted.chain.bounded(q.astype(np.float64))
        above = np.where(inclusive, value >= limit, value > limit)
        slack = error + limit_error
        return above != falling, (slack > 0) & ~(np.abs(value - limit) > slack)

    def reached(q: Array) -> Array:
        value = wanted.chain.evaluate(q.astype(np.float64))
        return np.asarray(np.where(inclusive, value >= limit, value > limit) != falling)

    shape = (wanted.channels, len(levels))
    least = np.broadcast_to(low, shape).astype(np.int64)
    most = np.broadcast_to(high, shape).astype(np.int64) + 1
    start, stop = least, most
    with np.errstate(all="ignore"):
        while np.any(least < most):
            middle = (least + most) >> 1
            yes = reached(middle)
            least, most = np.where(yes | (least >= most), least, middle + 1), np.where(yes, middle, most)
        at, open_at = passed(np.minimum(least, stop - 1))
        before, open_before = passed(np.maximum(least - 1, start))
    wrong = (least < stop) & (open_at | ~at) | (least > start) & (open_before | before)
    result = least.copy()
    for c, k in np.argwhere(wrong):
        result[c, k] = _settle(wanted, int(c), int(levels[k]), bool(falling[c, 0]), int(start[c, k]), int(stop[c, k]))
    return result


def _settle(wanted: Tabulation, c: int, level: int, falling: bool, low: int, high: int) -> int:
    """One threshold in rational arithmetic: bisection over [low, high)."""
    steps = wanted.steps
    while low < high:
        middle = (low + high) >> 1
        if (steps.code(wanted.chain.exact(middle, c), c) >= level) != falling:
            high = middle
        else:
            low = middle + 1
    return low


def _threshold(wanted: Tabulation, levels: Array, first: Array, falling: Array) -> Threshold:
    """Thresholds that always count move into the base; channels that are alike are given once."""
    dtype = narrowest(wanted.quantizer)
    size = 2 if dtype.bipolar else 1
    rows = np.where(falling, first[:, ::-1], first)  # ascending in each channel
    lowest, never = wanted.dtype.min, wanted.dtype.max + 1
    inside = ((rows > lowest) & (rows < never)).sum(1)
    count = max(1, int(inside.max()))
    skipped = np.minimum((rows <= lowest).sum(1), rows.shape[1] - count)
    rows = np.take_along_axis(rows, skipped[:, None] + np.arange(count), axis=1)
    step = np.where(falling[:, 0], -size, size)
    base = np.where(falling[:, 0], levels[-1], levels[0] - size) + step * skipped
    return Threshold(_single(rows), dtype=dtype, base=_single(base), step=_single(step))


def _single(a: Array) -> Array:
    """One entry where all channels agree."""
    return a[:1] if np.all(a == a[:1]) else a


def _lookup(wanted: Tabulation) -> Lookup:
    """The table of all values, decided in rationals where float64 leaves a code open."""
    wanted, values = _once(wanted), wanted.dtype.values()
    x = np.broadcast_to(values.astype(np.float64), (wanted.channels, len(values)))
    with np.errstate(all="ignore"):
        real, error = wanted.chain.bounded(x.copy())
    codes = wanted.steps.estimate(real)
    wrong = ~wanted.steps.confirmed(codes, real, error)
    for c, i in np.argwhere(wrong):
        codes[c, i] = wanted.steps.code(wanted.chain.exact(int(values[i]), int(c)), int(c))
    table = codes[:1] if np.all(codes == codes[:1]) else codes
    return Lookup(wanted.dtype, table, narrowest(wanted.quantizer))


def _once(wanted: Tabulation) -> Tabulation:
    """What all channels have in common, as one channel; where they differ, it is what was given."""
    lengths = [len(wanted.steps.scale), len(wanted.steps.zero)]

    def first(given: Rationals) -> Rationals:
        lengths.append(len(set(given)))
        return given[:1]

    chain = wanted.chain.map(first)
    return replace(wanted, chain=chain, channels=1) if max(lengths) == 1 else wanted


def _not_monotone(wanted: Tabulation) -> Tabulated:
    product = any(isinstance(step, (Product, Computed)) for step in wanted.chain.steps)
    at = [i for i, step in enumerate(wanted.chain.steps) if np.any(step.direction() == 0)]
    halves = len(at) == 1 and wanted.quantizer.high - wanted.quantizer.low <= MAX_THRESHOLD_COUNT
    if wanted.dtype.bits <= (LOOKUP_BITS if product or halves else MAX_LOOKUP_BITS):
        return Tabulated((_lookup(wanted),))
    if product:
        raise ModelError(
            f"takes functions of any shape of a value of {wanted.dtype.bits} bits; legal are at most {LOOKUP_BITS} "
            "bits: quantize the value before the functions"
        )
    if len(at) > 1:
        raise ModelError("has several functions that are not monotone before its quantizer; legal is one")
    turn = _turn(wanted, at[0])
    before = Chain(wanted.chain.steps[: at[0]]).directions()
    after = Chain(wanted.chain.steps[at[0] + 1 :]).directions()
    valley = wanted.chain.steps[at[0]].direction() == 0
    # A channel without a valley is monotone: its first half is empty, or else its second is.
    direction = np.where(np.broadcast_to(valley, (wanted.channels,)), 1, before) * after
    return _two_halves(wanted, turn, wanted.column(direction < 0))


def _turn(wanted: Tabulation, at: int) -> Array:
    """The first integer [C, 1] of the second half; the lowest where a channel has no valley."""
    inner = Chain(wanted.chain.steps[:at])
    step = wanted.chain.steps[at]
    assert step.valley is not None
    falling = wanted.column(inner.directions() < 0)
    low = np.full((wanted.channels, 1), wanted.dtype.min, np.int64)
    high = np.full((wanted.channels, 1), wanted.dtype.max + 1, np.int64)
    while np.any(low < high):
        middle = (low + high) >> 1
        passed = (inner.evaluate(middle.astype(np.float64)) >= step.valley) != falling
        low, high = np.where(passed | (low >= high), low, middle + 1), np.where(passed, middle, high)
    return np.where(wanted.column(step.direction() == 0), low, wanted.dtype.min)


def _two_halves(wanted: Tabulation, turn: Array, peak: Array) -> Tabulated:
    """base + first(q) + second(q): the first half runs to the turn, the second from there on.

    With a valley the first half counts down to the code at the turn and the second counts up from there;
    with a peak the other way round.
    """
    q = wanted.quantizer
    size = 2 if q.dtype.bipolar else 1
    levels = np.array([1]) if q.dtype.bipolar else range(q.low + 1, q.high + 1)
    if len(levels) > MAX_THRESHOLD_COUNT:
        raise ModelError("quantizes a function that is not monotone to more than 12 bits; legal are at most 12")
    levels = np.asarray(levels)
    never = wanted.dtype.max + 1
    first = crossings(wanted, levels, ~peak, wanted.column(wanted.dtype.min), turn - 1)
    second = crossings(wanted, levels, peak, turn, wanted.column(wanted.dtype.max))
    kept = (first != turn) | (second != turn)  # a level that is not left before the turn is not entered after it
    ops: list[Op] = []
    for crossing, away, base in (
        (first, ~peak[:, 0], np.where(peak[:, 0], levels[0] - size, levels[-1])),
        (second, peak[:, 0], np.zeros(wanted.channels, np.int64)),
    ):
        rows = np.sort(np.where(kept, crossing, never), axis=1)
        rows = rows[:, : max(1, int((rows < never).sum(1).max()))]
        step = np.where(away, -size, size)
        reach = np.concatenate([base, base + step * rows.shape[1]])
        dtype = IntType.holding(int(reach.min()), int(reach.max()))
        ops.append(Threshold(_single(rows), dtype=dtype, base=_single(base), step=_single(step)))
    if q.dtype.bipolar:
        return Tabulated((*ops, Threshold(np.array([[0]]), dtype=q.dtype, base=ints([-1]), step=ints([2]))))
    return Tabulated((*ops, Requantize(narrowest(q))))
