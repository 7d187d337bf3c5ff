# SPDX-License-Identifier: Apache-2.0
"""The cycle model of records, loads and stores, register by register, as bitsys_records, _load and _save have them.

Arrays of a state: f FIFOs, p ports of the master, m memory with its queues `reads` and `backs`
(hardware/external/bus.py); g the registers below; q contents of FIFOs by the place in their rings: record, layers and
stores that must be done.
"""

from __future__ import annotations

import numpy as np

from bitwright.hardware.external import bus
from bitwright.hardware.external.bus import LINES, LOADS, RING, STORES, VALID, WORDS, WRITER
from bitwright.jit import njit

# Columns of a record: what it is, and of what it names.
KIND, AHEAD_LAYERS, AHEAD_LOADS, AHEAD_STORES, LENGTH, LINE_COUNT, OFFSET, STEP = range(8)
LAYER, ACTIVATIONS, STORE = 0, 1, 5
LAYER_WORDS = 14
HEAD, ROOM, FIELDS, PLACE, EXTENT, HAND = range(6)
# Registers
(
    STATE, RECORD, WORD, NEED_LAYERS, NEED_LOADS, NEED_STORES, UNFINISHED, HAS_ROOM, DELIVERED, AGAIN,
    GIVEN_LAYERS, GIVEN_LOADS, GIVEN_STORES, DONE_LAYERS, DONE_LOADS, DONE_STORES,
    L_ABLE, L_COMMAND, L_MORE, L_LINE, L_OFFSET, L_GO, L_HALF, L_KIND, L_END, L_LEFT, L_DONE,
    S_ABLE, S_COMMAND, S_MORE, S_LINE, S_OFFSET, S_READ, S_LEFT, S_ROOM, S_DELAY,
) = range(36)  # fmt: skip
READ_CYCLES = 7  # from a word's address at the write port to the word


@njit
def able(g: np.ndarray, f: np.ndarray, q: np.ndarray, k: int) -> int:
    """Whether what stands at the output of a queue of transfers waits for nothing."""
    at = bus.shown(f, k)
    return 1 if f[k, VALID] and g[DONE_LAYERS] >= q[k, at, 1] and g[DONE_STORES] >= q[k, at, 2] else 0


@njit
def records(g: np.ndarray, f: np.ndarray, q: np.ndarray, table: np.ndarray, ring: np.ndarray, sizes: np.ndarray) -> int:
    """A cycle of the records; whether a word is taken. sizes: layers of the ring, first repeated record."""
    state, valid = g[STATE], f[bus.RECORD_BEATS, VALID]
    row = table[g[RECORD]]
    accept = 1 if valid and state != ROOM and state != HAND else 0
    layer = load = store = 0
    unfinished, has_room = g[GIVEN_LAYERS] - g[DONE_LAYERS], 0
    if state == HEAD and accept:
        g[NEED_LAYERS] = g[GIVEN_LAYERS] - row[AHEAD_LAYERS]
        g[NEED_LOADS] = g[GIVEN_LOADS] - row[AHEAD_LOADS]
        g[NEED_STORES] = g[GIVEN_STORES] - row[AHEAD_STORES]
        g[WORD] = 0
        g[STATE] = ROOM if row[KIND] == LAYER else PLACE
    elif state == ROOM:
        has_room = 1 if g[UNFINISHED] < sizes[0] else 0
        if g[HAS_ROOM]:
            at = g[GIVEN_LAYERS] % len(ring)
            ring[at, 0], ring[at, 1] = g[NEED_LOADS], g[NEED_STORES]
            g[STATE] = FIELDS
    elif state == FIELDS and accept:
        g[WORD] += 1
        layer = 1 if g[WORD] == LAYER_WORDS else 0
    elif accept:
        g[STATE] = EXTENT if state == PLACE else HAND
    elif state == HAND:
        k = STORES if row[KIND] == STORE else LOADS
        if f[k, bus.FILL] < RING // 2:
            at = f[k, bus.PUT] % RING
            q[k, at, 0], q[k, at, 1], q[k, at, 2] = g[RECORD], g[NEED_LAYERS], g[NEED_STORES]
            load, store = (0, 1) if k == STORES else (1, 0)
    if layer or load or store:
        g[STATE] = HEAD
        g[RECORD] = sizes[1] if g[RECORD] + 1 == len(table) else g[RECORD] + 1
    g[UNFINISHED], g[HAS_ROOM], g[DELIVERED] = unfinished, has_room, layer
    g[GIVEN_LAYERS] += layer
    g[GIVEN_LOADS] += load
    g[GIVEN_STORES] += store
    return int(accept + 2 * load + 4 * store)


