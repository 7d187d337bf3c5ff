# SPDX-License-Identifier: Apache-2.0
"""The state of the simulated machine: few plain arrays, since compiled calls cost time by their number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bitwright.targets.rap.isa.machine import A_REGISTERS, ACCUMULATORS, B_REGISTERS, Machine, Program, banks
from bitwright.targets.rap.isa.registers import COUNTERS
from bitwright.targets.rap.isa.table import LOOP_DEPTH, STREAMS

LANES = 4
# indices of `State.scalars`; RECEIVED, SENT: elements of the frame so far
(
    SIZE, TORUS, PC, CYCLE, BITS, ASIGN, BSIGN, ROWS, COLS, PAD, HALF, LOOPS, DRAIN_FREE, IDLE, FRAMES, FAULT, CUT,
    RECEIVED, SENT,
) = range(19)  # fmt: skip
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
    cycle and instruction of the first issues.
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


def make_state(machine: Machine, program: Program, rows: np.ndarray, trace: int) -> State:
    """State after reset and loading; `rows` are the decoded instructions."""
    n = machine.size
    scalars = np.zeros(SENT + 1, np.int64)
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
    )
