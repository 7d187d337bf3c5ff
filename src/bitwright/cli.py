# SPDX-License-Identifier: Apache-2.0
"""The command `bitwright`: collects the commands and turns every failure into one line and an exit code.

Exit codes: 0 done, 1 a bug of bitwright (with traceback), 2 a mistake that the user can mend, 130 interrupted.
"""

from __future__ import annotations

import functools
import inspect
import io
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

import bitwright
from bitwright import limits, targets
from bitwright.commands.common import with_parameters
from bitwright.errors import UserError
from bitwright.tools.process import end_at_interrupt, leave

COMMANDS = (
    "check",
    "quantize",
    "finetune",
    "explore.search",
    "explore.fit",
    "evaluate",
    "compare",
    "compile",
    "simulate",
    "debug",
    "prove",
    "synthesize",
    "report",
    "exchange.deploy",
    "exchange.export",
    "about.targets",
    "about.options",
    "demo",
)
INTERRUPTED = 130
SENTENCE = 300  # characters of the longest
INTERRUPT_SECONDS = 0.4  # to clear away what is half done


class Plain(TyperGroup):
    """Commands whose list is plain text: boxes and colors would take longer than all else."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Usage, options, commands."""
        mode, self.rich_markup_mode = self.rich_markup_mode, None
        super().format_help(ctx, formatter)
        self.rich_markup_mode = mode

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """What each command does, in one sentence."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, c.get_short_help_str(SENTENCE)) for name, c in self.commands.items()])


app = typer.Typer(
    name="bitwright",
    cls=Plain,
    help="From a trained neural network to verified FPGA logic.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bitwright {bitwright.__version__}")
        raise typer.Exit


@app.callback()
def _bitwright(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="print version and exit"),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _budgeted(run: Callable[..., None]) -> Callable[..., None]:
    """The command with the option --limit, which every command has."""

    @functools.wraps(run)
    def command(*arguments: Any, limit: str, **options: Any) -> None:
        raised: dict[str, Any] = dict(limits.parse(limit))
        with limits.limit(**raised):
            run(*arguments, **options)

    option = typer.Option(
        "--limit", help=f"raise limits on files: name=number,...; names are {', '.join(limits.NAMES)}"
    )
    extra = inspect.Parameter("limit", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Annotated[str, option])
    own = inspect.signature(run, eval_str=True)
    return with_parameters(command, own, [*own.parameters.values(), extra])


_MODULES = {name.rpartition(".")[2]: f"bitwright.commands.{name}" for name in COMMANDS}
RUNS = {name: import_module(module).run for name, module in _MODULES.items()} | targets.commands()
for _name, _run in RUNS.items():
    app.command(_name)(_budgeted(_run))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. Without `arguments` it is the process's own and may end it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold characters that the terminal lacks
    if arguments is not None:
        return _main(arguments)
    end_at_interrupt(INTERRUPT_SECONDS, INTERRUPTED)
    code = _main(None)
    return leave(code) if code == INTERRUPTED else code


def _main(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, prog_name="bitwright", standalone_mode=False) or 0
        return _fail(UserError("interrupted"), code) if code == INTERRUPTED else code
    except (KeyboardInterrupt, typer.Abort):
        return _fail(UserError("interrupted"), INTERRUPTED)
    except TyperException as error:
        return _fail(UserError(error.format_message()))
    except UserError as error:
        return _fail(error)
    except MemoryError:
        return _fail(UserError("not enough memory; a smaller model or fewer samples need less"))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(UserError(f"{where}{error.strerror or error}"))


def _fail(error: UserError, code: int = 2) -> int:
    """Say the error, whose text is safe for a terminal, in one line."""
    head, *rest = (line.strip() for line in str(error).splitlines())
    message = f"{head} {'; '.join(rest)}" if rest else head
    print(f"bitwright: error: {message}", file=sys.stderr)
    return code
