# SPDX-License-Identifier: Apache-2.0
"""Modules `stream_regroup`, `stream_pack`: other numbers of lanes for the same elements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from bitwright.hardware.events import NEEDS, WORD, YIELDS
from bitwright.hardware.memory import mux
from bitwright.hardware.module import Module
from bitwright.hardware.modules.control import counter
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing import classes
from bitwright.hardware.timing.classes import ENABLE, Path
from bitwright.network.types import TensorType


@dataclass(frozen=True, eq=False)
class Converter(Module):
    """`in_lanes` elements of `lane_bits` bits a word become `out_lanes`; `moves` are its flags for an event graph."""

    lane_bits: int
    in_lanes: int
    out_lanes: int

    @property
    def latency(self) -> int:
        return 1

    @property
    def moves(self) -> list[int]:
        """What each move does, in turns (see `events`)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class StreamRegroup(Converter):
    """Several words of every word, or a word of several; `sparse` ones leave at most every second cycle."""

    rtl: ClassVar[str] = "stream_regroup"
    sparse: bool = False

    @property
    def parts(self) -> int:
        """Words of the narrower side for one of the wider."""
        return max(self.in_lanes, self.out_lanes) // min(self.in_lanes, self.out_lanes)

    @property
    def splits(self) -> bool:
        """Whether the input is the wider side."""
        return self.in_lanes > self.out_lanes

    @property
    def moves(self) -> list[int]:
        part = NEEDS | YIELDS if self.splits else WORD
        found = [part] * (self.parts - 1) + [WORD | YIELDS]
        return [flags for part in found for flags in ((part, 0) if self.sparse and part & YIELDS else (part,))]

    @property
    def paths(self) -> tuple[Path, ...]:
        bits = self.out_lanes * self.lane_bits
        choice = [Path("choice of a part", classes.mux(self.parts), bits)] if self.splits else []
        return (*choice, Path("part of a word", (3,), 4, bits, end=ENABLE))

    @property
    def cost(self) -> Resources:
        bits = self.out_lanes * self.lane_bits
        return counter(self.parts) + Resources(lut=mux(self.parts) * bits * self.splits + 2, ff=bits + 1)


@dataclass(frozen=True, eq=False)
class StreamPack(Converter):
    """Any numbers of lanes, for frames of `frame_elements` elements; the last word is filled up."""

    rtl: ClassVar[str] = "stream_pack"
    frame_elements: int

    @property
    def moves(self) -> list[int]:
        """A word is taken once all complete words have left."""
        flags, words = [], -(-self.frame_elements // self.in_lanes)
        complete = 0
        for n in range(1, words + 1):
            last = -(-self.frame_elements // self.out_lanes)
            now = n * self.in_lanes // self.out_lanes if n < words else last
            flags += [WORD | YIELDS] + [YIELDS] * (now - complete - 1) if now > complete else [WORD]
            complete = now
        return flags

    @property
    def paths(self) -> tuple[Path, ...]:
        """How far the words move, by what is left of them."""
        shifts = classes.mux(min(self.in_lanes, self.out_lanes) // math.gcd(self.in_lanes, self.out_lanes) + 1)
        return (Path("lanes that move up", (4, 6, *shifts, 3), self.out_lanes * self.lane_bits),)

    @property
    def cost(self) -> Resources:
        unit = math.gcd(self.in_lanes, self.out_lanes)
        size = ((self.in_lanes + self.out_lanes) // unit - 1) * unit * self.lane_bits
        shifts = mux(min(self.in_lanes, self.out_lanes) // unit + 1) + 1
        return Resources(lut=size * shifts + 12, ff=size + 12)


def converter(t: TensorType, in_lanes: int, out_lanes: int, apart: bool = False) -> Converter:
    """The module between two different lane counts of a value; apart: words come at most every second cycle.

    Then one that gathers them has a register for its ready, which costs a cycle after each of its words.
    """
    lanes: dict[str, Any] = {"lane_bits": t.dtype.bits, "in_lanes": in_lanes, "out_lanes": out_lanes}
    if in_lanes % out_lanes == 0 or out_lanes % in_lanes == 0:
        return StreamRegroup(**lanes, sparse=apart and out_lanes > in_lanes)
    return StreamPack(**lanes, frame_elements=t.size)
