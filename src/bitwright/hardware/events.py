# SPDX-License-Identifier: Apache-2.0
"""Timed event graphs: when every word of every stream of a circuit is handed over, with back-pressure.

A channel is one valid/ready stream between two processes. Its word n is offered in cycle V[n] (valid) and handed over
in cycle T[n] >= max(V[n], T[n-1] + 1). Processes say when they offer and when they take:

PIPE    (stages S)  elastic registers:  V_out[n] = T_in[n] + S,  T_in[n] >= T_out[n-S]
FIFO    (words D)   module stream_fifo: V_out[n] = T_in[n] + 2,  T_in[n] >= max(T_in[n-D] + 1, T_out[n-D-1]) + 1
FORK                V_branch[n] = V_in[n],  T_in[n] = max over branches of T_branch[n]
CONCAT  (words A, B a pixel)  passes the words of two inputs on in turns
MOVES   a table of moves, one a cycle: each may need an offered word (of every input), take it, and yield a result
WINDOW  a buffer whose words are read by tiles of D cycles; a tile waits for some words, the last one of a window
        frees others; each tile yields a result

Results of MOVES and WINDOW leave L cycles after their last move, through registers that all stand still while a
result waits. So their moves count in a time of their own, which stands still as well: result t has its place e[t]
there, and  V_out[t] = T_out[t-1] + e[t] - e[t-1].

Every process goes on as far as the times it needs are known, then wakes its neighbors: linear in the number of words.
Times and offers are kept in rings as long as anything looks back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bitwright.jit import njit

SOURCE, SINK, PIPE, FIFO, FORK, CONCAT, MOVES, WINDOW = range(8)
NEEDS, TAKES, YIELDS = 1, 2, 4  # what a move does
WORD = NEEDS | TAKES
TABLES = ("table", "first", "position", "lag")  # of a process
SPARE = 4  # words a ring has more than anything looks back


@dataclass(frozen=True)
class Process:
    """One row of the graph. Parameters by kind:

    PIPE, FIFO: size. CONCAT: size and second, words a pixel of either input. MOVES: latency, table of flags.
    WINDOW: latency, size (cycles a tile), delay from a word to its tile (1, or 2 with a register behind the buffer),
    depth (words of the buffer), frame (input words), table of base positions of the windows, and, by tile of a frame,
    `first` [tiles + 1], `position` and `lag`: constraint i of tile t (first[t] <= i < first[t+1]) says that the tile
    ends at least `lag` cycles after word `position` can be read.
    """

    kind: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    size: int = 0
    second: int = 0
    latency: int = 0
    delay: int = 0
    depth: int = 0
    frame: int = 0
    table: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    first: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    position: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    lag: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def looks_back(self) -> int:
        """Words by which it looks back on any of its channels."""
        behind = int(max(0, -self.table.min(initial=0))) if self.kind == WINDOW else 0
        return self.size * (self.kind in (PIPE, FIFO)) + self.latency + self.depth + behind

    @property
    def results(self) -> int:
        """Size of its ring of results on their way."""
        return _power(self.latency + SPARE)

    @property
    def freed(self) -> int:
        """Size of its ring of windows that have freed words which no input has taken the place of yet."""
        if self.kind != WINDOW:
            return 0
        return _power(len(self.table) * (2 + -(-self.looks_back // self.frame)))


def _power(n: int) -> int:
    return 1 << (int(n) - 1).bit_length()


def _offsets(sizes: np.ndarray | list[int]) -> np.ndarray:
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
        rings = [_power(n + SPARE) for n in back]
        rows, sizes = _rows(processes)
        tables = (np.concatenate([getattr(p, name) for p in processes]).astype(np.int64) for name in TABLES)
        self._graph = rows, np.stack([writer, reader, _offsets(rings)[:-1], np.array(rings) - 1], axis=1), *tables
        state = np.zeros((len(rows), STATES), np.int64)
        state[:, PLACE] = -1
        rooms = np.zeros((4, int(max(*sizes, sum(rings)))), np.int64)  # times, offers, results, freed
        self._memory = rooms, np.zeros((2, channels), np.int64), state  # in between: words offered and done
        self._words, self._out_words, self._ends = words, out_words, np.full(1, -1, np.int64)

    def ends(self, frames: int) -> tuple[np.ndarray, int]:
        """Cycle in which the last word of each frame leaves, [frames]; and that of the first word that enters.

        Goes on behind the frames of earlier calls.
        """
        self._ends = np.insert(self._ends, -1, [-1] * (frames + 1 - len(self._ends)))
        _run(*self._graph, *self._memory, self._ends, np.array([frames * self._words, self._out_words], np.int64))
        assert self._ends[-2] >= 0, "the circuit stands still: a FIFO at a join is too small"
        return self._ends[:-1], int(self._ends[-1])


def _rows(processes: list[Process]) -> tuple[np.ndarray, tuple[int, int]]:
    """The processes as rows of numbers, and the sizes of all rings of results and of freed windows."""
    lengths = np.array([(len(p.table), len(p.first), len(p.position), p.results, p.freed) for p in processes])
    tables, tiles, needs, results, freed = map(_offsets, lengths.T)
    rows = []
    for i, p in enumerate(processes):
        ins, outs = (*p.inputs, -1, -1)[:2], (p.outputs or (-1,))[0]
        row = [p.kind, *ins, outs, len(p.outputs), p.size, p.second, p.latency, p.delay, p.depth, p.frame]
        row += [tables[i], len(p.table), tiles[i], len(p.first) - 1, needs[i]]
        per_window = (len(p.first) - 1) // len(p.table) if p.kind == WINDOW else 0
        rows.append([*row, results[i], p.results - 1, freed[i], p.freed - 1, per_window])
        assert p.outputs == tuple(range(outs, outs + len(p.outputs))), "branches are numbered one after the other"
    return np.array(rows, np.int64), (int(results[-1]), int(freed[-1]))


# Columns of a process's row and a channel's row.
KIND, IN, IN2, OUT, OUTS, SIZE, SECOND, LATENCY, DELAY, DEPTH, FRAME = range(11)
TABLE, PERIOD, FIRST, TILES, NEED, RESULT, RESULT_MASK, FREED, FREED_MASK, PER_WINDOW = range(11, 21)
WRITER, READER, RING, MASK = range(4)
# A process's state: move or tile of the period, words before this frame, tile of the window; place of the last move,
# results made, results gone, time stood still, last place gone; windows read; windows whose room is taken, the same
# within the frame, and words before this frame.
PHASE, BASE, TILE, PLACE, MADE, GONE, STILL, LAST, READ, TAKEN, TAKEN_PHASE, TAKEN_BASE = range(12)
STATES = 12


@njit
def _gone(p, s, c, rings, done, places, upto, by_time):
    """Let results leave that stand at places up to `upto` (by_time: that are offered up to then); False to wait."""
    while s[GONE] < s[MADE]:
        place = places[p[RESULT] + (s[GONE] & p[RESULT_MASK])]
        if place + by_time * s[STILL] > upto:
            return True
        if done[p[OUT]] <= s[GONE]:
            return False
        s[STILL] = rings[c[RING] + (s[GONE] & c[MASK])] - place
        s[LAST] = place
        s[GONE] += 1
    return True


@njit
def _yield(p, s, places, place):
    places[p[RESULT] + (s[MADE] & p[RESULT_MASK])] = place + p[LATENCY]
    s[MADE] += 1


@njit
def _offer(p, s, c, times, offers, offered, done, places):
    """Offer the next result where the one before has left."""
    n = offered[p[OUT]]
    if n < s[MADE] and done[p[OUT]] == n:
        place = places[p[RESULT] + (n & p[RESULT_MASK])]
        if n > 0:
            place += times[c[RING] + ((n - 1) & c[MASK])] - places[p[RESULT] + ((n - 1) & p[RESULT_MASK])]
        offers[c[RING] + (n & c[MASK])] = place
        offered[p[OUT]] = n + 1


@njit
def _moves(p, s, channels, table, times, offers, offered, done, places):
    c, out = channels[p[IN]], channels[p[OUT]]
    while True:
        _offer(p, s, out, times, offers, offered, done, places)
        flags = table[p[TABLE] + s[PHASE]]
        n, place = done[p[IN]], s[PLACE] + 1
        if flags & NEEDS:
            if offered[p[IN]] <= n or (p[IN2] >= 0 and offered[p[IN2]] <= n):
                return
            ready = offers[c[RING] + (n & c[MASK])]
            if p[IN2] >= 0:
                d = channels[p[IN2]]
                ready = max(ready, offers[d[RING] + (n & d[MASK])])
            if not _gone(p, s, out, times, done, places, ready, 1):
                return
            place = max(place, ready - s[STILL], s[LAST])
        if not _gone(p, s, out, times, done, places, place, 0):
            return
        if flags & TAKES:
            times[c[RING] + (n & c[MASK])] = place + s[STILL]
            done[p[IN]] = n + 1
            if p[IN2] >= 0:
                d = channels[p[IN2]]
                times[d[RING] + (n & d[MASK])] = place + s[STILL]
                done[p[IN2]] = n + 1
        s[PLACE] = place
        s[PHASE] = s[PHASE] + 1 if s[PHASE] + 1 < p[PERIOD] else 0
        if flags & YIELDS:
            _yield(p, s, places, place)


@njit
def _take(p, s, c, table, times, offers, offered, done, freed):
    """Write words into the buffer of a window as long as there is room."""
    while offered[p[IN]] > done[p[IN]]:
        n = done[p[IN]]
        while s[TAKEN_BASE] + table[p[TABLE] + s[TAKEN_PHASE]] <= n - p[DEPTH]:
            if s[READ] <= s[TAKEN]:
                return
            s[TAKEN] += 1
            s[TAKEN_PHASE] += 1
            if s[TAKEN_PHASE] == p[PERIOD]:
                s[TAKEN_PHASE] = 0
                s[TAKEN_BASE] += p[FRAME]
        time = offers[c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, times[c[RING] + ((n - 1) & c[MASK])] + 1)
        if s[TAKEN] > 0:
            time = max(time, freed[p[FREED] + ((s[TAKEN] - 1) & p[FREED_MASK])])
        times[c[RING] + (n & c[MASK])] = time
        done[p[IN]] = n + 1


@njit
def _window(p, s, channels, tables, times, offers, offered, done, places, freed):
    table, first, position, lag = tables
    c, out = channels[p[IN]], channels[p[OUT]]
    while True:
        _take(p, s, c, table, times, offers, offered, done, freed)
        _offer(p, s, out, times, offers, offered, done, places)
        place, ready, tile = s[PLACE] + p[SIZE], 0, p[FIRST] + s[PHASE]
        for i in range(first[tile], first[tile + 1]):
            n = s[BASE] + position[p[NEED] + i]
            if done[p[IN]] <= n:
                return
            ready = times[c[RING] + (n & c[MASK])] + p[DELAY]
            if not _gone(p, s, out, times, done, places, ready, 1):
                return
            place = max(place, max(ready - s[STILL], s[LAST]) + lag[p[NEED] + i])
        read = place - (p[DELAY] - 1)
        if not _gone(p, s, out, times, done, places, read, 0):
            return
        time = max(read + s[STILL], ready - 1) if s[LAST] <= read else ready
        if not _gone(p, s, out, times, done, places, place, 0):
            return
        s[PLACE] = place
        _yield(p, s, places, place)
        s[TILE] += 1
        if s[TILE] == p[PER_WINDOW]:
            s[TILE] = 0
            freed[p[FREED] + (s[READ] & p[FREED_MASK])] = time + 1
            s[READ] += 1
        s[PHASE] += 1
        if s[PHASE] == p[TILES]:
            s[PHASE] = 0
            s[BASE] += p[FRAME]


@njit
def _buffered(p, channels, times, offers, offered, done):
    """PIPE and FIFO."""
    c, out, size = channels[p[IN]], channels[p[OUT]], p[SIZE]
    fifo = p[KIND] == FIFO
    while offered[p[IN]] > done[p[IN]]:
        n = done[p[IN]]
        if done[p[OUT]] < n - size + (0 if fifo else 1):
            return
        time = offers[c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, times[c[RING] + ((n - 1) & c[MASK])] + 1)
        if not fifo and n >= size:
            time = max(time, times[out[RING] + ((n - size) & out[MASK])])
        if fifo and n >= size:
            time = max(time, times[c[RING] + ((n - size) & c[MASK])] + 2)
        if fifo and n > size:
            time = max(time, times[out[RING] + ((n - size - 1) & out[MASK])] + 1)
        times[c[RING] + (n & c[MASK])] = time
        done[p[IN]] = n + 1
        offers[out[RING] + (n & out[MASK])] = time + (2 if fifo else size)
        offered[p[OUT]] = n + 1


@njit
def _fork(p, channels, times, offers, offered, done):
    c = channels[p[IN]]
    while offered[p[IN]] > done[p[IN]]:
        n = done[p[IN]]
        time = offers[c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, times[c[RING] + ((n - 1) & c[MASK])] + 1)
        waits = False
        taken = time
        for o in range(p[OUT], p[OUT] + p[OUTS]):
            out = channels[o]
            if offered[o] == n:
                offers[out[RING] + (n & out[MASK])] = time
                offered[o] = n + 1
            if done[o] <= n:
                waits = True
            else:
                taken = max(taken, times[out[RING] + (n & out[MASK])])
        if waits:
            return
        times[c[RING] + (n & c[MASK])] = taken
        done[p[IN]] = n + 1


@njit
def _concat(p, channels, times, offers, offered, done):
    out = channels[p[OUT]]
    while True:
        n = done[p[IN]] + done[p[IN2]]  # words that have left
        source = p[IN] if n % (p[SIZE] + p[SECOND]) < p[SIZE] else p[IN2]
        c, k = channels[source], done[source]
        if offered[source] <= k:
            return
        if offered[p[OUT]] == n:
            offers[out[RING] + (n & out[MASK])] = offers[c[RING] + (k & c[MASK])]
            offered[p[OUT]] = n + 1
        if done[p[OUT]] <= n:
            return
        times[c[RING] + (k & c[MASK])] = times[out[RING] + (n & out[MASK])]
        done[source] = k + 1


@njit
def _ends(p, channels, times, offers, offered, done, ends, words):
    """SOURCE: offers every word at once. SINK: takes every word at once, and notes when frames end."""
    if p[KIND] == SOURCE:
        c = channels[p[OUT]]
        while offered[p[OUT]] < min(words[0], done[p[OUT]] + 2):
            offers[c[RING] + (offered[p[OUT]] & c[MASK])] = 0
            offered[p[OUT]] += 1
        if done[p[OUT]] > 0 and ends[-1] < 0:
            ends[-1] = times[c[RING]]
        return
    c = channels[p[IN]]
    while offered[p[IN]] > done[p[IN]]:
        n = done[p[IN]]
        time = offers[c[RING] + (n & c[MASK])]
        if n > 0:
            time = max(time, times[c[RING] + ((n - 1) & c[MASK])] + 1)
        times[c[RING] + (n & c[MASK])] = time
        done[p[IN]] = n + 1
        if (n + 1) % words[1] == 0:
            ends[n // words[1]] = time


@njit(nogil=True)
def _run(rows, channels, table, first, position, lag, memory, counts, state, ends, words):
    """Let all processes go on until none can."""
    times, offers, places, freed = memory[0], memory[1], memory[2], memory[3]
    offered, done = counts[0], counts[1]
    before = np.zeros((2, max(4, len(channels))), np.int64)
    queue, waiting = np.arange(len(rows)), np.ones(len(rows), np.bool_)
    head, count = 0, len(rows)
    tables = (table, first, position, lag)
    while count:
        i = queue[head]
        head = head + 1 if head + 1 < len(rows) else 0
        count -= 1
        waiting[i] = False
        p, s = rows[i], state[i]
        for k in range(2):
            if p[IN + k] >= 0:
                before[0, k] = done[p[IN + k]]
        for k in range(p[OUTS]):
            before[1, k] = offered[p[OUT] + k]
        kind = p[KIND]
        if kind == MOVES:
            _moves(p, s, channels, table, times, offers, offered, done, places)
        elif kind == WINDOW:
            _window(p, s, channels, tables, times, offers, offered, done, places, freed)
        elif kind in (PIPE, FIFO):
            _buffered(p, channels, times, offers, offered, done)
        elif kind == FORK:
            _fork(p, channels, times, offers, offered, done)
        elif kind == CONCAT:
            _concat(p, channels, times, offers, offered, done)
        else:
            _ends(p, channels, times, offers, offered, done, ends, words)
        for k in range(2 + p[OUTS]):
            neighbor = -1
            if k < 2 and p[IN + k] >= 0 and done[p[IN + k]] > before[0, k]:
                neighbor = channels[p[IN + k], WRITER]
            elif k >= 2 and offered[p[OUT] + k - 2] > before[1, k - 2]:
                neighbor = channels[p[OUT] + k - 2, READER]
            if neighbor >= 0 and not waiting[neighbor]:
                waiting[neighbor] = True
                end = head + count
                queue[end if end < len(rows) else end - len(rows)] = neighbor
                count += 1
