# SPDX-License-Identifier: Apache-2.0
"""Quantizers of the float graph."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.rounding import ExtraRounding
from bitwright.network.ops import Rounding
from bitwright.network.types import Floats, IntType, derived


@dataclass(frozen=True, eq=False)
class Quantizer:
    """x -> (clamp(round(x / scale + zero_point), low..high) - zero_point) * scale.

    scale [C or 1] float64 positive; zero_point [C or 1] integer-valued; `low`, `high` the code limits
    (they express narrow range); `dtype` holds every code. For a bipolar dtype: x >= 0 -> +scale, else -scale.
    rounding is done after the clamp where both are given in QONNX order; results are the same.
    zero_after: float32 adds the zero point after rounding (QuantizeLinear); where ties go is `rounding` all the same.
    `seed` belongs to stochastic rounding.
    """

    dtype: IntType
    scale: Floats
    zero_point: Floats = field(default_factory=lambda: np.zeros(1))
    low: int = derived()
    high: int = derived()
    rounding: Rounding | ExtraRounding = Rounding.HALF_EVEN
    seed: int = 1
    zero_after: bool = False

    def __post_init__(self) -> None:
        for name in ("scale", "zero_point"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "low", self.dtype.min if self.low is None else int(self.low))
        object.__setattr__(self, "high", self.dtype.max if self.high is None else int(self.high))
        if not np.all(np.isfinite(self.scale) & (self.scale > 0)):
            raise ModelError("quantizer scales must be positive and finite")
        if not np.all(self.zero_point == np.rint(self.zero_point)):
            raise ModelError("quantizer zero points must be integers")
        if not self.dtype.min <= self.low < self.high <= self.dtype.max:
            raise ModelError(f"quantizer codes [{self.low}, {self.high}] are not two or more codes of {self.dtype}")

    def same_as(self, other: Quantizer) -> bool:
        """Whether both have the same parameters."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
