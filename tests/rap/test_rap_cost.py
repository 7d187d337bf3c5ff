"""Cost model against recorded synthesis, and the cache of the compiled simulator."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from bitwright.targets.rap.cost import resources
from bitwright.targets.rap.simulator import compiled, core
from bitwright.targets.rap.target import TARGET

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT / "benchmarks/rap/results.json").read_text())["synthesis"]


@pytest.mark.parametrize("name", RECORDED)
def test_the_estimate_is_within_a_tenth_of_synthesis(name):
    record = RECORDED[name]
    estimate = resources(TARGET.options(**record["options"]).machine, dsp="with DSP" in name)
    for resource in ("lut", "ff", "dsp", "bram36"):
        measured = record["synthesized"][resource]
        assert abs(getattr(estimate, resource) - measured) <= 0.1 * measured, resource


def test_the_record_holds_grids_that_the_estimate_was_not_fitted_to():
    assert sum(not record["fitted"] for record in RECORDED.values()) >= 2


def test_all_compiled_sources_are_in_the_cache_key():
    folder = Path(core.__file__).parent
    sources = {path.stem for path in folder.glob("*.py") if "jit import njit" in path.read_text()}
    listed = {Path(module.__file__).stem for module in compiled.MODULES}
    assert sources - {"compiled"} <= listed


def test_the_cache_key_follows_the_sources(tmp_path):
    module = ModuleType("kernel")
    module.__file__ = str(tmp_path / "kernel.py")
    stamps = []
    for text in ("A = 1\n", "A = 2\n"):
        (tmp_path / "kernel.py").write_text(text)
        stamps.append(compiled.checksum((module,)))
    assert stamps[0] != stamps[1]
    assert compiled.run.py_func.__closure__[0].cell_contents == compiled.checksum()
