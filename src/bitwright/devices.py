"""Parts and boards that designs are synthesized for, with their resources."""

from __future__ import annotations

from dataclasses import dataclass

from bitwright.errors import DeviceError


@dataclass(frozen=True)
class Device:
    """One part, as it stands on `board` where one is named.

    family: "xcup" (UltraScale+), "xc7" (7 series) or "ecp5". part: the vendor's full name, with package and
    speed grade. lut counts LUT6 (Xilinx) or LUT4 (ECP5); bram36 blocks of 36 Kbit (two 18 Kbit ones make one).
    """

    name: str
    board: str
    family: str
    part: str
    package: str
    lut: int
    ff: int
    bram36: float
    dsp: int

    @property
    def vendor(self) -> str:
        """Folder of the vendor's versions of the primitive wrappers."""
        return "lattice" if self.family == "ecp5" else "xilinx"


_TABLE = (
    Device("xczu3eg", "ultra96", "xcup", "xczu3eg-sbva484-1-e", "sbva484", 70_560, 141_120, 216, 360),
    Device("xck26", "kv260", "xcup", "xck26-sfvc784-2LV-c", "sfvc784", 117_120, 234_240, 144, 1_248),
    Device("xczu7ev", "zcu104", "xcup", "xczu7ev-ffvc1156-2-e", "ffvc1156", 230_400, 460_800, 312, 1_728),
    Device("xczu9eg", "zcu102", "xcup", "xczu9eg-ffvb1156-2-e", "ffvb1156", 274_080, 548_160, 912, 2_520),
    Device("xczu28dr", "zcu111", "xcup", "xczu28dr-ffvg1517-2-e", "ffvg1517", 425_280, 850_560, 1_080, 4_272),
    Device("xcu250", "alveo-u250", "xcup", "xcu250-figd2104-2L-e", "figd2104", 1_728_000, 3_456_000, 2_688, 12_288),
    Device("xcvu13p", "", "xcup", "xcvu13p-fhga2104-2-i", "fhga2104", 1_728_000, 3_456_000, 2_688, 12_288),
    Device("xc7z020", "pynq-z2", "xc7", "xc7z020clg400-1", "clg400", 53_200, 106_400, 140, 220),
    Device("xc7a35t", "arty-a7-35", "xc7", "xc7a35ticsg324-1L", "csg324", 20_800, 41_600, 50, 90),
    Device("xc7a100t", "arty-a7-100", "xc7", "xc7a100tcsg324-1", "csg324", 63_400, 126_800, 135, 240),
    Device("ecp5-25k", "", "ecp5", "LFE5U-25F-6BG381C", "CABGA381", 24_288, 24_288, 28, 28),
    Device("ecp5-45k", "", "ecp5", "LFE5U-45F-6BG381C", "CABGA381", 43_848, 43_848, 54, 72),
    Device("ecp5-85k", "ulx3s-85f", "ecp5", "LFE5U-85F-6BG381C", "CABGA381", 83_640, 83_640, 104, 156),
)
DEVICES = {device.name: device for device in _TABLE}
BOARDS = {device.board: device for device in _TABLE if device.board}


def find_device(name: str) -> Device:
    """The device of that name, or on the board of that name; `DeviceError` lists the legal names."""
    found = DEVICES.get(name.lower()) or BOARDS.get(name.lower())
    if found is None:
        legal = f"parts {', '.join(DEVICES)}; boards {', '.join(BOARDS)}"
        raise DeviceError(f"unknown device {name!r}; legal are {legal}")
    return found
