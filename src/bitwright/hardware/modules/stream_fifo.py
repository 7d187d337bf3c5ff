# SPDX-License-Identifier: Apache-2.0
"""Modules that hold words of a stream: `stream_fifo`, `stream_skid`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.memory import index_bits, is_block, ram
from bitwright.hardware.module import Module
from bitwright.hardware.resources import Resources


@dataclass(frozen=True, eq=False)
class StreamFifo(Module):
    """`depth` words of `width` bits."""

    rtl: ClassVar[str] = "stream_fifo"
    width: int
    depth: int

    @property
    def latency(self) -> int:
        return 1 if self.depth == 1 else 2

    @property
    def cost(self) -> Resources:
        if self.depth == 1:
            return Resources(lut=2, ff=self.width + 1)
        address, fill = index_bits(self.depth), index_bits(self.depth + 1)
        control = Resources(lut=2 * address + 2 * fill + 4, ff=2 * address + fill + 2, carry=3 * math.ceil(fill / 4))
        return control + ram(self.width, self.depth, is_block(self.width, self.depth), late=True)


@dataclass(frozen=True, eq=False)
class StreamSkid(Module):
    """A register slice of `words` words of `width` bits."""

    rtl: ClassVar[str] = "stream_skid"
    width: int
    words: int = 2

    @property
    def latency(self) -> int:
        return 1

    @property
    def cost(self) -> Resources:
        if self.words == 1:
            return Resources(lut=2, ff=self.width + 1)
        return Resources(lut=self.width + 3, ff=2 * self.width + 2)
