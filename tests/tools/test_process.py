"""External programs end with the process that started them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitwright.errors import ToolError
from bitwright.tools import process

ABANDON = """
import threading, time
from pathlib import Path
from bitwright.tools import process
command = ["sh", "-c", "trap '' INT; echo $$ > pid.new; mv pid.new pid; exec sleep 120"]
threading.Thread(target=process.run, args=(command, Path(".")), daemon=True).start()
while not Path("pid").exists():
    time.sleep(0.01)
"""


def test_a_program_that_a_thread_waits_for_ends_with_its_parent(tmp_path):
    subprocess.run([sys.executable, "-c", ABANDON], cwd=tmp_path, check=True, timeout=60)
    process_folder = Path("/proc") / (tmp_path / "pid").read_text().strip()
    deadline = time.monotonic() + 20  # until whoever adopted it has taken its exit status
    while process_folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process_folder.exists()


def test_a_failure_is_one_line_with_the_log(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(ToolError) as error:
        process.run(["sh", "-c", "echo fine; echo 'ERROR: no such net'; exit 3"], tmp_path, log)
    assert str(error.value) == f"sh failed: ERROR: no such net (log: {log})"
    assert log.read_text() == "fine\nERROR: no such net\n"


def test_variables_reach_the_program(tmp_path):
    assert process.run(["sh", "-c", "echo $COLOR; pwd"], tmp_path, environment={"COLOR": "red"}) == f"red\n{tmp_path}\n"


def test_the_log_can_be_followed(tmp_path):
    """The program itself finds its first line in its log before it goes on."""
    log = tmp_path / "log"
    waiting = f"echo first; until grep -q first {log}; do sleep 0.01; done; echo second"
    assert process.run(["timeout", "20", "sh", "-c", waiting], tmp_path, log) == "first\nsecond\n"


HOLD = "echo $$ > {0}.new; mv {0}.new {0}; sleep 120 & wait"
WORKERS = """
import os, sys, time
from pathlib import Path
from bitwright.explore.cache import ResultCache
from bitwright.explore.tasks import Pool, run_tasks
from bitwright.tools import process

def task(name):
    process.run(["sh", "-c", HOLD.format(name)], Path("."))
    return {}

HOLD = sys.argv[1]
if __name__ == "__main__":
    run_tasks(task, (), [("a",), ("b",)], ["a" * 64, "b" * 64], Pool(ResultCache("results"), 2))
"""
COMMAND = """
import signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from bitwright import cli
from bitwright.tools import process

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and all below them, ignore it
HOLD = sys.argv.pop()

def hold():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: process.run(["sh", "-c", HOLD.format(name)], Path(".")), "ab"))

cli.app.command("hold")(hold)
sys.exit(cli.main())
"""


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def family(group):
    """The living processes of a group."""
    return [p for p in Path("/proc").iterdir() if p.name.isdigit() and _stat(p)[:2] == ["alive", str(group)]]


def _stat(path):
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["gone"]
    return ["dead" if fields[0] in "ZX" else "alive", fields[2]]


def started(folder, code, *arguments):
    """A Python process, and the groups of the two programs that it starts."""
    (folder / "script.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, "script.py", *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: (folder / "a").exists() and (folder / "b").exists(), 60)
    return process, [int((folder / name).read_text()) for name in "ab"]


def in_folder(folder):
    """Processes that work in a folder: everything that was started there."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and _stat(path)[0] == "alive" and (path / "cwd").resolve(strict=True) == folder:
                found.append(path.name)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("how", ["KILL", "TERM"])
def test_workers_and_their_programs_end_with_a_killed_parent(tmp_path, how):
    process, groups = started(tmp_path, WORKERS, HOLD)
    assert all(family(group) for group in groups)
    process.send_signal(getattr(signal, f"SIG{how}"))
    wait_for(lambda: not in_folder(tmp_path.resolve()), 20)
    process.wait()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_an_interrupt_leaves_nothing_behind(tmp_path):
    process, groups = started(tmp_path, COMMAND, "hold", HOLD)
    assert all(family(group) for group in groups)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: not in_folder(tmp_path.resolve()), 20)  # a second, where nothing else runs
    assert process.wait() == 130
