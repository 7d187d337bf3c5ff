# SPDX-License-Identifier: Apache-2.0
"""Steps with at most 256 levels as one QuantizeLinear: y = clip(round(fl((x + shift) / scale))), with proof.

ONNX's QuantizeLinear divides in float32, rounds half to even and saturates, all in one pass. x + shift is exact, and
a product before it takes shift into its bias. As in `staircase`, everything is monotone in x, so that equality
at both sides of every step proves it everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bitwright.fast.onnx_builder import Builder
from bitwright.fast.staircase import Steps, spread
from bitwright.network.types import Floats, Ints

FLOAT32_EXACT = 1 << 24
FRACTION_BITS = 8  # of the shift, at most
HOPELESS = 0.7  # share of channels left after the first guesses at which no more are made


@dataclass(frozen=True, eq=False)
class CodeForm:
    """y = clip(round((x + shift) / scale), low, high); scale float32 [C], shift float64 [C], dtype int8 or uint8."""

    scale: npt.NDArray[np.float32]
    shift: Floats
    low: int
    high: int
    dtype: type[np.integer[Any]]

    def __call__(self, x: Ints) -> npt.NDArray[np.float32]:
        """The function as it is computed; x int64 [C, n]."""
        y = (x + self.shift[:, None]).astype(np.float32) / self.scale[:, None]
        codes: npt.NDArray[np.float32] = np.clip(np.rint(y), self.low, self.high)
        return codes


def fit_codes(steps: Steps) -> CodeForm | None:
    """A form proved equal to `steps`, whose x and x + shift are exact in float32; None where none was found."""
    low, high = (int(end) for end in (steps.ends[0].min(), steps.ends[1].max()))
    dtype = next((d for d in (np.uint8, np.int8) if np.iinfo(d).min <= low and high <= np.iinfo(d).max), None)
    if dtype is None or steps.thresholds.shape[1] == 0 or np.any(steps.step != 1):
        return None
    u, k, count = steps.levels
    if np.any(count == 0):
        return None
    slope = steps.line[0]
    found = CodeForm(slope.astype(np.float32), np.zeros(len(slope)), low, high, dtype)
    bad = np.arange(len(slope))
    for i in (0, 1, -1, 2, -2, 3, -3, 4, -4):
        scale = (slope[bad] * (1 + i * 2.0**-23)).astype(np.float32)
        wide = scale.astype(np.float64)
        center = wide * (steps.base[bad] - 0.5) - spread(u[bad], k[bad], wide)[0]
        bits = np.floor(np.log2(FLOAT32_EXACT / (steps.x.reach + np.abs(center).max() + 2)))
        if bits < 0:
            return None
        grid = 2.0 ** -min(bits, FRACTION_BITS)
        for j in (0, 1, -1, 2, -2):
            shift = (np.round(center / grid) + j) * grid
            trial = CodeForm(scale, shift, low, high, dtype)
            right = steps.equal(trial, bad)
            found.scale[bad[right]], found.shift[bad[right]] = scale[right], shift[right]
            bad, scale, center = bad[~right], scale[~right], center[~right]
            if not len(bad):
                return found
        if i == 0 and len(bad) > HOPELESS * len(slope):
            return None
    return None


def emit_codes(g: Builder, x: str, form: CodeForm) -> str:
    """The codes of x + shift (the caller has added it), in the form's own type."""
    alike = np.all(form.scale == form.scale[0])
    scale = form.scale[0].reshape(()) if alike else form.scale
    zero = np.zeros(scale.shape, form.dtype)
    y = g.add("QuantizeLinear", x, g.constant(scale), g.constant(zero), axis=1)
    limits = np.iinfo(form.dtype)
    if (form.low, form.high) != (limits.min, limits.max):
        y = g.add("Clip", y, *(g.constant(np.array(v, form.dtype)) for v in (form.low, form.high)))
    return y
