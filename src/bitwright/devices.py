# SPDX-License-Identifier: Apache-2.0
"""Parts and boards that designs are synthesized for, with their resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitwright.errors import DeviceError
from bitwright.hardware.families import families
from bitwright.hardware.family import Family, PartName, Pin

if TYPE_CHECKING:
    from bitwright.hardware.resources import Resources


ESTIMATED_LUT = "LUT6"  # what the targets' cost models count


@dataclass(frozen=True)
class Device:
    """One part. family: the name of one of `hardware.families`.

    part: the vendor's full name, with package and speed grade. grade: of speed, as `Family.delays` calls it. lut counts
    the family's LUTs; bram36 blocks of 36 Kbit (two of 18 Kbit make one).
    """

    name: str
    family: str
    part: str
    package: str
    grade: str
    lut: int
    ff: int
    bram36: float
    dsp: int

    @property
    def traits(self) -> Family:
        """What its family is."""
        return families()[self.family]

    @property
    def vendor(self) -> str:
        """The maker."""
        return self.traits.vendor

    @property
    def lut_cell(self) -> str:
        """What its LUTs are."""
        return self.traits.lut_cell

    @property
    def counts_estimated_luts(self) -> bool:
        """Whether its LUTs are what the targets' cost models count."""
        return self.lut_cell == ESTIMATED_LUT

    @property
    def estimate_note(self) -> str:
        """What an estimate cannot say of this device; empty where there is nothing."""
        if self.counts_estimated_luts:
            return ""
        cells = f"{self.name} counts its LUTs in {self.lut_cell}, the cost models in {ESTIMATED_LUT}"
        most = f"{self.traits.luts_per_lut6:g} for one, the most that placed designs took"
        return f"{cells}: its share allows {most}; `bitwright synthesize` counts them"

    @property
    def primitives(self) -> str:
        """The name of its versions of the primitive wrappers, see `library.VENDORS`."""
        return self.traits.primitives

    @property
    def part_name(self) -> PartName:
        """As tools call it."""
        return PartName(self.part, self.package, self.grade)

    def utilization(self, used: Resources) -> dict[str, float]:
        """Share of the part's lut, ff, bram36 and dsp that is used."""
        return {name: getattr(used, name) / getattr(self, name) for name in ("lut", "ff", "bram36", "dsp")}

    def estimated_utilization(self, estimate: Resources) -> dict[str, float]:
        """As `utilization` of what a cost model estimates, its LUT6 as so many of the family's LUTs as they become."""
        shares = self.utilization(estimate)
        return shares | {"lut": shares["lut"] * self.traits.luts_per_lut6}


@dataclass(frozen=True)
class Serial:
    """A board whose host is at a serial line: oscillator in MHz, pins (of which those called high_* are 1), baud.

    loader: the command that loads a bitstream, before its file. note: what else a user must know.
    """

    oscillator_mhz: float
    pins: tuple[Pin, ...]
    baud: int
    loader: str
    note: str = ""


@dataclass(frozen=True)
class Board:
    """A board and the name of its device. processor: Vivado's block of the processors beside the logic, where
    there are some; board_files: pattern of the board's name among Vivado's board files. serial: for boards that get
    a bitstream without a vendor's tool."""

    name: str
    device: str
    processor: str = ""
    board_files: str = ""
    serial: Serial | None = None


def _pins(clk: str, rx: str, tx: str, led: str | Pin, **high: str) -> tuple[Pin, ...]:
    last = led if isinstance(led, Pin) else Pin("led_o", led)
    return (Pin("clk_i", clk), Pin("rx_i", rx), Pin("tx_o", tx), last, *(Pin(*one) for one in high.items()))


def _arty(name: str) -> Serial:
    pins = _pins("E3", "A9", "D10", "H5")
    return Serial(100, pins, 921_600, f"openFPGALoader -b {name}", "its USB port has the serial line")