@njit
def load_asks(g: np.ndarray, f: np.ndarray, q: np.ndarray, p: np.ndarray, table: np.ndarray, ask: np.ndarray) -> int:
    """A cycle of the loads' asking side: 1 a line goes to the reader, 3 a load's last one; fills the command."""
    at = bus.shown(f, LOADS)
    row = table[q[LOADS, at, 0]]
    command = 1 if g[L_COMMAND] and f[LINES, bus.FILL] < RING // 2 else 0
    take = 1 if command and not p[1, bus.ACTIVE] else 0
    last = 1 if take and g[L_LINE] == row[LINE_COUNT] - 1 else 0
    offset = g[L_OFFSET] if g[L_MORE] else row[OFFSET]
    ask[0], ask[1], ask[2], ask[3] = command, offset, row[LENGTH], 0
    ready = able(g, f, q, LOADS)
    if take:
        place = f[LINES, bus.PUT] % RING
        q[LINES, place, 0], q[LINES, place, 1], q[LINES, place, 2] = row[KIND], row[LENGTH], last
        g[L_COMMAND] = g[L_MORE] = 1 - last
        g[L_LINE] = 0 if last else g[L_LINE] + 1
        g[L_OFFSET] = offset + row[STEP]
    elif g[L_ABLE]:
        g[L_COMMAND] = 1
    g[L_ABLE] = 1 if ready and not take else 0
    return take + 2 * last


@njit
def load_takes(g: np.ndarray, f: np.ndarray, q: np.ndarray, free: int) -> int:
    """A cycle of the loads' other side: 1 a word is taken, 2 the next line. free: activations take a word."""
    go, valid, kind = g[L_GO], f[bus.LOAD_BEATS, VALID], g[L_KIND]
    narrow = 1 if kind == 3 or kind == 4 else 0
    ready = free if kind == ACTIVATIONS else (1 if not narrow or g[L_HALF] else 0)
    word = 1 if go and valid and ready else 0
    last = 1 if word and g[L_LEFT] == 1 else 0
    g[L_DONE] = 1 if last and g[L_END] else 0
    g[L_HALF] = 1 if go and valid and narrow and not g[L_HALF] else 0
    if not go:
        at = bus.shown(f, LINES)
        g[L_KIND], g[L_LEFT], g[L_END] = q[LINES, at, 0], q[LINES, at, 1], q[LINES, at, 2]
        g[L_GO] = f[LINES, VALID]
        return 2
    g[L_LEFT] -= word
    g[L_GO] = 1 - last
    return word


@njit
def load_wants(g: np.ndarray, f: np.ndarray) -> int:
    """Whether a word for the activations stands there."""
    return 1 if g[L_GO] and f[bus.LOAD_BEATS, VALID] and g[L_KIND] == ACTIVATIONS else 0


@njit
def save(
    g: np.ndarray, f: np.ndarray, q: np.ndarray, p: np.ndarray, table: np.ndarray, ask: np.ndarray, free: int
) -> int:
    """A cycle of the stores: 1 a word is read, 2 a store is behind its last one; fills the writer's command."""
    at = bus.shown(f, STORES)
    row = table[q[STORES, at, 0]]
    take = 1 if g[S_COMMAND] and not p[WRITER, bus.ACTIVE] else 0
    read = 1 if g[S_READ] and g[S_ROOM] and free else 0
    line_end = 1 if read and g[S_LEFT] == 1 else 0
    last_line = 1 if g[S_LINE] == row[LINE_COUNT] - 1 else 0
    gone = 1 if line_end and last_line else 0
    offset = g[S_OFFSET] if g[S_MORE] else row[OFFSET]
    ask[0], ask[1], ask[2], ask[3] = g[S_COMMAND], offset, row[LENGTH], last_line
    ready = able(g, f, q, STORES)
    if g[S_COMMAND]:
        g[S_COMMAND] = p[WRITER, bus.ACTIVE]
    else:
        g[S_COMMAND] = 1 if not g[S_READ] and g[S_ABLE] and not gone else 0
    if take:
        g[S_READ], g[S_LEFT], g[S_OFFSET] = 1, row[LENGTH], offset + row[STEP]
    elif read:
        g[S_LEFT] -= 1
        if line_end:
            g[S_READ] = 0
    if line_end:
        g[S_MORE] = 1 - last_line
        g[S_LINE] = 0 if last_line else g[S_LINE] + 1
    g[S_ABLE] = 1 if ready and not gone else 0
    g[S_ROOM] -= read
    g[S_DELAY] = (g[S_DELAY] << 1 | read) & 255
    return read + 2 * gone


