"""`bitwright disassemble`: instruction words of the array processor to assembly text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.commands.common import Json, Verbose

Source = Annotated[Path, typer.Argument(help="words, 16 hexadecimal digits a line", exists=True, dir_okay=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="file for the assembly text")]


def run(source: Source, output: Output, json: Json = False, verbose: Verbose = False) -> None:
    """Disassemble a program of the rap target."""
    import numpy as np

    from bitwright.console import Console
    from bitwright.errors import DataError
    from bitwright.targets.rap.assembler import disassemble

    console = Console(json, verbose)
    try:
        code = np.array([int(line, 16) for line in source.read_text().split()], np.uint64)
        text = disassemble(code)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{source}: {error}; legal are words that `bitwright assemble` writes") from None
    output.write_text(text)
    console.say(f"{len(code)} instructions in {output}")
    console.result({"output": str(output), "instructions": len(code)})
