# SPDX-License-Identifier: Apache-2.0
"""Slots, stores and frames of the simulator; compiled. Arguments as in `datapath`."""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit
from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.lanes import lane, wrap32
from bitwright.targets.rap.isa.table import STREAMS
from bitwright.targets.rap.simulator.datapath import ADDRESS_MASK, advance, locate, read_a, write_row, write_rows
from bitwright.targets.rap.simulator.post import RAW, STOCHASTIC, next_draw, post_element
from bitwright.targets.rap.simulator.state import ADDR, ASIGN, BITS, CYCLE, DRAIN_FREE, IDLE, PARAM_READS, SIZE

O0, P0, R0 = STREAMS.index("O0"), STREAMS.index("P0"), STREAMS.index("R0")
START, DEPTH, SEED_LANES = timing.DRAIN_START, timing.POST_DEPTH, timing.PARAM_LANES


@njit(cache=False)
def _parameter(params: np.ndarray, q: np.ndarray, out: np.ndarray, s: np.ndarray, n: np.ndarray) -> None:
    """The next parameter word of a P or R stream."""
    out[:] = params[locate(params.T, 0, q[ADDR] & ADDRESS_MASK, s)]
    n[PARAM_READS] += 1
    advance(q)


@njit(cache=False)
def _seeds(params: np.ndarray, q: np.ndarray, draws: np.ndarray, s: np.ndarray, n: np.ndarray) -> int:
    """Load every row's random seed; the number of words read."""
    word = np.empty(SEED_LANES, np.int64)
    for r in range(len(draws)):
        if r % SEED_LANES == 0:
            _parameter(params, q, word, s, n)
        draws[r] = word[r % SEED_LANES]
    return -(-len(draws) // SEED_LANES)


@njit(cache=False)
def drain(
    f: np.ndarray,
    acc: np.ndarray,
    mem: np.ndarray,
    params: np.ndarray,
    streams: np.ndarray,
    slots: np.ndarray,
    s: np.ndarray,
    n: np.ndarray,
) -> None:
    """DRAIN with fields f of one half of the accumulators; all is written at once, the time it takes is noted."""
    slot, pixels, words, cols, lanes = f[0], f[1], f[2], f[3], 16 // s[BITS] if f[4] else 1
    mode, rounding, store, length = slots[slot, 0], slots[slot, 1], slots[slot, 2], slots[slot, 3]
    stochastic = mode == 1 and rounding == STOCHASTIC
    param = np.zeros((length, 4), np.int64)
    out, draws = np.zeros(s[SIZE], np.int64), np.zeros(s[SIZE], np.int64)
    cycles, shift, elements = 0, 0, words * cols * lanes
    for pixel in range(pixels):
        if stochastic:
            cycles += _seeds(params, streams[R0 + slot], draws, s, n)
        for e in range(elements):
            for k in range(length if mode != RAW else 0):
                _parameter(params, streams[P0 + slot], param[k], s, n)
            cycles += length
            source = acc[pixel * words + e // (cols * lanes), :, e // lanes % cols, e % lanes]
            for r in range(s[SIZE]):
                y = post_element(int(np.int64(source[r])), mode, rounding, slots[slot], param, draws[r])
                if stochastic:
                    draws[r] = next_draw(draws[r])
                out[r] |= (y & ((np.int64(1) << store) - 1)) << shift
            shift += store
            if shift >= 16 or e == elements - 1:
                write_rows(mem, streams[O0 + slot], out & 0xFFFF, s, n)
                if shift == 32:
                    write_rows(mem, streams[O0 + slot], out >> 16, s, n)
                shift = 0
                out[:] = 0
    s[DRAIN_FREE] = s[CYCLE] + START + cycles
    s[IDLE] = s[DRAIN_FREE] + DEPTH


@njit(cache=False)
def store(mem: np.ndarray, q: np.ndarray, a: np.ndarray, col: int, s: np.ndarray, n: np.ndarray) -> None:
    """ST: an A register of one column into the banks; a is [row, column, lane]."""
    words = np.zeros(s[SIZE], np.int64)
    for r in range(s[SIZE]):
        words[r] = join(a[r, col], s[BITS])
    write_rows(mem, q, words, s, n)
    s[IDLE] = s[CYCLE] + timing.STORE
    s[DRAIN_FREE] = s[IDLE]


@njit(cache=False)
def join(lanes: np.ndarray, bits: int) -> int:
    """The word of lanes."""
    word = 0
    for i in range(16 // bits):
        word |= int(lanes[i] & ((1 << bits) - 1)) << (i * bits)
    return word


@njit(cache=False)
def receive(f: np.ndarray, frame: np.ndarray, mem: np.ndarray, q: np.ndarray, s: np.ndarray, n: np.ndarray) -> int:
    """IN with fields f: write elements of a frame in packed words; the cycles that it takes without waiting."""
    count, channels, lanes, bits = f[0], f[1], f[3], s[BITS]
    word = shift = 0
    for e in range(count):
        word |= (frame[e] & ((1 << bits) - 1)) << shift
        shift += bits
        if shift == 16 or e % channels == channels - 1:
            write_row(mem, q, 0, word, s, n)
            advance(q)
            word = shift = 0
    return int(timing.IN_START + timing.IN_BEAT * -(-count // lanes) + count)


@njit(cache=False)
def send(f: np.ndarray, frame: np.ndarray, mem: np.ndarray, q: np.ndarray, s: np.ndarray, n: np.ndarray) -> int:
    """OUT with fields f: read the elements of a frame as they stand in the stream; the cycles without waiting."""
    count, channels, lanes, wide, bits = f[0], f[1], f[3], f[4], s[BITS]
    word = left = reads = sent = 0
    best = place = 0
    for e in range(count):
        if left == 0 or wide or e % channels == 0:
            word, left = read_a(mem, q, 0, s, n), 16
            advance(q)
            reads += 1
        if wide:
            word |= read_a(mem, q, 0, s, n) << 16
            advance(q)
            reads += 1
        value = wrap32(word) if wide else lane(word, 0, bits, s[ASIGN])
        word >>= bits
        left -= bits
        if f[6]:
            channel = e % channels
            if channel == 0 or value > best:
                best, place = value, channel
            if channel < channels - 1 and e < count - 1:
                continue
            value = place
        frame[sent] = (value > 0 if f[5] else value) & ((np.int64(1) << f[2]) - 1)
        sent += 1
    cycles = timing.OUT_START + timing.OUT_WORD * reads + count + timing.OUT_BEAT * -(-sent // lanes)
    return int(cycles + (timing.OUT_PLACE * sent if f[6] else 0))
