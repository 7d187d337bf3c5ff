# SPDX-License-Identifier: Apache-2.0
"""The FPGA families, found by their files: each holds a `Family` called FAMILY, and only they name it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from bitwright.hardware.family import Family


@cache
def families() -> dict[str, Family]:
    """All families by name, sorted."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return {name: import_module(f"bitwright.hardware.families.{name}").FAMILY for name in names}
