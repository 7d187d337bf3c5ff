# SPDX-License-Identifier: Apache-2.0
"""`bitwright options`: every option of a target or of a step, with what is legal, default and meaning."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from bitwright.commands.common import Json, Verbose

STEPS = {  # where the options of each step are
    "quantize": ("quantization.options", "QuantizeOptions"),
    "search": ("explore.search", "SearchOptions"),
    "fit": ("explore.fit.options", "FitOptions"),
    "finetune": ("training.options", "FinetuneOptions"),
}


def names() -> list[str]:
    """Everything that has options."""
    from bitwright import targets

    return [*targets.names(), *STEPS]


Name = Annotated[
    str, typer.Argument(help="a target, or quantize, search, fit, finetune", autocompletion=names, show_default=False)
]


def run(name: Name, json: Json = False, verbose: Verbose = False) -> None:
    """List the options of a target or of a step: what is legal, the default, the meaning."""
    from bitwright import targets
    from bitwright.commands.console import Console
    from bitwright.errors import OptionError
    from bitwright.options import described

    console = Console(json, verbose)
    if name in STEPS:
        module, kind = STEPS[name]
        options = getattr(import_module(f"bitwright.{module}"), kind)
    elif name in targets.names():
        options = targets.get(name).options
    else:
        raise OptionError(f"nothing called {name!r} has options; legal are {', '.join(names())}")
    found = described(options)
    rows = [[key, row["legal"], row["default"], row["doc"]] for key, row in found.items()]
    title = f"options of {name}: -O key=value, or keywords in Python"
    console.table(title, ["option", "legal", "default", "meaning"], rows)
    console.result({"name": name, "options": found})
