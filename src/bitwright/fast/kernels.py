# SPDX-License-Identifier: Apache-2.0
"""A product and the step behind it in one integer kernel of ONNX Runtime (QLinearConv, QGemm), with proof.

The kernel adds products of uint8 codes and int8 weights and an integer bias in 32 bits, and makes a code of the sum,
clip(round(fl(fl(sum) * scale)) + zero, 0, 255), half to even, in float32. What follows the sum is monotone in it, so
that, as in `staircase`, equality at both sides of every step proves equality everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from bitwright.fast.onnx_builder import RUNTIME, Builder
from bitwright.fast.products import pairs_fit
from bitwright.fast.session import open_session
from bitwright.fast.staircase import Steps, spread, steps_of
from bitwright.network.ops import Conv2d, Dense, Product, Requantize, Rounding
from bitwright.network.types import Floats, Interval, Ints

CODES = 256
NUDGES = (0, 1, -1, 2, -2)  # of the scale, in units of its last place, and of the bias
HOPELESS = 0.7  # share of channels left after the first guesses at which no more are made
MOST = 1 << 30  # of sums, and of biases
FINE = 8  # sums a code, at least, where a bias may be rounded to whole sums
CHANGES = 8  # of a multiplier, at most
LEAST = FINE * CHANGES  # of a multiplier that is changed


@dataclass(frozen=True, eq=False)
class KernelForm:
    """y = clip(round((x * factor + bias) * scale), low, high) in the codes y - base.

    scale float32 [C], bias int64 [C]. factor: a power of two that the weights have room for, and which makes the bias
    a fraction of x.
    """

    scale: npt.NDArray[np.float32]
    bias: Ints
    factor: int
    base: int
    low: int
    high: int

    def __call__(self, x: Ints) -> npt.NDArray[np.float32]:
        """The function as it is computed; x int64 [C, n]."""
        sums = (x * self.factor + self.bias[:, None]).astype(np.float32)
        scaled = np.multiply(
            sums, self.scale[:, None], dtype=np.float32
        )  # a proof in float64 would be of another kernel
        codes: npt.NDArray[np.float32] = np.clip(np.rint(scaled), self.low, self.high)
        return codes


def code_base(x: Interval) -> int | None:
    """What uint8 codes of the numbers in x leave off; None where these are too many."""
    low = min(int(x.low.min()), 0)
    return low if max(int(x.high.max()), 0) - low < CODES else None  # 0 has a code, too: the zero point


def factor_of(op: Product) -> int:
    """The largest power of two by which the weights stay int8 codes."""
    largest = max(int(op.weight.max()), -1 - int(op.weight.min()), 1)
    return 1 << max(1, (CODES // 2 - 1) // largest).bit_length() - 1


def fit_kernel(steps: Steps, factor: int) -> KernelForm | None:
    """A form proved equal to `steps`; None where none was found."""
    base = code_base(Interval.of(*steps.ends))
    if base is None or steps.thresholds.shape[1] == 0 or np.any(np.abs(steps.step) != 1):
        return None
    low, high = (int(end) for end in (steps.ends[0].min(), steps.ends[1].max()))
    lines, channels = _Lines(steps, factor), len(steps.base)
    form = KernelForm(np.zeros(channels, np.float32), np.zeros(channels, np.int64), factor, base, low, high)
    bad = np.arange(channels)
    for nudge in NUDGES:
        scale, center = lines.near(bad, 1 + nudge * 2.0**-23)
        for more in NUDGES:
            bias = (np.rint(center) + more).astype(np.int64)
            trial = KernelForm(scale, bias, factor, base, low, high)
            right = steps.equal(trial, bad)
            form.scale[bad[right]], form.bias[bad[right]] = scale[right], bias[right]
            bad, scale, center = bad[~right], scale[~right], center[~right]
            if not len(bad):
                return form if np.abs(form.bias).max() < MOST else None
        if nudge == 1 and len(bad) > HOPELESS * channels:  # the first scale alone meets ties where steps are even
            return None
    return None


class _Lines:
    """The lines through the steps of every channel in units of x * factor; flat ones where there are no steps."""

    def __init__(self, steps: Steps, factor: int) -> None:
        self.steps, self.factor = steps, factor
        self.constant = steps.levels[2] == 0
        reach = np.maximum(np.abs(steps.x.low), np.abs(steps.x.high)) * factor
        flat = 2.0 ** np.ceil(np.log2(2.0 * (reach + 1)))
        self.slope = np.where(self.constant, flat, steps.line[0] * factor)
        self.sign = np.where(self.constant, 1, steps.step)

    def near(self, channels: Ints, by: float) -> tuple[npt.NDArray[np.float32], Floats]:
        """Scale, `by` times the best one, and the bias that puts the steps in the middle of those wanted."""
        steps, sign = self.steps, self.sign[channels]
        scale = (by / self.slope[channels]).astype(np.float32)
        slope = 1 / scale.astype(np.float64)
        u, k, _ = steps.levels
        middle = slope * (sign * steps.base[channels] - 0.5) - spread(u[channels] * self.factor, k[channels], slope)[0]
        return sign.astype(np.float32) * scale, np.where(
            self.constant[channels], slope * steps.ends[0][channels], middle
        )


def nearest(op: Requantize, x: Interval, factor: int) -> Requantize | None:
    """A Requantize of sums in x that the kernel computes exactly, next to `op`; None where none is near.

    Biases become whole numbers of sums, at most 1/16 of a code away, where multipliers are fine enough. Multipliers
    are at most CHANGES units away: with the given ones, a sum comes so close to a tie that float32 errs in about every
    other channel.
    """
    if op.rounding is not Rounding.HALF_EVEN or op.dtype.levels > CODES or op.dtype.bipolar:
        return None
    channels = len(x.low)
    multiplier, bias, shift = (np.broadcast_to(a, channels).copy() for a in (op.multiplier, op.bias, op.shift))
    bad = np.flatnonzero((multiplier > LEAST) & (multiplier * FINE <= np.int64(1) << shift))
    if not len(bad):
        return None
    given, sums = multiplier.copy(), np.rint(bias / np.maximum(multiplier, 1)).astype(np.int64)
    for change in sorted(range(-CHANGES, CHANGES + 1), key=abs):
        multiplier[bad] = given[bad] + change
        bias[bad] = sums[bad] * multiplier[bad]
        trial = replace(op, multiplier=multiplier[bad], bias=bias[bad], shift=shift[bad])
        bad = bad[~_computes(trial, sums[bad], Interval(x.low[bad], x.high[bad], x.reach))]
        if not len(bad):
            break
    found = replace(op, multiplier=multiplier, bias=bias, shift=shift)
    steps = steps_of(found, x)
    return found if steps and fit_kernel(steps, factor) else None


def _computes(op: Requantize, sums: Ints, x: Interval) -> npt.NDArray[np.bool_]:
    """In which channels the kernel with this bias computes `op` exactly."""
    steps = steps_of(op, x)
    if steps is None:
        return np.zeros(len(sums), bool)
    scale = (op.multiplier / 2.0**op.shift).astype(np.float32)
    form = KernelForm(scale, sums, 1, 0, op.dtype.min - op.zero_point, op.dtype.max - op.zero_point)
    return steps.equal(lambda x: form(x) + op.zero_point)


def takes(op: Product, x: Interval) -> bool:
    """Whether a product of numbers in x is one that the kernel does; see also `factor_here`."""
    base = code_base(x)
    if base is None or int(op.weight.min()) < -CODES // 2 or int(op.weight.max()) >= CODES // 2:
        return False
    if isinstance(op, Conv2d):
        depthwise = op.groups == len(x.low) == len(op.weight)
        padded = any(op.pads) and not 0 <= op.pad_value - base < CODES
        if padded or not (op.groups == 1 or depthwise):
            return False
    bias = 0 if op.bias is None else int(np.abs(op.bias).max())
    return factor_of(op) * (2 * CODES * int(_row_sums(np.abs(op.weight)).max()) + bias) < MOST


def _row_sums(weight: Ints) -> Ints:
    sums: Ints = weight.reshape(len(weight), -1).sum(axis=1)
    return sums


def factor_here(op: Product, x: Interval) -> int | None:
    """The largest factor with which the kernels of this machine add the products exactly; None where none does."""
    factor = factor_of(op)
    if adds_exactly():
        return factor
    span, largest = int(x.high.max()) - min(int(x.low.min()), 0), int(np.abs(op.weight).max())
    while factor and not pairs_fit(span, factor * largest):
        factor //= 2
    return factor or None


def emit_kernel(g: Builder, op: Product, codes: str, base: int, form: KernelForm) -> str:
    """The codes y - form.base of the product with uint8 codes x - base."""
    padded = isinstance(op, Conv2d) and any(op.pads)
    zero = op.pad_value - base if isinstance(op, Conv2d) and padded else -base
    weight = op.weight * form.factor
    constant = (base + zero) * _row_sums(weight) + (0 if op.bias is None else op.bias * form.factor)
    one, of_x, of_y = g.constant(np.float32(1)), g.constant(np.uint8(zero)), g.constant(np.uint8(-form.base))
    scale, of_weight = g.constant(form.scale), g.constant(np.zeros(len(form.scale), np.int8))
    bias = g.constant((form.bias + constant).astype(np.int32))
    if isinstance(op, Conv2d):
        w = g.constant(np.moveaxis(weight, 3, 1).astype(np.int8))
        lists = {"kernel_shape": list(op.kernel), "strides": list(op.stride), "pads": list(op.pads)}
        lists["dilations"] = list(op.dilation)
        y = g.add("QLinearConv", codes, one, of_x, w, scale, of_weight, one, of_y, bias, **lists, group=op.groups)
    else:
        w = g.constant(np.ascontiguousarray(weight.T).astype(np.int8))
        y = g.add("QGemm", codes, one, of_x, w, scale, of_weight, bias, one, of_y, domain=RUNTIME)
    if (form.low, form.high) != (form.base, form.base + CODES - 1):
        y = g.add("Clip", y, *(g.constant(np.uint8(v - form.base)) for v in (form.low, form.high)))
    return y


@cache
def adds_exactly() -> bool:
    """Whether this machine adds two products of a uint8 and an int8 exactly: older kernels saturate at 16 bits."""
    convolutions = [Conv2d(np.full((64, k, k, 64 // n), 127), groups=n) for k, n in ((1, 1), (3, 1), (3, 64))]
    return all(_adds_exactly(op, (64, 3, 3)) for op in convolutions) and _adds_exactly(
        Dense(np.full((64, 64), 127)), (64,)
    )


def _adds_exactly(op: Product, shape: tuple[int, ...]) -> bool:
    wanted, largest = 100, CODES - 1
    bias = wanted - largest * _row_sums(op.weight)
    g = Builder()
    x = g.input("x", "uint8", shape)
    g.output(emit_kernel(g, op, x, 0, KernelForm(np.ones(64, np.float32), bias, 1, 0, 0, largest)), "y", "uint8")
    session = open_session(g.model(), 1)
    several = (session.run(None, {"x": np.full((n, *shape), largest, np.uint8)})[0] for n in (1, 64))
    return all(bool(np.all(y == wanted)) for y in several)
