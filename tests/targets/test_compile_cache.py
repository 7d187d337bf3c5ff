"""Designs that took long to compile are found in the cache, and only where nothing that they depend on has changed."""

import numpy as np
import pytest
from fake_target import FakeTarget

import bitwright as bw
from bitwright import api
from bitwright.errors import ModelError
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Dense, Lookup

DIGITS = IntType(3)


class Counting(FakeTarget):
    plans = 0

    def plan(self, network, options):
        self.plans += 1
        return super().plan(network, options)


@pytest.fixture
def target(monkeypatch):
    found = Counting()
    monkeypatch.setattr(api.targets, "get", lambda name: found)
    monkeypatch.setattr(api, "WORTH_KEEPING", 0.0)
    return found


def dense(seed):
    weight = np.random.default_rng(seed).integers(-2, 2, (4, 6))
    return Network(InputSpec(TensorType((6,), DIGITS)), (Node("fc", Dense(weight, IntType(2, True)), ("input",)),))


def test_the_second_compilation_finds_the_first(target, tmp_path):
    first, second = (bw.compile(dense(0), "fake", cache_dir=tmp_path, lanes=2, program=True) for _ in range(2))
    assert target.plans == 1
    assert second.digest == first.digest
    assert second.files == first.files
    assert second.estimate == first.estimate
    np.testing.assert_array_equal(second.program, first.program)
    assert second.network.digest == first.network.digest


def test_what_the_design_depends_on_makes_a_new_one(target, tmp_path, monkeypatch):
    bw.compile(dense(0), "fake", cache_dir=tmp_path)
    bw.compile(dense(1), "fake", cache_dir=tmp_path)
    bw.compile(dense(0), "fake", cache_dir=tmp_path, lanes=3)
    monkeypatch.setattr(api, "_sources", lambda file: "another version")
    bw.compile(dense(0), "fake", cache_dir=tmp_path)
    assert target.plans == 4


def test_a_target_without_a_file_is_not_kept(target, tmp_path, monkeypatch):
    monkeypatch.setattr(Counting, "__module__", "typed_in")
    for _ in range(2):
        bw.compile(dense(0), "fake", cache_dir=tmp_path)
    assert target.plans == 2


def test_a_damaged_entry_is_made_again(target, tmp_path):
    bw.compile(dense(0), "fake", cache_dir=tmp_path)
    (archive,) = tmp_path.rglob(api.ARCHIVE)
    archive.write_bytes(archive.read_bytes()[:-9])
    assert bw.compile(dense(0), "fake", cache_dir=tmp_path).files
    assert target.plans == 2


def test_quick_designs_and_refusals_leave_nothing(target, tmp_path, monkeypatch):
    table = Lookup(DIGITS, np.arange(8)[None], DIGITS)
    refused = Network(InputSpec(TensorType((6,), DIGITS)), (Node("table", table, ("input",)),))
    with pytest.raises(ModelError, match="Lookup is not supported"):
        bw.compile(refused, "fake", cache_dir=tmp_path)
    monkeypatch.setattr(api, "WORTH_KEEPING", 60.0)
    bw.compile(dense(0), "fake", cache_dir=tmp_path)
    assert not any(tmp_path.rglob("*"))


def test_constants_of_a_cost_model_are_among_the_sources(tmp_path):
    """A design holds estimates: it is made anew where the file of constants changes."""
    (tmp_path / "target.py").write_text("")
    file, found = tmp_path / "cost.toml", []
    for text in ("lut = 1", "lut = 2"):
        file.write_text(text)
        api._sources.cache_clear()
        found.append(api._sources(str(tmp_path / "target.py")))
    assert found[0] != found[1]
