"""Slices of the random campaigns, and the command that runs them whole."""

import json

import hardware
import pytest

from bitwright import targets

FAST = [(name, seed) for name in targets.names() for seed in hardware.campaign(name)["fast"]]


@pytest.mark.parametrize(("name", "seed"), FAST)
def test_fast_seeds(name, seed):
    record = hardware.run_seed(name, seed)
    assert record["status"] == "exact", record


@pytest.mark.slow
@pytest.mark.parametrize("name", targets.names())
def test_a_slice(name):
    """Random networks with all operations and widths: exact, or refused for a reason."""
    found = list(hardware.run(name, hardware.campaign(name)["slow"], 0, None))
    assert [r for r in found if r["status"] not in hardware.GOOD] == []
    assert sum(r["status"] == "exact" for r in found) == hardware.campaign(name)["slow"]


def test_a_run_resumes_after_the_last_whole_line(tmp_path, monkeypatch):
    """An unfinished line is dropped, its seed runs again; refused networks do not count."""
    tried = []

    def run_seed(name, seed, **more):
        tried.append(seed)
        return {"target": name, "seed": seed, "status": "refused" if seed % 2 else "exact"}

    monkeypatch.setattr(hardware, "run_seed", run_seed)
    path = tmp_path / "out.jsonl"
    list(hardware.run("tlmac", 2, 10, path))
    assert tried == [10, 11, 12]
    path.write_text(path.read_text()[:-3])
    found = list(hardware.run("tlmac", 3, 10, path))
    assert tried == [10, 11, 12, 12, 13, 14]
    assert [r["seed"] for r in found] == [10, 11, 12, 13, 14]
    assert [json.loads(line) for line in path.read_text().splitlines()] == found


def test_an_exception_is_a_failure(monkeypatch):
    monkeypatch.setattr(hardware, "_network", lambda seed, shape: [][seed])
    record = hardware.run_seed("tlmac", 1)
    assert record["status"] == "failed"
    assert record["error"].startswith("IndexError")


def test_what_was_wrong_in_a_ledger_is_tried_anew(tmp_path, monkeypatch):
    found, tried = {3: "wrong"}, []

    def run_seed(name, seed, **more):
        tried.append(seed)
        status = found.get(seed, "refused" if seed % 2 else "exact")
        return {"target": name, "seed": seed, "status": status, "frames": 2, "stalled": 5}

    monkeypatch.setattr(hardware, "run_seed", run_seed)
    path = tmp_path / "ledger.json"
    assert hardware.main(["rap", "--count", "3", "--ledger", str(path)]) == 1
    counts = json.loads(path.read_text())["targets"]["rap"]
    assert (counts["networks"], counts["refused"], counts["frames"]) == (3, 1, 14)
    assert [r["seed"] for r in counts["wrong"]] == [3]
    found.clear()
    found[3] = "exact"
    assert hardware.main(["rap", "--count", "4", "--ledger", str(path)]) == 0
    counts = json.loads(path.read_text())["targets"]["rap"]
    assert tried == [0, 1, 2, 3, 3, 4]
    assert (counts["networks"], counts["next"], counts["frames"], counts["wrong"]) == (4, 5, 28, [])
