"""The targets, found by their folders: nothing outside a target's folder knows its name."""

from __future__ import annotations

import importlib
from pathlib import Path

from bitwright.errors import OptionError
from bitwright.targets.contract import Target


def names() -> list[str]:
    """The names of all targets, sorted."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/target.py"))


def get(name: str) -> Target:
    """The target of that name; `OptionError` lists the legal names."""
    if name not in names():
        raise OptionError(f"unknown target {name!r}; legal are {', '.join(names())}")
    return importlib.import_module(f"bitwright.targets.{name}.target").TARGET
