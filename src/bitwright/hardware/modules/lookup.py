# SPDX-License-Identifier: Apache-2.0
"""Module `lookup` (operation Lookup)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.hardware.memory import is_block
from bitwright.hardware.module import Memory, Module, all_alike, tiles_of
from bitwright.hardware.modules.control import pipe
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import ADDRESS, BLOCK, DATA, Path, table
from bitwright.network.ops import Lookup
from bitwright.network.types import TensorType


@dataclass(frozen=True, eq=False)
class LookupModule(Module):
    """Memories: the tables of each lane, one for all lanes where shared."""

    rtl: ClassVar[str] = "lookup"
    in_bits: int
    out_bits: int
    lanes: int
    tiles: int
    shared: bool

    @classmethod
    def of(cls, op: Lookup, in_type: TensorType, lanes: int) -> LookupModule:
        """For words of `lanes` channels; the entries are ordered by the word on the wire."""
        tiles = tiles_of(in_type.channels, lanes)
        words = op.dtype.encode(op.table[:, op.domain.index(op.domain.decode(np.arange(op.domain.levels)))])
        shared = all_alike(words)
        channels = 1 if shared else in_type.channels
        words = np.broadcast_to(words[:channels], (channels, words.shape[1]))
        own = 1 if shared else lanes
        memories = {f"_l{lane:03d}": Memory(words[lane::own].reshape(-1), op.dtype.bits) for lane in range(own)}
        return cls(op.domain.bits, op.dtype.bits, lanes, tiles, shared, memories=memories)

    @property
    def latency(self) -> int:
        return 1

    @property
    def cost(self) -> Resources:
        return pipe(1, 1 if self.shared else self.tiles) + self.roms() * (self.lanes if self.shared else 1)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The table; in block RAM it has no register of its own, and what reads it starts there."""
        depth = (1 if self.shared else self.tiles) << self.in_bits
        loads = self.lanes * self.out_bits if self.tiles > 1 and not self.shared else self.out_bits
        if is_block(self.out_bits, depth):
            found = Path("address of a table", (), self.lanes, self.lanes, end=ADDRESS)
            return (found, Path("table in block RAM", (3,), 2, start=BLOCK, end=DATA))
        return (Path("table", table((depth - 1).bit_length()), loads),)
