# SPDX-License-Identifier: Apache-2.0
"""The sources of a design as one tool needs them: flat, and of one module alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bitwright.errors import ToolError
from bitwright.hardware.source_rules import check_sources

_INSTANCE = re.compile(r"(?<!module )\b([a-zA-Z_]\w*)\s*(?=#\s*\(|\s[a-zA-Z_]\w*\s*\()")
_SCOPE = re.compile(r"\b([a-zA-Z_]\w*)::")
_STRING = re.compile(r'"([^"\n]+)"')
_PACKAGE = re.compile(r"^package\b", re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


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


def instantiated(text: str) -> set[str]:
    """Names in the places of modules that a SystemVerilog text instantiates, and of packages; some are neither."""
    code = _COMMENT.sub(" ", text)
    return {*_INSTANCE.findall(code), *_SCOPE.findall(code)}


def source_order(flat: Mapping[str, str]) -> list[str]:
    """The names of those that a tool takes as sources: packages first, as what uses them stands behind, else sorted."""
    sources = [name for name in flat if name.endswith((".sv", ".v"))]
    return sorted(sources, key=lambda name: (not _PACKAGE.search(flat[name]), name))


def closure(flat: Mapping[str, str], *tops: str) -> dict[str, str]:
    """The files that modules need: themselves, what they instantiate, directly or not, packages, headers, memory files.

    A file holds the module or the package of its own name. Memory files are found by string literals that are their
    name or begin it, as names may be put together from a prefix and a number.
    """
    modules = {PurePosixPath(name).stem: name for name in flat if name.endswith((".sv", ".v"))}
    others = [name for name in flat if name not in modules.values()]
    for top in tops:
        if top not in modules:
            raise ToolError(f"the design has no file {top}.sv for its module {top}")
    needed: dict[str, str] = {}
    waiting = [modules[top] for top in tops]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed[name] = flat[name]
        if name.endswith(".mem"):
            continue
        waiting += [modules[word] for word in instantiated(flat[name]) & modules.keys()]
        literals = tuple(set(_STRING.findall(_COMMENT.sub(" ", flat[name]))))
        waiting += [other for other in others if other.startswith(literals)]
    return dict(sorted(needed.items()))


def write(flat: Mapping[str, str], folder: Path) -> list[str]:
    """Write the texts into `folder`; the names of the sources in `source_order`."""
    for name, text in flat.items():
        (folder / name).write_text(text)
    return source_order(flat)
