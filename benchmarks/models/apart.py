# SPDX-License-Identifier: Apache-2.0
"""Rows of a benchmark, each measured in a process of its own, on one core, with limits on its time and memory.

Results that are in the file already are kept, failures are tried again; so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Row = dict[str, Any]
GIB = 1 << 30


class Failed(Exception):
    """Another program's failure, such as an exporter's: no file, so nothing to measure."""


def seconds() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class Clock:
    """Processor seconds since it was made, or asked before."""

    def __init__(self) -> None:
        self.last = seconds()

    def lap(self) -> float:
        before, self.last = self.last, seconds()
        return round(self.last - before, 2)


def main(
    what: str, names: Iterable[str], measure: Callable[[str, Path], Row], output: Path, minutes: float = 20
) -> dict[str, Row]:
    """Measure the rows that are missing: measure(name, folder) gives one, with a folder that all share. All rows."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--match", default="", help="a part of the names of the rows")
    parser.add_argument("--redo", action="store_true", help="measure rows again that are in the file")
    parser.add_argument("--output", type=Path, default=output)
    parser.add_argument("--memory", type=int, default=16, help="limit of a row in GiB")
    options = parser.parse_args()
    rows: dict[str, Row] = json.loads(options.output.read_text()) if options.output.exists() else {}
    wanted = list(names)
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            done = name in rows and not {"failed", "crashed"} & rows[name].keys()
            if options.match not in name or (done and not options.redo):
                continue
            start = time.perf_counter()
            rows[name] = _apart(partial(measure, name, Path(folder)), minutes, options.memory)
            rows = {n: rows[n] for n in wanted if n in rows}
            options.output.write_text(json.dumps(rows, indent=1) + "\n")
            print(f"{name} ({time.perf_counter() - start:.0f} s)", rows[name], flush=True)
    return rows


def _apart(measure: Callable[[], Row], minutes: float, memory: int) -> Row:
    """The row from a process of its own, forked, so that nothing is imported again."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(measure, memory, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(60 * minutes) else {"crashed": f"took more than {minutes:g} minutes"}
    except EOFError:
        process.join()
        return {"crashed": f"ended with {process.exitcode}"}
    finally:
        process.kill()
        process.join()


def _measured(measure: Callable[[], Row], memory: int, sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory * GIB, memory * GIB))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    try:
        row = measure()
    except Failed as error:
        row = {"failed": str(error)}
    except Exception as error:
        row = {"crashed": short(error)}
    sender.send(row)


def short(error: Exception) -> str:
    """Kind and first line of an error."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
