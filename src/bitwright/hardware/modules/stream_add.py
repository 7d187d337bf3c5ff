# SPDX-License-Identifier: Apache-2.0
"""Module `stream_add` (operation Add)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.module import Module
from bitwright.hardware.resources import Resources


@dataclass(frozen=True, eq=False)
class StreamAdd(Module):
    """Sums of the lanes of two streams."""

    rtl: ClassVar[str] = "stream_add"
    lanes: int
    out_bits: int
    a_bits: int
    a_signed: bool
    b_bits: int
    b_signed: bool

    @property
    def latency(self) -> int:
        return 1

    @property
    def cost(self) -> Resources:
        lane = Resources(lut=max(self.a_bits, self.b_bits), ff=self.out_bits, carry=math.ceil(self.out_bits / 4))
        return lane * self.lanes + Resources(lut=3, ff=1)
