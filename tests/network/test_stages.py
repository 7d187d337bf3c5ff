"""Stages: what is main, what joins it, which values are stored; and operations on what a layer's sums leave over."""

import numpy as np
import pytest

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, OutputSpec, TensorType, affine, ops
from bitwright.network.stages import Rules, Stage, staged

U4, I8 = IntType(4), IntType(8, True)
CONV = ops.Conv2d(np.ones((2, 2, 2, 3)), IntType(1), (2, 1), (1, 0, 1, 0), pad_value=3, bias=[1, 2])
STEP = ops.Requantize(U4, shift=[3])
STREAM = Rules(stream=True, chain=9, argmax=True)
TWO = Rules(results=2, wire=False)


def build(*nodes, shape=(4, 5, 3)) -> Network:
    return Network(InputSpec(TensorType(shape, U4)), [Node(*node) for node in nodes])


def summary(found) -> list[tuple]:
    """(main operation, inputs, its results) of every stage."""
    return [(s.kind, s.inputs, [(r.name, [n.name for n in r.chain]) for r in s.results]) for s in found.stages]


CHAIN = build(
    ("conv", CONV, ("input",)),
    ("a", STEP, ("conv",)),
    ("b", STEP, ("a",)),
    ("flat", ops.Flatten(), ("b",)),
    ("c", STEP, ("flat",)),
    ("fc", ops.Dense(np.ones((3, 24)), IntType(1)), ("c",)),
    ("y", ops.ArgMax(), ("fc",)),
)


def test_a_stream_takes_in_chains_across_flatten():
    found = staged(CHAIN, STREAM)
    assert summary(found) == [
        ("Conv2d", ("input",), [("c", ["a", "b", "c"])]),
        ("Dense", ("c",), [("fc", [])]),
        ("ArgMax", ("fc",), [("y", [])]),
    ]
    assert not found.argmax
    assert found.stages[1].window.kernel == (1, 1)
    assert [t.shape for t in found.stages[1].input_types] == [(24,)]
    assert found.stages[0].nodes == ("conv", "a", "b", "c")


def test_stored_images_take_in_one_and_leave_argmax_to_the_output():
    nodes = [n for n in CHAIN.nodes if n.name != "c"]
    network = build(*((n.name, n.op, ("flat",) if n.name == "fc" else n.inputs) for n in nodes))
    found = staged(network, Rules())
    assert summary(found) == [
        ("Conv2d", ("input",), [("a", ["a"])]),
        ("Requantize", ("a",), [("b", ["b"])]),
        ("Dense", ("b",), [("fc", [])]),
    ]
    assert found.argmax
    assert (found.output, found.stored["flat"], found.stored["y"]) == ("fc", "b", "fc")
    assert found.stages[2].window.weights.shape == (3, 3, 4, 2)
    assert found.types["fc"].shape == (1, 1, 3)
    assert found.readers("b") == [(2, 0)]


def test_results_of_one_operation():
    network = build(
        ("conv", CONV, ("input",)),
        *[(f"r{k}", STEP, ("conv",)) for k in range(3)],
        ("wide", ops.Requantize(IntType(9)), ("conv",)),
        ("s", ops.Add(), ("r0", "r1")),
        ("t", ops.Add(), ("s", "r2")),
        ("u", ops.Add(), ("t", "conv")),
        ("y", ops.Add(), ("u", "wide")),
    )
    assert summary(staged(network, TWO))[:3] == [
        ("Conv2d", ("input",), [("r0", ["r0"]), ("r1", ["r1"])]),
        ("Conv2d", ("input",), [("r2", ["r2"]), ("wide", ["wide"])]),
        ("Conv2d", ("input",), [("conv", [])]),
    ]
    assert summary(staged(network, Rules()))[:2] == [
        ("Conv2d", ("input",), [("conv", [])]),
        ("Requantize", ("conv",), [("r0", ["r0"])]),
    ]


@pytest.mark.parametrize("rules", [STREAM, Rules()])
def test_a_network_that_computes_nothing_is_a_copy(rules):
    (stage,) = staged(build(("flat", ops.Flatten(), ("input",))), rules).stages
    assert (stage.name, stage.kind, stage.inputs, stage.nodes) == ("flat", "Copy", ("input",), ())
    assert staged(build(("flat", ops.Flatten(), ("input",))), TWO).stages == ()


