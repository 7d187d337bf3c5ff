# SPDX-License-Identifier: Apache-2.0
"""A convolution and the step behind it in one integer kernel of ONNX Runtime (QLinearConv), with proof.

The kernel adds products of uint8 codes and int8 weights and an integer bias in 32 bits, and makes a code of the sum,
clip(round(fl(fl(sum) * scale)) + zero, 0, 255), half to even, in float32. What follows the sum is monotone in it, so
that, as in `staircase`, equality at both sides of every step proves equality everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from bitwright.fast.onnx_builder import Builder
from bitwright.fast.session import open_session
from bitwright.fast.staircase import Steps, spread, steps_of
from bitwright.network.ops import Conv2d, Requantize, Rounding
from bitwright.network.types import Floats, Interval, Ints

CODES = 256
NUDGES = (0, 1, -1, 2, -2)  # of the scale, in units of its last place, and of the bias
MOST = 1 << 31
FINE = 32  # sums a code, at least, where a bias may be rounded to whole sums
CHANGES = 8  # of a multiplier, at most


@dataclass(frozen=True, eq=False)
class KernelForm:
    """y = clip(round((x + bias) * scale), low, high) in the codes y - base; scale float32 [C], bias int64 [C]."""

    scale: npt.NDArray[np.float32]
    bias: Ints
    base: int
    low: int
    high: int

    def __call__(self, x: Ints) -> npt.NDArray[np.float32]:
        """The function as it is computed; x int64 [C, n]."""
        y: npt.NDArray[np.float32] = np.rint((x + self.bias[:, None]).astype(np.float32) * self.scale[:, None])
        return np.clip(y, self.low, self.high)


def code_base(x: Interval) -> int | None:
    """What uint8 codes of the numbers in x leave off; None where these are too many."""
    low = min(int(x.low.min()), 0)
    return low if int(x.high.max()) - low < CODES else None


def fit_kernel(steps: Steps) -> KernelForm | None:
    """A form proved equal to `steps`; None where none was found."""
    base = code_base(Interval.of(*steps.ends))
    if base is None or steps.thresholds.shape[1] == 0 or np.any(steps.step != 1):
        return None
    low, high = (int(end) for end in (steps.ends[0].min(), steps.ends[1].max()))
    u, k, count = steps.levels
    slope, points, exact = steps.line[0], steps.points, steps.exact
    slope = np.where(count == 0, 2.0 ** np.ceil(np.log2(4.0 * (steps.x.reach + 1))), slope)
    form = KernelForm(np.zeros(len(slope), np.float32), np.zeros(len(slope), np.int64), base, low, high)
    bad = np.arange(len(slope))
    for nudge in NUDGES:
        scale = (1 / slope[bad] * (1 + nudge * 2.0**-23)).astype(np.float32)
        center = _center(steps, bad, u[bad], k[bad], 1 / scale.astype(np.float64))
        for more in NUDGES:
            bias = (np.rint(center) + more).astype(np.int64)
            trial = KernelForm(scale, bias, base, low, high)
            right = np.all(trial(points[bad]) == exact[bad], axis=1)
            form.scale[bad[right]], form.bias[bad[right]] = scale[right], bias[right]
            bad, scale, center = bad[~right], scale[~right], center[~right]
            if not len(bad):
                return form
    return None


def _center(steps: Steps, channels: Ints, u: Floats, k: Floats, slope: Floats) -> Floats:
    """The bias that puts the steps of the kernel in the middle of those wanted, or a constant where there are none."""
    constant = slope * steps.ends[0][channels]
    return np.where(
        steps.levels[2][channels] == 0, constant, slope * (steps.base[channels] - 0.5) - spread(u, k, slope)[0]
    )


def nearest(op: Requantize, x: Interval) -> Requantize | None:
    """A Requantize of sums in x that the kernel computes exactly, next to `op`; None where none is near.

    Its bias is a whole number of sums, at most 1/64 of a code away. Its multipliers are at most CHANGES units away:
    with the given one, a sum comes so close to a tie that float32 errs in about every other channel.
    """
    channels = len(x.low)
    multiplier, bias, shift = (np.broadcast_to(a, channels) for a in (op.multiplier, op.bias, op.shift))
    fine = np.all(multiplier * FINE <= np.int64(1) << shift) and np.all(multiplier > CHANGES * FINE)
    if op.rounding is not Rounding.HALF_EVEN or op.dtype.levels > CODES or op.dtype.bipolar or not fine:
        return None
    sums = np.rint(bias / multiplier).astype(np.int64)
    found, bad = multiplier.copy(), np.arange(channels)
    for change in sorted(range(-CHANGES, CHANGES + 1), key=abs):
        found[bad] = multiplier[bad] + change
        part = Interval(x.low[bad], x.high[bad], x.reach)
        trial = replace(op, multiplier=found[bad], bias=sums[bad] * found[bad], shift=shift[bad])
        bad = bad[~_computes(trial, sums[bad], part)]
        if not len(bad):
            return replace(op, multiplier=found, bias=sums * found, shift=shift)
    return None


def _computes(op: Requantize, sums: Ints, x: Interval) -> npt.NDArray[np.bool_]:
    """In which channels the kernel with this bias computes `op` exactly."""
    steps = steps_of(op, x)
    if steps is None:
        return np.zeros(len(sums), bool)
    scale = (op.multiplier / 2.0**op.shift).astype(np.float32)
    form = KernelForm(scale, sums, 0, op.dtype.min - op.zero_point, op.dtype.max - op.zero_point)
    right: npt.NDArray[np.bool_] = np.all(form(steps.points) + op.zero_point == steps.exact, axis=1)
    return right


def takes(op: Conv2d, x: Interval) -> bool:
    """Whether a convolution of numbers in x is one that the kernel does; see also `exact_here`."""
    base = code_base(x)
    depthwise = op.groups == len(x.low) == len(op.weight)
    if base is None or not (op.groups == 1 or depthwise) or (any(op.pads) and not 0 <= op.pad_value - base < CODES):
        return False
    least, most = int(op.weight.min()), int(op.weight.max())
    if least < -CODES // 2 or most >= CODES // 2:
        return False
    return 2 * CODES * int(np.abs(op.weight).sum(axis=(1, 2, 3)).max()) + _bias_reach(op) < MOST


def _bias_reach(op: Conv2d) -> int:
    return 0 if op.bias is None else int(np.abs(op.bias).max())


def exact_here(op: Conv2d, x: Interval) -> bool:
    """Whether the kernels of this machine add the products of a convolution exactly."""
    largest = (int(x.high.max()) - min(int(x.low.min()), 0)) * int(np.abs(op.weight).max())
    return 2 * largest < 1 << 15 or adds_exactly()


def emit_kernel(g: Builder, op: Conv2d, codes: str, base: int, form: KernelForm) -> str:
    """The codes y - form.base of the convolution of uint8 codes x - base."""
    zero = op.pad_value - base if any(op.pads) else -base
    constant = (base + zero) * op.weight.sum(axis=(1, 2, 3)) + (0 if op.bias is None else op.bias)
    y = g.add(
        "QLinearConv",
        codes,
        g.constant(np.float32(1)),
        g.constant(np.uint8(zero)),
        g.constant(np.moveaxis(op.weight, 3, 1).astype(np.int8)),
        g.constant(form.scale),
        g.constant(np.zeros(len(form.scale), np.int8)),
        g.constant(np.float32(1)),
        g.constant(np.uint8(-form.base)),
        g.constant((form.bias + constant).astype(np.int32)),
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        pads=list(op.pads),
        dilations=list(op.dilation),
        group=op.groups,
    )
    if (form.low, form.high) != (form.base, form.base + CODES - 1):
        y = g.add("Clip", y, *(g.constant(np.uint8(v - form.base)) for v in (form.low, form.high)))
    return y


@cache
def adds_exactly() -> bool:
    """Whether this machine adds two products of a uint8 and an int8 exactly: older kernels saturate at 16 bits."""
    return all(_adds_exactly(size, groups) for size, groups in ((1, 1), (3, 1), (3, 64)))


def _adds_exactly(size: int, groups: int) -> bool:
    op = Conv2d(np.full((64, size, size, 64 // groups), 127, np.int64), groups=groups)
    wanted = 100
    bias = np.full(64, wanted - 255 * 127 * op.weight[0].size)
    g = Builder()
    x = g.input("x", "uint8", (64, 3, 3))
    g.output(emit_kernel(g, op, x, 0, KernelForm(np.ones(64, np.float32), bias, 0, 0, 255)), "y", "uint8")
    (y,) = open_session(g.model(), 1).run(None, {"x": np.full((1, 64, 3, 3), 255, np.uint8)})
    return bool(np.all(y == wanted))
