# SPDX-License-Identifier: Apache-2.0
"""Module `pool_reduce`: maximum or sum of the words of a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.module import Module
from bitwright.hardware.modules.control import counter
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import ENABLE, Path, adder


@dataclass(frozen=True, eq=False)
class PoolReduce(Module):
    """op: 0 maximum, 1 sum, of `taps` words."""

    rtl: ClassVar[str] = "pool_reduce"
    lanes: int
    in_bits: int
    out_bits: int
    in_signed: bool
    op: bool
    taps: int

    @property
    def latency(self) -> int:
        return 1

    @property
    def cost(self) -> Resources:
        bits, out = self.in_bits, self.out_bits
        if self.op:
            lane = Resources(lut=out, ff=out, carry=math.ceil(out / 4))
        elif 2 * bits <= 6:  # two numbers compare in one LUT
            lane = Resources(lut=2, ff=out)
        else:
            lane = Resources(lut=math.ceil(bits / 2) + 1, ff=out, carry=math.ceil(bits / 8))
        return counter(self.taps) + Resources(lut=3, ff=1) + lane * self.lanes

    @property
    def paths(self) -> tuple[Path, ...]:
        reach, compare = self.lanes * self.out_bits, adder(self.in_bits)
        if self.op:
            return (Path("sum of a pool", (3, *adder(self.out_bits)), reach),)
        return (Path("maximum of a pool", (*compare, 3), 2, self.out_bits, end=ENABLE),)
