# SPDX-License-Identifier: Apache-2.0
"""A timed event graph at work: compiled, linear in the number of words. What its processes do is in `events`."""

from __future__ import annotations

import numpy as np

from bitwright.hardware.events import (
    CONCAT,
    FIFO,
    FORK,
    MOVES,
    NEEDS,
    PIPE,
    SLICE,
    SOURCE,
    SPARE,
    TAKES,
    WINDOW,
    YIELDS,
    Process,
    power,
)
from bitwright.jit import njit

TABLES = ("table", "first", "position", "lag")  # of a process
Array = np.ndarray
Tables = tuple[Array, Array, Array, Array]  # table, first, position, lag


def _offsets(sizes: Array | list[int]) -> Array:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


class Run:
    """A graph at work. Process 0 is the SOURCE of `words` words a frame, the last one the SINK of `out_words`."""

    def __init__(self, processes: list[Process], words: int, out_words: int) -> None:
        channels = 1 + max(c for p in processes for c in (*p.inputs, *p.outputs))
        writer, reader, back = np.zeros((3, channels), np.int64)
        for i, p in enumerate(processes):
            writer[list(p.outputs)], reader[list(p.inputs)] = i, i
            for c in (*p.inputs, *p.outputs):
                back[c] = max(back[c], p.looks_back)
        lengths = [power(n + SPARE) for n in back]
        rows, sizes = _rows(processes)
        tables = (np.concatenate([getattr(p, name) for p in processes]).astype(np.int64) for name in TABLES)
        links = np.stack([writer, reader, _offsets(lengths)[:-1], np.array(lengths) - 1], axis=1)
        state = np.zeros((len(rows), STATES), np.int64)
        state[:, PLACE] = -1
        rings = np.zeros((4, int(max(*sizes, sum(lengths)))), np.int64)
        table, first, position, lag = tables
        self._graph = rows, links, (table, first, position, lag)
        self._memory = rings, np.zeros((2, channels), np.int64), state
        self._words, self._out_words, self._ends = words, out_words, np.full(1, -1, np.int64)

    def ends(self, frames: int) -> tuple[Array, int]:
        """Cycle in which the last word of each frame leaves, [frames]; and that of the first word that enters.

        Goes on behind the frames of earlier calls.
        """
        self._ends = np.insert(self._ends, -1, [-1] * (frames + 1 - len(self._ends)))
        _run(*self._graph, *self._memory, self._ends, np.array([frames * self._words, self._out_words], np.int64))
        assert self._ends[-2] >= 0, "the circuit stands still: a FIFO at a join is too small"
        return self._ends[:-1], int(self._ends[-1])


def _rows(processes: list[Process]) -> tuple[Array, tuple[int, int]]:
    """The processes as rows of numbers, and the sizes of all rings of results and of freed windows."""
    lengths = np.array([(len(p.table), len(p.first), len(p.position), p.results, p.freed) for p in processes])
    tables, tiles, needs, results, freed = map(_offsets, lengths.T)
    rows = []
    for i, p in enumerate(processes):
        ins, outs = (*p.inputs, -1, -1)[:2], (p.outputs or (-1,))[0]
        row = [p.kind, *ins, outs, len(p.outputs), p.size, p.second, p.latency, p.depth, p.frame]
        row += [tables[i], len(p.table), tiles[i], len(p.first) - 1, needs[i]]
        per_window = (len(p.first) - 1) // len(p.table) if p.kind == WINDOW else 0
        rows.append([*row, results[i], p.results - 1, freed[i], p.freed - 1, per_window])
        assert p.outputs == tuple(range(outs, outs + len(p.outputs))), "branches are numbered one after the other"
    return np.array(rows, np.int64), (int(results[-1]), int(freed[-1]))


# Columns of a process's row and a channel's row.
KIND, IN, IN2, OUT, OUTS, SIZE, SECOND, LATENCY, DEPTH, FRAME = range(10)
TABLE, PERIOD, FIRST, TILES, NEED, RESULT, RESULT_MASK, FREED, FREED_MASK, PER_WINDOW = range(10, 20)
WRITER, READER, RING, MASK = range(4)
# A process's state: move or tile of the period, words before this frame, tile of the window; place of the last move,
# results made, results gone, time stood still, last place gone; windows read; windows whose room is taken, the same
# within the frame, and words before this frame.
PHASE, BASE, TILE, PLACE, MADE, GONE, STILL, LAST, READ, TAKEN, TAKEN_PHASE, TAKEN_BASE = range(12)
STATES = 12
# Rows of the memory: rings of all channels or processes, and counts of words by channel.
TIMES, OFFERS, PLACES, FREED_AT = range(4)
OFFERED, DONE = range(2)


