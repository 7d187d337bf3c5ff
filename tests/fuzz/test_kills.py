"""Killed commands, a few of each; `python tests/fuzz/kills.py` tries more."""

import kills
import pytest


@pytest.mark.parametrize(
    "command",
    ["quantize", *(pytest.param(name, marks=pytest.mark.slow) for name in kills.COMMANDS if name != "quantize")],
)
def test_a_killed_command_leaves_nothing_half_done_and_resumes(command, tmp_path):
    found = kills.campaign(2, tmp_path / "results.json", [command])
    assert sum(record["kills"] for record in found) >= 2
    assert [record["wrong"] for record in found if record["wrong"]] == []


def test_what_is_half_written_is_seen(tmp_path):
    assert kills.digest(tmp_path, ["out"]) is None
    (tmp_path / "out").mkdir()
    empty = kills.digest(tmp_path, ["out"])
    (tmp_path / "out" / "a").write_text("half")
    assert len({empty, kills.digest(tmp_path, ["out"]), None}) == 3
