# SPDX-License-Identifier: Apache-2.0
"""`python -m bitwright.targets.rap.calibrate` writes cost.toml: the constants of the cost model, from synthesis.

An element by itself and whole grids of two sizes, with and without DSP blocks.
"""

from __future__ import annotations

from bitwright.targets.rap import cost, hardware
from bitwright.targets.rap.isa.machine import Machine
from bitwright.tools.calibration import Point, main

ELEMENT = "rap_element"


def points() -> list[Point]:
    """The modules that are synthesized."""
    found = [element(dsp) for dsp in (True, False)]
    return [*found, grid(Machine(2)), grid(Machine(4)), grid(Machine(2), dsp=False)]


def element(dsp: bool) -> Point:
    """An element alone."""
    kind = "DSP" if dsp else "LUT"
    return Point(f"element, {kind}", hardware.sources(Machine()), ELEMENT, {f"element, {kind}": 1}, dsp=dsp)


def grid(machine: Machine, dsp: bool = True) -> Point:
    """A whole grid."""
    name = f"{machine.size} x {machine.size} grid, {'DSP' if dsp else 'LUT'}"
    known = cost.memories(machine)
    return Point(name, hardware.sources(machine), hardware.TOP, cost.counts(machine, dsp=dsp), known, dsp=dsp)


if __name__ == "__main__":
    main(points, cost.CONSTANTS, "python -m bitwright.targets.rap.calibrate")
