# SPDX-License-Identifier: Apache-2.0
"""Xilinx 7 series."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from bitwright.errors import ToolError
from bitwright.hardware.family import (
    BoardClock,
    Boards,
    Cells,
    Delays,
    Embedded,
    Family,
    Flop,
    Logic,
    NetDelay,
    PartName,
    Pin,
    Placing,
    Registers,
    Stage,
)

LUT, FF, SHIFT = r"LUT[1-6]|LUT6_2|INV", r"FD[RSCP]E(_1)?|LD[CP]E", r"SRL16E|SRLC32E"
MEMORIES = {
    1: ("RAM32X1S", "RAM64X1S"),
    2: ("RAM128X1S", "RAM32X1D", "RAM64X1D"),
    4: ("RAM256X1S", "RAM128X1D", "RAM32M", "RAM64M"),
}
DELAYS = Delays(
    source="Yosys's library of 7 series cells, speed grade 1 (Project X-Ray); wires assumed",
    register=(0.303, 0.0),
    grades={"1": 1.0, "1L": 1.1, "2": 0.86, "3": 0.77},
    cells=r"""
BUFG|[IO]BUF|INV  I>O=0
LUT1          I0>O=.127
LUT2          I0>O=.238 I1>O=.127
LUT3          I0>O=.407 I1>O=.238 I2>O=.127
LUT4          I0>O=.472 I1>O=.407 I2>O=.238 I3>O=.127
LUT5          I0>O=.631 I1>O=.472 I2>O=.407 I3>O=.238 I4>O=.127
LUT6          I0>O=.642 I1>O=.631 I2>O=.472 I3>O=.407 I4>O=.238 I5>O=.127
LUT6_2        I0>O[56]=.642 I1>O[56]=.631 I2>O[56]=.472 I3>O[56]=.407 I4>O[56]=.238 I5>O6=.127
MUXF7         I[01]>O=.223 S>O=.296
MUXF[89]      I[01]>O=.104 S>O=.273
CARRY4        CYINIT>O=.482/.598/.584/.642 CYINIT>CO=.536/.494/.592/.580
CARRY4        CI>O=.222/.334/.239/.313 CI>CO=.271/.157/.228/.114
CARRY4        S[0]>O=.223/.400/.523/.582 S[0]>CO=.340/.433/.512/.508 DI[0]>O=-/.407/.556/.615
CARRY4        S[1]>O=-/.205/.558/.618 S[1]>CO=-/.469/.548/.528 DI[1]>O=-/-/.537/.596
CARRY4        S[2]>O=-/-/.226/.330 S[2]>CO=-/-/.292/.378 DI[2]>O=-/-/-/.438
CARRY4        S[3]>O=-/-/-/.227 S[3]>CO=-/-/-/.380 DI[3]>CO=-/-/-/.385
CARRY4        DI[0]>CO=.379/.465/.540/.526 DI[1]>CO=-/.445/.520/.507 DI[2]>CO=-/-/.356/.398
FD[RSCP]E(_1)?      >Q=.303 D>=0 CE>=.109 (R|S|CLR|PRE)>=.404
SRL16E              >Q=1.472 D>=.173 CE>=.109 A0>Q=.631 A1>Q=.472 A2>Q=.407 A3>Q=.238
SRLC32E             >Q=1.472 >Q31=1.114 D>=.173 CE>=.109 A>Q=.642
RAM(32|64)M\d*      >DO[A-H]=1.16 DI[A-H]>=.453 WE>=.654 ADDR[DH]>=.362 ADDR{ABCDEFGH}>DO{ABCDEFGH}=.642
RAM\d+X1[SD](_1)?   >[DS]?PO|O=1.153 D>=.453 WE>=.654 A\d*>=.362 A\d*>SPO|O=.642 DPRA\d*>DPO=.642
RAMB(18|36)E1       ADDR(ARD|BWR)ADDR>=.566 DI(AD|BD|PAD|PBD)IP?>=.737 WE(A|BWE)>=.532 EN(ARD|BWR)EN>=.36
RAMB(18|36)E1       REGCE(AREGCE|B)>=.360 RST\w+>=.342
RAMB(18|36)E1 DOA_REG=0  >DOP?ADOP?=2.454
RAMB(18|36)E1 DOA_REG=1  >DOP?ADOP?=.882
RAMB(18|36)E1 DOB_REG=0  >DOP?BDOP?=2.454
RAMB(18|36)E1 DOB_REG=1  >DOP?BDOP?=.882
DSP48E1  CE\w+>=.3 RST\w+>=.3 (OPMODE|ALUMODE|INMODE|CARRYIN|CARRYINSEL)>=.3
DSP48E1 PREG=1                     >P=.329 >PCOUT=.435 PCIN>=1.025
DSP48E1 PREG=0 MREG=1              >P=1.671 >PCOUT=1.819
DSP48E1 PREG=0 CREG=1              >P=1.687 >PCOUT=1.835
DSP48E1 PREG=0 MREG=0 [AB]REG=[12] >P=2.952 >PCOUT=3.098
DSP48E1 AREG=[12]                  A>=.254
DSP48E1 BREG=[12]                  B>=.324
DSP48E1 CREG=1                     C>=.168
DSP48E1 DREG=1                     D>=.248
DSP48E1 AREG=0 MREG=1              A>=1.416
DSP48E1 BREG=0 MREG=1              B>=1.285
DSP48E1 AREG=0 MREG=0 PREG=1       A>=2.739
DSP48E1 BREG=0 MREG=0 PREG=1       B>=2.608
DSP48E1 CREG=0 PREG=1              C>=1.244
DSP48E1 PREG=0                     PCIN>P=1.107 PCIN>PCOUT=1.255
DSP48E1 PREG=0 CREG=0              C>P=1.325 C>PCOUT=1.474
DSP48E1 AREG=0 MREG=0 PREG=0       A>P=2.823 A>PCOUT=2.970
DSP48E1 BREG=0 MREG=0 PREG=0       B>P=2.690 B>PCOUT=2.838
""",
    direct=r"""
