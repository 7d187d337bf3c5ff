"""The web site builds without a warning, and the tutorial does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"```(\w+)(?: title=\"([\w.]+)\")?\n(.*?)```", re.S)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "overview.html", "tutorial.html", "reference/python.html"} <= pages
    commands = (tmp_path / "reference" / "commands.html").read_text()
    assert "--max-loss" in commands  # an option of `fit`
    assert "https://fonts" not in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path):
    """Every block runs in its turn; what hardware costs and computes is what the page shows."""
    printed = ""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for kind, title, text in BLOCK.findall(TUTORIAL):
        if kind == "python":
            (tmp_path / title).write_text(text)
        elif kind == "sh":
            done = subprocess.run(
                ["sh", "-e", "-c", text],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                env={**os.environ, "PATH": path, "COLUMNS": "120"},
            )
            assert done.returncode == 0, done.stderr
            printed += done.stdout + done.stderr
    for line in ("float network model: (1, 8, 8) (CHW) -> (10,), 9,872 weights", "/3/Conv     conv2d"):
        assert line in TUTORIAL
        assert line in printed
    assert re.search(r"bit_exact +yes", printed)
    assert (tmp_path / "build" / "report.html").exists()
