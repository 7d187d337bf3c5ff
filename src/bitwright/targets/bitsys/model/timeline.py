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
# cycle, ready, ahead, word, elements, count, lanes, group as bitsys_input names them; the tensor, its words that are to
# come, the cycle from which on words of the next one are taken; that in which the buffer opens; frame, pixel, channel,
# part
INPUT_RESET = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
OPENED, FRAME, PIXEL, CHANNEL, PART = range(11, 16)
GROUP, WORDS_LEFT = 7, 9
NEXT_GROUP = 7  # cycles from the last group of one of several tensors to the first of the next, at least
NEXT_WORD = 6  # cycles from there to that in which it is seen that words may come again
NEXT_OUTPUT = 8  # cycles between the last word of one of several tensors and the first of the next


@dataclass(frozen=True)
class Ends:
    """A tensor of a frame: its pixels, the cycles of each that leaves, or the channels of each that comes in."""

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
    sources: tuple[Ends, ...]
    planes: bool
    results: tuple[Ends, ...]


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
        self.input = np.array(INPUT_RESET, np.int64)
        self.tensors = input_tensors(machine)
        self.input[WORDS_LEFT] = self.tensors[0, 3]
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
        closed = _closed(self.input, self._opened(), machine.frames, self.tensors, before)
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
        ends = self.done + sent(machine)
        self.output_free = int(ends[-1]) + 1
        return ends

    def _opened(self) -> int:
        """The cycle from which on a buffer takes groups: after the last batch, and after its own release."""
        index = len(self.closed)
        if not index:
            return 0
        settled = self.closed[-1] + NEXT_GROUP if len(self.tensors) > 1 else 0
        return max(settled, max(self.closed[-1] + 1, self.released[index - 2] if index > 1 else 0) + 2)

    def _arrived(self, step: Step) -> int:
        """The cycle from which on the weights of a layer are there."""
        if not step.words:
            return 0
        index = len(self.freed)
        last = index - step.ahead - 1  # the packet whose layer must have ended
        begin = max(self.head + 1, self.freed[last] + 2 if last >= 0 else 0)
        self.head = begin + step.words + 1
        return self.head


def input_tensors(machine: Accelerator, parts: int = 1) -> np.ndarray:
    """Of every input: pixels, channels, with what fills up its last word of bit planes, words; int64 [inputs, 6].

    An only input has no last word. Then parts of a frame, and elements that the frame's last word lacks.
    """
    rows = []
    for t in machine.sources:
        padded = math.ceil(t.channels / 64) * 64 if machine.planes else t.channels
        words = math.ceil(t.pixels * t.channels / 8) if len(machine.sources) > 1 else 1 << 62
        rows.append((t.pixels // parts, t.channels, padded, words, parts, -t.channels * t.pixels % 8))
    return np.array(rows, np.int64)


def sent(machine: Accelerator) -> np.ndarray:
    """Cycles from the end of the layers to the last word of each frame, int64 [frames].

    The first group takes three cycles through the memory and its registers. ArgMax takes a cycle more for each pixel.
    """
    frame = sum(t.pixels * t.channels for t in machine.results)
    between = NEXT_OUTPUT if len(machine.results) > 1 else 0
    frame += between * len(machine.results)
    return 3 - between + frame * np.arange(1, machine.frames + 1)


@njit
def _closed(state: np.ndarray, opened: int, frames: int, tensors: np.ndarray, writes: np.ndarray) -> int:
    """The cycle in which a batch's last group leaves the ring of bitsys_input, whose buffer opens in cycle `opened`.

    writes [runs, 4]: cycles that belong to results. state: of `INPUT_RESET`'s order; it goes on with the next batch.
    """
    after = writes[:, 0] + (writes[:, 1] - 1) * writes[:, 2] + writes[:, 3]
    run = 0
    state[OPENED] = opened
    while True:
        cycle = state[0]
        if cycle < opened and rests(state):
            state[0] = cycle = opened  # nothing moves before
        while run < len(writes) and cycle >= after[run]:
            run += 1
        hold = run < len(writes) and cycle >= writes[run, 0]
        hold = hold and (cycle - writes[run, 0]) % writes[run, 2] < writes[run, 3]
        if input_cycle(state, frames, tensors, hold):
            return int(cycle)


@njit
def rests(state: np.ndarray) -> bool:
    """Whether nothing moves in bitsys_input until its buffer opens."""
    still = state[1] + state[3] + state[4] + state[6] + state[7] == 0 and state[2] >= RING_FULL
    return bool(still and state[0] < state[OPENED])


@njit
def input_cycle(state: np.ndarray, frames: int, tensors: np.ndarray, result: bool) -> bool:
    """A cycle of bitsys_input: whether a batch's last group leaves the ring in it. result: one is written.

    A frame that comes in parts is so many batches; only the last one ends with elements that fill a word.
    """
    cycle, ready, ahead, word, elements = state[0], state[1], state[2], state[3], state[4]
    count, lanes, group, tensor, left, resumed = state[5], state[6], state[7], state[8], state[9], state[10]
    hold = group == 1 and result
    t = tensors[tensor]
    pixels, channels, padded, parts, lacking = t[0], t[1], t[2], t[4], t[5]
    needed = min(8, max(0, channels - state[CHANNEL]))
    emit = cycle >= state[OPENED] and needed <= count and not hold
    taken, closes = 0, False
    left -= ready
    stopped = left == 0 or cycle < resumed
    if emit:
        taken = needed
        state[CHANNEL] += 8
        if state[CHANNEL] >= padded:
            state[CHANNEL] = 0
            state[PIXEL] += 1
            if state[PIXEL] == pixels:
                state[PIXEL] = 0
                state[PART] = 0 if state[PART] + 1 == parts else state[PART] + 1
                taken += lacking if state[PART] == 0 else 0
                tensor += 1
                if len(tensors) > 1:
                    state[OPENED], resumed = cycle + NEXT_GROUP, cycle + NEXT_WORD
                    left = tensors[tensor % len(tensors), 3]
                if tensor == len(tensors):
                    tensor = 0
                    state[FRAME] += 1
                    closes = state[FRAME] == frames
                    state[FRAME] = 0 if closes else state[FRAME]
    if not hold:
        group, lanes = lanes, int(emit)
    count += 8 * elements - taken
    word, elements = ready, word
    ready, ahead = int(ahead < RING_FULL and not stopped), ahead + 8 * ready - taken
    state[0], state[1], state[2], state[3], state[4] = cycle + 1, ready, ahead, word, elements
    state[5], state[6], state[7], state[8], state[9], state[10] = count, lanes, group, tensor, left, resumed
    return closes