@njit
def _gone(p: Array, s: Array, c: Array, rings: Array, counts: Array, upto: int, by_time: int) -> bool:
    """Let results leave that stand at places up to `upto` (by_time: that are offered up to then); False to wait."""
    while s[GONE] < s[MADE]:
        place = rings[PLACES, p[RESULT] + (s[GONE] & p[RESULT_MASK])]
        if place + by_time * s[STILL] > upto:
            return True
        if counts[DONE, p[OUT]] <= s[GONE]:
            return False
        s[STILL] = rings[TIMES, c[RING] + (s[GONE] & c[MASK])] - place
        s[LAST] = place
        s[GONE] += 1
    return True


@njit
def _yield(p: Array, s: Array, rings: Array, place: int) -> None:
    rings[PLACES, p[RESULT] + (s[MADE] & p[RESULT_MASK])] = place + p[LATENCY]
    s[MADE] += 1


@njit
def _offer(p: Array, s: Array, c: Array, rings: Array, counts: Array) -> None:
    """Offer the next result where the one before has left."""
    n = counts[OFFERED, p[OUT]]
    if n < s[MADE] and counts[DONE, p[OUT]] == n:
        place = rings[PLACES, p[RESULT] + (n & p[RESULT_MASK])]
        if n > 0:
            place += rings[TIMES, c[RING] + ((n - 1) & c[MASK])] - rings[PLACES, p[RESULT] + ((n - 1) & p[RESULT_MASK])]
        rings[OFFERS, c[RING] + (n & c[MASK])] = place
        counts[OFFERED, p[OUT]] = n + 1


@njit
def _moves(p: Array, s: Array, channels: Array, table: Array, rings: Array, counts: Array) -> None:
    c, out = channels[p[IN]], channels[p[OUT]]
    while True:
        _offer(p, s, out, rings, counts)
        flags = table[p[TABLE] + s[PHASE]]
        n, place = counts[DONE, p[IN]], s[PLACE] + 1
        if flags & NEEDS:
            if counts[OFFERED, p[IN]] <= n or (p[IN2] >= 0 and counts[OFFERED, p[IN2]] <= n):
                return
            ready = rings[OFFERS, c[RING] + (n & c[MASK])]
            if p[IN2] >= 0:
                d = channels[p[IN2]]
                ready = max(ready, rings[OFFERS, d[RING] + (n & d[MASK])])
            if not _gone(p, s, out, rings, counts, ready, 1):
                return
            place = max(place, ready - s[STILL], s[LAST])
        if not _gone(p, s, out, rings, counts, place, 0):
            return
        if flags & TAKES:
            rings[TIMES, c[RING] + (n & c[MASK])] = place + s[STILL]
            counts[DONE, p[IN]] = n + 1
            if p[IN2] >= 0:
                d = channels[p[IN2]]
                rings[TIMES, d[RING] + (n & d[MASK])] = place + s[STILL]
                counts[DONE, p[IN2]] = n + 1
        s[PLACE] = place
        s[PHASE] = s[PHASE] + 1 if s[PHASE] + 1 < p[PERIOD] else 0
        if flags & YIELDS:
            _yield(p, s, rings, place)


@njit
def _take(p: Array, s: Array, c: Array, table: Array, rings: Array, counts: Array) -> None:
    """Write words into the buffer of a window as long as there is room."""
    while counts[OFFERED, p[IN]] > counts[DONE, p[IN]]:
        n = counts[DONE, p[IN]]
        while s[TAKEN_BASE] + table[p[TABLE] + s[TAKEN_PHASE]] <= n - p[DEPTH]:
            if s[READ] <= s[TAKEN]:
                return
            s[TAKEN] += 1
            s[TAKEN_PHASE] += 1
            if s[TAKEN_PHASE] == p[PERIOD]:
                s[TAKEN_PHASE] = 0
                s[TAKEN_BASE] += p[FRAME]
        time = rings[OFFERS, c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, rings[TIMES, c[RING] + ((n - 1) & c[MASK])] + 1)
        if s[TAKEN] > 0:
            time = max(time, rings[FREED_AT, p[FREED] + ((s[TAKEN] - 1) & p[FREED_MASK])])
        rings[TIMES, c[RING] + (n & c[MASK])] = time
        counts[DONE, p[IN]] = n + 1


