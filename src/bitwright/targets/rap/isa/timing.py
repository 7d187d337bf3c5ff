# SPDX-License-Identifier: Apache-2.0
"""Cycles of the hardware: one table for RTL (`package`), simulator, compiler and cost model.

An instruction that is issued in cycle 0 is in stage s of STAGES in cycle s. What follows from the stages is computed.
"""

from __future__ import annotations

STAGES = (
    "issue", "dispatch", "level", "position", "strip", "span", "read", "output", "word", "turn", "load", "operands",
    "execute", "sum", "update",
)  # fmt: skip
DISPATCH, POSITION, READ, TURN, LOAD, OPERANDS, EXECUTE, UPDATE = map(
    STAGES.index, ("dispatch", "position", "read", "turn", "load", "operands", "execute", "update")
)

START = 3  # from the start to the issue of the first instruction
LOOP = 3  # the next instruction is fetched anew
JUMP = 4
ALU = UPDATE - LOAD + 1  # operations that write an A or B register: no load of a later one comes at the same time
GET_WRITE = UPDATE + 2  # GET reads in stage sum, saturates in two steps, and writes in this cycle
GET = GET_WRITE - LOAD + 1
CONFIG = UPDATE - 1  # HALT, WIDTH, MASK and PAD take effect behind the operations under way
DRAIN_READ = 5  # from a step of a slot's parameters to the read of the accumulator
DRAIN_FIRST = UPDATE - DRAIN_READ  # from the issue of DRAIN to its first step
DRAIN_START = DRAIN_FIRST + 1  # what DRAIN takes beside its steps until the next one is issued
SLOT = 16  # from a step to the packed word
WRITE = 7  # from a word to its write into a bank
POST_DEPTH = SLOT + WRITE + 1  # from the last step to the end of the last write, of a second word
STORE = EXECUTE + WRITE + 3  # from the issue of ST, whose word leaves in stage execute, to the end of its write
PARAM_LANES = 4  # 32-bit numbers in a parameter word
HEADER_STEPS = 3  # thresholds in the first parameter word, which holds base and step too
IN_TAIL = WRITE + 2  # from the last element to its write
IN_START = IN_TAIL + 3  # beside stream words and elements
IN_BEAT = 1
OUT_START = 4
OUT_WORD = LOAD  # a word is on the bus in stage load, counted from the dispatch of its read
OUT_BEAT = 3  # the last element passes two registers before the word is sent
WAITM = 4  # where nothing waits
OUT_PLACE = 1  # a pixel of which only the place of the largest element is sent
LOOP_PASSES = 1 << 16  # of one LOOP


def nested_passes(count: int) -> tuple[int, int]:
    """(outer, inner): passes of two loops that run something `count` times; (1, count) where one LOOP counts them.

    A count that no two LOOPs make stays whole.
    """
    if count <= LOOP_PASSES:
        return 1, count
    inner = next(d for d in range(LOOP_PASSES, 0, -1) if count % d == 0)
    return (count // inner, inner) if count // inner <= LOOP_PASSES else (1, count)


def seed_words(size: int) -> int:
    """Parameter words that hold one random seed for every row."""
    return -(-size // PARAM_LANES)


def drain_cycles(size: int, pixels: int, elements: int, words: int, stochastic: bool) -> int:
    """Cycles in which a slot reads accumulators: `elements` a pixel, `words` parameter words an element."""
    return pixels * (seed_words(size) * stochastic + elements * words)
