"""No module of the library or of a target becomes more than 10 % slower than the committed table says."""

import json
import statistics
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "clock"
FEW = 3  # blocks that the fast test measures


@pytest.fixture(scope="module")
def guard():
    sys.path.insert(0, str(FOLDER))
    try:
        import guard

        yield guard
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def table(guard):
    return json.loads(guard.TABLE.read_text())


def test_the_table_has_every_block(guard, table):
    assert sorted(table) == sorted(block.name for block in guard.blocks())


def test_blocks_that_changed_are_as_fast_as_before(guard, table):
    """The smallest of them, and the smallest of all: its clock comes out as it was written."""
    own = sorted(guard.blocks(), key=lambda block: table[block.name]["cells"])
    changed = [block for block in own if table[block.name]["sources"] != guard.digest(block)]
    assert [text for block in changed[:FEW] if (text := guard.too_slow(block, table))] == []
    if own[0] not in changed:
        assert guard.measure(own[0]) == table[own[0].name]


@pytest.mark.slow
def test_all_blocks_are_as_fast_as_before(guard, table):
    assert [text for block in guard.blocks() if (text := guard.too_slow(block, table))] == []


def test_a_slower_block_is_told(guard, table, monkeypatch):
    block = guard.blocks()[0]
    row = table[block.name]
    monkeypatch.setattr(guard, "measure", lambda _: {**row, "mhz": 0.89 * row["mhz"]})
    assert guard.too_slow(block, table).startswith(f"{block.name} reaches")
    monkeypatch.setattr(guard, "measure", lambda _: {**row, "mhz": 0.91 * row["mhz"]})
    assert guard.too_slow(block, table) == ""


@pytest.fixture(scope="module")
def calibration(guard):
    return json.loads((FOLDER / "calibration.json").read_text())


def test_the_estimate_keeps_its_published_error(calibration):
    """Median and worst of all cases, as docs/timing.md says them."""
    errors = sorted(abs(case["error"]) for case in calibration["cases"].values())
    assert (calibration["median_error"], calibration["worst_error"]) == (statistics.median(errors), errors[-1])
    page = (FOLDER.parents[1] / "docs" / "timing.md").read_text()
    median, worst = (f"{100 * calibration[name]:.1f} %" for name in ("median_error", "worst_error"))
    assert f"{len(errors)} cases: median error {median}, worst {worst}" in page
    assert calibration["median_error"] <= 0.08
    assert calibration["worst_error"] <= 0.20


@pytest.mark.slow
def test_an_estimate_meets_the_router_within_the_published_error(guard, calibration):
    import calibrate

    block = next(block for block in guard.blocks() if block.module == "stream_fifo")
    row = calibrate.measure(calibrate.module_files(block), seeds=1)
    assert abs(row["error"]) <= calibration["worst_error"]
