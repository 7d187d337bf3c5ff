"""Hardware with several inputs and outputs: right under stalls, and with the cycles that the target counts."""

import math

import numpy as np
import pytest
from random_networks import random_input, random_ports

import bitwright as bw
from bitwright import targets
from bitwright.network import InputSpec, IntType, Network, Node, OutputSpec, TensorType, ops
from bitwright.network.passes import simplify
from bitwright.targets.contract import make_options
from bitwright.targets.rap.simulator.run import execute
from bitwright.targets.rap.target import TARGET as RAP
from bitwright.tools.model import Stalls

SHAPE = {"depth": (2, 4), "size": (3, 6), "channels": (2, 4), "accumulator_bits": 20}
SHAPE |= {"activation_bits": (2, 4), "input_bits": (2, 4), "weight_bits": (1, 3)}
SHAPE["roundings"] = ("floor", "half_up", "half_even", "half_away")
OPTIONS = {"tlmac": [{}], "rap": [{"size": 2, "param_words": 1 << 15}]}
OPTIONS["bitsys"] = [{"hardware": "small"}, {"hardware": "small", "batch": 3}]
FAST = [("tlmac", 2), ("bitsys", 2), ("bitsys", 9), ("bitsys", 27), ("rap", 2)]  # 27: rows joined, frames in batches


def check(name, seed) -> bool:
    """Whether the target takes the network; then it is computed, and in how many cycles is known."""
    network = simplify(random_ports(seed, 1 + seed % 3, 2 + seed % 2, **SHAPE))
    options = OPTIONS[name][seed % len(OPTIONS[name])]
    if targets.get(name).check(network, make_options(targets.get(name), options)):
        return False
    design = bw.compile(network, name, **options)
    timed = bw.simulate(design, random_input(network, 40, seed), jobs=1)
    assert timed.first_mismatch() is None
    if name != "rap":
        assert timed.latency_cycles == design.estimate.latency_cycles
    if name == "tlmac":
        assert timed.interval_cycles == pytest.approx(design.estimate.interval_cycles, rel=0.02, abs=2)
    else:
        assert math.ceil(timed.interval_cycles) == design.estimate.interval_cycles
    stalled = bw.simulate(design, random_input(network, 8, 1), stalls=Stalls(seed, 0.3, 0.4), jobs=1)
    assert stalled.first_mismatch() is None
    return True


@pytest.mark.parametrize(("name", "seed"), FAST)
def test_frames_of_several_tensors(name, seed):
    assert check(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", targets.names())
def test_many_frames_of_several_tensors(name):
    assert sum(check(name, seed) for seed in range(6, 30)) >= 12


@pytest.mark.parametrize("name", ["bitsys", "rap"])
def test_a_class_that_leaves_and_is_read_on_is_refused(name):
    """What sends it makes it: inside there are only the values that it is the place of."""
    t = TensorType((1, 1, 8), IntType(4))
    nodes = [Node("most", ops.ArgMax(), ("x",)), Node("twice", ops.Add(), ("most", "most"))]
    ends = [OutputSpec(value=value, name=value) for value in ("most", "twice")]
    network = Network(InputSpec(t, name="x"), nodes, ends)
    target = targets.get(name)
    (problem,) = target.check(network, make_options(target, {}))
    assert str(problem) == "most: ArgMax stands before the output; legal: ArgMax as the last node"


@pytest.mark.parametrize("block", range(3))
def test_programs_of_several_tensors(block):
    """The instruction-set simulator takes and gives the elements of all tensors of a frame one after the other."""
    computed = 0
    for seed in range(20 * block, 20 * block + 20):
        network = simplify(random_ports(seed, 1 + seed % 4, 1 + seed % 3, **SHAPE))
        options = RAP.options(size=(2, 4, 8)[seed % 3], param_words=1 << 15)
        if RAP.check(network, options):
            continue
        plan = RAP.plan(network, options)
        x = random_input(network, 3, seed)
        given = [x] if len(network.inputs) == 1 else [x[name] for name in network.input_names]
        frames = np.concatenate([part.reshape(3, -1) for part in given], axis=1)
        types = [network.types[name] for name in network.output_values]
        done = execute(options.machine, plan.code.program, frames, sum(t.size for t in types))
        y = network.evaluator.run(x)
        expected = [y] if len(types) == 1 else [y[spec.name] for spec in network.outputs]
        ends = np.cumsum([t.size for t in types])[:-1]
        for t, found, wanted in zip(types, np.split(done.outputs, ends, axis=1), expected, strict=True):
            assert np.array_equal(t.dtype.decode(found).reshape(wanted.shape), wanted), seed
        assert done.counters["cycles"] == 3 * plan.estimate.interval_cycles - 1, seed
        computed += 1
    assert computed > 8
