# SPDX-License-Identifier: Apache-2.0
"""Module `argmax` (operation ArgMax)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.module import Module
from bitwright.hardware.modules.control import counter, pipe
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import ENABLE, Path, adder


@dataclass(frozen=True, eq=False)
class ArgMaxModule(Module):
    """The place of the largest of `channels` values, the first of equal ones; a tree over the lanes of a word."""

    rtl: ClassVar[str] = "argmax"
    lanes: int
    in_bits: int
    in_signed: bool
    out_bits: int
    channels: int

    @property
    def words(self) -> int:
        """Words a pixel."""
        return math.ceil(self.channels / self.lanes)

    @property
    def tree(self) -> int:
        """Register stages before the comparison of words."""
        return (self.lanes - 1).bit_length() + 1

    @property
    def latency(self) -> int:
        return self.tree + 1

    @property
    def cost(self) -> Resources:
        lanes, bits = self.lanes, self.in_bits
        levels, nodes = self.tree - 1, lanes - 1
        found = pipe(self.tree) + counter(self.words) * 2
        found += Resources(
            lut=nodes * (math.ceil(bits / 2) + bits + levels), ff=(lanes + nodes) * bits + nodes * levels
        )
        carry = lanes * math.ceil(bits / 8)
        return found + Resources(lut=math.ceil(bits / 2) + 4, ff=bits + self.out_bits + 1, carry=carry)

    @property
    def paths(self) -> tuple[Path, ...]:
        best = Path("best of all words", (*adder(self.in_bits), 4), 2, self.in_bits + self.out_bits, end=ENABLE)
        return (best, *([Path("maximum of two lanes", (*adder(self.in_bits), 3), 2)] if self.lanes > 1 else []))
