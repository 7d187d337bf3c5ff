# SPDX-License-Identifier: Apache-2.0
"""The cycle model of the accelerator: batch after batch through input, layers and output, exact at full rate.

Full rate: every stream has a word, and takes one, whenever the accelerator asks. Cycle 0 takes the first word of the
input. What couples the parts: two input buffers; one write port of the activation memory, which results take first; a
layer that writes the output buffer waits for the results of the batch before; one with streamed weights for its packet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.jit import njit
from bitwright.targets.bitsys.model.cycles import FETCH, LayerTiming

PERIODS = 4  # batches over which the interval is averaged: the two input buffers may take turns
WARM_UP = 6  # batches before them
RING_FULL = 112  # elements that have been accepted when no more are
_RESET = [0, 1, 0, 0, 0, 0, 0, 0]  # cycle, ready, ahead, word, elements, count, lanes, group as bitsys_input names them


@dataclass(frozen=True)
class Ends:
    """The elements of a frame: pixels and channels of input or output."""

    pixels: int
    channels: int


@dataclass(frozen=True)
class Step:
    """A layer: what it takes, what it waits for. lines: words of its packet of weights, 0 where they stay on chip."""

    timing: LayerTiming
    to_output: bool
    release_input: bool
    words: int = 0
    ahead: int = 0


@dataclass(frozen=True)
class Accelerator:
    """What the times of a batch of `frames` frames depend on."""

    steps: Sequence[Step]
    frames: int
    source: Ends
    planes: bool
    result: Ends
    argmax: bool


def frame_ends(machine: Accelerator, batches: int) -> np.ndarray:
    """The cycle of the last output word of every frame, int64 [batches * frames]."""
    state = _State(machine)
    return np.concatenate([state.batch() for _ in range(batches)])


def interval_and_latency(machine: Accelerator) -> tuple[int, int]:
    """(cycles between frames, rounded up, in the long run; cycles from the first input word to the first frame)."""
    ends = frame_ends(machine, WARM_UP + PERIODS)
    cycles = int(ends[-1] - ends[-1 - PERIODS * machine.frames])
    return math.ceil(cycles / (PERIODS * machine.frames)), int(ends[0])


class _State:
    """The batches so far; times are those of the cycles in which something happens."""

    def __init__(self, machine: Accelerator) -> None:
        self.machine = machine
        self.input = np.array(_RESET, np.int64)
        self.closed: list[int] = []  # a batch's last group on its way into its input buffer
        self.released: list[int] = []  # the buffer's release
        self.done = -1  # end of the last layer
        self.output_free = 0
        self.head = -1  # of the next packet of weights; the input waits a cycle longer
        self.freed: list[int] = []  # packets whose layers have ended
        self.writes = [np.zeros((0, 4), np.int64)] * 2  # of the last two batches

    def batch(self) -> np.ndarray:
        """Run a batch; the cycles in which its frames have left."""
        machine = self.machine
        before = np.concatenate(self.writes)
        shape = machine.source.pixels, *_channels(machine)
        closed = _closed(self.input, self._opened(), machine.frames, *shape, before)
        self.closed.append(closed)
        fetch = max(closed + 1, self.done) + 2
        writes = []
        for step in machine.steps:
            start = max(fetch + FETCH - 1, self._arrived(step) + 3)
            if step.to_output:
                start = max(start, self.output_free + 2)
            writes.append(step.timing.writes + np.array([start, 0, 0, 0]))
            self.done = start + step.timing.cycles - FETCH
            if step.release_input:
                self.released.append(self.done)
            if step.words:
                self.freed.append(self.done)
            fetch = self.done + 1
        self.writes = [self.writes[1], np.concatenate(writes)]
        ends = self.done + _sent(machine)
        self.output_free = int(ends[-1]) + 1
        return ends

    def _opened(self) -> int:
        """The cycle from which on a buffer takes groups: after the last batch, and after its own release."""
        index = len(self.closed)
        if not index:
            return 0
        return max(self.closed[-1] + 1, self.released[index - 2] if index > 1 else 0) + 2

    def _arrived(self, step: Step) -> int:
        """The cycle from which on the weights of a layer are there."""
        if not step.words:
            return 0
        index = len(self.freed)
        last = index - step.ahead - 1  # the packet whose layer must have ended
        begin = max(self.head + 1, self.freed[last] + 2 if last >= 0 else 0)
        self.head = begin + step.words + 1
        return self.head


def _channels(machine: Accelerator) -> tuple[int, int]:
    """Channels of an input pixel, and with what fills up its last word of bit planes."""
    channels = machine.source.channels
    return channels, math.ceil(channels / 64) * 64 if machine.planes else channels


def _sent(machine: Accelerator) -> np.ndarray:
    """Cycles from the end of the layers to the last word of each frame, int64 [frames].

    The first group takes three cycles through the memory and its registers. ArgMax takes a cycle more for each pixel.
    """
    pixels = machine.result.pixels * np.arange(1, machine.frames + 1)
    return 3 + pixels * (machine.result.channels + int(machine.argmax))


@njit
def _closed(
    state: np.ndarray, opened: int, frames: int, pixels: int, channels: int, padded: int, writes: np.ndarray
) -> int:
    """The cycle in which a batch's last group leaves the ring of bitsys_input, whose buffer opens in cycle `opened`.

    writes [runs, 4]: cycles that belong to results. state: the cycle that is next and what its registers hold, of
    `_RESET`'s order; it goes on with the next batch.
    """
    after = writes[:, 0] + (writes[:, 1] - 1) * writes[:, 2] + writes[:, 3]
    cycle, ready, ahead, word, elements, count, lanes, group = state
    run = frame = pixel = channel = 0
    pad = -channels * pixels % 8
    while frame < frames:
        if cycle < opened and ready + word + elements + lanes + group == 0 and ahead >= RING_FULL:
            cycle = opened  # nothing moves before
        while run < len(writes) and cycle >= after[run]:
            run += 1
        hold = group == 1 and run < len(writes) and cycle >= writes[run, 0]
        hold = hold and (cycle - writes[run, 0]) % writes[run, 2] < writes[run, 3]
        needed = min(8, max(0, channels - channel))
        emit = cycle >= opened and needed <= count and not hold
        taken = 0
        if emit:
            taken = needed
            channel += 8
            if channel >= padded:
                channel = 0
                pixel += 1
                if pixel == pixels:
                    pixel = 0
                    frame += 1
                    taken += pad
        if not hold:
            group, lanes = lanes, int(emit)
        count += 8 * elements - taken
        word, elements = ready, word
        ready, ahead = int(ahead < RING_FULL), ahead + 8 * ready - taken
        cycle += 1
    state[:] = np.array([cycle, ready, ahead, word, elements, count, lanes, group])
    return int(cycle) - 1
