# SPDX-License-Identifier: Apache-2.0
"""The sequencer of the simulator: one instruction after the other, with their cycles; compiled by `compiled`."""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit
from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.lanes import alu, clamp, lane
from bitwright.targets.rap.isa.table import STREAMS, TABLE
from bitwright.targets.rap.simulator.datapath import (
    BUS,
    WIDE,
    load_a,
    load_b,
    load_line,
    multiply_lanes,
    multiply_sum,
    pass_on,
)
from bitwright.targets.rap.simulator.memory import load, save, wait_loads
from bitwright.targets.rap.simulator.results import drain, join, receive, send, store
from bitwright.targets.rap.simulator.state import (
    ADDR,
    ASIGN,
    BITS,
    BSIGN,
    COLS,
    CUT,
    CYCLE,
    CYCLES,
    DRAIN_FREE,
    FAULT,
    FRAMES,
    HALF,
    IDLE,
    INPUT_WORDS,
    INSTRUCTIONS,
    LEVEL_BASE,
    LEVEL_SIZE,
    LOOPS,
    OUTPUT_WORDS,
    PAD,
    PC,
    RECEIVED,
    ROWS,
    SENT,
    SIZE,
    STALLS,
    STRIP,
    State,
)

_OPCODES = [instruction.opcode for instruction in TABLE]
(NOP, HALT, JUMP, LOOP, WAIT, WIDTH, MASK, STREAM, LEVEL, SHAPE, PADW, MAC, MACL, MAXL, FETCH, LDA, LDB) = _OPCODES[:17]
(MOV, MOVB, ADD, SUB, MAX, MIN, SHR, SHL, SAT, PACK, UNPL, UNPH, GET, POST, LIMIT, DRAIN, ST, IN, OUT) = _OPCODES[17:36]
LDM, STM, WAITM = _OPCODES[36:]
ALU, GETTING, CONFIG = timing.ALU, timing.GET, timing.CONFIG
A, B, O0 = STREAMS.index("A"), STREAMS.index("B"), STREAMS.index("O0")


@njit(cache=False)
def _split(lanes: np.ndarray, word: int, bits: int, sign: int) -> None:
    for i in range(len(lanes)):
        lanes[i] = lane(word, i, bits, sign) if i < 16 // bits else 0


@njit(cache=False)
def _set_width(registers: np.ndarray, old: int, bits: int, sign: int) -> None:
    """Read all registers [register, row, column, lane] anew with another width."""
    lanes = registers.reshape((-1, 4))
    for i in range(len(lanes)):
        _split(lanes[i], join(lanes[i], old), bits, sign)


@njit(cache=False)
def _configure(op: int, f: np.ndarray, a: np.ndarray, b: np.ndarray, streams: np.ndarray, s: np.ndarray) -> None:
    """WIDTH, MASK, PAD and SHAPE."""
    if op == WIDTH:
        _set_width(a, s[BITS], 16 >> f[0], f[1])
        _set_width(b, s[BITS], 16 >> f[0], f[2])
        s[BITS], s[ASIGN], s[BSIGN] = 16 >> f[0], f[1], f[2]
    elif op == MASK:
        s[ROWS], s[COLS] = f[0], f[1]
    elif op == PADW:
        s[PAD], s[CUT] = f[0], f[1]
    else:
        streams[f[0], STRIP : STRIP + 4] = f[1:5]


@njit(cache=False)
def _set_up(op: int, f: np.ndarray, streams: np.ndarray, slots: np.ndarray) -> None:
    """STREAM, LEVEL, POST and LIMIT."""
    if op == STREAM:
        streams[f[0], ADDR : ADDR + 3] = f[1:4]
        streams[f[0], LEVEL_BASE::LEVEL_SIZE] = 0
        streams[f[0], LEVEL_BASE + 1 :: LEVEL_SIZE] = 1
    elif op == LEVEL:
        at = LEVEL_BASE + LEVEL_SIZE * f[1]
        streams[f[0], at] = 0
        streams[f[0], at + 1 : at + 5] = f[2:6]
    elif op == POST:
        slots[f[0], 0], slots[f[0], 1] = f[1], f[2]
        slots[f[0], 2] = 32 if f[3] == 3 else 16 >> f[3]
        slots[f[0], 3] = f[4]
    else:
        slots[f[0], 4 + f[1]] = f[2]


