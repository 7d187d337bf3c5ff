# SPDX-License-Identifier: Apache-2.0
"""What tools must know of an FPGA family: how Yosys maps to it, what its cells count as, how it is placed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
class PartName:
    """A part as tools call it: the vendor's full name, the package and the speed grade."""

    name: str
    package: str
    grade: str


@dataclass(frozen=True)
class Placing:
    """nextpnr for the family: its program and packers, names in its report.

    package: the Python package that brings them, and the extra of this package that has it; where none does, the
    programs are only used where they are on the PATH, and `extra` says what brings them. part: the arguments that
    choose a part. written: those that name the file of the result. pinned: those that give a file of pins; free: those
    of a design without one, None where every pin must have a place. pack: the arguments of each packer in turn, for
    part, result and bitstream. options: further ones of the program. lut: cells by how many LUTs each
    occupies. pins: a flip-flop's inputs that it calls otherwise than the netlist, by its name.
    """

    program: str
    packers: tuple[str, ...]
    package: str
    extra: str
    part: Callable[[PartName], Sequence[str]]
    written: Callable[[str], Sequence[str]]
    pinned: Callable[[str], Sequence[str]]
    free: Sequence[str] | None
    pack: Callable[[PartName, str, str], Sequence[Sequence[str]]]
    lut: Mapping[str, int]
    ff: str
    bram18: str
    dsp: str
    pins: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ("--detailed-timing-report",)


@dataclass(frozen=True)
class NetDelay:
    """Delay of a wire before placement, in ns: base + slope log2(1 + fan-out), and `block` more at block RAM or DSP."""

    base: float
    slope: float
    block: float


@dataclass(frozen=True)
class Logic:
    """Times that estimate a clock before there is a netlist, in ns at the grade of `Delays.cells`.

    functions[n - 1]: a function of n inputs as Yosys mostly maps it, the wires inside included. chain: onto a carry
    chain with the LUT before it, along it by position, and off it. launch: from the clock, by what starts a path;
    setup: by what ends it, with the direct wire of data to its register. joins: inputs of a function that the LUT
    before a chain can take in. See `timing.classes`.
    """

    functions: tuple[float, ...]
    chain: tuple[float, float, float]
    launch: Mapping[str, float]
    setup: Mapping[str, float]
    joins: int


@dataclass(frozen=True)
class Delays:
    """What static timing must know of a family.

    cells: the table of `hardware.timing.delays`, in ns. direct: wires of no or fixed delay, as `CELL.PIN>CELL.PIN=ns`;
    where `alone` stands before it, only of a driver that drives nothing else. nets: the model of all other wires, at
    the low, middle and high estimate of the clock. register: clock to output and setup time of a flip-flop, which
    stands for what lies beyond a port. grades: factor of all delays by speed grade. source: of the figures. logic: for
    estimates without a netlist.
    """

    cells: str
    direct: str
    nets: tuple[NetDelay, NetDelay, NetDelay]
    register: tuple[float, float]
    grades: Mapping[str, float]
    source: str
    logic: Logic


@dataclass(frozen=True)
class Flop:
    """The flip-flops that a block can take in: rising edge, value 0 by reset and after configuration.

    cells: their types. fits: values of parameters that they must have. sense: the parameter that says "1" where the
    enable is not connected and "INV" where it is inverted, "" for families that tie it to 1 and never invert it.
    """

    cells: str
    clock: str
    data: str
    output: str
    enable: str
    reset: str
    fits: Mapping[str, str] = field(default_factory=dict)
    sense: str = ""


@dataclass(frozen=True)
class Stage:
    """A register of a hard block. settings: parameters that switch it on. ties: inputs that must be these constants.

    enable: the ports that can hold its enable; choice: the parameter that names one of them, where there are several.
    reset: the port of a reset to 0 that acts whether it is enabled or not; "" where it has none.
    """

    settings: Mapping[str, str]
    enable: tuple[str, ...]
    choice: str = ""
    reset: str = ""
    ties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedded:
    """Registers of a hard block for the bits of one word.

    cells: its types; fits: values of parameters that they must have. data: the ports, inputs where the register stands
    before the block. clock: the port that the flip-flops' clock must be at, or is put at. idle: ports that must be 0 or
    free. stages[n - 1]: for n flip-flops in a row, the first one first. group: only with all others of the group.
    shared: neighbouring blocks have their enables in common, so that a port means the same throughout a design.
    """

    cells: str
    data: str
    clock: str
    stages: tuple[tuple[Stage, ...], ...]
    fits: Mapping[str, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    group: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Inverter:
    """A cell that inverts: its type, parameters, ports, and inputs that are tied to constants."""

    cell: str
    parameters: Mapping[str, str]
    input: str
    output: str
    ties: Mapping[str, str]


@dataclass(frozen=True)
class Registers:
    """Which flip-flops of a netlist belong into hard blocks; inverter: for families whose enables may be inverted."""

    flop: Flop
    embedded: tuple[Embedded, ...]
    inverter: Inverter | None = None


@dataclass(frozen=True)
class BoardClock:
    """A clock made of an oscillator's: its frequency in MHz, and Verilog that makes `clk_o` and `locked` of `osc_i`."""

    mhz: float
    body: str


@dataclass(frozen=True)
class Pin:
    """A pin of a board: the top's port, its place, and its electrical standard."""

    port: str
    place: str
    standard: str = "LVCMOS33"


@dataclass(frozen=True)
class Boards:
    """How boards of the family get their clock and pins.

    clock: of an oscillator's MHz, the fastest of at most so many MHz; None where there is none. constraints: the text
    of the file of that name, for these pins and an oscillator at port clk_i of so many MHz. bitstream: its file's name.
    """

    clock: Callable[[float, float], BoardClock | None]
    constraints: Callable[[Sequence[Pin], float], str]
    constraints_file: str
    bitstream: str


@dataclass(frozen=True)
class Family:
    """One family. lut_cell: what its LUTs are, for people.

    synthesis: Yosys's command. without_pads: its option for modules whose ports are no pins; "" where it never adds the
    cells of pins. with_pads: its option for a top whose ports are pins. memory_step: its label from which on contents
    of block memories may be forgotten where cells are only counted; empty where they are needed. primitives: the name
    of its versions of the primitive wrappers; folders: where they lie, the first one first. delays: of its cells and
    wires. registers: those that Yosys leaves beside block RAM and DSP blocks though they hold them. vivado: whether
    Vivado builds for it. placing: None where nothing that is known here places and routes it. luts_per_lut6: its LUTs
    that one estimated LUT6 becomes, at most, in designs that were placed; 1 where its LUTs are LUT6. multiplier: bits
    of the wider operand of a DSP block's multiplier, signed. models: the file of Yosys with simulation models of its
    cells, for proofs of netlists; empty where it is not tried.
    """

    name: str
    vendor: str
    lut_cell: str
    synthesis: str
    primitives: str
    folders: tuple[str, ...]
    cells: Cells
    delays: Delays
    registers: Registers
    without_pads: str = ""
    with_pads: str = ""
    memory_step: str = ""
    vivado: bool = False
    models: str = ""
    placing: Placing | None = None
    boards: Boards | None = None
    luts_per_lut6: float = 1.0
    multiplier: int = 18

    @property
    def alone(self) -> Placing | None:
        """What places and routes a design that is on no board, None where nothing does."""
        return self.placing if self.placing and self.placing.free is not None else None