@njit
def _window(p: Array, s: Array, channels: Array, tables: Tables, rings: Array, counts: Array) -> None:
    table, first, position, lag = tables
    c, out = channels[p[IN]], channels[p[OUT]]
    while True:
        _take(p, s, c, table, rings, counts)
        _offer(p, s, out, rings, counts)
        place, tile = s[PLACE] + p[SIZE], p[FIRST] + s[PHASE]
        for i in range(first[tile], first[tile + 1]):
            n = s[BASE] + position[p[NEED] + i]
            if counts[DONE, p[IN]] <= n:
                return
            ready = rings[TIMES, c[RING] + (n & c[MASK])] + p[SECOND]
            if not _gone(p, s, out, rings, counts, ready, 1):
                return
            place = max(place, max(ready - s[STILL], s[LAST]) + lag[p[NEED] + i])
        if not _gone(p, s, out, rings, counts, place, 0):
            return
        s[PLACE] = place
        _yield(p, s, rings, place)
        s[TILE] += 1
        if s[TILE] == p[PER_WINDOW]:
            s[TILE] = 0
            rings[FREED_AT, p[FREED] + (s[READ] & p[FREED_MASK])] = place + s[STILL] + 1
            s[READ] += 1
        s[PHASE] += 1
        if s[PHASE] == p[TILES]:
            s[PHASE] = 0
            s[BASE] += p[FRAME]


@njit
def _buffered(p: Array, channels: Array, rings: Array, counts: Array) -> None:
    """PIPE, SLICE and FIFO."""
    c, out, size = channels[p[IN]], channels[p[OUT]], p[SIZE]
    fifo, piece = p[KIND] == FIFO, p[KIND] == SLICE
    while counts[OFFERED, p[IN]] > counts[DONE, p[IN]]:
        n = counts[DONE, p[IN]]
        if counts[DONE, p[OUT]] < n - size + (0 if fifo else 1):
            return
        time = rings[OFFERS, c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, rings[TIMES, c[RING] + ((n - 1) & c[MASK])] + 1)
        if not fifo and n >= size:
            time = max(time, rings[TIMES, out[RING] + ((n - size) & out[MASK])] + piece)
        if fifo and n >= size:
            time = max(time, rings[TIMES, c[RING] + ((n - size) & c[MASK])] + p[LATENCY])
        if fifo and n > size:
            time = max(time, rings[TIMES, out[RING] + ((n - size - 1) & out[MASK])] + 1)
        rings[TIMES, c[RING] + (n & c[MASK])] = time
        counts[DONE, p[IN]] = n + 1
        rings[OFFERS, out[RING] + (n & out[MASK])] = time + (p[LATENCY] if fifo else 1 if piece else size)
        counts[OFFERED, p[OUT]] = n + 1


@njit
def _fork(p: Array, channels: Array, rings: Array, counts: Array) -> None:
    c = channels[p[IN]]
    while counts[OFFERED, p[IN]] > counts[DONE, p[IN]]:
        n = counts[DONE, p[IN]]
        time = rings[OFFERS, c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, rings[TIMES, c[RING] + ((n - 1) & c[MASK])] + 1)
        waits = False
        taken = time
        for o in range(p[OUT], p[OUT] + p[OUTS]):
            out = channels[o]
            if counts[OFFERED, o] == n:
                rings[OFFERS, out[RING] + (n & out[MASK])] = time
                counts[OFFERED, o] = n + 1
            if counts[DONE, o] <= n:
                waits = True
            else:
                taken = max(taken, rings[TIMES, out[RING] + (n & out[MASK])])
        if waits:
            return
        rings[TIMES, c[RING] + (n & c[MASK])] = taken
        counts[DONE, p[IN]] = n + 1


