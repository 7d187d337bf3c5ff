# SPDX-License-Identifier: Apache-2.0
"""What tools must know of an FPGA family: how Yosys maps to it, what its cells count as, how it is placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cells:
    """Names of a family's cells, as regular expressions, by what they count as.

    A shift register is a LUT, too. bram18: half a bram36. memories: cells in LUTs by how many LUTs one occupies.
    carry_luts: LUTs that each carry cell holds.
    """

    lut: str
    ff: str
    carry: str
    bram18: str
    dsp: str
    bram36: str = ""
    shift: str = ""
    memories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    carry_luts: int = 0


@dataclass(frozen=True)
class Placing:
    """nextpnr for the family: its program and packer, the Python package that brings both, names in its report.

    pins: a flip-flop's inputs that it calls otherwise than the netlist, by its name.
    """

    program: str
    packer: str
    package: str
    lut: str
    ff: str
    bram18: str
    dsp: str
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NetDelay:
    """Delay of a wire before placement, in ns: base + slope log2(1 + fan-out), and `block` more at block RAM or DSP."""

    base: float
    slope: float
    block: float


@dataclass(frozen=True)
class Delays:
    """What static timing must know of a family.

    cells: the table of `hardware.timing.delays`, in ns. direct: wires of no or fixed delay, as `CELL.PIN>CELL.PIN=ns`;
    where `alone` stands before it, only of a driver that drives nothing else. nets: the model of all other wires, at
    the low, middle and high estimate of the clock. register: clock to output and setup time of a flip-flop, which
    stands for what lies beyond a port. grades: factor of all delays by speed grade. source: of the figures.
    """

    cells: str
    direct: str
    nets: tuple[NetDelay, NetDelay, NetDelay]
    register: tuple[float, float]
    grades: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class Family:
    """One family. lut_cell: what its LUTs are, for people.

    synthesis: Yosys's command. memory_step: its label from which on contents of block memories may be forgotten where
    cells are only counted; empty where they are needed. primitives: the name of its versions of the primitive wrappers;
    folders: where they lie, the first one first. delays: of its cells and wires. vivado: whether Vivado builds for it.
    placing: None where nothing that is known here places and routes it.
    """

    name: str
    vendor: str
    lut_cell: str
    synthesis: str
    primitives: str
    folders: tuple[str, ...]
    cells: Cells
    delays: Delays
    memory_step: str = ""
    vivado: bool = False
    placing: Placing | None = None
