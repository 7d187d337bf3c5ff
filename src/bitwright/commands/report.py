"""`bitwright report`: one HTML page and one JSON file about a build folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bitwright.commands.common import Build, Json, Verbose

COMMAND = {"simulation": "bitwright simulate {}", "synthesis": "bitwright synthesize {} --device ..."}


def run(build: Build, json: Json = False, verbose: Verbose = False) -> None:
    """Write report.html and report.json of all that is known of a build folder."""
    from jinja2 import UndefinedError

    import bitwright as bw
    from bitwright.console import Console
    from bitwright.errors import ModelError
    from bitwright.report import summary

    console = Console(json, verbose)
    design = bw.load_design(build)
    results = {name: _result(build / f"{name}.json", design.digest) for name in ("simulation", "synthesis")}
    try:
        page = bw.report(design, build, **results)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, UndefinedError) as error:
        if all(found is None for found in results.values()):
            raise
        damaged = " or ".join(f"{name}.json" for name, found in results.items() if found is not None)
        raise ModelError(f"{build}: {damaged} is damaged ({error!r}); run the command that writes it again") from None
    for name, found in results.items():
        if found is None:
            console.say(f"no {name} yet: `{COMMAND[name].format(build)}` adds it")
    console.say(f"{page}")
    console.result(summary(design, **results))


def _result(path: Path, digest: str) -> dict[str, Any] | None:
    """The result of an earlier command on this very design."""
    from bitwright.errors import ModelError
    from bitwright.files import read_text
    from bitwright.parsing import parse_json

    if not os.path.lexists(path):
        return None
    try:
        found = parse_json(read_text(path, ModelError))
        if found["design"] != digest:
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelError(f"{path} is damaged; run the command that writes it again") from None
    return found
