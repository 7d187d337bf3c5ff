# SPDX-License-Identifier: Apache-2.0
"""Module `stream_join` (operations Add, Concat and Weave)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.module import Module
from bitwright.hardware.modules.control import counter
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import Path, adder


@dataclass(frozen=True, eq=False)
class StreamJoin(Module):
    """Sums of the lanes of two streams, or where words a pixel are given, the words of one after those of the other."""

    rtl: ClassVar[str] = "stream_join"
    lanes: int
    out_bits: int
    a_bits: int
    a_signed: bool
    b_bits: int
    b_signed: bool
    a_words: int = 0
    b_words: int = 0

    @property
    def latency(self) -> int:
        return int(self.a_words == 0)

    @property
    def cost(self) -> Resources:
        if self.a_words:
            return counter(self.a_words) + counter(self.b_words) + Resources(lut=self.lanes * self.out_bits + 7, ff=1)
        lane = Resources(lut=max(self.a_bits, self.b_bits), ff=self.out_bits, carry=math.ceil(self.out_bits / 4))
        return lane * self.lanes + Resources(lut=3, ff=1)

    @property
    def paths(self) -> tuple[Path, ...]:
        if self.a_words:
            return (Path("choice of a stream", (3, 3), self.lanes * self.out_bits),)
        return (Path("sum of streams", adder(self.out_bits), 2),)