INV.O>\w+.\w+=0
CARRY4.CO>CARRY4.CI=0
LUT6_2.O[56]>CARRY4.(S|DI)=0
alone LUT\d.O>CARRY4.S=0
alone LUT[56].O>MUXF7.I[01]=0
MUXF7.O>MUXF8.I[01]=0
alone (LUT\d|MUXF\d).O>FD[RSCP]E.D=0
alone LUT6_2.O[56]>FD[RSCP]E.D=0
alone CARRY4.O>FD[RSCP]E.D=0
""",
    logic=Logic(
        functions=(0.127, 0.238, 0.407, 0.472, 0.631, 0.642, 0.865, 0.969),
        chain=(0.75, 0.0285, 0.313),
        launch={"register": 0.303, "block RAM": 2.454, "block RAM's register": 0.882, "multiplier": 1.671},
        setup={"data": 0.0, "enable": 0.109, "reset": 0.404, "address": 0.566, "write": 0.654},
        joins=5,
    ),
    nets=(NetDelay(0.78, 0.08, 0.4), NetDelay(0.58, 0.06, 0.3), NetDelay(0.42, 0.04, 0.2)),
)
ON = f"{1:032b}"
FLOP = Flop("FDRE", "C", "D", "Q", "CE", "R", {"INIT": "[0x]?", "IS_[CDR]_INVERTED": "0?"})


def _block(cells: str, port: str, words: str, sides: str = "") -> Embedded:
    """The output register of what a port of block RAM reads; sides: of which ports the outputs are, `port` alone or AB.

    The block's reset of the register goes before its enable, as a flip-flop's does.
    """
    outputs = sides or port
    clock, enable, reset, other = {
        "A": ("CLKARDCLK", "REGCEAREGCE", "RSTREGARSTREG", "RSTRAMARSTRAM"),
        "B": ("CLKBWRCLK", "REGCEB", "RSTREGB", "RSTRAMB"),
    }[port]
    on = Stage({f"DO{side}_REG": ON for side in outputs}, (enable,), reset=reset)
    fits = {f"READ_WIDTH_{port}": words, f"SRVAL_[{outputs}]": "[0x]*", "IS_CLK.*": "0?"}
    return Embedded(cells, rf"DO(UT)?P?[{outputs}]DO(UT)?P?", clock, ((on,),), fits, (other,))


BLOCKS = (
    *(_block("RAMB18E[12]", port, "1|2|4|9|18") for port in "AB"),
    *(_block("RAMB36E[12]", port, "1|2|4|9|18|36") for port in "AB"),
    _block("RAMB18E[12]", "A", "36", "AB"),
    _block("RAMB36E[12]", "A", "72", "AB"),
)
DATABASES = {"xc7a": "artix7", "xc7k": "kintex7", "xc7s": "spartan7", "xc7z": "zynq7"}
LEAST_VCO, MOST_VCO, LEAST_REFERENCE = 800, 1600, 19  # MHz that every grade can do


def _database_part(part: PartName) -> str:
    """As openXC7's databases call it: die, package and the digit of the grade."""
    return f"{part.name.partition(part.package)[0].removesuffix('i')}{part.package}-{part.grade[0]}"


