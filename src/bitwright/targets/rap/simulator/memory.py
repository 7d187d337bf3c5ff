# SPDX-License-Identifier: Apache-2.0
"""Transfers of the simulator: what they move, when they end; compiled."""

from __future__ import annotations

import numpy as np

from bitwright.jit import njit
from bitwright.targets.rap.isa.table import INTO, PENDING, PLACE_BYTES
from bitwright.targets.rap.isa.transfers import QUEUED, STORE_ENDS, WAIT_ENDS, WAIT_FIRST
from bitwright.targets.rap.simulator.state import CYCLE, EXTERNAL, FAULT, LOAD_END, LOADED, SIZE, State

INTO_A, INTO_B, INTO_PARAM = INTO["a"], INTO["b"], INTO["param"]
PLACE_WORDS = PLACE_BYTES // 2
PARAM_WORDS = 8  # of 16 bits


@njit(cache=False)
def _line_words(size: int) -> int:
    """Words of 16 bits of a line in memory."""
    return max(4, size)


@njit(cache=False)
def load(f: np.ndarray, m: State, cycles: int) -> None:
    """LDM: its data are there at once, as no program may look before they are."""
    s, memory = m.scalars, m.memory
    into, address, count, at = f[0], f[1], f[2], f[3] * PLACE_WORDS
    step = PARAM_WORDS if into == INTO_PARAM else _line_words(s[SIZE])
    deep = len(m.params) if into == INTO_PARAM else (m.a_mem.shape[1] if into == INTO_A else m.b_mem.shape[1])
    if not s[EXTERNAL]:
        s[FAULT] = 9
    elif m.loads[s[LOADED] % PENDING] > s[CYCLE]:
        s[FAULT] = 7
    elif address + count > deep:
        s[FAULT] = 1
    elif at + count * step > len(memory):
        s[FAULT] = 8
    if s[FAULT]:
        return
    for i in range(count):
        first = at + i * step
        if into == INTO_PARAM:
            for k in range(4):
                m.params[address + i, k] = np.int64(memory[first + 2 * k]) | np.int64(memory[first + 2 * k + 1]) << 16
        elif into == INTO_A:
            m.a_mem[:, address + i] = memory[first : first + s[SIZE]]
        else:
            m.b_mem[:, address + i] = memory[first : first + s[SIZE]]
    s[LOAD_END] = max(s[CYCLE] + QUEUED, s[LOAD_END]) + cycles + 1
    m.loads[s[LOADED] % PENDING] = s[LOAD_END]
    s[LOADED] += 1


@njit(cache=False)
def save(f: np.ndarray, memory: np.ndarray, a_mem: np.ndarray, cycles: int, s: np.ndarray) -> int:
    """STM: its cycles."""
    address, count, at, step = f[0], f[1], f[2] * PLACE_WORDS, _line_words(s[SIZE])
    if not s[EXTERNAL]:
        s[FAULT] = 9
    elif address + count > a_mem.shape[1]:
        s[FAULT] = 1
    elif at + count * step > len(memory):
        s[FAULT] = 8
    else:
        for i in range(count):
            memory[at + i * step : at + i * step + s[SIZE]] = a_mem[:, address + i]
    return cycles + STORE_ENDS


@njit(cache=False)
def wait_loads(s: np.ndarray) -> int:
    """WAITM: its cycles."""
    return int(max(s[CYCLE] + WAIT_FIRST, s[LOAD_END]) + WAIT_ENDS - s[CYCLE])
