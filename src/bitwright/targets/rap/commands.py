# SPDX-License-Identifier: Apache-2.0
"""`bitwright assemble` and `disassemble`: texts and instruction words of the array processor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.commands.common import Json, Verbose

SOURCE_BYTES = 1 << 24
Source = Annotated[Path, typer.Argument(help="assembly text", exists=True, dir_okay=False)]
Words = Annotated[Path, typer.Argument(help="words, 16 hexadecimal digits a line", exists=True, dir_okay=False)]
Text = Annotated[Path, typer.Option("--output", "-o", help="file for the assembly text")]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="file for the instructions, 16 hexadecimal digits a line; data serves the trace"
    ),
]
Trace = Annotated[int, typer.Option("--trace", help="show pipeline and array in so many first cycles", min=0)]


def assemble(source: Source, output: Output, trace: Trace = 0, json: Json = False, verbose: Verbose = False) -> None:
    """Assemble a program of the rap target; errors name line, column and rule."""
    from bitwright.commands.console import Console
    from bitwright.errors import DataError, UserError
    from bitwright.files import read_text, write_file
    from bitwright.targets.rap.isa.assembler import AssemblerError
    from bitwright.targets.rap.isa.assembler import assemble as assembled
    from bitwright.targets.rap.isa.machine import Machine
    from bitwright.targets.rap.simulator.trace import trace as show

    console = Console(json, verbose)
    machine = Machine()
    try:
        program = assembled(read_text(source, DataError, SOURCE_BYTES), machine)
    except AssemblerError as error:
        raise UserError(f"{source}: {error}") from None
    write_file(output, "".join(f"{int(word):016x}\n" for word in program.code))
    found: dict[str, object] = {
        "output": str(output),
        "instructions": len(program.code),
        "param_words": len(program.params),
    }
    console.say(f"{len(program.code)} instructions in {output}")
    if trace:
        found["trace"] = text = show(machine, program, trace)
        console.lines(text)
    console.result(found)


def disassemble(source: Words, output: Text, json: Json = False, verbose: Verbose = False) -> None:
    """Disassemble a program of the rap target."""
    import numpy as np

    from bitwright.commands.console import Console
    from bitwright.errors import DataError
    from bitwright.files import read_text, write_file
    from bitwright.targets.rap.isa.assembler import disassemble as disassembled

    console = Console(json, verbose)
    try:
        code = np.array([_word(line) for line in read_text(source, DataError, SOURCE_BYTES).split()], np.uint64)
        text = disassembled(code)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{source}: {error}; legal are words that `bitwright assemble` writes") from None
    write_file(output, text)
    console.say(f"{len(code)} instructions in {output}")
    console.result({"output": str(output), "instructions": len(code)})


def _word(text: str) -> int:
    if not 1 <= len(text) <= 16 or text.strip("0123456789abcdefABCDEF"):
        raise ValueError(f"{text[:20]!r} is no word of up to 16 hexadecimal digits")
    return int(text, 16)


COMMANDS = {"assemble": assemble, "disassemble": disassemble}
