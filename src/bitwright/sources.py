"""The sources of a design as one tool needs them: flat, for one module, with one vendor's primitives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bitwright.errors import ToolError

_WORD = re.compile(r"\w+")
_STRING = re.compile(r'"([^"\n]+)"')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE = Path(__file__).parent
ROM_DIGITS = 256  # hexadecimal, of a column of prim/narrow/rom.sv


def flatten(files: Mapping[str, str]) -> dict[str, str]:
    """The texts by bare file name, as tools see them in one flat folder; `ToolError` for a doubled name."""
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
    generic = {path.name: path.read_text() for path in sorted(_PACKAGE.rglob("prim/generic/*.sv"))}
    own = {path.name: path.read_text() for path in sorted(_PACKAGE.rglob(f"prim/{vendor}/*.sv"))}
    return {name: own[name] if name in own and text == generic.get(name) else text for name, text in flat.items()}


def with_narrow_roms(flat: Mapping[str, str]) -> dict[str, str]:
    """The files with ROMs in columns of 1,024 bits, and the columns of wider memory files beside these."""
    found = with_vendor(flat, "narrow")
    for name, text in flat.items():
        words = text.split() if name.endswith(".mem") else []
        digits = max(map(len, words), default=0)
        for k in range(-(-digits // ROM_DIGITS) if digits > ROM_DIGITS else 0):
            columns = (word[max(0, len(word) - (k + 1) * ROM_DIGITS) : len(word) - k * ROM_DIGITS] for word in words)
            found[f"{name}_c{k:02d}.mem"] = "".join(f"{column}\n" for column in columns)
    return found
