# SPDX-License-Identifier: Apache-2.0
"""Cycles of the hardware: one table for RTL (`package`), simulator, compiler and cost model.

An instruction that is issued in cycle 0 is in stage s of STAGES in cycle s. What follows from the stages is computed.
"""

from __future__ import annotations

STAGES = ("issue", "place", "read", "turn", "load", "operands", "execute", "sum", "update")
READ, LOAD, OPERANDS, EXECUTE, SUM, UPDATE = map(STAGES.index, ("read", "load", "operands", "execute", "sum", "update"))

START = 1  # from the start to the issue of the first instruction
BRANCH = 2  # LOOP and JUMP: the next instruction is fetched anew
ALU = EXECUTE - LOAD + 1  # operations that write an A or B register: no load of a later one comes at the same time
GET_WAIT = UPDATE - EXECUTE  # until GET is issued: sums under way are updated before it executes
GET = GET_WAIT + ALU
CONFIG = UPDATE  # HALT, WIDTH, MASK, PAD and SHAPE take effect behind the operations under way
DRAIN_START = UPDATE  # from the issue of DRAIN to the read of its first accumulator
SLOT = 10  # stages of a slot, from the read of an accumulator to the packed word
WRITE = 3  # from a word to its write into a bank
POST_DEPTH = SLOT + WRITE + 1  # from the last read of an accumulator to the end of the last write, of a second word
STORE = 12  # from the issue of ST to the end of its write into a bank, which lies in cycle EXECUTE + WRITE
PARAM_LANES = 4  # 32-bit numbers in a parameter word
HEADER_STEPS = 3  # thresholds in the first parameter word, which holds base and step too
IN_START = 8  # of them 7 behind the last element, until it is written
IN_BEAT = 1
OUT_START = 2
OUT_WORD = LOAD + 2  # a word is on the bus in stage LOAD, and taken behind it
OUT_BEAT = 1
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
