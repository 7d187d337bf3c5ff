"""Networks on the array processor: evaluation, simulator, cost model and RTL agree, in results and in cycles."""

import numpy as np
import pytest
from random_networks import random_input
from rap_cases import CASES, OPERATIONS, conv, depthwise, image_network

import bitwright as bw
from bitwright.errors import ModelError, OptionError
from bitwright.fast.evaluator import Evaluator
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.graph import evaluate
from bitwright.network.types import BIPOLAR
from bitwright.targets.contract import accepted
from bitwright.targets.rap.simulator.run import execute
from bitwright.targets.rap.target import TARGET
from bitwright.tools.model import Stalls

ALL = frozenset(ops.OPS)
ALL_BLOCKS = [(ALL, 2, 6), (ALL, 3, 6), (ALL, 6, 7)]
FRAMES = 3


def options_of(seed):
    return TARGET.options(
        size=(4, 2, 8)[seed % 3], lane_bits=(4, 4, 8, 16)[seed % 4], reuse=seed % 5 != 0, param_words=65536
    )


def run(network, options, x):
    """(outputs, counters, plan) of the simulator."""
    plan = accepted(TARGET, network, options)
    done = execute(options.machine, plan.code.program, x.reshape(len(x), -1), network.output_type.size)
    outputs = network.output_type.dtype.decode(done.outputs).reshape(len(x), *network.output_type.shape)
    return outputs, done.counters, plan


# Lookups of many levels, products of wide values and channels side by side that fill no words are refused, so fewer
# networks compile with all.
@pytest.mark.parametrize(("operations", "block", "least"), [*((OPERATIONS, i, 8) for i in range(8)), *ALL_BLOCKS])
def test_random_networks(random_network, operations, block, least):
    compiled = 0
    for seed in range(10 * block, 10 * block + 10):
        network, options = random_network(seed, operations=operations), options_of(seed)
        if TARGET.check(network, options):
            continue
        compiled += 1
        x = random_input(network, FRAMES, seed)
        outputs, counters, plan = run(network, options, x)
        assert np.array_equal(outputs, evaluate(network, x)[network.output_name]), seed
        assert counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1, seed
        for name in ("a_reads", "b_reads", "writes"):
            inner = sum(layer.details.get(name, 0) for layer in plan.estimate.layers)
            assert counters[name] == FRAMES * (inner + frame_words(plan, name)), (seed, name)
    assert compiled >= least


def frame_words(plan, name):
    """Words that IN writes and OUT reads."""
    values = {"a_reads": plan.sent, "writes": plan.received}.get(name, ())
    return sum(value.image_words for value in values)


@pytest.mark.parametrize("stalls", [None, Stalls(seed=3)], ids=["free", "stalled"])
@pytest.mark.parametrize("seed", [1, 3, 12, 15])
def test_random_networks_in_rtl(random_network, seed, stalls):
    network = random_network(seed, operations=OPERATIONS)
    x = random_input(network, FRAMES, seed)
    _, counters, plan = run(network, TARGET.options(), x)
    result = bw.simulate(TARGET.emit(plan), x, stalls=stalls)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_operations(case, reuse):
    network = image_network(CASES[case](np.random.default_rng(1)))
    x = random_input(network, FRAMES, 2)
    outputs, counters, plan = run(network, TARGET.options(reuse=reuse), x)
    assert np.array_equal(outputs, Evaluator(network).run(x))
    assert counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1


@pytest.mark.parametrize("stalls", [None, Stalls(seed=5)], ids=["free", "stalled"])
def test_parameters_that_all_channels_share_lie_in_the_memory_once(stalls):
    """Two slots: one with 20 thresholds for all of 24 channels, in six words, and one with a word a channel."""
    rng = np.random.default_rng(3)
    steps = ops.Threshold([np.arange(-200, 200, 20)], IntType(5))
    each = ops.Requantize(IntType(4), rng.integers(1, 9, 24), 9)
    nodes = (
        Node("a", conv(rng, 24, 3, 8), (INPUT,)), Node("t", steps, ("a",)), Node("r", each, ("a",)),
        Node("s", ops.Add(), ("t", "r")),
    )  # fmt: skip
    network = Network(InputSpec(TensorType((6, 7, 8), IntType(4))), nodes)
    x = random_input(network, FRAMES, 2)
    outputs, counters, plan = run(network, TARGET.options(), x)
    assert np.array_equal(outputs, Evaluator(network).run(x))
    assert plan.code.param_words == 6 + 24
    result = bw.simulate(TARGET.emit(plan), x, stalls=stalls)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


