# SPDX-License-Identifier: Apache-2.0
"""Cycles of transfers with the ideal memory of the bench, register by register as rap_external and its master.

A transfer runs by itself: nothing else is on its side of the bus.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from bitwright.hardware.external import bus
from bitwright.hardware.external.bus import BURSTS, LOAD_BEATS, VALID, WORDS, WRITE_BEATS, WRITER
from bitwright.jit import njit
from bitwright.targets.rap.isa.table import INTO, PLACE_BYTES

LOADER = 1  # the reader of the loads
QUEUED = 3  # cycles from the issue of LDM to its turn
SETTLE, LINE = 8, 5  # rap_external: cycles before the first line is read, and from a read to the line
STORE_ENDS = 3  # from the cycles of a store, counted from its dispatch, to those of STM
WAIT_FIRST, WAIT_ENDS = 2, 2  # WAITM: the first cycle that sees no load waiting; from there to the next instruction
BEAT_BYTES, PARAM_BEATS = 8, 2


def line_beats(size: int) -> int:
    """Beats of a line, the words of all banks at an address; a grid of two columns fills half of one."""
    return 2 if size > 4 else 1


def unit_beats(size: int, into: int) -> int:
    """Beats of what lies at one address."""
    return PARAM_BEATS if into == INTO["param"] else line_beats(size)


def places(size: int, into: int, count: int) -> int:
    """Places that so many addresses take in external memory."""
    return -(-count * unit_beats(size, into) * BEAT_BYTES // PLACE_BYTES)


@cache
def load_cycles(beats: int, latency: int, gap: int) -> int:
    """From the cycle in which a load is taken from the queue to its last beat."""
    return int(_load(beats, np.array([latency, gap])))


@cache
def store_cycles(lines: int, beats: int, latency: int, gap: int) -> int:
    """From the dispatch of STM to its last response; beats: of a line."""
    return int(_store(lines, beats, np.array([latency, gap])))


@njit
def _load(beats: int, timing: np.ndarray) -> int:
    f, p, m = np.zeros((9, 6), np.int64), np.zeros((3, 6), np.int64), np.zeros(11, np.int64)
    reads = np.zeros((bus.QUEUE, 3), np.int64)
    p[LOADER, bus.ROOM] = bus.DEPTHS[LOAD_BEATS]
    ask = np.array([1, 0, beats, 0])
    now, left = 0, beats
    while left:
        now += 1
        takes, reader, pop = bus.wants(p, LOADER), bus.shows(m, reads, now), f[LOAD_BEATS, VALID]
        ended = bus.serve(m, reads, now, reader, timing)
        if takes:
            m[bus.AR_BEATS], m[bus.AR_ID] = bus.chunk(p, LOADER), LOADER
        ask[0] = 1 if now == 1 else 0
        bus.port(p, LOADER, takes, ask, pop, ended)
        bus.fifo(f, LOAD_BEATS, 1, 1 if reader == LOADER else 0, 1)
        left -= pop
    return now


@njit
def _store(lines: int, beats: int, timing: np.ndarray) -> int:
    f, p, m = np.zeros((9, 6), np.int64), np.zeros((3, 6), np.int64), np.zeros(11, np.int64)
    backs = np.zeros(bus.QUEUE, np.int64)
    sizes = np.zeros((2, bus.RING), np.int64)  # beats of bursts that are sent, and whether the store ends with them
    room, reading, delay, upper, now = bus.DEPTHS[WORDS], lines, 0, 0, SETTLE
    ask = np.array([1, 0, lines * beats, 1])
    while True:
        now += 1
        takes, back = bus.wants(p, WRITER), bus.answered(m, backs, now)
        read = 1 if reading and room else 0
        free = 1 if f[WRITE_BEATS, bus.FILL] < bus.DEPTHS[WRITE_BEATS] else 0
        push = 1 if f[WORDS, VALID] and free else 0
        gone = 1 if push and upper == beats - 1 else 0
        sends = 1 if f[WRITE_BEATS, VALID] and f[BURSTS, VALID] and now >= m[bus.W_NEXT] else 0
        last = 1 if sends and m[bus.W_INDEX] + 1 == sizes[0, bus.shown(f, BURSTS)] else 0
        if back and sizes[1, bus.shown(f, bus.ANSWERS)]:
            return now
        if sends:
            bus.receive(m, backs, now, last, timing)
            m[bus.W_INDEX] = 0 if last else m[bus.W_INDEX] + 1
        m[bus.B_HEAD] += back
        taken = bus.port(p, WRITER, takes, ask, push, back)
        ask[0] = 0
        if takes:
            at = f[BURSTS, bus.PUT] % bus.RING
            sizes[0, at], sizes[1, at] = taken, 1 if p[WRITER, bus.LEFT] == 0 else 0
        bus.fifo(f, WORDS, 0, delay >> (LINE - 1) & 1, 1 if free and upper == beats - 1 else 0)
        bus.fifo(f, WRITE_BEATS, 0, push, sends)
        bus.fifo(f, BURSTS, 0, takes, last)
        bus.fifo(f, bus.ANSWERS, 0, takes, back)
        upper = (upper + push) % beats
        reading -= read
        room += gone - read
        delay = (delay << 1 | read) & ((1 << LINE) - 1)
