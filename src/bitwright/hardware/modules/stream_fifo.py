# SPDX-License-Identifier: Apache-2.0
"""Modules that hold words of a stream: `stream_fifo`, `stream_skid`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.memory import index_bits, is_block, ram
from bitwright.hardware.module import Module
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import ENABLE, RESET, WRITE, Path, mux


@dataclass(frozen=True, eq=False)
class StreamFifo(Module):
    """`depth` words of `width` bits."""

    rtl: ClassVar[str] = "stream_fifo"
    width: int
    depth: int

    @property
    def latency(self) -> int:
        return 1 if self.depth == 1 else 2 + self.waits

    @property
    def waits(self) -> bool:
        """Whether a word waits in a register until it is written."""
        return self.depth > 64

    @property
    def cost(self) -> Resources:
        if self.depth == 1:
            return Resources(lut=2, ff=self.width + 1)
        address, fill = index_bits(self.depth), index_bits(self.depth + 1)
        control = Resources(lut=2 * address + 2 * fill + 4, ff=2 * address + fill + 2, carry=3 * math.ceil(fill / 4))
        control += Resources(ff=(self.width + 1) * self.waits)
        return control + ram(self.width, self.depth, is_block(self.width, self.depth), late=True)

    @property
    def paths(self) -> tuple[Path, ...]:
        if self.depth == 1:
            return (Path("enable of a register", (2,), 2, self.width, end=ENABLE),)
        banks = -(-self.depth // 64) * (not is_block(self.width, self.depth))
        return (
            Path("fill of a FIFO", (3, 4), 8, index_bits(self.depth), end=ENABLE),
            Path("write of a FIFO", (*((3,) if banks > 1 else (2,)), 2), 16, self.width, end=WRITE),
            Path("read of a FIFO", (5, *mux(max(1, banks))), 2 * self.width),
        )


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

    @property
    def paths(self) -> tuple[Path, ...]:
        if self.words == 1:
            return (Path("enable of a slice", (1,), 4, self.width, end=ENABLE),)
        return (Path("enable of a slice", (2,), 6, self.width, end=ENABLE), Path("slice", (2, 2), 6, end=RESET))
