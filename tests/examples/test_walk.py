"""A new user's walk, by the README alone: own PyTorch CNN to a design that is fitted to an Ultra96, with a report."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS, MINUTES = 6, 10  # at most; one of the commands installs bitwright
BLOCK = re.compile(r"```sh\n(python train\.py.*?)```", re.S)
SCRIPT = re.compile(r"```python title=\"train.py\"\n(.*?)```", re.S)


@pytest.mark.slow
def test_own_pytorch_cnn_to_a_fitted_design(tmp_path):
    """Processor time counts, which on an idle machine of two cores is no less than the time that passes."""
    pytest.importorskip("torch", reason="the CNN is trained with torch")
    (script,) = SCRIPT.findall((ROOT / "docs" / "tutorial.md").read_text())
    (tmp_path / "train.py").write_text(script.replace("train.npz", "calib.npz"))
    (block,) = BLOCK.findall((ROOT / "README.md").read_text())
    commands = [re.sub(r"\s+#\s.*", "", line) for line in block.splitlines()]
    assert len(commands) + 1 <= COMMANDS
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}  # nothing is known from before
    before, start, said = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), ""
    for command in commands:
        done = subprocess.run(
            ["sh", "-e", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, **places},
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        said += done.stdout
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{len(commands)} commands after the installation, {spent:.0f} s of processor time, {wall:.0f} s")
    assert min(spent, wall) < 60 * MINUTES
    found = json.loads((tmp_path / "build" / "report.json").read_text())
    assert found["simulation"]["bit_exact"]
    assert found["simulation"]["accuracy"] > 0.95
    assert "recommended: " in said
    assert (tmp_path / "build" / "report.html").stat().st_size < 1_000_000
