# SPDX-License-Identifier: Apache-2.0
"""`python -m bitwright.targets.bitsys.calibrate` writes cost.toml: the constants of the cost model, from synthesis.

Arrays are synthesized by themselves, in several sizes of each unit, and two small accelerators around them.
"""

from __future__ import annotations

from dataclasses import replace

from bitwright.targets.bitsys import emit, hardware
from bitwright.targets.bitsys.hardware import UNITS, Hardware
from bitwright.targets.bitsys.model import cost
from bitwright.tools.calibration import Point, main

PRESET = "ultra96"
WEIGHT_LINES = 4096  # few enough for 64-bit lines of 16 columns
SIZES = ((2, 8), (4, 8), (2, 16), (4, 16))  # rows, columns
# Plain elements read bytes, as containers do.
SIZES_OF = {"container": SIZES, "bitplane": SIZES, "fixed": SIZES[:2], "dsp": SIZES}
ARRAY = "bitsys_array"
OF_ARRAY = ("Unit", "Rows", "Columns", "Slots", "RowWords", "WeightLines", "WeightStream")


def machine(unit: str, rows: int, columns: int, stream: bool = True) -> Hardware:
    """The preset's memories around another array."""
    return replace(
        hardware.load(PRESET), unit=unit, rows=rows, columns=columns, weight_stream=stream, weight_lines=4096
    )


def points() -> list[Point]:
    """The modules that are synthesized."""
    arrays = [machine(unit, *size) for unit in UNITS for size in SIZES_OF[unit]]
    arrays.append(machine("container", 2, 8, stream=False))
    return [
        *map(array, arrays),
        port(machine("container", 2, 8)),
        accelerator(machine("container", 2, 8)),
        accelerator(machine("bitplane", 2, 8)),
    ]


def array(h: Hardware) -> Point:
    """An array alone."""
    chosen = {name: h.parameters()[name] for name in OF_ARRAY}
    name = f"array of {_size(h)}{'' if h.weight_stream else ', no weight stream'}"
    return Point(name, emit.files(h), ARRAY, cost.array_counts(h), cost.array_memories(h), chosen)


def port(h: Hardware) -> Point:
    """What stands between the accelerator and external memory."""
    counts, known = {"external memory": 1}, cost.memory(64, 128)
    return Point("external memory", emit.files(h), "bitsys_external", counts, known, {"Layers": h.layers})


def accelerator(h: Hardware) -> Point:
    """A whole accelerator."""
    return Point(f"accelerator of {_size(h)}", emit.files(h), emit.TOP, cost.counts(h), cost.memories(h))


def _size(h: Hardware) -> str:
    return f"{h.rows} x {h.columns} {h.unit} units"


if __name__ == "__main__":
    main(points, cost.CONSTANTS, "python -m bitwright.targets.bitsys.calibrate")
