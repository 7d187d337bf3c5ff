# SPDX-License-Identifier: Apache-2.0
"""Streams, banks and processing elements of the simulator; compiled.

Arguments: q is a row of `State.streams`, s the scalars, n the counters; registers and accumulators come as views
[row, column, lane].
"""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit
from bitwright.targets.rap.isa.lanes import lane, wrap32
from bitwright.targets.rap.isa.table import ADDRESS_BITS, SOURCES
from bitwright.targets.rap.simulator.state import (
    A_READS,
    ADDR,
    ASIGN,
    B_READS,
    BITS,
    BSIGN,
    COLS,
    CUT,
    FAULT,
    HEIGHT,
    LEVEL_BASE,
    LEVEL_SIZE,
    MAX_LEVELS,
    OPERATIONS,
    PAD,
    ROWS,
    SIZE,
    SPAN,
    STRIP,
    TORUS,
    WIDTH,
    WRITES,
    X,
    Y,
)

BUS, NORTH, EAST, SOUTH, WEST, WIDE = (SOURCES[n] for n in ("bus", "north", "east", "south", "west", "wide"))
ADDRESS_MASK = (1 << ADDRESS_BITS) - 1


@njit(cache=False)
def advance(q: np.ndarray) -> None:
    """Post-increment: the innermost loop that has not finished makes its step."""
    for level in range(MAX_LEVELS):
        i = LEVEL_BASE + LEVEL_SIZE * level
        if q[i] < q[i + 1] - 1:
            q[i] += 1
            q[ADDR] += q[i + 2]
            q[X] += q[i + 3]
            q[Y] += q[i + 4]
            return
        q[i] = 0


@njit(cache=False)
def place(q: np.ndarray, row: int) -> tuple[bool, int, int]:
    """(inside the image, bank, address) that `row` reads or writes."""
    strip = q[STRIP]
    if strip == 0:
        return True, row, q[ADDR] & ADDRESS_MASK
    column = q[X] + row * strip
    if not (0 <= q[Y] < q[HEIGHT] and 0 <= column < q[WIDTH]):
        return False, row, 0
    turn = q[X] // strip
    return True, row + turn, (q[ADDR] - turn * q[SPAN]) & ADDRESS_MASK


@njit(cache=False)
def locate(mem: np.ndarray, bank: int, address: int, s: np.ndarray) -> int:
    """The address; where bank or address do not exist a fault is noted, which stops the program, and it is 0."""
    if 0 <= address < mem.shape[1] and bank < mem.shape[0]:
        return address
    s[FAULT] = 1
    return 0


@njit(cache=False)
def read_a(mem: np.ndarray, q: np.ndarray, row: int, s: np.ndarray, n: np.ndarray) -> int:
    """The word of stream A for one row."""
    inside, bank, address = place(q, row)
    if not inside:
        return int(s[PAD])
    address = locate(mem, bank, address, s)
    n[A_READS] += 1
    return int(np.int64(mem[bank % s[SIZE], address]))


