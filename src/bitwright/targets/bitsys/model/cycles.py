# SPDX-License-Identifier: Apache-2.0
"""The cycle model of a layer: exact, from its descriptor alone.

Times count from the cycle in which the sequencer starts the layer. Inside the accelerator nothing waits for others,
so the model is a small set of recurrences over the tiles; its constants are the registers of the RTL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bitwright.hardware.modules import multiply_pipe
from bitwright.targets.bitsys.array.depthwise import tile_groups
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.model.loading import Halves, Strips
from bitwright.targets.bitsys.registers import LAYER_WORDS

FETCH = LAYER_WORDS // 4 + 2  # reads of four descriptor words, the decision to start, the start
END = 1  # busy_i of the sequencer is a register
POST = 11  # registers of the post stage without a table, apart from the multiplier's
TURNS = 3  # searches that take turns in the post stage, and cycles of a comparison
LOOKUP = 2  # cycles of a table of results
READ = 7  # from the walk over a source to what the activation memory answers
ROWS = 1  # from there to the row buffers
VECTOR = 3  # of the vector stage
RESULT = 3  # of the result buffer


@dataclass(frozen=True, eq=False)
class LayerTiming:
    """cycles: from the fetch of the descriptor to the next one's. writes: when the write port is taken from the input.

    writes [runs, 4]: first cycle, number, distance and length of regular writes, in ascending order.
    """

    cycles: int
    writes: np.ndarray


def layer_timing(fields: Mapping[str, int], hardware: Hardware) -> LayerTiming:
    """The times of a layer that waits for nothing."""
    runs = _vector(fields, hardware) if fields.get("vector") else _array(fields, hardware)
    post = POST + multiply_pipe.latency(32, hardware.multiplier_bits) + _table(fields)
    high = int(fields["wide_out"] and not fields["to_output"] and hardware.port_words == 1)
    first, count, step = runs[-1]
    stored = first + (count - 1) * step + post + 1  # the cycle of the last write
    writes = np.array([(at + post + 1, n, step, 1 + high) for at, n, step in runs], np.int64)
    return LayerTiming(FETCH + stored + 1 + high + END, writes[:0] if fields["to_output"] else writes)


def array_cycles(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Cycles in which the array takes operands."""
    return 0 if fields.get("vector") else fields["tiles_m"] * fields["tiles_n"] * _steps(fields, hardware)


def comparisons(fields: Mapping[str, int]) -> int:
    """Reads of the table that follow each other for a group."""
    return min(1, fields["table_bits"]) if fields["lookup"] else fields["table_bits"]


def legal_interval(fields: Mapping[str, int], least: int) -> int:
    """The least distance of groups that the post stage takes, `least` or more: searches take turns."""
    reads = comparisons(fields)
    apart = max(least, reads)
    return apart + int(reads > 1 and apart < TURNS * reads and apart % TURNS == 0)


def _table(fields: Mapping[str, int]) -> int:
    """Cycles of the search among thresholds, or in a table of results."""
    return (LOOKUP if fields["lookup"] else TURNS) * comparisons(fields)


def group_items(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Reads of a vector layer for a group: both halves of 16 bits come at once where several words do."""
    apart = int(hardware.port_words == 1)
    items = 1 + apart * fields["wide_a"] + (1 + apart * fields["wide_b"] if fields.get("add") else 0)
    return items * fields["kernel_h"] * fields["kernel_w"]


def _steps(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Operand words of a tile: all pairs of planes, or one container pair a word."""
    pairs = fields["stored_a"] * fields["stored_b"] if hardware.planes else 1
    return pairs * fields["taps"] * fields["tap_words"]


def _vector(fields: Mapping[str, int], hardware: Hardware) -> list[tuple[int, int, int]]:
    """(first cycle, number, distance) of groups that enter the post stage."""
    reads = group_items(fields, hardware)
    groups = fields["frames"] * fields["out_h"] * fields["out_w"] * fields["groups"]
    return [(1 + reads - 1 + READ + VECTOR, groups, max(reads, fields["interval"]))]


def _array(fields: Mapping[str, int], hardware: Hardware) -> list[tuple[int, int, int]]:
    """(first cycle, number, distance) of each tile's groups that enter the post stage.

    Loading: two halves of the row buffers, or a ring of rows. Array: tiles follow each other at once, at least `rows`
    cycles apart, into a free slot of the result buffer. Drain: tile by tile, `interval` cycles a group, and a multiple
    of 3 more between groups that search.
    """
    steps, interval = _steps(fields, hardware), fields["interval"]
    settle = (
        hardware.operands + hardware.latency + hardware.rows - 1 + hardware.columns
    )  # last word to the last sum written
    groups = tile_groups(fields, hardware)
    own = bool(fields.get("depthwise"))
    loader = (Strips if own else Halves)(fields, hardware)
    go = end = -(1 << 60)
    drained = deque([-(1 << 60)] * hardware.slots, maxlen=hardware.slots)
    searches = comparisons(fields) > 1
    issued = 1 - interval  # the first group may leave right after the start
    runs = []
    for m in range(fields["tiles_m"]):
        rows = fields["rows_last"] if m == fields["tiles_m"] - 1 or own else hardware.rows
        loaded = loader.loaded(m, rows) + READ + ROWS + 1
        for n in range(fields["tiles_n"]):
            count = rows * (fields["groups_last"] if n == fields["tiles_n"] - 1 else groups)
            go = max(loaded + 1, end, go + hardware.rows, drained[0] + 2)
            end = go + steps
            first = max(end + settle + 1, issued + interval)
            first += (issued + interval - first) % TURNS if searches else 0
            issued = first + (count - 1) * interval
            drained.append(issued)
            runs.append((first + RESULT, count, interval))
        loader.ends.append(end)
    return runs
