# SPDX-License-Identifier: Apache-2.0
"""The state of the simulated machine: few plain arrays, since compiled calls cost time by their number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bitwright.targets.rap.isa.fields import BY_NAME
from bitwright.targets.rap.isa.machine import A_REGISTERS, ACCUMULATORS, B_REGISTERS, Machine, Program, banks
from bitwright.targets.rap.isa.registers import COUNTERS
from bitwright.targets.rap.isa.table import LOOP_DEPTH, PENDING, STREAMS
from bitwright.targets.rap.isa.transfers import line_beats, load_cycles, store_cycles, unit_beats

LANES = 4
LDM, STM = BY_NAME["LDM"].opcode, BY_NAME["STM"].opcode
# indices of `State.scalars`; RECEIVED, SENT: elements of the frame so far; LOADED, LOAD_END: loads so far,
# and the cycle behind the last one
(
    SIZE, TORUS, PC, CYCLE, BITS, ASIGN, BSIGN, ROWS, COLS, PAD, HALF, LOOPS, DRAIN_FREE, IDLE, FRAMES, FAULT, CUT,
    RECEIVED, SENT, LOADED, LOAD_END,
    EXTERNAL,
) = range(22)  # fmt: skip
# indices of `State.counters`
(
    CYCLES, STALLS, INSTRUCTIONS, OPERATIONS, A_READS, B_READS, WRITES, PARAM_READS, INPUT_WORDS, OUTPUT_WORDS,
) = range(len(COUNTERS))  # fmt: skip
# a row of `State.streams`: position, shape, then for each level: passes done, passes asked for, steps of addr, x, y
ADDR, X, Y, STRIP, WIDTH, HEIGHT, SPAN = range(7)
LEVEL_BASE, LEVEL_SIZE, MAX_LEVELS = 7, 5, 8


class State(NamedTuple):
    """All registers and memories; int64 unless said otherwise.

    code: [instruction, opcode and fields]. a_mem, b_mem: uint16 [bank, word]. params: [word, 4]. a, b: lanes of the
    registers as numbers of the current width, 0 beyond its lanes, [register, row, column, lane]. acc: int32 [half,
    accumulator, row, column, lane]. fresh: 1 where the next operation overwrites. slots: mode, rounding, store bits,
    words, low, high, zero. loops: start, end, passes left. profile: cycles and passes of each instruction. trace:
    cycle and instruction of the first issues. memory: uint16, external. transfers: cycles of each LDM and STM.
    loads: the cycle behind each of the last ones.
    """

    code: np.ndarray
    a_mem: np.ndarray
    b_mem: np.ndarray
    params: np.ndarray
    a: np.ndarray
    b: np.ndarray
    acc: np.ndarray
    fresh: np.ndarray
    streams: np.ndarray
    slots: np.ndarray
    loops: np.ndarray
    scalars: np.ndarray
    counters: np.ndarray
    profile: np.ndarray
    trace: np.ndarray
    memory: np.ndarray
    transfers: np.ndarray
    loads: np.ndarray


def make_state(machine: Machine, program: Program, rows: np.ndarray, trace: int, timing: tuple[int, int]) -> State:
    """State after reset and loading; `rows` are the decoded instructions, `timing` latency and gap of memory."""
    n = machine.size
    scalars = np.zeros(EXTERNAL + 1, np.int64)
    scalars[[SIZE, TORUS, BITS, ROWS, COLS]] = n, machine.torus, 16, (1 << n) - 1, (1 << n) - 1
    params = np.zeros((machine.param_words, 4), np.int64)
    params[: len(program.params)] = program.params
    slots = np.zeros((2, 7), np.int64)
    slots[:, 2:4] = 16, 1
    streams = np.zeros((len(STREAMS), LEVEL_BASE + LEVEL_SIZE * MAX_LEVELS), np.int64)
    streams[:, LEVEL_BASE + 1 :: LEVEL_SIZE] = 1
    return State(
        code=rows,
        a_mem=banks(machine, program.a, machine.a_words),
        b_mem=banks(machine, program.b, machine.b_words),
        params=params,
        a=np.zeros((A_REGISTERS, n, n, LANES), np.int64),
        b=np.zeros((B_REGISTERS, n, n, LANES), np.int64),
        acc=np.zeros((2, ACCUMULATORS, n, n, LANES), np.int32),
        fresh=np.ones(ACCUMULATORS, np.int64),
        streams=streams,
        slots=slots,
        loops=np.zeros((LOOP_DEPTH, 3), np.int64),
        scalars=scalars,
        counters=np.zeros(len(COUNTERS), np.int64),
        profile=np.zeros((len(rows), 2), np.int64),
        trace=np.zeros((trace, 2), np.int64),
        memory=_memory(program),
        transfers=_transfers(machine, rows, timing),
        loads=np.zeros(PENDING, np.int64),
    )


def _memory(program: Program) -> np.ndarray:
    """External memory before the program runs."""
    found = np.zeros(max(len(program.memory), program.memory_bytes // 2), np.uint16)
    found[: len(program.memory)] = program.memory
    return found


def _transfers(machine: Machine, rows: np.ndarray, timing: tuple[int, int]) -> np.ndarray:
    """Cycles of the transfers, by instruction; 0 of all others."""
    found = np.zeros(len(rows), np.int64)
    for at in np.flatnonzero(rows[:, 0] == LDM):
        into, count = int(rows[at, 1]), int(rows[at, 3])
        found[at] = load_cycles(count * unit_beats(machine.size, into), *timing)
    for at in np.flatnonzero(rows[:, 0] == STM):
        found[at] = store_cycles(int(rows[at, 2]), line_beats(machine.size), *timing)
    return found
