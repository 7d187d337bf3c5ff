"""The examples, and the Python snippet of the README, do what they say."""

import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright import demo

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run_example(name: str, **arguments: object) -> object:
    """What the example's `main` returns."""
    return runpy.run_path(str(EXAMPLES / name))["main"](**arguments)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_docstrings_say_how_to_run_them(path):
    assert f"    python examples/{path.name}" in path.read_text().split('"""')[1]


def test_own_network(capsys):
    simulation = run_example("own_network.py")
    assert simulation.bit_exact
    assert simulation.outputs.shape == (20, 16, 16, 1)
    assert 0.05 < simulation.outputs.mean() < 0.4
    said = capsys.readouterr().out
    assert "as before: True" in said
    assert "####" in said


def test_finetune_torch(capsys, tmp_path):
    pytest.importorskip("torch", reason="fine-tuning needs torch")
    accuracy = run_example("finetune_torch.py", folder=tmp_path, epochs=5, jobs=1)
    assert accuracy["float"] > 0.9
    assert accuracy["fine-tuned"] > max(accuracy["post-training"], 0.85)
    assert bw.load(tmp_path / "digits_2bit.bw").input.type.dtype.bits == 5


def test_quantize_float(capsys):
    accuracy = run_example("quantize_float.py", bits=(8, 4))
    assert accuracy["float"] > 0.95
    assert accuracy["8 bits, nearest"] > accuracy["float"] - 0.01
    assert accuracy["4 bits, second_order"] > accuracy["float"] - 0.03
    assert f"float:   {accuracy['float']:.1%}" in capsys.readouterr().out


@pytest.mark.slow
def test_digits(capsys):
    simulations = run_example("digits.py")
    fast, small = simulations.values()
    assert fast.bit_exact
    assert small.bit_exact
    assert np.array_equal(fast.outputs, small.outputs)
    assert 2 * fast.interval_cycles < small.interval_cycles
    assert capsys.readouterr().out.count("  yes\n") == 2


@pytest.mark.slow
def test_snippet_of_the_readme(tmp_path, monkeypatch):
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    model, data = demo.files()
    shutil.copy(model, tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    with np.load(data) as split:
        names = {"x": split["images"][:16, None].astype(np.float32) / 16}
    exec(compile(snippet, "README.md", "exec"), names)
    assert np.array_equal(names["y"], bw.load(model).predict(names["x"]))
    assert names["sim"].bit_exact
    assert names["sim"].interval_cycles <= names["design"].options["interval"]
    assert names["syn"].fits