def test_sums_that_share_operands_have_lanes_of_one_width():
    """A later Add that widens the lanes of a value widens those of the others that it was added to before."""
    narrow, wide = ops.Requantize(IntType(4, True)), ops.Requantize(IntType(7, True), 5)
    nodes = (
        Node("a", narrow, (INPUT,)), Node("b", narrow, (INPUT,)), Node("c", wide, (INPUT,)),
        Node("ab", ops.Add(), ("a", "b")), Node("ac", ops.Add(), ("a", "c")), Node("y", ops.Add(), ("ab", "ac")),
    )  # fmt: skip
    network = Network(InputSpec(TensorType((2, 3, 8), IntType(4, True))), nodes)
    x = random_input(network, FRAMES, 2)
    assert np.array_equal(run(network, TARGET.options(), x)[0], Evaluator(network).run(x))


def concat_network():
    """Channels of an image and of a narrower and a wider result of it, side by side."""
    rng = np.random.default_rng(4)
    left = ops.Requantize(IntType(2), 3, 4)
    right = ops.Requantize(IntType(7, True), np.arange(1, 14), 5)
    nodes = (
        Node("a", conv(rng, 8, 3, 8, pads=(1, 1, 1, 1)), (INPUT,)), Node("aq", left, ("a",)),
        Node("b", conv(rng, 13, 1, 8), (INPUT,)), Node("bq", right, ("b",)),
        Node("ab", ops.Concat(), ("aq", "bq")), Node("all", ops.Concat(), (INPUT, "ab")),
        Node("larger", ops.Resize((2, 1)), ("all",)), Node("last", conv(rng, 5, 3, 29), ("larger",)),
    )  # fmt: skip
    return Network(InputSpec(TensorType((6, 7, 8), IntType(4))), nodes)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_concat(size):
    network, options = concat_network(), TARGET.options(size=size)
    x = random_input(network, FRAMES, 3)
    outputs, counters, plan = run(network, options, x)
    assert np.array_equal(outputs, evaluate(network, x)[network.output_name])
    assert counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1
    inner = sum(layer.details.get("writes", 0) for layer in plan.estimate.layers)
    assert counters["writes"] == FRAMES * (inner + frame_words(plan, "writes"))


def argmax_network(shape, bits, signed, outputs=0):
    """The place of the largest channel of the input, or of `outputs` accumulators of every pixel."""
    product = [conv(np.random.default_rng(5), outputs, 1, shape[-1], bias=np.arange(outputs))] if outputs else []
    node_ops = [*product, ops.ArgMax()]
    nodes = [Node(f"n{i}", op, (f"n{i - 1}" if i else INPUT,)) for i, op in enumerate(node_ops)]
    return Network(InputSpec(TensorType(shape, IntType(bits, signed))), tuple(nodes))


ARGMAX = {
    "unsigned": ((3, 4, 5), 4, False),
    "signed": ((3, 4, 6), 7, True),
    "wide": ((2, 3, 4), 16, True, 9),
    "vector": ((13,), 2, True),
    "one channel": ((2, 2, 1), 3, False),
    "many channels": ((1, 2, 300), 16, False),
}


@pytest.mark.parametrize("case", ARGMAX)
def test_argmax_is_the_first_of_the_largest(case):
    network = argmax_network(*ARGMAX[case])
    x = random_input(network, FRAMES, 6)
    outputs, counters, plan = run(network, TARGET.options(), x)
    assert np.array_equal(outputs, evaluate(network, x)[network.output_name])
    assert counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1


@pytest.mark.parametrize("stalls", [None, Stalls(seed=4)], ids=["free", "stalled"])
@pytest.mark.parametrize("case", ARGMAX)
def test_argmax_in_rtl(case, stalls):
    network = argmax_network(*ARGMAX[case])
    x = random_input(network, FRAMES, 6)
    _, counters, plan = run(network, TARGET.options(), x)
    result = bw.simulate(TARGET.emit(plan), x, stalls=stalls)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


def test_concat_in_rtl():
    network = concat_network()
    x = random_input(network, FRAMES, 3)
    _, counters, plan = run(network, TARGET.options(), x)
    result = bw.simulate(TARGET.emit(plan), x)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


@pytest.mark.parametrize(("channels", "layers"), [(6, 5), (8, 4)])
def test_channels_side_by_side_that_begin_within_a_word_are_products(channels, layers):
    rng = np.random.default_rng(4)
    a, b = (Node(name, conv(rng, channels, 3, 8, pads=(1, 1, 1, 1)), (INPUT,)) for name in "ab")
    network = Network(InputSpec(TensorType((4, 4, 8), IntType(2))), (a, b, Node("ab", ops.Concat(), ("a", "b"))))
    x = rng.integers(0, 4, (3, 4, 4, 8))
    outputs, _, plan = run(network, TARGET.options(), x)
    assert np.array_equal(outputs, evaluate(network, x)["ab"])
    assert len(plan.layers) == layers


