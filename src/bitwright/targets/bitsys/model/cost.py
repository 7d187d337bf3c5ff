# SPDX-License-Identifier: Apache-2.0
"""The cost model of the hardware: resources of the whole accelerator from its configuration.

Logic is added up block by block from what each holds: elements, multiplexers, memories, counters. The numbers per
block are the cells that Yosys maps it to (Xilinx UltraScale+, Xilinx primitives): an element's those of a 4 x 4 array
alone, the others' those of one whole accelerator. Multipliers are DSP blocks. Memories of at most 64 words, which
lie in LUTs, are not counted.
"""

from __future__ import annotations

import math

from bitwright.hardware.resources import Resources
from bitwright.targets.bitsys.hardware import Hardware

# LUT, FF of an element in the array; carry cells in CARRY8.
ELEMENT = {"container": (90, 181, 14), "bitplane": (104, 263, 15), "fixed": (32, 34, 4)}
LANE = Resources(lut=1050, ff=420, carry=100)  # a channel of the post stage
BLOCKS = {  # what does not depend on the array: sequencer, window walker, store, streams, registers
    "control": Resources(lut=330, ff=452, carry=44),
    "sequencer": Resources(lut=120, ff=960, carry=1),
    "source": Resources(lut=1250, ff=330, carry=60),
    "vector": Resources(lut=1550, ff=420, carry=64),
    "store": Resources(lut=330, ff=320, carry=8),
    "input": Resources(lut=1500, ff=330, carry=40),
    "output": Resources(lut=420, ff=420, carry=20),
    "steps": Resources(lut=420, ff=280, carry=40),
    "drain": Resources(ff=256),
}
WEIGHT_STREAM = Resources(lut=150, ff=66, carry=8)
DSP = 34  # the post stage's eight multipliers, and products of sizes
PLANE_DSP = 3  # places of weight planes


def _block_ram(width: int, depth: int) -> float:
    """BRAM36 of a simple dual-port memory of at least 64 words."""
    if depth <= 64 or width * depth <= 4096:
        return 0
    best = math.inf
    for bits, words in ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768)):
        best = min(best, math.ceil(width / bits) * math.ceil(depth / words))
    for bits, words in ((36, 512), (18, 1024), (9, 2048)):
        best = min(best, math.ceil(width / bits) * math.ceil(depth / words) / 2)
    return best


def memories(hardware: Hardware) -> dict[str, float]:
    """BRAM36 of each memory."""
    part = 32 if hardware.planes else 8
    return {
        "activations": 8 * _block_ram(8, hardware.act_words),
        "weights": hardware.columns * hardware.word_bits // part * _block_ram(part, hardware.weight_lines),
        "rows": hardware.rows * _block_ram(64, 2 * hardware.row_words),
        "parameters": 24 * _block_ram(32, hardware.param_groups),
        "tables": 8 * _block_ram(32, hardware.table_entries),
        "results": _block_ram(256, hardware.output_groups),
        "program": 4 * _block_ram(32, 8 * hardware.layers),
    }


def _edges(hardware: Hardware) -> Resources:
    """Logic around the array: a column's choice of its row's sum and its result memory, a row's choice of a byte.

    Registers: operands and addresses of rows and columns (17 bits), a column's sum on its way in and out (32 + 8 + 32).
    """
    column = 32 * hardware.rows / 4 + 8 * 3 * math.ceil(hardware.slots * hardware.rows / 32)
    lut = hardware.columns * column + hardware.rows * (0 if hardware.planes else 30)
    ff = (hardware.rows + hardware.columns) * (hardware.word_bits + 17) + hardware.columns * 72
    return Resources(lut=lut, ff=ff)


def resources(hardware: Hardware) -> Resources:
    """LUT, FF, BRAM36, DSP of the accelerator."""
    lut, ff, carry = ELEMENT[hardware.unit]
    elements = hardware.rows * hardware.columns
    array = Resources(elements * lut, elements * ff, elements * carry, 0, elements if hardware.unit == "fixed" else 0)
    logic = sum(BLOCKS.values(), array) + _edges(hardware)
    logic = logic + WEIGHT_STREAM if hardware.weight_stream else logic
    lanes = Resources(8 * LANE.lut, 8 * LANE.ff, 8 * LANE.carry, 0, DSP + (PLANE_DSP if hardware.planes else 0))
    return logic + lanes + Resources(bram36=sum(memories(hardware).values()))
