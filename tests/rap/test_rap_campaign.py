"""Networks and options of the random campaign: evaluation, simulator, estimate and RTL agree, in every counter."""

import hardware
import numpy as np
import pytest
from random_networks import random_input, random_network

import bitwright as bw
from bitwright.network.graph import evaluate
from bitwright.network.passes import simplify
from bitwright.targets.contract import Refusal, make_options
from bitwright.targets.rap.simulator.run import execute
from bitwright.targets.rap.target import TARGET
from bitwright.tools.model import Stalls

FRAMES = 3


def simulated(seed):
    """(plan, input, counters of the simulator) of a seed's network; None where it is refused."""
    campaign = hardware.campaign("rap")
    shape, values = hardware.drawn(campaign, seed, {})
    network, options = simplify(random_network(seed, **campaign["shapes"][shape])), make_options(TARGET, values)
    plan = TARGET.plan(network, options)
    if isinstance(plan, Refusal):
        assert TARGET.check(network, options) == list(plan.problems)
        return None
    x = random_input(network, FRAMES, seed)
    done = execute(options.machine, plan.code.program, x.reshape(FRAMES, -1), network.output_type.size)
    outputs = network.output_type.dtype.decode(done.outputs).reshape(FRAMES, *network.output_type.shape)
    assert np.array_equal(outputs, evaluate(network, x)[network.output_name]), seed
    assert done.counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1, seed
    return plan, x, done.counters


def test_simulator_and_estimate():
    found = [simulated(seed) for seed in range(60)]
    assert sum(made is not None for made in found) >= 30


@pytest.mark.slow
def test_counters_of_the_rtl():
    tried = 0
    for seed in range(30):
        made = simulated(seed)
        if made is None:
            continue
        plan, x, counters = made
        design = TARGET.emit(plan)
        for stalls in (None, Stalls(seed, 0.3, 0.5)):
            result = bw.simulate(design, x, stalls=stalls)
            assert result.bit_exact, seed
            assert result.counters == counters | {"errors": 0}, seed
        tried += 1
    assert tried >= 15
