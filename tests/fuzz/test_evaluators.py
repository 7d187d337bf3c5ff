"""A few of the networks of `python tests/fuzz/evaluators.py`, and that it sees what differs."""

import evaluators
import pytest


@pytest.mark.parametrize("seed", range(16))
def test_all_ways_to_compute_a_network_agree(seed):
    assert evaluators.differences(seed) == []


def test_a_wrong_value_is_seen(monkeypatch):
    run = evaluators.Evaluator.run

    def off(self, x, names=None):
        found = run(self, x, names)
        return {name: y + 1 for name, y in found.items()} if isinstance(found, dict) else found

    monkeypatch.setattr(evaluators.Evaluator, "run", off)
    assert evaluators.differences(0)
    assert len({evaluators.drawn(seed).digest for seed in range(16)}) == 16
    assert any(len(evaluators.drawn(seed).outputs) > 1 for seed in range(16))
