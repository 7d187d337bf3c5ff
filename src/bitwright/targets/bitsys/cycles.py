"""The cycle model: exact cycles of every layer, from its descriptor alone.

Times count from the cycle in which the sequencer starts the layer. Inside the accelerator nothing waits for others,
so the model is a small set of recurrences over the tiles; its constants are the registers of the RTL.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.registers import LAYER_WORDS

FETCH = LAYER_WORDS // 4 + 2  # reads of four descriptor words, one more for the memory's latency, the start
POST = 7  # registers of the post stage without a table
READ = 2  # of the activation memory, of the result buffer


def layer_cycles(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Cycles from the fetch of a layer's descriptor to the fetch of the next."""
    last = _vector(fields) if fields.get("vector") else _array(fields, hardware)
    table = fields["table_bits"] and (2 if fields["lookup"] else fields["table_bits"] + 1)
    stored = last + POST + table + 1  # the cycle of the write
    return FETCH + stored + 1 + int(fields["wide_out"] and not fields["to_output"])


def array_cycles(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Cycles in which the array takes operands."""
    return 0 if fields.get("vector") else fields["tiles_m"] * fields["tiles_n"] * _steps(fields, hardware)


def _steps(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Operand words of a tile: all pairs of planes, or one container pair a word."""
    pairs = fields["stored_a"] * fields["stored_b"] if hardware.planes else 1
    return pairs * fields["taps"] * fields["tap_words"]


def _vector(fields: Mapping[str, int]) -> int:
    """The cycle in which the last group enters the post stage."""
    items = 1 + fields["wide_a"] + (1 + fields["wide_b"] if fields.get("add") else 0)
    reads = items * fields["kernel_h"] * fields["kernel_w"]
    groups = fields["frames"] * fields["out_h"] * fields["out_w"] * fields["groups"]
    first = 1 + (groups - 1) * max(reads, fields["interval"])
    return first + reads - 1 + READ + 1


def _array(fields: Mapping[str, int], hardware: Hardware) -> int:
    """The cycle in which the last group enters the post stage.

    Loading: two halves of the row buffers. Array: tiles follow each other at once, at least `rows` cycles apart, into
    a free slot of the result buffer. Drain: tile by tile, `interval` cycles a group.
    """
    steps, interval = _steps(fields, hardware), fields["interval"]
    settle = 2 + hardware.latency + hardware.rows - 1 + hardware.columns  # last word to the last sum written
    row_reads = fields["taps"] * fields["inner"]
    groups = hardware.columns // 8
    read_end, released = 0, deque([0, 0], maxlen=2)
    go = end = -(1 << 60)
    drained = deque([-(1 << 60)] * hardware.slots, maxlen=hardware.slots)
    issued = -(1 << 60)
    for m in range(fields["tiles_m"]):
        rows = fields["rows_last"] if m == fields["tiles_m"] - 1 else hardware.rows
        read_end = max(read_end + 1, released[0] + 1) + rows * row_reads - 1
        loaded = read_end + READ + 1
        for n in range(fields["tiles_n"]):
            count = rows * (fields["groups_last"] if n == fields["tiles_n"] - 1 else groups)
            go = max(loaded, end, go + hardware.rows, drained[0] + 1)
            end = go + steps
            first = max(end + settle + 1, issued + interval)
            issued = first + (count - 1) * interval
            drained.append(issued)
        released.append(end)
    return issued + READ


def input_cycles(channels: int, pixels: int, planes: bool) -> int:
    """Cycles to take a frame at full rate: a word of eight elements or a group of eight channels each."""
    groups = math.ceil(channels / 64) * 8 if planes else math.ceil(channels / 8)
    return max(math.ceil(channels * pixels / 8), groups * pixels) + 2


def output_cycles(channels: int, pixels: int, argmax: bool) -> int:
    """Cycles to send a frame's results at full rate."""
    return pixels * (channels + int(argmax or channels % 8 == 1)) + 1
