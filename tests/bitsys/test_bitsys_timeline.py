"""The cycle model of whole batches: the cycle in which every frame leaves, whatever sets the pace."""

from pathlib import Path

import numpy as np
import pytest
from contract_network import branches
from random_networks import random_input

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, OutputSpec, TensorType, ops
from bitwright.network.passes import simplify
from bitwright.simulation import compile_model, simulate, stream_words
from bitwright.targets import contract, get
from bitwright.targets.bitsys.model import timeline
from bitwright.targets.bitsys.planning import accelerator
from bitwright.tools.model import Stalls

TARGET = get("bitsys")
HARDWARE = Path(__file__).parent / "hardware"
INT2, UINT4 = IntType(2, True), IntType(4)
STEP = ops.Requantize(UINT4, shift=[3])
WIDE = ops.Requantize(IntType(12), multiplier=[3])


def weights(outputs, *shape):
    return np.random.default_rng(outputs).integers(-2, 2, (outputs, *shape))


def network(shape, *operations, dtype=UINT4):
    names = ["input", *(f"n{k}" for k in range(len(operations)))]
    nodes = [Node(names[k + 1], op, (names[k],)) for k, op in enumerate(operations)]
    return Network(InputSpec(TensorType(shape, dtype)), nodes)


def pair(small, large):
    """Two inputs that are added behind a pool, and as outputs the sum, its largest channel and the pool."""
    a, b = TensorType((1, 1, 11), UINT4), TensorType((large, large, 11), UINT4)
    nodes = [
        Node("pool", ops.MaxPool((large, large)), ("b",)),
        Node("sum", ops.Add(), ("a", "pool")),
        Node("most", ops.ArgMax(), ("sum",)),
    ]
    ends = [OutputSpec(value=value, name=value) for value in ("sum", "pool", "most")]
    inputs = (InputSpec(a, name="a"), InputSpec(b, name="b"))
    return Network(inputs if small else inputs[::-1], nodes, ends)


NETWORKS = {
    "branches": simplify(branches()),
    "small_input_first": pair(True, 5),
    "small_input_last": pair(False, 3),
    "layers": network((6, 6, 8), ops.Conv2d(weights(24, 3, 3, 8), INT2), STEP, ops.Conv2d(weights(9, 2, 2, 24), INT2)),
    "output": network((4, 4, 8), ops.Conv2d(weights(33, 1, 1, 8), INT2)),
    "input": network((10, 10, 3), STEP, ops.MaxPool((5, 5), (5, 5))),
    "input_and_results": network((6, 6, 3), WIDE, STEP, ops.MaxPool((3, 3), (3, 3))),
    "either": network((9, 8, 5), ops.Conv2d(weights(8, 1, 1, 5), INT2), STEP, ops.SumPool((9, 8))),
    "compared": network((7, 5, 9), ops.MaxPool((2, 2)), ops.ArgMax()),
    "one_channel_more": network((40,), ops.Dense(weights(17, 40), INT2)),
    "many_weights": network(
        (4, 4, 8), ops.Conv2d(weights(40, 3, 3, 8), INT2), STEP, ops.Conv2d(weights(70, 2, 2, 40), INT2)
    ),
}


@pytest.mark.parametrize("unit", ["container", "container_stream", "bitplane"])
def test_every_frame_leaves_when_the_model_says(unit, bitsys_cache):
    """Input, layers, output, weights or two of them set the pace; batches of one and of more frames."""
    for name, net in NETWORKS.items():
        for batch in (1, 3):
            options = TARGET.options(hardware=str(HARDWARE / f"{unit}.toml"), batch=batch)
            plan = contract.accepted(TARGET, net, options)
            design = TARGET.emit(plan)
            x = random_input(net, 8 * batch, 1)
            words = {"m_axis": len(x) * design.output.words}
            model = compile_model(design, cache_dir=bitsys_cache)
            run = model.run(stream_words(design, x), words, program=design.program)
            found = (run.produced["m_axis"] - run.accepted["s_axis"][0])[design.output.words - 1 :: design.output.words]
            assert found.tolist() == timeline.frame_ends(accelerator(plan), 8).tolist(), f"{name}, batch {batch}"


@pytest.mark.parametrize(("name", "batch"), [("output", 1), ("input_and_results", 2), ("many_weights", 3)])
def test_simulation_measures_the_estimate(name, batch, bitsys_cache):
    """Also where there are fewer frames than batches to time."""
    options = TARGET.options(hardware=str(HARDWARE / "container_stream.toml"), batch=batch)
    plan = contract.accepted(TARGET, NETWORKS[name], options)
    x = np.random.default_rng(1).integers(0, 16, (5, *NETWORKS[name].input.type.shape))
    result = simulate(TARGET.emit(plan), x, jobs=1, cache_dir=bitsys_cache)
    assert result.bit_exact
    assert np.ceil(result.interval_cycles) == plan.estimate.interval_cycles
    assert result.latency_cycles == plan.estimate.latency_cycles


@pytest.mark.parametrize("name", ["branches", "small_input_last"])
def test_a_batch_of_several_tensors_that_is_not_full(name, bitsys_cache):
    """A batch starts after a pause between frames, and never between the tensors of one."""
    options = TARGET.options(hardware=str(HARDWARE / "container.toml"), batch=3)
    plan = contract.accepted(TARGET, NETWORKS[name], options)
    x = random_input(NETWORKS[name], 7)
    stalls = Stalls(seed=2, input=0.995, output=0.4)  # pauses are longer than the one that starts a batch
    result = simulate(TARGET.emit(plan), x, stalls=stalls, jobs=1, cache_dir=bitsys_cache)
    assert result.first_mismatch() is None
    assert result.counters["batches"] > 3


def test_a_layer_that_waits_for_the_output_is_counted_apart(bitsys_cache):
    options = TARGET.options(hardware=str(HARDWARE / "container.toml"))
    plan = contract.accepted(TARGET, NETWORKS["output"], options)
    x = np.random.default_rng(1).integers(0, 16, (6, *NETWORKS["output"].input.type.shape))
    counters = simulate(TARGET.emit(plan), x, jobs=1, cache_dir=bitsys_cache).counters
    assert counters["cycles_output"] > 0
    working = counters["cycles_busy"] - counters["cycles_output"]
    assert working == 6 * sum(layer.details["cycles_batch"] for layer in plan.estimate.layers)


@pytest.mark.parametrize("dtype", [BIPOLAR, INT2])
def test_frames_of_more_than_2_to_the_17_elements(dtype):
    """The input stage counts all elements that its memory can hold."""
    net = network((32, 32, 136), ops.SumPool((32, 32)), dtype=dtype)
    plan = contract.accepted(TARGET, net, TARGET.options(hardware="small"))
    x = np.random.default_rng(1).choice(dtype.values(), (3, 32, 32, 136))
    result = simulate(TARGET.emit(plan), x, jobs=1)
    assert result.bit_exact, result.first_mismatch()
    assert np.ceil(result.interval_cycles) == plan.estimate.interval_cycles
