"""External programs end with the process that started them."""

import os
import subprocess
import sys

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
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


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