@njit(cache=False)
def _get(f: np.ndarray, acc: np.ndarray, bits: int, sign: int) -> int:
    """The word of GET from the accumulators [lane] of one element."""
    word = 0
    for i in range(16 // bits if f[3] else 1):
        value = clamp(np.int64(acc[i]) >> f[2], bits, sign)
        word |= (value & ((1 << bits) - 1)) << (i * bits)
    return word


@njit(cache=False)
def _element(op: int, f: np.ndarray, a: np.ndarray, b: np.ndarray, acc: np.ndarray, s: np.ndarray) -> None:
    """Operations from register to register, in every enabled element; acc is [accumulator, row, column, lane]."""
    bits, sign = s[BITS], s[ASIGN]
    if op == MOV:
        pass_on(f[2], a, f[0], f[1], s)
        return
    immediate = op in (SHR, SHL, SAT)
    for r in range(s[SIZE]):
        for c in range(s[SIZE]):
            if not s[ROWS] >> r & s[COLS] >> c & 1:
                continue
            if op in (LDA, LDB):
                word = f[1]
            elif op == MOVB:
                word = join(a[f[1], r, c], bits)
            elif op == GET:
                word = _get(f, acc[f[1], r, c], bits, sign)
            else:
                other = 0 if immediate or op >= UNPL else join(b[f[2], r, c], bits)
                word = alu(op - ADD, join(a[f[1], r, c], bits), other, f[2] if immediate else f[3], bits, sign)
            if op in (LDB, MOVB):
                _split(b[f[0], r, c], word, bits, s[BSIGN])
            else:
                _split(a[f[0], r, c], word, bits, sign)


@njit(cache=False)
def _next(pc: int, loops: np.ndarray, s: np.ndarray) -> int:
    """The instruction behind `pc`, back to the start of a loop that ends there."""
    depth = s[LOOPS]
    if depth and loops[depth - 1, 1] == pc:
        if loops[depth - 1, 2] > 1:
            loops[depth - 1, 2] -= 1
            return int(loops[depth - 1, 0])
        s[LOOPS] -= 1
    return pc + 1


@njit(cache=False)
def _wait(until: int, s: np.ndarray, n: np.ndarray) -> None:
    """Stall until that cycle."""
    pause = until - s[CYCLE]
    if pause > 0:
        s[CYCLE] += pause
        n[STALLS] += pause


@njit(cache=False)
def _enter_loop(m: State, pc: int, f: np.ndarray) -> None:
    s = m.scalars
    if s[LOOPS] == len(m.loops):
        s[FAULT] = 2
        return
    row = m.loops[s[LOOPS]]
    row[0], row[1], row[2] = pc + 1, f[1], f[0]
    s[LOOPS] += 1


@njit(cache=False)
def _drain(m: State, f: np.ndarray) -> None:
    """DRAIN of one half of the accumulators; without the field `keep` that is the one at work, and the halves swap."""
    s, slots = m.scalars, m.slots
    _wait(s[DRAIN_FREE], s, m.counters)
    if slots[f[0], 2] == 32 and slots[f[0], 3] < 2:
        s[FAULT] = 3
    elif f[1] * f[2] > len(m.fresh) or f[3] > s[SIZE]:
        s[FAULT] = 4
    else:
        if not f[5]:
            s[HALF] ^= 1
            m.fresh[:] = 1
        drain(f, m.acc[1 - s[HALF]], m.a_mem, m.params, m.streams, slots, s, m.counters)


@njit(cache=False)
def _transfer(m: State, op: int, f: np.ndarray, inputs: np.ndarray, outputs: np.ndarray) -> int:
    """ST, IN and OUT: the cycles that they take."""
    s, n = m.scalars, m.counters
    if op == ST:
        if f[2] >= s[SIZE]:
            s[FAULT] = 4
        else:
            store(m.a_mem, m.streams[O0 + f[0]], m.a[f[1]], f[2], s, n)
        return 1
    if op == IN:
        begin = s[RECEIVED]
        if begin + f[0] > inputs.shape[1]:
            s[FAULT] = 5
            return 1
        n[INPUT_WORDS] += -(-f[0] // f[3])
        s[RECEIVED] += f[0]
        return receive(f, inputs[s[FRAMES], begin:], m.a_mem, m.streams[O0], s, n)
    begin = s[SENT]
    sent = -(-f[0] // f[1]) if f[6] else f[0]
    if begin + sent > outputs.shape[1]:
        s[FAULT] = 6
        return 1
    n[OUTPUT_WORDS] += -(-sent // f[3])
    cycles = send(f, outputs[s[FRAMES], begin:], m.a_mem, m.streams[A], s, n)
    s[SENT] += sent
    if not f[7]:
        s[FRAMES] += 1
        s[RECEIVED] = s[SENT] = 0
    return cycles


@njit(cache=False)
def _issue(m: State, op: int, f: np.ndarray, pc: int, inputs: np.ndarray, outputs: np.ndarray) -> int:
    """Do what one instruction says, JUMP, HALT and what computes apart; the cycles that it takes."""
    s, n = m.scalars, m.counters
    if op == LOOP:
        _enter_loop(m, pc, f)
        return int(timing.LOOP)
    if op in (WIDTH, MASK, PADW, SHAPE):
        if op == SHAPE and f[0]:
            _wait(s[IDLE], s, n)
        _configure(op, f, m.a, m.b, m.streams, s)
        return 1 if op == SHAPE else int(CONFIG)
    if op == DRAIN:
        _drain(m, f)
        return 1
    if op == NOP:
        return 1
    if op == LDM:
        if f[0] == 0:
            _wait(s[IDLE], s, n)
        load(f, m, int(m.transfers[pc]))
        return 1
    if op not in (STREAM, LEVEL) or f[0] >= O0:
        _wait(s[IDLE], s, n)
    if op in (ST, IN, OUT):
        return _transfer(m, op, f, inputs, outputs)
    if op == WAITM:
        return wait_loads(s)
    if op == STM:
        return save(f, m.memory, m.a_mem, int(m.transfers[pc]), s)
    if op != WAIT:
        _set_up(op, f, m.streams, m.slots)
    return 1


@njit(cache=False)
def _halt(s: np.ndarray, n: np.ndarray) -> None:
    _wait(s[IDLE], s, n)
    s[CYCLE] += CONFIG
    n[CYCLES] = s[CYCLE]
    n[INSTRUCTIONS] += 1


@njit(cache=False)
def issue_all(m: State, inputs: np.ndarray, outputs: np.ndarray, limit: int) -> bool:
    """Issue instructions until all frames are sent, HALT, a fault or `limit` cycles; whether it ended in time."""
    s, n, code, loops, profile, trace = m.scalars, m.counters, m.code, m.loops, m.profile, m.trace
    a_mem, b_mem, a, b, acc, fresh, streams = m.a_mem, m.b_mem, m.a, m.b, m.acc, m.fresh, m.streams
    pc, issued = s[PC], 0
    while s[CYCLE] < limit and 0 <= pc < len(code):
        s[PC] = pc
        op, f = code[pc, 0], code[pc, 1:]
        before, cycles, following = s[CYCLE], 1, _next(pc, loops, s)
        if MAC <= op <= FETCH:
            load = 0 if op == FETCH else 3
            if f[load] == BUS:
                load_a(a_mem, streams[A], a[f[load + 1]], s, n)
            elif f[load] == WIDE:
                load_line(a_mem, streams[A], a[f[load + 1]], s, n)
            elif f[load]:
                pass_on(f[load], a, f[load + 1], f[load + 2], s)
            if f[load + 3] == BUS:
                load_b(b_mem, streams[B], b[f[load + 4]], s, n)
            if op == MAC:
                multiply_sum(a[f[1]], b[f[2]], acc[s[HALF], f[0]], fresh[f[0]], s, n)
            elif op != FETCH:
                multiply_lanes(a[f[1]], b[f[2]], acc[s[HALF], f[0]], fresh[f[0]], op == MAXL, s, n)
            if op != FETCH:
                fresh[f[0]] = 0
        elif LDA <= op <= GET:
            _element(op, f, a, b, acc[s[HALF]], s)
            cycles = 1 if op <= MOV else (GETTING if op == GET else ALU)
        elif op == HALT:
            _halt(s, n)
            return True
        elif op == JUMP:
            following, cycles = f[0], timing.JUMP
            s[LOOPS] = 0
        else:
            cycles = _issue(m, op, f, pc, inputs, outputs)
        if s[FAULT]:
            return False
        if issued < len(trace):
            trace[issued, 0], trace[issued, 1] = s[CYCLE], pc
            issued += 1
        s[CYCLE] += cycles
        n[INSTRUCTIONS] += 1
        profile[pc, 0] += s[CYCLE] - before
        profile[pc, 1] += 1
        pc = following
        if op == OUT:
            n[CYCLES] = s[CYCLE]
            if s[FRAMES] == len(outputs) and (pc >= len(code) or code[pc, 0] != HALT):
                return True
    s[PC] = pc
    return False
