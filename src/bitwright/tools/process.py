# SPDX-License-Identifier: Apache-2.0
"""Running external programs: one `ToolError` line where something is missing or fails.

Each program leads a group of its own, with what it starts itself. The group ends with this process at the latest,
however that ends: a guard, a process that waits at a pipe, ends the groups when this process is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from bitwright.errors import ToolError

_COMPLAINT = re.compile(r"%(Fatal|Error|Warning)|\bERROR\b|\berror:|^Error")
_RUNNING: set[subprocess.Popen[bytes]] = set()
_WATCH_SECONDS = 0.2
# Takes lines "+group" and "-group"; at the end of its input it ends the groups that are left.
_GUARD = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


@atexit.register
def end_all() -> None:
    """End the programs that worker threads still wait for: after an interrupt nothing else would."""
    for process in list(_RUNNING):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it has started."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


class _Guard:
    """The process that ends the programs when this one is gone; started with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def tell(self, sign: str, group: int) -> None:
        """A group begins ("+") or has ended ("-")."""
        with self._lock:
            if self._process is None or self._owner != os.getpid():  # a fork has none of its own
                command = [sys.executable, "-I", "-S", "-c", _GUARD]
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
                self._owner = os.getpid()
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{sign}{group}\n".encode())


_GUARDIAN = _Guard()


def end_with(parent: int) -> None:
    """Let this process, a worker that `parent` has started, end soon after the parent has."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        end_all()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _children() -> list[int]:
    """The processes that this one has started, where the system lists them; without those that clear up after it."""
    found = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    return [int(child) for children in found for child in children if not _clears_up(child)]


def _clears_up(child: str) -> bool:
    """Whether the process is the guard, or what removes shared memory once its users are gone."""
    try:
        command = Path("/proc", child, "cmdline").read_bytes()
    except OSError:
        return True
    return b"resource_tracker" in command or _GUARD.encode() in command


def leave(code: int) -> NoReturn:
    """End this process at once, and all that it has started: Python's own way out takes seconds."""
    end_all()
    for child in _children():
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def end_at_interrupt(seconds: float, code: int) -> None:
    """End this process that long after an interrupt (Ctrl-C), with an exit code, if it is still there.

    The interrupt itself is raised as ever, so that what is half done is cleared away; but Python raises it only between
    two of its own steps, and then waits for threads, which long computations keep for as long as they take.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)

    def watch() -> None:
        while os.read(read, 1)[0] != signal.SIGINT:
            pass
        end_all()
        time.sleep(seconds)
        leave(code)

    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()


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
    code, text = outcome(command, folder, log, environment)
    if code != 0:
        where = f" (log: {log})" if log is not None else ""
        raise ToolError(f"{Path(command[0]).name} failed: {first_error(text)}{where}")
    return text


def outcome(
    command: Sequence[str | Path],
    folder: Path,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Exit code and output of a program; otherwise as `run`."""
    argv = [str(part) for part in command]
    variables = {**os.environ, **(environment or {})}
    if log is None:
        code, output = _wait(argv, folder, variables, subprocess.PIPE)
    else:
        with log.open("wb") as file:
            code, _ = _wait(argv, folder, variables, file)
        output = log.read_bytes()
    return code, output.decode(errors="replace")


def _wait(argv: Sequence[str], folder: Path, variables: Mapping[str, str], to: int | IO[bytes]) -> tuple[int, bytes]:
    """Exit code of a program, which ends with this process at the latest, and its output where `to` is a pipe."""
    with subprocess.Popen(
        argv,
        cwd=folder,
        env=variables,
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=to,
        stderr=subprocess.STDOUT,
    ) as process:
        _RUNNING.add(process)
        _GUARDIAN.tell("+", process.pid)
        try:
            output, _ = process.communicate()
        except BaseException:
            _end(process)
            raise
        finally:
            _RUNNING.discard(process)
            _GUARDIAN.tell("-", process.pid)
    return process.returncode, output or b""
