# SPDX-License-Identifier: Apache-2.0
"""What the command line shows: tables and lines for people, one JSON object for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console as Rich
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from bitwright.text import figure, label, printable

Report = Callable[[str, int, int], None]  # what is being done, how much is done, of how much

JSON_VERSION = 2
FILE_WIDTH = 200  # columns where the output is no terminal


class Console:
    """Where a command's words go.

    With `json` standard output gets exactly one JSON object, from `result`, and everything else goes to
    standard error. Progress bars always go to standard error and vanish when done.
    """

    def __init__(self, json: bool = False, verbose: bool = False) -> None:
        self.json = json
        self.verbose = verbose
        self._rich = Rich(stderr=json, highlight=False)
        if not self._rich.is_terminal:
            self._rich.width = FILE_WIDTH

    def say(self, text: str) -> None:
        """A line for people; a line break in it is shown, not made."""
        self._rich.print(_shown(text), soft_wrap=True)

    def lines(self, text: str) -> None:
        """Several lines for people, none of which holds a name of a file as it is."""
        for line in text.splitlines():
            self.say(line)

    def detail(self, text: str) -> None:
        """A line that only --verbose shows."""
        if self.verbose:
            self.say(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; numbers stand to the right."""
        table = Table(box=None, pad_edge=False)
        for i, column in enumerate(columns):
            numeric = any(isinstance(row[i], (int, float)) and not isinstance(row[i], bool) for row in rows)
            last = i == len(columns) - 1
            table.add_column(_shown(column), justify="right" if numeric else "left", no_wrap=not last)
        for row in rows:
            table.add_row(*(Text(figure(value)) for value in row))
        if title:  # not the table's own, which wraps where the table is narrow
            self._rich.print(_shown(title), style="bold", soft_wrap=True)
        self._rich.print(table)

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """A callback that moves one progress bar for each kind of work; what follows a colon may change."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        rich = Rich(stderr=True)
        with Progress(*columns, console=rich, transient=True, disable=not rich.is_terminal) as bars:
            tasks: dict[str, Any] = {}

            def report(what: str, done: int, total: int) -> None:
                kind = what.partition(":")[0]
                if kind not in tasks:
                    tasks[kind] = bars.add_task(label(what), total=total)
                bars.update(tasks[kind], description=label(what), completed=done, total=total)

            yield report

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """A sign of life, on standard error, for work that does not count its steps."""
        with Rich(stderr=True).status(Text(label(what))):
            yield

    def result(self, tree: Mapping[str, Any]) -> None:
        """The command's outcome for programs; `version` counts changes of any command's names, see docs/json.md."""
        if self.json:
            from bitwright.design.io import as_json

            sys.stdout.write(as_json({"version": JSON_VERSION, **tree}))


def _shown(text: str) -> Text:
    """A line as it is, without rich's markup."""
    return Text(printable(text))
