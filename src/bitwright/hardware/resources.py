# SPDX-License-Identifier: Apache-2.0
"""Logic of a design or of a part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """Cells by kind. `lut` counts LUT cells of every size (LUT6_2 as one). Sums, differences, multiples."""

    lut: float = 0
    ff: float = 0
    carry: float = 0
    bram36: float = 0
    dsp: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut + other.lut,
            self.ff + other.ff,
            self.carry + other.carry,
            self.bram36 + other.bram36,
            self.dsp + other.dsp,
        )

    def __mul__(self, count: float) -> Resources:
        return Resources(count * self.lut, count * self.ff, count * self.carry, count * self.bram36, count * self.dsp)

    __rmul__ = __mul__

    def __sub__(self, other: Resources) -> Resources:
        return self + other * -1
