# SPDX-License-Identifier: Apache-2.0
"""How a design was made, as a JSON file that makes it again: target, options, and what the target chose for layers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright import targets
from bitwright.design.io import as_json
from bitwright.errors import OptionError
from bitwright.files import read_text, write_file
from bitwright.options import from_json
from bitwright.parsing import MALFORMED, parse_json, summary
from bitwright.targets.contract import Design

FORMAT, VERSION = "bitwright config", 1
KEYS = {"format", "version", "target", "options"}


def config(design: Design) -> dict[str, Any]:
    """Target and options of the design, with the folding that was chosen; JSON-able."""
    chosen = unusual(design.target, targets.get(design.target).folded(design))
    return {"format": FORMAT, "version": VERSION, "target": design.target, "options": chosen}


def unusual(target: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that differ from the defaults of their target; all of them where the target is not installed."""
    kind = targets.get(target).options if target in targets.names() else None
    usual = {f.name: getattr(kind(), f.name) for f in dataclasses.fields(kind)} if kind else {}
    return {name: value for name, value in options.items() if name not in usual or value != usual[name]}


def write_config(design: Design, path: str | os.PathLike[str]) -> None:
    """Write `config` to a file, which `read_config` reads."""
    write_file(path, as_json(config(design)))


def read_config(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """The target and its options of such a file; `OptionError` names what is not legal in it."""
    path = Path(path)
    try:
        found = parse_json(read_text(path, OptionError))
    except MALFORMED as error:
        raise OptionError(f"{path} is no JSON: {summary(error)}") from None
    if not isinstance(found, Mapping) or found.get("format") != FORMAT or set(found) != KEYS:
        raise OptionError(f"{path} is no file of options; legal is what `bitwright compile --save-config` writes")
    if found["version"] != VERSION:
        raise OptionError(f"{path} has version {found['version']!r}; legal is {VERSION}")
    if not isinstance(found["target"], str) or not isinstance(found["options"], Mapping):
        raise OptionError(
            f"{path} names no target with options; legal is what `bitwright compile --save-config` writes"
        )
    target = targets.get(found["target"])
    return target.name, from_json(target.options, found["options"], f"{path}: target {target.name}")
