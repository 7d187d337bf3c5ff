"""Circuits with several inputs and outputs: right under stalls, and with the cycles that the model counts."""

import pytest
from random_networks import random_input, random_ports

import bitwright as bw
from bitwright.tools.model import Stalls

SMALL = {"depth": (2, 4), "size": (3, 6), "channels": (2, 4), "accumulator_bits": 20}
SMALL |= {"activation_bits": (2, 4), "input_bits": (2, 4), "weight_bits": (1, 3)}


def check(seed: int) -> None:
    network = random_ports(seed, 1 + seed % 3, 2 + seed % 2, **SMALL)
    design = bw.compile(network, "tlmac")
    timed = bw.simulate(design, random_input(network, 40, seed), jobs=1)
    assert timed.first_mismatch() is None
    assert timed.latency_cycles == design.estimate.latency_cycles
    assert timed.interval_cycles == pytest.approx(design.estimate.interval_cycles, rel=0.02)
    stalled = bw.simulate(design, random_input(network, 8, 1), stalls=Stalls(seed, 0.3, 0.4), jobs=1)
    assert stalled.first_mismatch() is None


@pytest.mark.parametrize("seed", [2])
def test_frames_of_several_tensors(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 21))
def test_many_frames_of_several_tensors(seed):
    check(seed)
