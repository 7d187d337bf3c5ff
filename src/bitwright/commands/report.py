# SPDX-License-Identifier: Apache-2.0
"""`bitwright report`: one HTML page and one JSON file about a build folder, or a page that compares several."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import Json, Verbose

if TYPE_CHECKING:
    from bitwright.commands.console import Console

COMMAND = {"simulation": "bitwright simulate {}", "synthesis": "bitwright synthesize {}"}
Builds = Annotated[list[Path], typer.Argument(help="build folders, as `compile` writes them", show_default=False)]
Page = Annotated[Path, typer.Option("--output", "-o", help="page of several build folders")]


def run(builds: Builds, output: Page = Path("comparison.html"), json: Json = False, verbose: Verbose = False) -> None:
    """Write report.html and report.json of all that is known of a build folder.

    Of several folders, also one page that compares them.
    """
    from bitwright.commands.console import Console
    from bitwright.files import write_file
    from bitwright.reporting.comparison import comparison, rows_of

    console = Console(json, verbose)
    found = {str(build): _report(console, build) for build in builds}
    if len(builds) == 1:
        console.result(found[str(builds[0])])
        return
    write_file(output, comparison(found))
    names, rows = rows_of(found)
    console.table("", ["figure", *names], rows)
    console.say(f"{output}")
    console.result({"output": str(output), "designs": found})


def _report(console: Console, build: Path) -> dict[str, Any]:
    """Write the report of one folder; its summary."""
    from jinja2 import UndefinedError

    import bitwright as bw
    from bitwright.design.results import read_result
    from bitwright.errors import ModelError
    from bitwright.reporting import summary

    design = bw.load_design(build)
    results: dict[str, Mapping[str, Any] | None] = {
        name: read_result(build / f"{name}.json", design.digest) for name in ("simulation", "synthesis")
    }
    try:
        page = bw.report(design, build, **results)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, UndefinedError) as error:
        if all(found is None for found in results.values()):
            raise
        damaged = " or ".join(f"{name}.json" for name, found in results.items() if found is not None)
        raise ModelError(f"{build}: {damaged} is damaged ({error!r}); run the command that writes it again") from None
    for name, found in results.items():
        if found is None:
            more = " --device PART" if name == "synthesis" and not design.device else ""
            console.say(f"no {name} yet: `{COMMAND[name].format(shlex.quote(str(build)))}{more}` adds it")
    console.say(f"{page}")
    return summary(design, **results)
