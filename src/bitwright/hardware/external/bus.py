# SPDX-License-Identifier: Apache-2.0
"""The cycle model of external memory: FIFOs, readers, the writer and the ideal memory behind them, by their registers.

Memory answers as tools/cpp/memory.h says: every address is taken at once, beats come `gap` cycles apart. A function
changes the registers to those of the next cycle; what follows from them in a cycle is asked for before.
"""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit

BURST, OUTSTANDING, RING = 16, 8, 32
# FIFOs of the RTL, and how many words each holds.
RECORD_BEATS, LOAD_BEATS, LOADS, LINES, STORES, WORDS, WRITE_BEATS, BURSTS, ANSWERS = range(9)
DEPTHS = (64, 128, 16, 16, 16, 16, 64, OUTSTANDING, OUTSTANDING)
FILL, MORE, VALID, WAITS, PUT, GOT = range(6)  # registers of a FIFO; words that went in and that came out
# Registers of the two readers and of the writer: the command; room in the FIFO, or its beats of no burst yet; bursts.
ACTIVE, BEAT, LEFT, ROOM, UNDERWAY, ENDS = range(6)
WRITER = 2
# Memory: what the address registers hold, queues of bursts, the earliest next beats.
AR_BEATS, AR_ID, R_HEAD, R_TAIL, R_DONE, R_NEXT, W_NEXT, B_HEAD, B_TAIL, B_NEXT, W_INDEX = range(11)
QUEUE = 64


@njit
def fifo(f: np.ndarray, k: int, deep: int, put: int, ready: int) -> None:
    """A cycle of FIFO k, of more than 64 words where deep: a word is put, which has room; one goes where ready."""
    fill, more, valid, waits = f[k, FILL], f[k, MORE], f[k, VALID], f[k, WAITS]
    read = 1 if more and (ready or not valid) else 0
    arrives = waits if deep else put
    f[k, MORE] = 1 if arrives or (more and not (read and fill == 1)) else 0
    f[k, FILL] = fill + put - read
    f[k, VALID] = 1 if read or (valid and not ready) else 0
    f[k, WAITS] = put if deep else 0
    f[k, PUT] += put
    f[k, GOT] += read


@njit
def chunk(p: np.ndarray, k: int) -> int:
    """Beats of the next burst of a port."""
    return int(min(p[k, LEFT], BURST - p[k, BEAT] % BURST))


@njit
def wants(p: np.ndarray, k: int) -> int:
    """Whether a port has a burst for the address channel."""
    least = chunk(p, k) if k == WRITER else BURST
    return 1 if p[k, ACTIVE] and p[k, ROOM] >= least and p[k, UNDERWAY] != OUTSTANDING else 0


@njit
def port(p: np.ndarray, k: int, taken: int, command: np.ndarray, moved: int, ended: int) -> int:
    """A cycle of a port: its burst is taken, a command is there (valid, beat, beats, end), a beat moved, a burst ended.

    Beats of the burst.
    """
    beats = 0
    if p[k, ACTIVE]:
        if taken:
            beats = chunk(p, k)
            p[k, BEAT] += beats
            p[k, LEFT] -= beats
            p[k, ACTIVE] = 1 if p[k, LEFT] > 0 else 0
    elif command[0]:
        p[k, ACTIVE], p[k, BEAT], p[k, LEFT], p[k, ENDS] = 1, command[1], command[2], command[3]
    p[k, ROOM] += moved - beats
    p[k, UNDERWAY] += taken - ended
    return beats


@njit
def shows(m: np.ndarray, reads: np.ndarray, cycle: int) -> int:
    """The reader whose beat stands in a cycle; -1 for none."""
    head = m[R_HEAD] % QUEUE
    if m[R_HEAD] == m[R_TAIL] or cycle < reads[head, 1] or cycle < m[R_NEXT]:
        return -1
    return int(reads[head, 2])


@njit
def serve(m: np.ndarray, reads: np.ndarray, cycle: int, reader: int, timing: np.ndarray) -> int:
    """The read side of memory: a beat goes, the address that stands there is taken. Whether the beat ends its burst."""
    ended = 0
    if reader >= 0:
        m[R_NEXT] = cycle + timing[1]
        m[R_DONE] += 1
        if m[R_DONE] == reads[m[R_HEAD] % QUEUE, 0]:
            ended = 1
            m[R_HEAD] += 1
            m[R_DONE] = 0
    if m[AR_BEATS]:
        tail = m[R_TAIL] % QUEUE
        reads[tail, 0], reads[tail, 1], reads[tail, 2] = m[AR_BEATS], cycle + timing[0], m[AR_ID]
        m[R_TAIL] += 1
        m[AR_BEATS] = 0
    return ended


@njit
def answered(m: np.ndarray, backs: np.ndarray, cycle: int) -> int:
    """Whether a response stands in a cycle."""
    return 1 if m[B_HEAD] < m[B_TAIL] and backs[m[B_HEAD] % QUEUE] <= cycle else 0


@njit
def receive(m: np.ndarray, backs: np.ndarray, cycle: int, last: int, timing: np.ndarray) -> None:
    """The write side of memory takes a beat; a burst's last one is answered. Its address was always taken before."""
    m[W_NEXT] = cycle + timing[1]
    if last:
        m[B_NEXT] = max(m[B_NEXT], cycle + timing[0])
        backs[m[B_TAIL] % QUEUE] = m[B_NEXT]
        m[B_NEXT] += 1
        m[B_TAIL] += 1


@njit
def shown(f: np.ndarray, k: int) -> int:
    """The place in its ring of the word that stands at a FIFO's output."""
    return int((f[k, GOT] - 1) % RING)


@njit
def next_event(f: np.ndarray, m: np.ndarray, reads: np.ndarray, backs: np.ndarray) -> int:
    """The next cycle in which memory does something by itself."""
    found = 1 << 60
    if m[R_HEAD] < m[R_TAIL]:
        found = max(reads[m[R_HEAD] % QUEUE, 1], m[R_NEXT])
    if m[B_HEAD] < m[B_TAIL]:
        found = min(found, backs[m[B_HEAD] % QUEUE])
    if f[WRITE_BEATS, VALID] and f[BURSTS, VALID]:
        found = min(found, m[W_NEXT])
    return int(found)
