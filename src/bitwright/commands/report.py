# SPDX-License-Identifier: Apache-2.0
"""`bitwright report`: one HTML page and one JSON file about a build folder."""

from __future__ import annotations

from bitwright.commands.common import Build, Json, Verbose

COMMAND = {"simulation": "bitwright simulate {}", "synthesis": "bitwright synthesize {} --device ..."}


def run(build: Build, json: Json = False, verbose: Verbose = False) -> None:
    """Write report.html and report.json of all that is known of a build folder."""
    from jinja2 import UndefinedError

    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.results import read_result
    from bitwright.errors import ModelError
    from bitwright.reporting import summary

    console = Console(json, verbose)
    design = bw.load_design(build)
    results = {name: read_result(build / f"{name}.json", design.digest) for name in ("simulation", "synthesis")}
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
