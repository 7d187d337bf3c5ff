# SPDX-License-Identifier: Apache-2.0
"""Module `window_reader`: its buffer, its cycles a frame, its cost, and what its windows wait for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bitwright.hardware.memory import index_bits, is_block, ram
from bitwright.hardware.modules.control import counter
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import ENABLE, WRITE, Carry, Path, mux
from bitwright.network.ops import window_output

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """Geometry of a window_reader, with the module's own arithmetic. `width` is the bits of a word.

    pads are (top, left, bottom, right), as in the operations.
    """

    width: int
    height: int
    image_width: int
    chunks: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    repeats: int = 1

    @property
    def parameters(self) -> dict[str, int]:
        """The module's parameters but PadWord."""
        names = ["Width", "Height", "ImageWidth", "Chunks", "KernelH", "KernelW", "StrideH", "StrideW"]
        names += ["PadTop", "PadLeft", "PadBottom", "PadRight", "DilationH", "DilationW", "Groups", "Repeats"]
        size = (self.width, self.height, self.image_width, self.chunks)
        values = (*size, *self.kernel, *self.stride, *self.pads, *self.dilation, self.groups, self.repeats)
        return dict(zip(names, values, strict=True))

    @property
    def output(self) -> tuple[int, int]:
        """Windows (rows, columns) of a frame."""
        (kh, kw), (sh, sw), (dh, dw) = self.kernel, self.stride, self.dilation
        top, left, bottom, right = self.pads
        return (
            window_output(self.height, kh, sh, top, bottom, dh),
            window_output(self.image_width, kw, sw, left, right, dw),
        )

    @property
    def is_wire(self) -> bool:
        """Nothing is repeated, skipped or padded: the module has no buffer."""
        return (*self.kernel, *self.stride, self.repeats) == (1,) * 5 and not any(self.pads)

    @property
    def in_words(self) -> int:
        """Input words of a frame."""
        return self.height * self.image_width * self.chunks

    @property
    def out_words(self) -> int:
        """Output words of a frame."""
        oh, ow = self.output
        return oh * ow * self.kernel[0] * self.kernel[1] * self.repeats * self.chunks

    @property
    def early(self) -> int:
        """Pixels that padding behind the image would free too early."""
        oh, ow = self.output
        last_x, last_y = (ow - 1) * self.stride[1] - self.pads[1], (oh - 1) * self.stride[0] - self.pads[0]
        return max(0, last_x - self.image_width, last_y * self.image_width + last_x - self.height * self.image_width)

    @property
    def oldest(self) -> np.ndarray:
        """Position in the input stream of the oldest word that is kept while a window is read, [windows of a frame]."""
        oh, ow = self.output
        y = np.arange(oh)[:, None] * self.stride[0] - self.pads[0]
        x = np.arange(ow) * self.stride[1] - self.pads[1]
        return ((y * self.image_width + x - self.early) * self.chunks).reshape(-1)

    def _sizes(self) -> tuple[int, int, bool]:
        """Pixels that the buffer needs without the gap between frames; that gap; whether it is hidden."""
        (kh, kw), (sh, sw) = self.kernel, self.stride
        oh, ow = self.output
        w, frame = self.image_width, self.height * self.image_width
        reach = self.dilation[0] * (kh - 1) * w + self.dilation[1] * (kw - 1)
        span = max(reach, self.pads[0] * w + self.pads[1]) + 1
        next_row = sh * w - (ow - 1) * sw
        taps = kh * kw * self.repeats
        ahead = max(sw, next_row) if ow * taps > w else sw
        gap = max(0, frame - (oh - 1) * sh * w - (ow - 1) * sw - ahead)
        hidden = taps > frame // (oh * ow) and gap * 64 // (oh * ow) >= taps
        return span + self.early + ahead, gap, hidden

    @property
    def words(self) -> int:
        """Words that the buffer needs."""
        pixels, gap, hidden = self._sizes()
        return 0 if self.is_wire else (pixels + gap * hidden) * self.chunks

    @property
    def is_block(self) -> bool:
        """Whether the buffer is block RAM; LUT RAM otherwise."""
        return is_block(self.width, self.words)

    @property
    def stages(self) -> int:
        """Registers of the memory: cycles from the choice of a word to its emission."""
        return 0 if self.is_wire else 1 + (self.depth > 64)

    @property
    def latency(self) -> int:
        """Cycles from the arrival of a word to its first emission."""
        return 0 if self.is_wire else self.arrival + self.stages

    @property
    def arrival(self) -> int:
        """Cycles from the arrival of a word until it can be chosen; on its way to LUT RAM it waits in a register."""
        return 1 + (not self.is_block)

    @property
    def depth(self) -> int:
        """Words of the memory, a multiple of what it comes in: 512 (block RAM), 64 or 32 (LUT RAM)."""
        unit = 512 if self.is_block else 64 if self.words > 32 else 32
        return -(-self.words // unit) * unit

    @property
    def interval_cycles(self) -> int:
        """Cycles a frame where neither neighbor stalls.

        Never more where the input or the output side takes twice as long as the other. Between, rows that no
        window reads (stride above the kernel, or left over) can cost up to a tenth more.
        """
        if self.is_wire:
            return self.in_words
        _, gap, _ = self._sizes()
        spare = self.depth // self.chunks - self._sizes()[0]
        return max(self.in_words, self.out_words + max(0, gap - spare) * self.chunks)

    @property
    def cost(self) -> Resources:
        """Cells of the module."""
        if self.is_wire:
            return counter(self.chunks // self.groups)
        waiting = Resources(ff=(self.width + 1) * (self.arrival - 1))
        return ram(self.width, self.depth, self.is_block, self.stages) + waiting + self._control()

    def _control(self) -> Resources:
        """Loops, positions and flags."""
        rows, columns = self.output
        loops = (self.chunks // self.groups, *self.kernel[::-1], self.repeats, self.groups, columns, rows)
        # Where only words and repetitions step, two of the three bits that name the loop are equal.
        several = max(self.kernel) > 1 or columns * rows > 1
        found = sum((counter(n) for n in loops), Resources(lut=17 if several else 0, ff=3))
        address = index_bits(self.depth)
        lead = 2 + index_bits(max(self.depth, self.image_width * self.chunks) + 2)
        positions = 2 * lead + 1
        found += Resources(
            lut=positions + address + 6 + address // 2,
            ff=positions + 2 * address + 6,
            carry=2 * math.ceil(lead / 4) + 2 * math.ceil(address / 4),
        )
        # How an item moves the positions: registers, of which few differ where only words and repetitions step.
        found += Resources(ff=lead + address) if several else Resources(lut=4, ff=4)
        if self.depth & (self.depth - 1):
            found += Resources(lut=2 * address, carry=math.ceil(address / 4))
        if any(self.pads):
            bits = 2 + index_bits(self.image_width + self.pads[1] + 1) + index_bits(self.height + self.pads[0] + 1)
            found += Resources(lut=3 * bits + 4 + self.width, ff=bits + 2, carry=2 * math.ceil(bits / 8) + 2)
        return found

    @property
    def paths(self) -> tuple[Path, ...]:
        """What moves it: where the next word lies, whether it is there, and what it frees."""
        if self.is_wire:
            return ()
        lead = 2 + index_bits(max(self.depth, self.image_width * self.chunks) + 2)
        banks = 1 if self.is_block else -(-self.depth // 64)
        return (
            Path("position of a window", (5, Carry(lead + 1)), 4 * lead),
            Path("words that a window frees", (*((4,) if any(self.pads) else ()), 5, Carry(lead + 2)), 12),
            Path("next word of a window", (4, 2), 4 * lead, 4 * lead, end=ENABLE),
            Path("write of a window", (*((3,) if banks > 2 else ()), 2), self.width // 2, end=WRITE),
            Path("read of a window", (5, *mux(banks, 1)), self.width),
        )

    def waits(self, tile: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The words that tiles of `tile` cycles wait for: `first`, `position` and `lag` of an `events.Process`.

        A pass reads its words in the order of the stream, at most one a cycle, so of each kernel row (and each group's
        words of a pixel) only the last word inside the image matters, and only in the first pass. Tiles of one word
        wait for this word.
        """
        (oh, ow), (kh, kw), (sh, sw), (dh, dw) = self.output, self.kernel, self.stride, self.dilation
        groups, own = self.groups, self.chunks // self.groups
        y = np.arange(oh)[:, None] * sh - self.pads[0] + np.arange(kh) * dh  # [oh, kh]
        left = np.arange(ow) * sw - self.pads[1]
        tap = np.minimum((self.image_width - 1 - left) // dw, kw - 1)  # [ow], the last one inside the image
        x = left + tap * dw
        inside = ((y >= 0) & (y < self.height))[:, None, None, :, None] & ((tap >= 0) & (x >= 0))[:, None, None, None]
        ends = np.arange(own) if tile == 1 else np.array([own - 1])
        # [oh, ow, group, kernel row, word]
        pixel = y[:, None, None, :, None] * self.image_width + x[:, None, None, None]
        position = pixel * self.chunks + np.arange(groups)[:, None, None] * own + ends
        item = (np.arange(kh)[:, None] * kw + tap[:, None, None, None]) * own + ends
        per_group = kh * kw * own * self.repeats // tile
        start = np.arange(oh * ow * groups).reshape(oh, ow, groups, 1, 1) * per_group
        shape = np.broadcast_shapes(position.shape, item.shape, start.shape, inside.shape)
        inside = np.broadcast_to(inside, shape)
        which = np.broadcast_to(start + item // tile, shape)[inside]
        position, item = np.broadcast_to(position, shape)[inside], np.broadcast_to(item, shape)[inside]
        lag = tile - 1 - item % tile
        # A frame waits for its first word.
        which, position, lag = (np.concatenate([[a], b]) for a, b in ((0, which), (0, position), (tile - 1, lag)))
        order = np.argsort(which, kind="stable")
        first = np.searchsorted(which[order], np.arange(oh * ow * groups * per_group + 1))
        return first, position[order], lag[order]
