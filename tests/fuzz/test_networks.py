"""A few of the networks of `python tests/fuzz/networks.py`, and that it sees what differs."""

import networks
import pytest


@pytest.mark.parametrize("seed", range(16))
def test_all_ways_to_compute_a_network_agree(seed):
    assert networks.differences(seed) == []


def test_a_wrong_value_is_seen(monkeypatch):
    run = networks.Evaluator.run

    def off(self, x, names=None):
        found = run(self, x, names)
        return {name: y + 1 for name, y in found.items()} if isinstance(found, dict) else found

    monkeypatch.setattr(networks.Evaluator, "run", off)
    assert networks.differences(0)
    assert len({networks.drawn(seed).digest for seed in range(16)}) == 16
    assert any(len(networks.drawn(seed).outputs) > 1 for seed in range(16))