LOWERED = {
    "bipolar table": [ops.Lookup(IntType(4), np.where(np.arange(16) % 5 < [[2], [3]], 1, -1), BIPOLAR)],
    "bipolar step": [ops.Lookup(IntType(4), np.where(np.arange(16) < [[5], [16]], 1, -1), BIPOLAR)],
    "rises and falls": [ops.Lookup(IntType(4), np.stack([np.arange(16), 15 - np.arange(16)]), IntType(4))],
    "no step": [ops.Threshold([[3, 9], [4, 5]], IntType(3), [2, 1], [0, 1])],
    "many thresholds": [ops.Threshold([np.sort(np.arange(5000) % 16)], IntType(13))],
    "flatten for the largest": [ops.Flatten(), ops.ArgMax()],
    "flatten": [ops.Flatten(), ops.Threshold(np.arange(24)[:, None] % 16, IntType(1))],
}


@pytest.mark.parametrize("name", LOWERED)
def test_what_no_slot_computes_is_lowered(name):
    rng = np.random.default_rng(6)
    names = [INPUT, "first", *(f"n{k}" for k in range(len(LOWERED[name])))]
    steps = [ops.MaxPool((2, 1), (1, 1)), *LOWERED[name]]
    nodes = [Node(after, op, (before,)) for before, after, op in zip(names, names[1:], steps, strict=False)]
    network = Network(InputSpec(TensorType((5, 3, 2), IntType(4))), nodes)
    x = rng.integers(0, 16, (8, 5, 3, 2))
    outputs, _, _ = run(network, TARGET.options(param_words=1 << 16), x)
    assert np.array_equal(outputs, evaluate(network, x)[network.output_name])
    assert len(np.unique(outputs)) > 1


def test_outputs_may_be_wider_than_the_operands():
    """8-bit operands are multiplied in 8-bit lanes and their result is stored with 16 bits."""
    rng = np.random.default_rng(8)
    weight = rng.integers(-128, 128, (8, 3, 3, 8))
    nodes = [ops.Conv2d(weight, IntType(8, True)), ops.Requantize(IntType(16, True), 311, 11)]
    network = image_network(nodes, bits=8)
    x = random_input(network, FRAMES, 9)
    _, counters, plan = run(network, TARGET.options(), x)
    assert (plan.layers[0].source[0].bits, plan.layers[0].target[0].bits) == (8, 16)
    result = bw.simulate(TARGET.emit(plan), x)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


def test_the_systolic_mapping_passes_columns_between_neighbors():
    plan = TARGET.plan(image_network(CASES["systolic"](np.random.default_rng(1))), TARGET.options())
    assert {step.source for step in plan.layers[0].body.steps} == {"none", "bus", "north", "south"}