_DEVICES = (
    Device("xczu3eg", "xcup", "xczu3eg-sbva484-1-e", "sbva484", "1", 70_560, 141_120, 216, 360),
    Device("xck26", "xcup", "xck26-sfvc784-2LV-c", "sfvc784", "2LV", 117_120, 234_240, 144, 1_248),
    Device("xczu7ev", "xcup", "xczu7ev-ffvc1156-2-e", "ffvc1156", "2", 230_400, 460_800, 312, 1_728),
    Device("xczu9eg", "xcup", "xczu9eg-ffvb1156-2-e", "ffvb1156", "2", 274_080, 548_160, 912, 2_520),
    Device("xczu28dr", "xcup", "xczu28dr-ffvg1517-2-e", "ffvg1517", "2", 425_280, 850_560, 1_080, 4_272),
    Device("xcu250", "xcup", "xcu250-figd2104-2L-e", "figd2104", "2L", 1_728_000, 3_456_000, 2_688, 12_288),
    Device("xcvu13p", "xcup", "xcvu13p-fhga2104-2-i", "fhga2104", "2", 1_728_000, 3_456_000, 2_688, 12_288),
    Device("xc7z020", "xc7", "xc7z020clg400-1", "clg400", "1", 53_200, 106_400, 140, 220),
    Device("xc7a35t", "xc7", "xc7a35ticsg324-1L", "csg324", "1L", 20_800, 41_600, 50, 90),
    Device("xc7a100t", "xc7", "xc7a100tcsg324-1", "csg324", "1", 63_400, 126_800, 135, 240),
    Device("ecp5-25k", "ecp5", "LFE5U-25F-6BG381C", "CABGA381", "6", 24_288, 24_288, 28, 28),
    Device("ecp5-45k", "ecp5", "LFE5U-45F-6BG381C", "CABGA381", "6", 43_848, 43_848, 54, 72),
    Device("ecp5-85k", "ecp5", "LFE5U-85F-6BG381C", "CABGA381", "6", 83_640, 83_640, 104, 156),
    Device("ecp5-85k-285", "ecp5", "LFE5U-85F-8MG285C", "CSFBGA285", "8", 83_640, 83_640, 104, 156),
    Device("ecp5-25k-8", "ecp5", "LFE5U-25F-8BG381C", "CABGA381", "8", 24_288, 24_288, 28, 28),
    Device("ecp5-45k-8", "ecp5", "LFE5U-45F-8BG381C", "CABGA381", "8", 43_848, 43_848, 54, 72),
    Device("ecp5-85k-8", "ecp5", "LFE5U-85F-8BG381C", "CABGA381", "8", 83_640, 83_640, 104, 156),
    Device("gw2ar-18c", "gowin", "GW2AR-LV18QN88C8/I7", "QN88", "C8/I7", 20_736, 15_552, 23, 48),
    Device("gw1nr-9c", "gowin", "GW1NR-LV9QN88PC6/I5", "QN88P", "C6/I5", 8_640, 6_480, 13, 20),
)
TANG_PORTS = "its USB port brings two serial ports, of which the second is the design's"
_BOARDS = (
    Board("ultra96", "xczu3eg", "zynq_ultra_ps_e", "*ultra96*"),
    Board("kv260", "xck26", "zynq_ultra_ps_e", "*kv260_som*"),
    Board("zcu104", "xczu7ev", "zynq_ultra_ps_e", "*zcu104*"),
    Board("zcu102", "xczu9eg", "zynq_ultra_ps_e", "*zcu102*"),
    Board("zcu111", "xczu28dr", "zynq_ultra_ps_e", "*zcu111*"),
    Board("alveo-u250", "xcu250"),
    Board("pynq-z2", "xc7z020", "processing_system7", "*pynq-z2*"),
    Board("arty-a7-35", "xc7a35t", serial=_arty("arty_a7_35t")),
    Board("arty-a7-100", "xc7a100t", serial=_arty("arty_a7_100t")),
    Board(
        "arty-z7-20",
        "xc7z020",
        serial=Serial(
            125,
            _pins("H16", "Y18", "Y19", "R14"),
            921_600,
            "openFPGALoader -b arty_z7_20",
            "connect a USB serial adapter of 3.3 V: its TX to pin 1 of JA, its RX to pin 2, and ground",
        ),
    ),
    Board(
        "ulx3s-85f",
        "ecp5-85k",
        serial=Serial(
            25,
            _pins("G2", "M1", "L4", "B2", high_wifi_gpio0="L2"),
            3_000_000,
            "openFPGALoader -b ulx3s",
            "USB port US1",
        ),
    ),
    Board(
        "orangecrab-85f",
        "ecp5-85k-285",
        serial=Serial(
            48,
            _pins("A9", "N17", "M18", "M3"),
            3_000_000,
            "openFPGALoader -b orangeCrab",
            "revision 0.2; connect a USB serial adapter of 3.3 V: its TX to pin 0, its RX to pin 1, and ground",
        ),
    ),
    Board(
        "colorlight-i9",
        "ecp5-45k",
        serial=Serial(
            25,
            _pins("P3", "H18", "J17", "L2"),
            921_600,
            "openFPGALoader -b colorlight-i9",
            "version 7.2 on its extension board, whose USB port has the serial line",
        ),
    ),
    Board(
        "tang-nano-20k",
        "gw2ar-18c",
        serial=Serial(27, _pins("4", "70", "69", "15"), 921_600, "openFPGALoader -b tangnano20k", TANG_PORTS),
    ),
    Board(
        "tang-nano-9k",
        "gw1nr-9c",
        serial=Serial(
            27,
            _pins("52", "18", "17", Pin("led_o", "10", "LVCMOS18")),
            921_600,
            "openFPGALoader -b tangnano9k",
            TANG_PORTS,
        ),
    ),
)
DEVICES = {device.name: device for device in _DEVICES}
BOARDS = {board.name: board for board in _BOARDS}


def find_device(name: str) -> Device:
    """The device of that name, or on the board of that name; `DeviceError` lists the legal names."""
    board = BOARDS.get(name.lower())
    found = DEVICES.get(board.device if board else name.lower())
    if found is None:
        legal = f"parts {', '.join(DEVICES)}; boards {', '.join(BOARDS)}"
        raise DeviceError(f"unknown device {name!r}; legal are {legal}")
    return found