def test_a_value_too_wide_to_be_stored_is_computed_anew_for_each_reader():
    """And once more where it leaves."""
    steps = [(f"r{k}", STEP, ("conv",)) for k in range(2)]
    nodes = [Node(*node) for node in (("conv", CONV, ("input",)), *steps, ("sum", ops.Add(), ("r0", "r1")))]
    ends = [OutputSpec(value=value, name=value) for value in ("conv", "sum")]
    network = Network(InputSpec(TensorType((4, 5, 3), U4)), nodes, ends)
    bits = network.types["conv"].dtype.bits
    assert summary(staged(network, Rules(widest=bits - 1))) == [
        ("Conv2d", ("input",), [("r0", ["r0"])]),
        ("Conv2d", ("input",), [("r1", ["r1"])]),
        ("Conv2d", ("input",), [("conv", [])]),
        ("Add", ("r0", "r1"), [("sum", [])]),
    ]
    assert summary(staged(network, Rules(widest=bits)))[0] == ("Conv2d", ("input",), [("conv", [])])


def test_what_leaves_and_is_read_is_copied_where_it_must_stand_apart():
    """One copy for all outputs of a value, right behind what makes it."""
    nodes = [
        Node("a", STEP, ("input",)),
        Node("b", ops.MaxPool((2, 1)), ("a",)),
        Node("flat", ops.Flatten(), ("a",)),
        Node("most", ops.ArgMax(), ("b",)),
    ]
    ends = [OutputSpec(value=value, name=value) for value in ("a", "flat", "most", "b")]
    network = Network(InputSpec(TensorType((4, 5, 3), U4)), nodes, ends)
    found = staged(network, Rules(apart=True))
    copy = found.outputs[0]
    assert summary(found) == [
        ("Requantize", ("input",), [("a", ["a"])]),
        ("Copy", ("a",), [(copy, [])]),
        ("MaxPool", ("a",), [("b", [])]),
    ]
    assert found.outputs == (copy, copy, "b", "b")
    assert found.argmaxes == (False, False, True, False)
    assert staged(network, Rules()).outputs == ("a", "a", "b", "b")


def test_an_input_that_is_only_flattened_is_stored_as_a_vector():
    network = build(("flat", ops.Flatten(), ("input",)), ("y", STEP, ("flat",)))
    assert staged(network, Rules()).types["input"].shape == (1, 1, 60)
    assert staged(network, STREAM).types["input"].shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("op", "kernel", "stride", "pads", "pad_value", "maximum"),
    [
        (CONV, (2, 2), (2, 1), (1, 0, 1, 0), 3, False),
        (ops.MaxPool((2, 3), (1, 2), (1, 0, 0, 2)), (2, 3), (1, 2), (1, 0, 0, 2), 0, True),
        (ops.SumPool((2, 3), (1, 2), (1, 0, 0, 2)), (2, 3), (1, 2), (1, 0, 0, 2), 0, False),
        (ops.Pad((1, 2, 3, 4), 5), (1, 1), (1, 1), (1, 2, 3, 4), 5, False),
        (ops.Resize((2, 2)), (1, 1), (1, 1), (0, 0, 0, 0), 0, False),
    ],
)
def test_windows(op, kernel, stride, pads, pad_value, maximum):
    (stage,) = staged(build(("n", op, ("input",))), Rules()).stages
    w = stage.window
    assert (w.kernel, w.stride, w.pads, w.pad_value, w.maximum) == (kernel, stride, pads, pad_value, maximum)
    assert w.multiplies == (op is CONV)
    assert isinstance(stage, Stage)


@pytest.mark.parametrize("seed", range(30))
def test_folded_operations_compute_the_same(seed):
    """On v what the operation does on scale * v + constant."""
    rng = np.random.default_rng(seed)
    scale, constant, v = int(rng.integers(1, 3)), rng.integers(-50, 50, 4), rng.integers(-60, 60, (30, 4))
    rows = np.sort(rng.integers(-150, 150, (1 + 3 * (seed % 2), 5)), axis=1)
    rows[0, -1] = np.iinfo(np.int64).max  # never
    rounding = list(ops.Rounding)[seed % 4]
    for op in (
        ops.Threshold(rows, IntType(5, True), rng.integers(-5, 5, 4), rng.choice([-1, 1], 4)),
        ops.Requantize(I8, rng.integers(-9, 9, 4), rng.integers(0, 5, 4), rng.integers(-99, 99, 4), 2, rounding),
    ):
        expected = op.evaluate(scale * v + constant)
        assert np.array_equal(affine.folded(op, scale, constant).evaluate(v), expected)
    lookup = ops.Lookup(I8, rng.integers(-8, 8, (1, 256)), IntType(4, True))
    x = np.clip(scale * v + constant, -128, 127)
    assert np.array_equal(affine.table(lookup, scale, constant, v.T).T, lookup.evaluate(x))


def test_a_constant_that_no_bias_holds_is_refused():
    with pytest.raises(affine.ModelError, match="passes 62 bits"):
        affine.folded(ops.Requantize(I8, [1 << 40]), 1, np.array([1 << 30]))
    assert affine.channels_of(ops.Threshold([[1], [2]], BIPOLAR, [-1], [2])) == 2
