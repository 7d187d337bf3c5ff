# SPDX-License-Identifier: Apache-2.0
"""The cycle model of hardware with external memory: exact with the ideal memory and streams at full rate.

Input, layers and everything behind the bus are followed cycle by cycle, as their registers change; a layer's own time
comes from its descriptor, as without external memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.hardware.external import bus
from bitwright.jit import njit
from bitwright.targets.bitsys.external import engines
from bitwright.targets.bitsys.external.items import KINDS, Item, Run, kind_of
from bitwright.targets.bitsys.model.cycles import FETCH, LayerTiming
from bitwright.targets.bitsys.model.timeline import (
    GROUP,
    INPUT_RESET,
    NEXT_GROUP,
    OPENED,
    WORDS_LEFT,
    Accelerator,
    input_cycle,
    input_tensors,
    rests,
    sent,
)

AHEAD = -1  # the cycle in which the records may first be asked for, when cycle 0 takes the first input word
RING = 256  # descriptors, at least, whose needs are kept
FETCH_CYCLES = 11  # from the decision to fetch a descriptor to the first cycle in which its layer may begin
EXTERNAL_FETCH = FETCH_CYCLES + 2 - FETCH  # cycles that a layer takes more than without external memory
IDLE, FETCHING, READY, RUNNING = range(4)
# A layer: cycles from its start to its end, flags, cycles until what it sends has left, its writes [first, after).
BODY, TO_OUTPUT, TAKES, RELEASES, SENDS, LAST, LEAVES, WRITES, WRITES_END = range(9)
# The sequencer's registers; cycles that layers waited; when the last two batches of input were complete.
(
    Q_STATE, Q_COUNT, Q_LAYER, Q_THERE, Q_TAKEN, Q_COMPUTING, Q_WORKING, Q_INPUT, Q_LOADS, Q_STORES, Q_OUTPUT, Q_START,
    Q_RUN, Q_CLOSED, Q_USED, Q_RELEASED, Q_FREE, W_LOADS, W_STORES, W_INPUT, W_OUTPUT, Q_CLOSED_AT, _, Q_ALL,
) = range(24)  # fmt: skip
NEVER = 1 << 60
LOOKS = 16  # cycles between two looks whether anything moves at all
WARM_UP, PERIODS = 3, 2  # batches before those over which the interval is averaged, and these


@dataclass(frozen=True)
class Times:
    """ends: the cycle in which each batch's last word leaves, int64 [batches]; cycles that layers waited, in all."""

    ends: np.ndarray
    loads: int
    stores: int
    input: int
    output: int

    def waits(self) -> dict[str, int]:
        """Cycles that layers waited in a batch, rounded: for records and loads, for stores, for input and output."""
        names = {"loads": self.loads, "stores": self.stores, "input": self.input, "output": self.output}
        return {f"cycles_{name}": round(cycles / len(self.ends)) for name, cycles in names.items()}

    def interval_and_latency(self, machine: Accelerator) -> tuple[int, int]:
        """(cycles between frames in the long run, rounded up; cycles from the first input word to the first frame)."""
        leaving = sent(machine)
        cycles = int(self.ends[-1] - self.ends[-1 - PERIODS])
        return math.ceil(cycles / (PERIODS * machine.frames)), int(self.ends[0] - leaving[-1] + leaving[0])


def table(items: Sequence[Item], waits: Sequence[dict[str, int]], places: dict[str, int]) -> np.ndarray:
    """The records in the columns of external/engines.py, int64 [records, 8]; waits: what each waits for."""
    rows = []
    for item, allowed in zip(items, waits, strict=True):
        ahead = [allowed.get(kind, 0) for kind in ("layer", "load", "store")]
        if isinstance(item, Run):
            rows.append([engines.LAYER, *ahead, 0, 0, 0, 0])
        else:
            kind = engines.STORE if kind_of(item) == "store" else KINDS[item.kind]
            rows.append([kind, *ahead, item.words, item.lines, places[item.name] + item.offset, item.step])
    return np.array(rows, np.int64)


