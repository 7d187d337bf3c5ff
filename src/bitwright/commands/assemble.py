"""`bitwright assemble`: an assembly text for the array processor to instruction words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.commands.common import Json, Verbose

SOURCE_BYTES = 1 << 24
Source = Annotated[Path, typer.Argument(help="assembly text", exists=True, dir_okay=False)]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="file for the instructions, 16 hexadecimal digits a line; data serves the trace"
    ),
]
Trace = Annotated[int, typer.Option("--trace", help="show pipeline and array in so many first cycles", min=0)]


def run(source: Source, output: Output, trace: Trace = 0, json: Json = False, verbose: Verbose = False) -> None:
    """Assemble a program of the rap target; errors name line, column and rule."""
    from bitwright.console import Console
    from bitwright.errors import DataError, UserError
    from bitwright.files import read_text, write_file
    from bitwright.targets.rap.isa.assembler import AssemblerError, assemble
    from bitwright.targets.rap.isa.machine import Machine
    from bitwright.targets.rap.simulator.trace import trace as show

    console = Console(json, verbose)
    machine = Machine()
    try:
        program = assemble(read_text(source, DataError, SOURCE_BYTES), machine)
    except AssemblerError as error:
        raise UserError(f"{source}: {error}") from None
    write_file(output, "".join(f"{int(word):016x}\n" for word in program.code))
    found = {"output": str(output), "instructions": len(program.code), "param_words": len(program.params)}
    console.say(f"{len(program.code)} instructions in {output}")
    if trace:
        found["trace"] = show(machine, program, trace)
        console.lines(found["trace"])
    console.result(found)