@njit(cache=False)
def load_a(mem: np.ndarray, q: np.ndarray, a: np.ndarray, s: np.ndarray, n: np.ndarray) -> None:
    """Every row loads a word of stream A into one register."""
    bits, sign, cols, size = s[BITS], s[ASIGN], s[COLS], s[SIZE]
    for r in range(size):
        if s[ROWS] >> r & 1:
            word = read_a(mem, q, r, s, n)
            for i in range(16 // bits):
                value = lane(word, i, bits, sign)
                for c in range(size):
                    if cols >> c & 1:
                        a[r, c, i] = value
    advance(q)


@njit(cache=False)
def load_line(mem: np.ndarray, q: np.ndarray, a: np.ndarray, s: np.ndarray, n: np.ndarray) -> None:
    """Every element loads into one register the word of its column in its row's line of stream A."""
    bits, sign, cols, size = s[BITS], s[ASIGN], s[COLS], s[SIZE]
    for r in range(size):
        if not s[ROWS] >> r & 1:
            continue
        inside, bank, address = place(q, r)
        for c in range(size):
            if cols >> c & 1:
                word = int(s[PAD])
                if inside:
                    at = locate(mem, bank, address - address % size + c, s)
                    word = int(np.int64(mem[bank % size, at]))
                    n[A_READS] += 1
                for i in range(16 // bits):
                    a[r, c, i] = lane(word, i, bits, sign)
    advance(q)


@njit(cache=False)
def load_b(mem: np.ndarray, q: np.ndarray, b: np.ndarray, s: np.ndarray, n: np.ndarray) -> None:
    """Every column loads a word of stream B into one register."""
    bits, sign, rows, size = s[BITS], s[BSIGN], s[ROWS], s[SIZE]
    address = locate(mem, 0, q[ADDR] & ADDRESS_MASK, s)
    for c in range(size):
        if s[COLS] >> c & 1:
            n[B_READS] += 1
            word = int(np.int64(mem[c, address]))
            for i in range(16 // bits):
                value = lane(word, i, bits, sign)
                for r in range(size):
                    if rows >> r & 1:
                        b[r, c, i] = value
    advance(q)


@njit(cache=False)
def pass_on(source: int, a: np.ndarray, target: int, register: int, s: np.ndarray) -> None:
    """Every element loads an A register of a neighbor, or its own, all at once; a is [register, row, column, lane].

    Beyond the edge stands the pad word, on a torus with uncut links the element of the opposite edge.
    """
    size, bits, joined = s[SIZE], s[BITS], s[TORUS] and not s[CUT]
    old = a[register].copy()
    for r in range(size):
        for c in range(size):
            if not s[ROWS] >> r & s[COLS] >> c & 1:
                continue
            y = r + (source == SOUTH) - (source == NORTH)
            x = c + (source == EAST) - (source == WEST)
            outside = not (0 <= y < size and 0 <= x < size) and not joined
            for i in range(16 // bits):
                value = lane(s[PAD], i, bits, s[ASIGN]) if outside else old[y % size, x % size, i]
                a[target, r, c, i] = value


@njit(cache=False)
def multiply_sum(a: np.ndarray, b: np.ndarray, acc: np.ndarray, fresh: int, s: np.ndarray, n: np.ndarray) -> None:
    """MAC: one accumulator takes the sum of the lanes."""
    rows, cols = s[ROWS], s[COLS]
    keep, done = 1 - fresh, 0
    for r in range(s[SIZE]):
        if rows >> r & 1:
            for c in range(s[SIZE]):
                if cols >> c & 1:
                    total = keep * acc[r, c, 0]
                    for i in range(4):
                        total += a[r, c, i] * b[r, c, i]
                    acc[r, c, 0] = total
                    done += 1
    n[OPERATIONS] += done


@njit(cache=False)
def multiply_lanes(
    a: np.ndarray, b: np.ndarray, acc: np.ndarray, fresh: int, maximum: bool, s: np.ndarray, n: np.ndarray
) -> None:
    """MACL and MAXL: one accumulator a lane."""
    for r in range(s[SIZE]):
        for c in range(s[SIZE]):
            if not s[ROWS] >> r & s[COLS] >> c & 1:
                continue
            for i in range(16 // s[BITS]):
                v, old = wrap32(a[r, c, i] * b[r, c, i]), int(np.int64(acc[r, c, i]))
                if not fresh:
                    v = max(old, v) if maximum else old + v
                acc[r, c, i] = v
            n[OPERATIONS] += 1


@njit(cache=False)
def write_rows(mem: np.ndarray, q: np.ndarray, words: np.ndarray, s: np.ndarray, n: np.ndarray) -> None:
    """Every enabled row writes its word along an O stream, where that lies inside the image."""
    for r in range(s[SIZE]):
        if s[ROWS] >> r & 1:
            write_row(mem, q, r, words[r], s, n)
    advance(q)


@njit(cache=False)
def write_row(mem: np.ndarray, q: np.ndarray, row: int, word: int, s: np.ndarray, n: np.ndarray) -> None:
    """One row writes along an O stream."""
    inside, bank, address = place(q, row)
    if inside:
        mem[bank % s[SIZE], locate(mem, bank, address, s)] = word
        n[WRITES] += 1