def _folder(variable: str, wanted: str) -> str:
    """A file or folder of openXC7, whose shell sets the variable; `ToolError` where it is not there."""
    root = os.environ.get(variable, "")
    found = Path(root, wanted)
    if not root or not found.exists():
        raise ToolError(f"{variable} is {root!r}, without {wanted}; legal is the folder of openXC7 that has it")
    return str(found)


def _part(part: PartName) -> tuple[str, ...]:
    return "--chipdb", _folder("CHIPDB", f"{_database_part(part).rpartition('-')[0]}.bin")


def _pack(part: PartName, result: str, bitstream: str) -> tuple[tuple[str, ...], ...]:
    name = _database_part(part)
    root = _folder("PRJXRAY_DB_DIR", DATABASES[name[:4]])
    frames = ("--part", name, "--db-root", root, result, "frames.txt")
    bits = ("--part_file", f"{root}/{name}/part.yaml", "--part_name", name)
    return frames, (*bits, "--frm_file", "frames.txt", "--output_file", bitstream)


def _clock(osc_mhz: float, most_mhz: float) -> BoardClock | None:
    """By a PLLE2: osc / reference * feedback between 800 and 1,600 MHz, divided."""
    found = [
        (osc_mhz * feedback / (reference * divider), -reference, feedback, divider)
        for reference in range(1, int(osc_mhz / LEAST_REFERENCE) + 1)
        for feedback in range(2, 65)
        if LEAST_VCO <= (vco := osc_mhz / reference * feedback) <= MOST_VCO
        and (divider := max(1, math.ceil(vco / most_mhz - 1e-9))) <= 128
    ]
    if not found:
        return None
    mhz, reference, feedback, divider = max(found)
    idle = "".join(f"      .{name}(1'b0),\n" for name in ("CLKIN2", "RST", "PWRDWN", "DCLK", "DEN", "DWE"))
    body = f"""  wire feedback, made;
  PLLE2_ADV #(
      .CLKIN1_PERIOD({1000 / osc_mhz:.3f}),
      .DIVCLK_DIVIDE({-reference}),
      .CLKFBOUT_MULT({feedback}),
      .CLKOUT0_DIVIDE({divider})
  ) u_pll (
      .CLKIN1(osc_i),
      .CLKINSEL(1'b1),
      .CLKFBIN(feedback),
      .CLKFBOUT(feedback),
      .CLKOUT0(made),
{idle}      .DADDR(7'd0),
      .DI(16'd0),
      .LOCKED(locked)
  );
  BUFG u_buffer (
      .I(made),
      .O(clk_o)
  );
"""
    return BoardClock(mhz, body)


def _constraints(pins: Sequence[Pin], osc_mhz: float) -> str:
    lines = [f"# clk_i: {osc_mhz:g} MHz", f"create_clock -period {1000 / osc_mhz:.3f} [get_ports clk_i]"]
    for pin in pins:
        lines.append(f"set_property LOC {pin.place} [get_ports {pin.port}]")
        lines.append(f"set_property IOSTANDARD {pin.standard} [get_ports {pin.port}]")
    return "\n".join(lines) + "\n"


FAMILY = Family(
    name="xc7",
    vendor="xilinx",
    lut_cell="LUT6",
    synthesis="synth_xilinx -family xc7 -flatten",
    without_pads="-noiopad",
    with_pads="-noclkbuf",  # the board's clock has its own
    memory_step="map_memory",
    primitives="xilinx7",
    folders=("xilinx7", "xilinx"),
    delays=DELAYS,
    registers=Registers(FLOP, BLOCKS),  # Yosys fills those of DSP48E1
    cells=Cells(LUT, FF, "CARRY4", "RAMB18E1", "DSP48E1", "RAMB36E1", SHIFT, MEMORIES),
    multiplier=25,
    vivado=True,
    placing=Placing(
        program="nextpnr-xilinx",
        packers=("fasm2frames", "xc7frames2bit"),
        package="",
        extra="openXC7",
        part=_part,
        written=lambda result: ("--fasm", result),
        pinned=lambda pins: ("--xdc", pins),
        free=None,
        pack=_pack,
        lut={"SLICE_LUTX": 1},
        ff="SLICE_FFX",
        bram18="RAMB18E1_RAMB18E1",
        dsp="DSP48E1_DSP48E1",
        options=(),
    ),
    boards=Boards(_clock, _constraints, "board.xdc", "board.bit"),
    models="xilinx/cells_sim.v",
)
