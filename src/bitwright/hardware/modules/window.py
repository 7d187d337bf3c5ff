"""What module window_reader makes of its parameters: the buffer, and the cycles a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.network.ops import window_output

__all__ = ["Window"]

BLOCK_BITS = 4096  # memories beyond this (and 64 words) are block RAM, as in module ram_sdp


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
        names = ("Width", "Height", "ImageWidth", "Chunks", "KernelH", "KernelW", "StrideH", "StrideW")
        names += ("PadTop", "PadLeft", "PadBottom", "PadRight", "DilationH", "DilationW", "Groups", "Repeats")
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
        return self.words > 64 and self.words > BLOCK_BITS // self.width

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