def wide_network(bits=8):
    """Depthwise layers whose channels fill lines or do not, a pool, a sum of maps and channels side by side."""
    rng = np.random.default_rng(13)
    step = ops.Requantize(IntType(bits), rng.integers(1, 99, 24), 9 + bits // 4)
    nodes = (
        Node("a", depthwise(rng, 24, 3, bits, pads=(1, 1, 1, 1), bias=rng.integers(-99, 99, 24)), (INPUT,)),
        Node("aq", step, ("a",)),
        Node("b", depthwise(rng, 24, 5, bits, stride=(1, 1), pads=(2, 2, 2, 2)), ("aq",)),
        Node("bq", step, ("b",)),
        Node("sum", ops.Add(), ("aq", "bq")), Node("sq", ops.Requantize(IntType(bits), 1, 1), ("sum",)),
        Node("m", conv(rng, 13, 1, 24), ("sq",)), Node("mq", ops.Requantize(IntType(bits), 3, 9), ("m",)),
        Node("d", depthwise(rng, 13, 3, bits, stride=(2, 2)), ("mq",)),
        Node("dq", ops.Requantize(IntType(bits), 3, 9), ("d",)),
        Node("p", ops.MaxPool((3, 3), (2, 2)), ("sq",)), Node("both", ops.Concat(), ("p", "dq")),
        Node("all", ops.SumPool((4, 6)), ("both",)), Node("y", ops.Requantize(IntType(16, True), 5, 2), ("all",)),
    )  # fmt: skip
    return Network(InputSpec(TensorType((9, 13, 24), IntType(bits))), nodes)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_separate_lanes_use_all_columns(size, bits):
    network, options = wide_network(bits), TARGET.options(size=size)
    x = random_input(network, FRAMES, 14)
    outputs, counters, plan = run(network, options, x)
    assert np.array_equal(outputs, evaluate(network, x)[network.output_name])
    assert counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1
    for name in ("a_reads", "b_reads", "writes"):
        inner = sum(layer.details.get(name, 0) for layer in plan.estimate.layers)
        assert counters[name] == FRAMES * (inner + frame_words(plan, name)), name
    cols = {layer.layer.name: layer.cols for layer in plan.layers}
    assert (cols["b"], cols["all"]) == (size, size)


@pytest.mark.parametrize("stalls", [None, Stalls(seed=5)], ids=["free", "stalled"])
@pytest.mark.parametrize("size", [2, 4])
def test_separate_lanes_in_rtl(size, stalls):
    network = wide_network()
    x = random_input(network, FRAMES, 14)
    _, counters, plan = run(network, TARGET.options(size=size), x)
    result = bw.simulate(TARGET.emit(plan), x, stalls=stalls)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


def test_pixels_begin_on_lines_only_where_there_is_room():
    """10 channels of 8 bits are 5 words, with those that are computed 6; two lines of 4 where there is room."""
    rng = np.random.default_rng(15)
    step = ops.Requantize(IntType(8), 3, 9)
    network = image_network([depthwise(rng, 10, 3), step, depthwise(rng, 10, 3), step], shape=(12, 12, 10), bits=8)
    x = random_input(network, FRAMES, 2)
    found = []
    for words in (1024, 460):
        outputs, _, plan = run(network, TARGET.options(a_words=words), x)
        assert np.array_equal(outputs, Evaluator(network).run(x))
        found.append([(layer.cols, layer.source[0].pitch) for layer in plan.layers])
    assert found == [[(4, 8), (4, 8)], [(1, 6), (1, 6)]]


@pytest.mark.slow
@pytest.mark.parametrize("stalls", [None, Stalls(seed=5)], ids=["free", "stalled"])
@pytest.mark.parametrize("options", [{"torus": True}, {"size": 8}, {"size": 2}], ids=["torus", "8x8", "2x2"])
def test_other_grids_in_rtl(options, stalls):
    rng = np.random.default_rng(11)
    low = ops.Requantize(IntType(4), rng.integers(1, 99, 16), 9)
    layers = [conv(rng, 16, 3, 8, pads=(1, 1, 1, 1)), low, depthwise(rng, 16, 5, 4, pads=(2, 2, 2, 2)), low]
    layers += [ops.MaxPool((2, 2), (2, 2)), conv(rng, 9, 3, 16)]
    network = image_network([*layers, ops.ArgMax()], shape=(10, 13, 8))
    x = random_input(network, FRAMES, 12)
    outputs, counters, plan = run(network, TARGET.options(**options), x)
    assert np.array_equal(outputs, evaluate(network, x)[network.output_name])
    result = bw.simulate(TARGET.emit(plan), x, stalls=stalls)
    assert result.bit_exact
    assert result.counters == counters | {"errors": 0}


def test_one_build_serves_networks_of_all_widths():
    rng = np.random.default_rng(3)
    last = ops.Requantize(IntType(8, True), 3, 9)
    designs = [bw.compile(image_network([conv(rng, 8, 3, 8), last], bits=b), target="rap") for b in (1, 4, 8, 16)]
    assert len({design.digest for design in designs}) == 1
    assert len({design.program.tobytes() for design in designs}) == len(designs)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([ops.ArgMax(), ops.MaxPool((1, 1))], "n0: ArgMax stands before the output; legal: ArgMax as the last node"),
        (
            [ops.Pad((0, 0, 11, 11)), ops.Flatten(), ops.ArgMax()],
            "n1: it puts 2888 elements in another order; legal: at most 1024, or Flatten before Dense or at the end",
        ),
        ([ops.Flatten(), ops.MaxPool((1, 1))], "takes a value of shape"),
        ([ops.SumPool((8, 8)), ops.Add()], "takes 2 inputs"),
    ],
)
def test_refusals(nodes, message):
    with pytest.raises(ModelError, match=message):
        accepted(TARGET, image_network(nodes), TARGET.options())


def test_a_wide_value_between_layers_is_refused():
    network = image_network([conv(np.random.default_rng(0), 4, 3, 8), ops.MaxPool((2, 2))], bits=16)
    (problem,) = TARGET.check(network, TARGET.options())
    assert str(problem).startswith("n0: int")
    assert "at most 16 bits" in problem.legal


def test_memories_that_are_too_small_are_named():
    network = image_network(CASES["systolic"](np.random.default_rng(1)))
    (problem,) = TARGET.check(network, TARGET.options(a_words=16))
    assert problem.legal == "the option a_words of at least 160"
    with pytest.raises(ModelError, match="weights do not fit 16; legal: b_words of at least 36"):
        accepted(TARGET, network, TARGET.options(b_words=16))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 3}, "size is 3; legal are 2, 4 and 8"),
        ({"lane_bits": 5}, "lane_bits is 5; legal are 4, 8 and 16"),
        ({"a_words": 1 << 18}, "a_words is 262144; legal are 2 to 131072"),
        ({"reuse": 1}, "reuse is 1; legal are true and false"),
    ],
)
def test_options(values, message):
    with pytest.raises(OptionError, match=message):
        TARGET.options(**values)
