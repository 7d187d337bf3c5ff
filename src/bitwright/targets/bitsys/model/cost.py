# SPDX-License-Identifier: Apache-2.0
"""Resources of the whole accelerator from its configuration.

Memories of more than 64 words are counted one by one; all else is linear in elements, rows and columns, with the
constants of cost.toml, which `python -m bitwright.targets.bitsys.calibrate` writes.
"""

from __future__ import annotations

from pathlib import Path

from bitwright.hardware import calibration
from bitwright.hardware.memory import is_block, ram
from bitwright.hardware.resources import Resources
from bitwright.targets.bitsys.hardware import Hardware, load, presets

CONSTANTS = Path(__file__).parents[1] / "cost.toml"


def array_counts(hardware: Hardware) -> dict[str, float]:
    """How often each constant of the array counts: elements of each unit, rows and columns by their words, and more."""
    words = "planes" if hardware.planes else "pairs" if hardware.unit == "dsp" else "bytes"
    return {
        f"{hardware.unit} element": hardware.rows * hardware.columns,
        f"row of {words}": hardware.rows,
        f"column of {words}": hardware.columns,
        f"array of {words}": 1,
        "weight stream": int(hardware.weight_stream),
    }


def counts(hardware: Hardware) -> dict[str, float]:
    """How often each constant of the accelerator counts: the array's, and what is around it."""
    around = {"core": 1, "bit planes around": int(hardware.planes), "external memory": int(hardware.external)}
    return array_counts(hardware) | around


def array_memories(hardware: Hardware) -> Resources:
    """Operand memories: row buffers and weights."""
    part = 32 if hardware.planes else 8
    slices = hardware.columns * hardware.word_bits // part
    words = hardware.port_words
    return memory(64 * words, 2 * hardware.row_words // words, hardware.rows) + memory(
        part, hardware.weight_lines, slices
    )


def memories(hardware: Hardware) -> Resources:
    """All memories: the array's, activations, parameters, tables, results, program."""
    return (
        array_memories(hardware)
        + memory(8, hardware.act_words // hardware.port_words, 8 * hardware.port_words)
        + memory(32, hardware.param_groups, 24)
        + memory(32, hardware.table_entries, 8)
        + memory(256, hardware.output_groups)
        + memory(32, 8 * hardware.layers, 4)
        + memory(64, 128, int(hardware.external))
    )


def memory(width: int, depth: int, copies: int = 1) -> Resources:
    """So many memories of `depth` words of `width` bits."""
    return ram(width, depth, is_block(width, depth)) * copies


def resources(hardware: Hardware) -> Resources:
    """LUT, FF, carry, BRAM36, DSP of the accelerator on a part with LUT6."""
    return calibration.load(CONSTANTS).cost(counts(hardware)) + memories(hardware)


def by_size() -> list[str]:
    """The presets that streams alone feed, that of the fewest LUTs first."""
    found = [name for name in presets() if not load(name).external]
    return sorted(found, key=lambda name: resources(load(name)).lut)
