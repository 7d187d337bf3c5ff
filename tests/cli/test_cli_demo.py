"""The end of `bitwright demo`: the command that it prints next is found."""

import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bitwright.commands import demo
from bitwright.hardware.clock import Clock


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A virtual environment with a space in its path, whose `bitwright` is not on the PATH."""
    programs = tmp_path / "my project" / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    (programs / "bitwright").write_text("#!/bin/sh\necho found $@\n")
    (programs / "bitwright").chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(programs.parent))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return programs


@pytest.mark.parametrize("inside", [True, False])
def test_the_next_command_activates_the_environment(environment, monkeypatch, inside):
    folder = environment.parents[1] if inside else environment.parents[2]
    monkeypatch.chdir(folder)
    command = f"{demo.activation()}bitwright check"
    assert command.startswith(". .venv/bin/activate" if inside else ". 'my project/.venv/bin/activate'")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "found check\n"


def test_nothing_is_activated_twice(environment, monkeypatch):
    monkeypatch.setenv("PATH", f"{environment}:/usr/bin")
    assert demo.activation() == ""


def test_the_demo_ends_with_the_next_command(environment, tmp_path, monkeypatch, capsys):
    synthesis = types.SimpleNamespace(lut=1, ff=2, bram36=3, dsp=4, clock=Clock(150.0, "estimated"))
    simulation = types.SimpleNamespace(bit_exact=True, latency_cycles=5, interval_cycles=6)
    module = importlib.import_module("bitwright.demo.run")
    result = module.DemoResult(360, 0.98, 0.98, simulation, synthesis, None)
    monkeypatch.setattr(module, "run", lambda *given: result)
    monkeypatch.chdir(environment.parents[1])
    demo.run(Path("build"))
    out = capsys.readouterr().out
    assert "150 MHz (estimated)" in out
    assert "25,000,000" in out
    last = out.splitlines()[-1]
    assert last == "next:   . .venv/bin/activate && bitwright check model.onnx"


def test_the_first_lines_say_what_is_needed():
    """README, index and description name the compiler and make, and claim nothing else."""
    root = Path(__file__).parents[2]
    for name, lines in (("README.md", 6), ("docs/index.md", 8), ("docs/tools.md", 6), ("pyproject.toml", 10)):
        head = "\n".join((root / name).read_text().splitlines()[:lines])
        assert "C++ compiler" in head, name
        assert "make" in head, name
        assert "nothing to install" not in head, name
    assert ". .venv/bin/activate" in (root / "README.md").read_text()
