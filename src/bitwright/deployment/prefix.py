# SPDX-License-Identifier: Apache-2.0
"""Designs whose names begin with a prefix, so that several stand in one project."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from bitwright.errors import OptionError
from bitwright.hardware.closure import flatten
from bitwright.targets.contract import Design
from bitwright.text import is_identifier

_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`?[A-Za-z_]\w*', re.DOTALL)
_DEFINED = re.compile(r"^\s*(?:module|package)\s+(?:automatic\s+)?(\w+)", re.MULTILINE)


def prefixed(design: Design, prefix: str) -> Design:
    """The design with `prefix` before the names of all modules, packages, sources and memory files.

    The ports keep their names. Raises `OptionError` for a prefix that is no identifier.
    """
    if not prefix:
        return design
    if not is_identifier(prefix) or len(prefix) > 64:
        raise OptionError(f"prefix is {prefix!r}; legal are letters, digits and underscores, a letter first")
    flat = flatten(design.files)
    sources = {name: text for name, text in flat.items() if name.endswith((".sv", ".v", ".svh"))}
    names = {name for text in sources.values() for name in _DEFINED.findall(_TOKEN.sub(_code, text))}
    files = {
        f"{prefix}{name}": _renamed(text, prefix, names, flat) if name in sources else text
        for name, text in flat.items()
        if not name.endswith(".vlt")
    }
    units = tuple(dataclasses.replace(unit, top=prefix + unit.top) for unit in design.units)
    return dataclasses.replace(design, top=prefix + design.top, files=files, units=units)


def _code(match: re.Match[str]) -> str:
    """The token, if it is code."""
    return match[0] if match[0][0] not in '/"' else " "


def _renamed(text: str, prefix: str, names: set[str], flat: Mapping[str, str]) -> str:
    def renamed(match: re.Match[str]) -> str:
        token = match[0]
        if token in names:
            return prefix + token
        if token[0] == '"' and len(token) > 2 and any(_is_file(token[1:-1], name) for name in flat):
            return f'"{prefix}{token[1:]}'
        return token

    return _TOKEN.sub(renamed, text)


def _is_file(text: str, name: str) -> bool:
    """Whether a string names a file: a header as it is, a memory by its name or how it begins."""
    return text == name or (name.endswith(".mem") and PurePosixPath(name).name.startswith(text))
