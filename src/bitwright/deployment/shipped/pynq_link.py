# SPDX-License-Identifier: Apache-2.0
"""A design behind the DMA engines of an overlay, through PYNQ."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

TRANSFER_BYTES = (1 << 26) - 64  # what one DMA transfer holds
MAX_FRAMES = 1024
BUSY = 8  # the register of `frames` that says whether a reset waits for memory
ALIGNED = 4096  # addresses of memory


class PynqLink:
    """The overlay with DMA engines `dma` and, for weights, `weights_dma`; GPIO `frames`; registers `design`.

    frames holds the frames of a batch, which ends with tlast; 0 resets the design, which takes all words meanwhile.
    memory: whether the design has external memory; a reset then awaits what is under way.
    """

    def __init__(
        self, pynq: Any, bitfile: Path, clock_mhz: float, timeout_s: float = 10.0, memory: bool = False
    ) -> None:
        self.pynq, self.timeout_s, self.memory = pynq, timeout_s, memory
        self.overlay = pynq.Overlay(str(bitfile))
        pynq.Clocks.fclk0_mhz = clock_mhz
        self.dma = self.overlay.dma
        self.buffers: list[Any] = []
        self.held: list[Any] = []  # memories of networks
        self.weights: Any = None
        self.weights_begun = False

    def reset(self, weights: np.ndarray | None) -> None:
        """Reset the design; words of the weights before leave their DMA engine at once."""
        self._stop()
        if self.weights_begun:
            self._wait(lambda: self.overlay.weights_dma.sendchannel.idle, "the end of the weights before")
        self.overlay.frames.write(0, 1)
        self.weights, self.weights_begun = None, False
        if weights is not None:
            self.weights = self.pynq.allocate(shape=weights.shape, dtype=np.uint32)
            self.weights[:] = weights
            self.weights.flush()

    def hold(self, words: np.ndarray, size: int) -> int:
        """A buffer of its own for every network."""
        buffer = self.pynq.allocate(shape=(-(-size // 4),), dtype=np.uint32)
        self.held.append(buffer)
        if buffer.device_address % ALIGNED:
            raise RuntimeError(f"a buffer lies at 0x{buffer.device_address:x}; legal are multiples of {ALIGNED}")
        buffer[: len(words)] = words
        buffer.flush()
        return int(buffer.device_address)

    def write(self, pairs: np.ndarray) -> None:
        """Write registers one after the other."""
        for address, word in pairs:
            self.overlay.design.write(int(address), int(word))

    def read(self, address: int) -> int:
        """The word of a register."""
        return int(self.overlay.design.read(address))

    def transfer(self, frames: np.ndarray, out_bytes: int) -> np.ndarray:
        """Frames in batches that one DMA transfer holds."""
        size = frames.shape[1]
        most = max(1, min(MAX_FRAMES, TRANSFER_BYTES // max(size, out_bytes)))
        self._allocate(most * size, most * out_bytes)
        results = np.zeros((len(frames), out_bytes), np.uint8)
        for first in range(0, len(frames), most):
            part = frames[first : first + most]
            self.buffers[0][: part.size] = part.reshape(-1)
            self._batch(len(part), part.size, len(part) * out_bytes)
            found = np.array(self.buffers[1][: len(part) * out_bytes])
            results[first : first + len(part)] = found.reshape(-1, out_bytes)
        return results

    def close(self) -> None:
        """Free the buffers; the design stays in reset where it could still reach some."""
        if self.held:
            self._stop()
        for buffer in (*self.buffers, *self.held, *([] if self.weights is None else [self.weights])):
            buffer.freebuffer()
        self.buffers, self.held, self.weights = [], [], None

    def _stop(self) -> None:
        """Reset the design and keep it so."""
        self.overlay.frames.write(0, 0)
        if self.memory:
            self._wait(lambda: not self.overlay.frames.read(BUSY), "the end of its accesses to memory")

    def _allocate(self, *sizes: int) -> None:
        """Keep buffers that are large enough."""
        for index, size in enumerate(sizes):
            if index == len(self.buffers):
                self.buffers.append(self.pynq.allocate(shape=(size,), dtype=np.uint8))
            elif len(self.buffers[index]) < size:
                self.buffers[index].freebuffer()
                self.buffers[index] = self.pynq.allocate(shape=(size,), dtype=np.uint8)

    def _batch(self, frames: int, in_bytes: int, out_bytes: int) -> None:
        self.overlay.frames.write(0, frames)
        self.buffers[0].flush()
        self.dma.recvchannel.transfer(self.buffers[1], 0, out_bytes)
        self.dma.sendchannel.transfer(self.buffers[0], 0, in_bytes)
        self._wait(self._received, f"a result of {frames} frames")
        self.buffers[1].invalidate()

    def _received(self) -> bool:
        """Whether all results are here.

        Where not, all weights are sent again when they have gone: the design reads ahead, and goes on there later.
        """
        if self.dma.recvchannel.idle:
            return True
        if self.weights is not None:
            channel = self.overlay.weights_dma.sendchannel
            if channel.idle or not self.weights_begun:
                channel.transfer(self.weights)
                self.weights_begun = True
        return False

    def _wait(self, done: Any, what: str) -> None:
        deadline = time.perf_counter() + self.timeout_s
        while not done():
            if time.perf_counter() > deadline:
                raise TimeoutError(f"the overlay has not delivered {what} within {self.timeout_s:g} s")
