# SPDX-License-Identifier: Apache-2.0
"""The shared RTL library: the files of its modules, and of the primitives of one vendor.

Every module is one file; the catalogue is docs/rtl.md, the header of each file its reference.
Primitives lie in prim/<vendor>/ with the same ports; `sources` picks the vendor's version where there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from bitwright.hardware.closure import closure
from bitwright.hardware.families import families
from bitwright.hardware.memory import index_bits, rom_latency
from bitwright.hardware.text import CLOCK_PORTS, Port, instance, module, wired

ROOT = Path(__file__).with_name("modules")
_PACKAGE = Path(__file__).parents[1]
ROM_COLUMN, ROM_DIGITS = "rom_column", 256  # of prim/narrow; hexadecimal digits of one
WAIVERS = ROOT / "waivers.vlt"
VENDORS = {"generic": (), **{family.primitives: family.folders for family in families().values()}}
"""Folders of the primitives of each kind of device, the first one first; what none has is generic."""


def path(name: str, vendor: str = "generic") -> Path:
    """The file of a module; a primitive without a version for the vendor has the generic one."""
    if vendor not in VENDORS:
        raise ValueError(f"unknown vendor {vendor!r}; legal are {', '.join(VENDORS)}")
    folders = (ROOT / "prim" / folder for folder in (*VENDORS[vendor], "generic"))
    for candidate in (folder / f"{name}.sv" for folder in (ROOT, *folders)):
        if candidate.is_file():
            return candidate
    raise ValueError(f"the RTL library has no module {name!r}; it has {', '.join(modules())}")


@cache
def modules() -> tuple[str, ...]:
    """The names of all modules of the library, sorted."""
    return tuple(sorted(file.stem for pattern in ("*.sv", "prim/generic/*.sv") for file in ROOT.glob(pattern)))


def sources(names: Collection[str], vendor: str = "generic") -> dict[str, str]:
    """The files of the modules and of all modules that they need: "rtl/<name>.sv" to text, sorted."""
    return needed(names, {}, vendor)


def needed(names: Collection[str], own: Mapping[str, str], vendor: str = "generic") -> dict[str, str]:
    """As `sources`, for modules of the library and of a target's own files, texts by bare name."""
    for name in names:
        if f"{name}.sv" not in own:
            path(name, vendor)  # an unknown name ends here
    pool = {f"{name}.sv": path(name, vendor).read_text() for name in modules()} | dict(own)
    return {f"rtl/{name}": text for name, text in closure(pool, *names).items()}


def with_vendor(flat: Mapping[str, str], vendor: str) -> dict[str, str]:
    """The files with the vendor's version of each generic primitive wrapper, where there is one."""
    generic = _primitives("generic")
    own: dict[str, str] = {}
    for folder in reversed(VENDORS.get(vendor, (vendor,))):
        own |= _primitives(folder)
    return {name: own[name] if name in own and text == generic.get(name) else text for name, text in flat.items()}


def without_vendor(flat: Mapping[str, str]) -> dict[str, str]:
    """The inverse of `with_vendor`, whichever it was: the generic versions, which need no vendor's cells."""
    generic, own = (
        _primitives("generic"),
        [_primitives(folder) for folder in {f for fs in VENDORS.values() for f in fs}],
    )
    vendors = {(name, text) for versions in own for name, text in versions.items() if name in generic}
    return {name: generic[name] if (name, text) in vendors else text for name, text in flat.items()}


def _primitives(folder: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(_PACKAGE.rglob(f"prim/{folder}/*.sv"))}


def without_wide_roms(flat: Mapping[str, str]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The files with black boxes in place of ROMs in LUTs of more than 1,024 columns, and what these boxes hold.

    Of each box the files of a module ROM_COLUMN. Memories in block RAM stay, though their columns are listed, too: the
    number of boxes tells.
    """
    box = ROOT / "prim" / "narrow" / f"{ROM_COLUMN}.sv"
    boxes = []
    for name, text in flat.items():
        words = text.split() if name.endswith(".mem") else []
        digits = max(map(len, words), default=0)
        for low in range(0, digits, ROM_DIGITS) if digits > ROM_DIGITS else ():
            columns = [word[max(0, digits - low - ROM_DIGITS) : digits - low] for word in words]
            boxes.append(_rom_column(columns) | {"rom.sv": flat["rom.sv"]})
    return with_vendor(flat, "narrow") | {box.name: box.read_text()}, boxes


def _rom_column(words: list[str]) -> dict[str, str]:
    """A module with a memory of these hexadecimal words."""
    width, depth = 4 * len(words[0]), len(words)
    address = Port("addr_i", bits=index_bits(depth), vector=True)
    ports = [CLOCK_PORTS[0], Port("re_i"), Port("oe_i"), address, Port("data_o", True, width)]
    parameters = {"Width": width, "Depth": depth, "File": "column.mem", "Style": 2}
    parameters["Latency"] = rom_latency(width, depth, style=2)
    text = module(ROM_COLUMN, ports, instance("rom", "u_rom", parameters, wired(ports)))
    return {f"{ROM_COLUMN}.sv": text, "column.mem": "\n".join(words) + "\n"}