@njit
def _concat(p: Array, channels: Array, rings: Array, counts: Array) -> None:
    out = channels[p[OUT]]
    while True:
        n = counts[DONE, p[IN]] + counts[DONE, p[IN2]]  # words that have left
        source = p[IN] if n % (p[SIZE] + p[SECOND]) < p[SIZE] else p[IN2]
        c, k = channels[source], counts[DONE, source]
        if counts[OFFERED, source] <= k:
            return
        if counts[OFFERED, p[OUT]] == n:
            rings[OFFERS, out[RING] + (n & out[MASK])] = rings[OFFERS, c[RING] + (k & c[MASK])]
            counts[OFFERED, p[OUT]] = n + 1
        if counts[DONE, p[OUT]] <= n:
            return
        rings[TIMES, c[RING] + (k & c[MASK])] = rings[TIMES, out[RING] + (n & out[MASK])]
        counts[DONE, source] = k + 1


@njit
def _ends(p: Array, channels: Array, rings: Array, counts: Array, ends: Array, words: Array) -> None:
    """SOURCE: offers every word at once. SINK: takes every word at once, and notes when frames end."""
    if p[KIND] == SOURCE:
        c = channels[p[OUT]]
        while counts[OFFERED, p[OUT]] < min(words[0], counts[DONE, p[OUT]] + 2):
            rings[OFFERS, c[RING] + (counts[OFFERED, p[OUT]] & c[MASK])] = 0
            counts[OFFERED, p[OUT]] += 1
        if counts[DONE, p[OUT]] > 0 and ends[-1] < 0:
            ends[-1] = rings[TIMES, c[RING]]
        return
    c = channels[p[IN]]
    while counts[OFFERED, p[IN]] > counts[DONE, p[IN]]:
        n = counts[DONE, p[IN]]
        time = rings[OFFERS, c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, rings[TIMES, c[RING] + ((n - 1) & c[MASK])] + 1)
        rings[TIMES, c[RING] + (n & c[MASK])] = time
        counts[DONE, p[IN]] = n + 1
        if (n + 1) % words[1] == 0:
            ends[n // words[1]] = time


@njit(forceinline=True)
def _step(
    p: Array,
    s: Array,
    channels: Array,
    tables: Tables,
    rings: Array,
    counts: Array,
    ends: Array,
    words: Array,
) -> None:
    """Let a process go on as far as it can."""
    kind = p[KIND]
    if kind == MOVES:
        _moves(p, s, channels, tables[0], rings, counts)
    elif kind == WINDOW:
        _window(p, s, channels, tables, rings, counts)
    elif kind in (PIPE, SLICE, FIFO):
        _buffered(p, channels, rings, counts)
    elif kind == FORK:
        _fork(p, channels, rings, counts)
    elif kind == CONCAT:
        _concat(p, channels, rings, counts)
    else:
        _ends(p, channels, rings, counts, ends, words)


@njit(nogil=True)
def _run(
    rows: Array,
    channels: Array,
    tables: Tables,
    rings: Array,
    counts: Array,
    state: Array,
    ends: Array,
    words: Array,
) -> None:
    """Let all processes go on until none can."""
    before = np.zeros((2, max(4, len(channels))), np.int64)
    queue, waiting = np.arange(len(rows)), np.ones(len(rows), np.bool_)
    head, count = 0, len(rows)
    while count:
        i = queue[head]
        head = head + 1 if head + 1 < len(rows) else 0
        count -= 1
        waiting[i] = False
        p = rows[i]
        for k in range(2):
            if p[IN + k] >= 0:
                before[0, k] = counts[DONE, p[IN + k]]
        for k in range(p[OUTS]):
            before[1, k] = counts[OFFERED, p[OUT] + k]
        _step(p, state[i], channels, tables, rings, counts, ends, words)
        for k in range(2 + p[OUTS]):
            neighbor = -1
            if k < 2 and p[IN + k] >= 0 and counts[DONE, p[IN + k]] > before[0, k]:
                neighbor = channels[p[IN + k], WRITER]
            elif k >= 2 and counts[OFFERED, p[OUT] + k - 2] > before[1, k - 2]:
                neighbor = channels[p[OUT] + k - 2, READER]
            if neighbor >= 0 and not waiting[neighbor]:
                waiting[neighbor] = True
                end = head + count
                queue[end if end < len(rows) else end - len(rows)] = neighbor
                count += 1
