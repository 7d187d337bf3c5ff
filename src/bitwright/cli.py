"""The command `bitwright`: collects the commands and turns every failure into one line and an exit code.

Exit codes: 0 done, 1 a bug of bitwright (with traceback), 2 a mistake that the user can mend, 130 interrupted.
"""

from __future__ import annotations

import io
import sys
from importlib import import_module

import typer
from typer.exceptions import TyperException

from bitwright import __version__
from bitwright.errors import UserError

COMMANDS = (
    "check",
    "quantize",
    "search",
    "evaluate",
    "compare",
    "compile",
    "simulate",
    "synthesize",
    "report",
    "deploy",
    "targets",
    "demo",
    "assemble",
    "disassemble",
)
INTERRUPTED = 130

app = typer.Typer(
    name="bitwright",
    help="From a trained neural network to verified FPGA logic.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bitwright {__version__}")
        raise typer.Exit


@app.callback()
def _bitwright(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="print version and exit"),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for _name in COMMANDS:
    app.command(_name)(import_module(f"bitwright.commands.{_name}").run)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold characters that the terminal lacks
    try:
        code = app(args=arguments, prog_name="bitwright", standalone_mode=False) or 0
        return _fail(UserError("interrupted"), code) if code == INTERRUPTED else code
    except (KeyboardInterrupt, typer.Abort):
        return _fail(UserError("interrupted"), INTERRUPTED)
    except TyperException as error:
        return _fail(UserError(error.format_message()))
    except UserError as error:
        return _fail(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(UserError(f"{where}{error.strerror or error}"))


def _fail(error: UserError, code: int = 2) -> int:
    """Say the error, whose text is safe for a terminal, in one line."""
    head, *rest = (line.strip() for line in str(error).splitlines())
    message = f"{head} {'; '.join(rest)}" if rest else head
    print(f"bitwright: error: {message}", file=sys.stderr)
    return code
