# SPDX-License-Identifier: Apache-2.0
"""Cycles that the hardware takes, beyond one for each instruction: one table for simulator and cost model.

All follow from the pipeline of `rap_core`: issue, address, read, rotate, load, multiply, sum, accumulate.
"""

from __future__ import annotations

START = 1  # from the start to the issue of the first instruction
BRANCH = 2  # LOOP and JUMP
ALU = 3  # operations that write an A or B register behind the multiplication
CONFIG = 8  # HALT, WIDTH, MASK, PAD and SHAPE wait for the operations under way
GET = 5  # waits for sums under way
DRAIN_START = 8  # from the issue of DRAIN to the read of its first accumulator
POST_DEPTH = 14  # from the last read of an accumulator to the end of the last write into a bank
STORE = 12  # from the issue of ST to the end of its write into a bank
PARAM_LANES = 4  # 32-bit numbers in a parameter word
HEADER_STEPS = 3  # thresholds in the first parameter word, which holds base and step too
IN_START = 8
IN_BEAT = 1
OUT_START = 2
OUT_WORD = 6
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