def layers(runs: Sequence[Run], timings: Sequence[LayerTiming], machine: Accelerator) -> tuple[np.ndarray, np.ndarray]:
    """The layers in the columns above, int64 [layers, 9], and their writes, int64 [runs, 4], from their starts on."""
    rows, writes = [], [np.zeros((0, 4), np.int64)]
    leaves = int(sent(machine)[-1])
    for run, timing in zip(runs, timings, strict=True):
        fields, first = run.layer.fields, sum(map(len, writes))
        flags = [fields.get(name, 0) for name in ("to_output", "take_input", "release_input", "send", "last")]
        rows.append([timing.cycles - FETCH, *flags, leaves, first, first + len(timing.writes)])
        writes.append(timing.writes)
    return np.array(rows, np.int64), np.concatenate(writes)


def times(
    records: np.ndarray,
    sizes: np.ndarray,
    steps: tuple[np.ndarray, np.ndarray],
    machine: Accelerator,
    parts: int,
    batches: int,
) -> Times:
    """Follow so many batches. sizes: as `engines.cycle` takes them; parts: of an input that comes in parts."""
    tensors = input_tensors(machine, parts)
    source = np.array(INPUT_RESET, np.int64)
    source[WORDS_LEFT] = tensors[0, 3]
    s, ends = np.zeros(Q_ALL, np.int64), np.zeros(batches, np.int64)
    ports = np.zeros((3, 6), np.int64)
    ports[0, bus.ROOM], ports[1, bus.ROOM] = bus.DEPTHS[bus.RECORD_BEATS], bus.DEPTHS[bus.LOAD_BEATS]
    registers = np.zeros(36, np.int64)
    registers[engines.S_ROOM] = bus.DEPTHS[bus.WORDS]
    shapes = ((9, 6), (11,), (bus.QUEUE, 3), (bus.QUEUE,), (9, bus.RING, 3), (3, 4), (RING, 2))
    f, m, reads, backs, q, asks, ring = (np.zeros(shape, np.int64) for shape in shapes)
    state = f, ports, m, reads, backs, registers, q, asks, ring
    _follow(state, records, sizes, steps[0], steps[1], (source, tensors, s, ends), machine.frames)
    return Times(ends, *(int(s[k]) for k in (W_LOADS, W_STORES, W_INPUT, W_OUTPUT)))


@njit
def _follow(
    state: tuple[np.ndarray, ...],
    records: np.ndarray,
    sizes: np.ndarray,
    steps: np.ndarray,
    writes: np.ndarray,
    ends: tuple[np.ndarray, ...],
    frames: int,
) -> None:
    """Cycle by cycle, until the last word of the last batch has left. ends: input, its tensors, sequencer, results."""
    source, tensors, s, left = ends
    settle = NEXT_GROUP if len(tensors) > 1 else 3
    f, p, m, g = state[0], state[1], state[2], state[5]
    before = np.concatenate((f.ravel(), p.ravel(), m, g))
    now, done = AHEAD, 0
    while done < len(left):
        step = steps[s[Q_LAYER] % len(steps)]
        looks = now % LOOKS == 0 and s[Q_STATE] == RUNNING and rests(source)
        looks = looks and not engines.load_wants(g, f) and not engines.save_wants(g)
        if looks:
            before[:] = np.concatenate((f.ravel(), p.ravel(), m, g))
        result = _writes(s, step, writes, now)
        busy = 1 if result or source[GROUP] else 0
        ended = _sequence(s, step, state[5], state[8], now)
        if ended and step[RELEASES]:
            s[Q_RELEASED] += 1
            s[Q_COMPUTING] = 0
            if source[OPENED] == NEVER:
                source[OPENED] = max(now + 2, s[Q_CLOSED_AT + (s[Q_CLOSED] - 1) % 2] + settle)
        if ended and step[SENDS]:
            s[Q_FREE] = now + step[LEAVES] + 1
        if ended and step[LAST]:
            left[done] = now + step[LEAVES]
            done += 1
        if now >= 0 and input_cycle(source, frames, tensors, result):
            s[Q_CLOSED_AT + s[Q_CLOSED] % 2] = now
            s[Q_CLOSED] += 1
            source[OPENED] = now + settle if s[Q_CLOSED] - s[Q_RELEASED] < 2 else NEVER
        engines.cycle(state, records, sizes, now, busy, ended)
        now += 1
        if looks and not ended and np.array_equal(before, np.concatenate((f.ravel(), p.ravel(), m, g))):
            now = max(now, min(s[Q_START] + step[BODY], bus.next_event(f, m, state[3], state[4])))
            source[0] = now


