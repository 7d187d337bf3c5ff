"""The sources of a design as one tool needs them: flat, for one module, with one vendor's primitives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bitwright.errors import ToolError
from bitwright.hardware import modules as rtl
from bitwright.hardware.source_rules import check_sources

_WORD = re.compile(r"\w+")
_STRING = re.compile(r'"([^"\n]+)"')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE = Path(__file__).parent
ROM_COLUMN, ROM_DIGITS = "rom_column", 256  # of prim/narrow; hexadecimal digits of one


def flatten(files: Mapping[str, str]) -> dict[str, str]:
    """The texts by bare file name, as tools see them in one flat folder.

    `ToolError` for a doubled name, `ModelError` for what no tool may be given (`source_rules`).
    """
    check_sources(files)
    flat: dict[str, str] = {}
    for path in sorted(files):
        name = PurePosixPath(path).name
        if name in flat:
            raise ToolError(f"two files of the design are called {name}; names must differ in a flat folder")
        flat[name] = files[path]
    return flat


def closure(flat: Mapping[str, str], top: str) -> dict[str, str]:
    """The files that module `top` needs: modules it instantiates, directly or not, headers and memory files.

    A file holds the module of its own name. Memory files are found by string literals that are their
    name or begin it, as names may be put together from a prefix and a number.
    """
    if f"{top}.sv" not in flat:
        raise ToolError(f"the design has no file {top}.sv for its module {top}")
    modules = {PurePosixPath(name).stem: name for name in flat if name.endswith((".sv", ".v"))}
    others = [name for name in flat if name not in modules.values()]
    needed: dict[str, str] = {}
    waiting = [f"{top}.sv"]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed[name] = flat[name]
        if name.endswith(".mem"):
            continue
        text = _COMMENT.sub(" ", flat[name])
        waiting += [modules[word] for word in set(_WORD.findall(text)) & modules.keys()]
        literals = tuple(set(_STRING.findall(text)))
        waiting += [other for other in others if other.startswith(literals)]
    return dict(sorted(needed.items()))


def write(flat: Mapping[str, str], folder: Path) -> list[str]:
    """Write the texts into `folder`; the names of those that a tool takes as sources, sorted."""
    for name, text in flat.items():
        (folder / name).write_text(text)
    return sorted(name for name in flat if name.endswith((".sv", ".v")))


def with_vendor(flat: Mapping[str, str], vendor: str) -> dict[str, str]:
    """The files with the vendor's version of each generic primitive wrapper, where there is one."""
    generic, own = _primitives("generic"), {}
    for folder in reversed(rtl.VENDORS.get(vendor, (vendor,))):
        own |= _primitives(folder)
    return {name: own[name] if name in own and text == generic.get(name) else text for name, text in flat.items()}


def _primitives(folder: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(_PACKAGE.rglob(f"prim/{folder}/*.sv"))}


def without_wide_roms(flat: Mapping[str, str]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The files with black boxes in place of ROMs in LUTs of more than 1,024 columns, and what these boxes hold.

    Of each box the files of a module ROM_COLUMN. Memories in block RAM stay, though their columns are listed, too: the
    number of boxes tells.
    """
    box = _PACKAGE / "modules" / "prim" / "narrow" / f"{ROM_COLUMN}.sv"
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
    text = f"""module {ROM_COLUMN} (
    input  logic clk_i,
    input  logic re_i,
    input  logic [{max(1, (depth - 1).bit_length()) - 1}:0] addr_i,
    output logic [{width - 1}:0] data_o
);
  rom #(.Width({width}), .Depth({depth}), .File("column.mem"), .Style(2)) u_rom (.clk_i, .re_i, .addr_i, .data_o);
endmodule
"""
    return {f"{ROM_COLUMN}.sv": text, "column.mem": "\n".join(words) + "\n"}
