"""`bitwright disassemble`: instruction words of the array processor to assembly text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.commands.assemble import SOURCE_BYTES
from bitwright.commands.common import Json, Verbose

Source = Annotated[Path, typer.Argument(help="words, 16 hexadecimal digits a line", exists=True, dir_okay=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="file for the assembly text")]


def run(source: Source, output: Output, json: Json = False, verbose: Verbose = False) -> None:
    """Disassemble a program of the rap target."""
    import numpy as np

    from bitwright.console import Console
    from bitwright.errors import DataError
    from bitwright.files import read_text, write_file
    from bitwright.targets.rap.isa.assembler import disassemble

    console = Console(json, verbose)
    try:
        code = np.array([_word(line) for line in read_text(source, DataError, SOURCE_BYTES).split()], np.uint64)
        text = disassemble(code)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{source}: {error}; legal are words that `bitwright assemble` writes") from None
    write_file(output, text)
    console.say(f"{len(code)} instructions in {output}")
    console.result({"output": str(output), "instructions": len(code)})


def _word(text: str) -> int:
    if not 1 <= len(text) <= 16 or text.strip("0123456789abcdefABCDEF"):
        raise ValueError(f"{text[:20]!r} is no word of up to 16 hexadecimal digits")
    return int(text, 16)
