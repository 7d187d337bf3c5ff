"""Running external programs: one `ToolError` line where something is missing or fails."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from bitwright.errors import ToolError

_COMPLAINT = re.compile(r"%(Fatal|Error|Warning)|\bERROR\b|\berror:|^Error")
_RUNNING: set[subprocess.Popen[bytes]] = set()


@atexit.register
def _end_all() -> None:
    """End the programs that worker threads still wait for: after an interrupt nothing else would."""
    for process in list(_RUNNING):
        process.kill()
        process.wait()


def which(name: str) -> Path | None:
    """The program of that name on PATH, if there is one."""
    found = shutil.which(name)
    return Path(found) if found else None


def beside_python(name: str) -> Path | None:
    """The program that a Python package installed next to the running interpreter, else the one on PATH."""
    path = Path(sys.executable).parent / name
    return path if path.is_file() else which(name)


def first_error(text: str) -> str:
    """The first line of a tool's output that reports an error, else the last line.

    Verilator's warnings stop it too; its closing line "Exiting due to" says nothing.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if _COMPLAINT.search(line) and "Exiting due to" not in line:
            return line
    return lines[-1] if lines else "no output"


def run(
    command: Sequence[str | Path],
    folder: Path,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run `command` in `folder`; its standard output and error as one text.

    With `log` the output goes to that file as it comes, so that a run of an hour can be followed. `environment`
    adds to the program's environment variables. Raises `ToolError` with the first error line, and the log's path,
    where the exit code is not 0.
    """
    argv = [str(part) for part in command]
    variables = {**os.environ, **(environment or {})}
    if log is None:
        code, output = _wait(argv, folder, variables, subprocess.PIPE)
    else:
        with log.open("wb") as file:
            code, _ = _wait(argv, folder, variables, file)
        output = log.read_bytes()
    text = output.decode(errors="replace")
    if code != 0:
        where = f" (log: {log})" if log is not None else ""
        raise ToolError(f"{Path(argv[0]).name} failed: {first_error(text)}{where}")
    return text


def _wait(argv: Sequence[str], folder: Path, variables: Mapping[str, str], to: int | IO[bytes]) -> tuple[int, bytes]:
    """Exit code of a program, which ends with this process at the latest, and its output where `to` is a pipe."""
    with subprocess.Popen(argv, cwd=folder, env=variables, stdout=to, stderr=subprocess.STDOUT) as process:
        _RUNNING.add(process)
        try:
            output, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
        finally:
            _RUNNING.discard(process)
    return process.returncode, output or b""
