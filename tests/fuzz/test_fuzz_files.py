"""A few hundred mutated files; `make fuzz` runs thousands."""

import re
import subprocess
import sys
from pathlib import Path

COUNT = 270


def test_mutated_files_load_or_are_refused(tmp_path):
    script = Path(__file__).with_name("files.py")
    command = [sys.executable, str(script), "--count", str(COUNT), "--keep", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded, refused, failed = map(int, re.search(r"^all +(\d+) +(\d+) +(\d+)$", done.stdout, re.M).groups())
    assert (loaded + refused, failed) == (COUNT, 0)
    assert min(loaded, refused) > COUNT // 10
