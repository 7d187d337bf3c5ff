# SPDX-License-Identifier: Apache-2.0
"""Module `threshold` (operation Threshold)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.errors import ModelError
from bitwright.hardware.memory import index_bits, is_block, rom_latency
from bitwright.hardware.module import Memory, Module, all_alike, by_lane, tiles_of
from bitwright.hardware.modules.control import pipe
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import Sized
from bitwright.hardware.timing.classes import ADDRESS, Path, adder, table
from bitwright.network.ops import Threshold
from bitwright.network.types import TensorType


@dataclass(frozen=True, eq=False)
class ThresholdModule(Module):
    """Memories: a stage and lane of the binary search each, and where not uniform {falling, base} a lane."""

    rtl: ClassVar[str] = "threshold"
    in_bits: int
    out_bits: int
    lanes: int
    tiles: int
    count_bits: int
    in_signed: bool
    wide: bool
    shared: bool
    uniform: bool
    base: Sized
    falling: bool

    @classmethod
    def of(cls, op: Threshold, in_type: TensorType, lanes: int) -> ThresholdModule:
        """For words of `lanes` channels. Thresholds that every x of every channel reaches go into the base."""
        tiles = tiles_of(in_type.channels, lanes)
        if not np.all(np.abs(op.step) == (2 if op.dtype.bipolar else 1)):
            raise ModelError(f"Threshold steps are +1 or -1 (+2 or -2 for a bipolar output), not {op.step}")
        wire = in_type.dtype.wire
        levels = -(-(op.thresholds + 1) // 2) if in_type.dtype.bipolar else op.thresholds
        levels = np.clip(levels, wire.min, wire.max + 1)
        always = int((levels == wire.min).sum(1).min())
        levels = levels[:, always : levels.shape[1] - int((levels > wire.max).sum(1).min())]
        shared = all_alike(levels)
        count_bits = max(1, levels.shape[1].bit_length())
        fill = np.full((len(levels), (1 << count_bits) - 1 - levels.shape[1]), wire.max + 1)
        levels = np.concatenate([levels, fill], axis=1) - 1
        wide = bool(levels.size) and int(levels.min()) < wire.min
        if wide or wire.signed:
            levels = levels + (1 << (wire.bits + wide - 1))  # offset binary
        channels = 1 if shared else in_type.channels
        levels = np.broadcast_to(levels[:channels], (channels, levels.shape[1]))
        base = np.broadcast_to(op.base + op.step * always, (in_type.channels,))
        falling = np.broadcast_to(op.step < 0, (in_type.channels,))
        uniform = all_alike(base) and all_alike(falling)
        memories = _search(levels, count_bits, 1 if shared else lanes, wire.bits + wide)
        codes, bits = op.dtype.encode(base), op.dtype.bits
        if not uniform:
            memories |= by_lane("_b", [(falling.astype(np.int64), 1), (codes, bits)], lanes)
        return cls(
            memories=memories,
            in_bits=wire.bits,
            out_bits=bits,
            lanes=lanes,
            tiles=tiles,
            count_bits=count_bits,
            in_signed=wire.signed,
            wide=wide,
            shared=shared,
            uniform=uniform,
            base=Sized(int(codes[0]) if uniform else 0, bits),
            falling=bool(falling[0]) if uniform else False,
        )

    @property
    def adjusts(self) -> bool:
        """Whether base and step need an adder."""
        return not self.uniform or (self.out_bits > 1 and (self.falling or self.base.value != 0))

    def _entry(self, bit: int) -> int:
        """The stage in which the threshold of a bit of the count is read; of `count_bits`, stages of the search."""
        shapes = [self._shape(s) for s in range(bit)]
        return sum(1 + rom_latency(*shape) + is_block(*shape) for shape in shapes)

    def _shape(self, bit: int) -> tuple[int, int]:
        """Width and depth of the memory of a bit's thresholds."""
        return self.in_bits + self.wide, (1 if self.shared else self.tiles) << bit

    @property
    def latency(self) -> int:
        return self._entry(self.count_bits) + self.adjusts

    @property
    def cost(self) -> Resources:
        lanes, bits = self.lanes, self.in_bits
        level, search = bits + self.wide, self._entry(self.count_bits)
        # nothing reads the tile where all channels are alike
        last_read = self._entry(self.count_bits - 1)
        if not self.uniform:
            last_read = search - rom_latency(self.out_bits + 1, self.tiles)
        found = pipe(self.latency, 1 if self.shared and self.uniform else self.tiles, last_read)
        found += self.roms("_s") * (lanes if self.shared else 1)
        found += Resources(ff=bits * (search - 1) * lanes)
        for s in range(self.count_bits):
            # bits of a level that are no constants
            varying = min(level, s) if self.tiles == 1 or self.shared else level
            compare = Resources(lut=math.ceil(level / 2) + 2 * (varying > 0), carry=math.ceil(level / 8))
            if level + varying <= 6:
                compare = Resources(lut=1)
            waits = self._entry(s + 1) - self._entry(s) - 1
            late = level * is_block(*self._shape(s))
            found += (compare + Resources(ff=waits * s + s + 1 + late)) * lanes
        if self.adjusts:
            found += Resources(lut=lanes * self.out_bits, ff=lanes * self.out_bits) + self.roms("_b")
        return found

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of every bit of the count: its memory, and the compare."""
        level, tiles = self.in_bits + self.wide, 1 if self.shared else self.tiles
        found = [Path("base of a threshold", adder(self.out_bits), 2)] if self.adjusts else []
        for s in range(self.count_bits):
            depth = tiles << s
            block = is_block(level, depth)
            if depth > 2:
                read = "memory of thresholds"
                steps, end = ((), ADDRESS) if block else (table(index_bits(depth)), "data")
                found.append(Path(read, steps, self.lanes if tiles > 1 else 1, 2, end=end))
            found.append(Path("compare of a threshold", (*adder(level), 4), 2))
        return tuple(found)


def _search(levels: np.ndarray, count_bits: int, lanes: int, width: int) -> dict[str, Memory]:
    """A memory a stage and lane of the binary search over levels [channels, 2**count_bits - 1]."""
    found = {}
    for stage in range(count_bits):
        span = 1 << (count_bits - stage)
        nodes = levels[:, span // 2 - 1 :: span]  # [channels, 2**stage]
        for lane in range(lanes):
            found[f"_s{stage:02d}_l{lane:03d}"] = Memory(nodes[lane::lanes].reshape(-1), width)
    return found