@njit
def _writes(s: np.ndarray, step: np.ndarray, writes: np.ndarray, now: int) -> bool:
    """Whether a result of the running layer takes the write port."""
    if s[Q_STATE] != RUNNING:
        return False
    at = now - s[Q_START]
    while s[Q_RUN] < step[WRITES_END]:
        first, count, distance, length = writes[s[Q_RUN]]
        if at < first + (count - 1) * distance + length:
            return bool(at >= first and (at - first) % distance < length)
        s[Q_RUN] += 1
    return False


@njit
def _sequence(s: np.ndarray, step: np.ndarray, g: np.ndarray, ring: np.ndarray, now: int) -> int:
    """A cycle of the sequencer: whether a layer ends in it."""
    state, there, taken = s[Q_STATE], s[Q_THERE], s[Q_TAKEN]
    working, late = s[Q_WORKING], s[Q_INPUT] or s[Q_LOADS] or s[Q_STORES] or s[Q_OUTPUT]
    ended = take = 0
    evaluates = state == READY or (state == FETCHING and s[Q_COUNT] == 1)
    if state == IDLE:
        if there:
            s[Q_STATE], s[Q_COUNT] = FETCHING, FETCH_CYCLES - 1
            there -= 1
        elif working:
            s[W_LOADS] += 1
    elif state == FETCHING:
        s[Q_COUNT] -= 1
        if s[Q_COUNT] == 0:
            s[Q_STATE] = READY
    elif state == READY:
        oldest = s[Q_CLOSED_AT + s[Q_USED] % 2] + 2
        if step[TAKES] and not taken and not s[Q_COMPUTING] and s[Q_CLOSED] > s[Q_USED] and now >= oldest:
            take = 1
        if not late:
            s[Q_STATE], s[Q_START], s[Q_RUN] = RUNNING, now + 1, step[WRITES]
        s[W_INPUT] += s[Q_INPUT] and working
        s[W_LOADS] += s[Q_LOADS] and working
        s[W_STORES] += s[Q_STORES]
        s[W_OUTPUT] += s[Q_OUTPUT]
    elif now == s[Q_START] + step[BODY]:
        ended = 1
        s[Q_STATE] = IDLE
    if evaluates:
        at = s[Q_LAYER] % len(ring)
        s[Q_INPUT] = 1 if step[TAKES] and not taken else 0
        s[Q_LOADS] = 1 if not s[Q_INPUT] and g[engines.DONE_LOADS] < ring[at, 0] else 0
        s[Q_STORES] = 1 if not s[Q_INPUT] and not s[Q_LOADS] and g[engines.DONE_STORES] < ring[at, 1] else 0
        more = s[Q_INPUT] or s[Q_LOADS] or s[Q_STORES]
        s[Q_OUTPUT] = 1 if step[TO_OUTPUT] and now < s[Q_FREE] and not more else 0
    s[Q_LAYER] += ended
    s[Q_THERE] = there + g[engines.DELIVERED]
    s[Q_TAKEN] = 1 if not ended and (taken or take) else 0
    if take:
        s[Q_COMPUTING] = s[Q_WORKING] = 1
        s[Q_USED] += 1
    elif ended and step[LAST]:
        s[Q_WORKING] = 0
    return ended
