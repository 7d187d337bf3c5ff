# SPDX-License-Identifier: Apache-2.0
"""The targets, found by their folders: nothing outside a target's folder knows its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bitwright.errors import OptionError

if TYPE_CHECKING:
    from bitwright.targets.contract import Target

DEFAULT = "tlmac"


def names() -> list[str]:
    """The names of all targets, sorted."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/target.py"))


def get(name: str) -> Target:
    """The target of that name; `OptionError` lists the legal names."""
    if name not in names():
        raise OptionError(f"unknown target {name!r}; legal are {', '.join(names())}")
    found: Target = importlib.import_module(f"bitwright.targets.{name}.target").TARGET
    return found


def commands() -> dict[str, Callable[..., None]]:
    """What targets add to the command line, by name: `COMMANDS` of `targets/<name>/commands.py`, where there is one."""
    found: dict[str, Callable[..., None]] = {}
    for path in sorted(Path(__file__).parent.glob("*/commands.py")):
        found |= importlib.import_module(f"bitwright.targets.{path.parent.name}.commands").COMMANDS
    return found
