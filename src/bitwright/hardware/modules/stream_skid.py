# SPDX-License-Identifier: Apache-2.0
"""Module `stream_skid`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.module import Module
from bitwright.hardware.resources import Resources


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