@njit
def save_wants(g: np.ndarray) -> int:
    """Whether a store wants to read a word."""
    return 1 if g[S_READ] and g[S_ROOM] else 0


@njit
def cycle(state: tuple[np.ndarray, ...], table: np.ndarray, sizes: np.ndarray, now: int, busy: int, ended: int) -> None:
    """A cycle of everything behind the bus. busy: the write port is taken; ended: a layer ends.

    sizes: layers of the ring, first repeated record, words of all records and of those before it, latency, gap.
    """
    f, p, m, reads, backs, g, q, asks, ring = state
    timing = sizes[4:6]
    takes = np.array([bus.wants(p, 0), 0, bus.wants(p, WRITER)])
    takes[1] = 1 if bus.wants(p, 1) and not takes[0] else 0
    reader, back = bus.shows(m, reads, now), bus.answered(m, backs, now)
    saving = save_wants(g)
    beats_ready = 1 if f[bus.WRITE_BEATS, bus.FILL] < bus.DEPTHS[bus.WRITE_BEATS] else 0
    push = 1 if f[WORDS, VALID] and beats_ready else 0
    sends = 1 if f[bus.WRITE_BEATS, VALID] and f[bus.BURSTS, VALID] and now >= m[bus.W_NEXT] else 0
    sent_last = 1 if sends and m[bus.W_INDEX] + 1 == q[bus.BURSTS, bus.shown(f, bus.BURSTS), 0] else 0
    stored = 1 if back and q[bus.ANSWERS, bus.shown(f, bus.ANSWERS), 0] else 0
    arrives = g[S_DELAY] >> READ_CYCLES - 1 & 1

    loaded = g[L_DONE]
    asks[0, 0] = 1
    asks[0, 1] = sizes[3] if g[AGAIN] else 0
    asks[0, 2] = sizes[2] - asks[0, 1]
    if not p[0, bus.ACTIVE]:
        g[AGAIN] = 1
    asked = load_asks(g, f, q, p, table, asks[1])
    taken = load_takes(g, f, q, 1 if not busy and not saving else 0)
    saved = save(g, f, q, p, table, asks[2], 1 - busy)
    read = records(g, f, q, table, ring, sizes)
    g[S_ROOM] += push
    g[DONE_LAYERS] += ended
    g[DONE_LOADS] += loaded
    g[DONE_STORES] += stored

    last = bus.serve(m, reads, now, reader, timing)
    if sends:
        bus.receive(m, backs, now, sent_last, timing)
        m[bus.W_INDEX] = 0 if sent_last else m[bus.W_INDEX] + 1
    m[bus.B_HEAD] += back
    for k in range(3):
        moved = push if k == WRITER else (read & 1 if k == 0 else taken & 1)
        end = back if k == WRITER else (1 if reader == k and last else 0)
        beats = bus.port(p, k, takes[k], asks[k], moved, end)
        if k == WRITER and takes[k]:
            q[bus.BURSTS, f[bus.BURSTS, bus.PUT] % RING, 0] = beats
            q[bus.ANSWERS, f[bus.ANSWERS, bus.PUT] % RING, 0] = 1 if p[k, bus.LEFT] == 0 and p[k, bus.ENDS] else 0
        elif takes[k]:
            m[bus.AR_BEATS], m[bus.AR_ID] = beats, k
    bus.fifo(f, bus.RECORD_BEATS, 0, 1 if reader == 0 else 0, read & 1)
    bus.fifo(f, bus.LOAD_BEATS, 1, 1 if reader == 1 else 0, taken & 1)
    bus.fifo(f, LOADS, 0, read >> 1 & 1, asked >> 1)
    bus.fifo(f, LINES, 0, asked & 1, taken >> 1)
    bus.fifo(f, STORES, 0, read >> 2, saved >> 1)
    bus.fifo(f, WORDS, 0, arrives, beats_ready)
    bus.fifo(f, bus.WRITE_BEATS, 0, push, sends)
    bus.fifo(f, bus.BURSTS, 0, takes[WRITER], sent_last)
    bus.fifo(f, bus.ANSWERS, 0, takes[WRITER], back)
