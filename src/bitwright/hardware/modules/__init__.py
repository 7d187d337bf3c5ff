"""The shared RTL library: the files of its modules and the memory files that they read.

Every module is one file; the catalogue is docs/rtl.md, the header of each file its reference.
Primitives lie in prim/<vendor>/ with the same ports; `sources` picks the vendor's version where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["WAIVERS", "dependencies", "modules", "path", "sources"]

ROOT = Path(__file__).parent
WAIVERS = ROOT / "waivers.vlt"
VENDORS = {"generic": (), "xilinx": ("xilinx",), "xilinx7": ("xilinx7", "xilinx"), "lattice": ("lattice",)}
"""Folders of the primitives of each kind of device, the first one first; what none has is generic."""
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_WORD = re.compile(r"\b([a-z]\w*)\s*#?\s*\(", re.S)


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


@cache
def dependencies(name: str) -> tuple[str, ...]:
    """The library modules that a module instantiates itself, sorted."""
    text = _COMMENT.sub("", path(name).read_text())
    return tuple(sorted({word for word in _WORD.findall(text) if word in modules()} - {name}))


def sources(names: Iterable[str], vendor: str = "generic") -> dict[str, str]:
    """The files of the modules and of all modules that they need: "rtl/<name>.sv" to text, sorted."""
    needed: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in needed:
            path(name)  # an unknown name ends here
            needed.add(name)
            queue += dependencies(name)
    return {f"rtl/{name}.sv": path(name, vendor).read_text() for name in sorted(needed)}
