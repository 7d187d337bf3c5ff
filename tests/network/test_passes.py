"""Every pass keeps the output, and does what it is there for."""

import numpy as np
import pytest
from random_networks import random_input

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType, evaluate, ops, passes

STEPS = [*passes.PASSES, passes.simplify]


@pytest.mark.parametrize("step", STEPS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(25))
def test_the_output_stays(random_network, step, seed):
    network = random_network(seed, depth=(3, 10))
    x = random_input(network, 5, seed)
    after = step(network)
    expected = evaluate(network, x)[network.output_name]
    np.testing.assert_array_equal(evaluate(after, x)[after.output_name], expected)
    assert after.output_type.shape == network.output_type.shape


def build(shape, *nodes, bits=4) -> Network:
    return Network(InputSpec(TensorType(shape, IntType(bits, True))), [Node(*n) for n in nodes])


def same_output(a: Network, b: Network) -> None:
    x = random_input(a, 20)
    np.testing.assert_array_equal(evaluate(a, x)[a.output_name], evaluate(b, x)[b.output_name])


def kinds(network: Network) -> list[str]:
    return [type(n.op).__name__ for n in network.nodes]


W = np.arange(-4, 4).reshape(2, 1, 1, 4)
WEIGHT = ops.Conv2d(W, IntType(4, True), bias=[3, -2])


def test_trivial_nodes_go():
    network = build(
        (3, 3, 4),
        ("a", ops.Requantize(IntType(4, True)), ("input",)),
        ("b", ops.MaxPool((1, 1)), ("a",)),
        ("c", ops.Pad((0, 0, 0, 0)), ("b",)),
        ("d", ops.Resize((1, 1)), ("c",)),
        ("e", ops.Lookup(IntType(4, True), np.arange(-8, 8)[None], IntType(4, True)), ("d",)),
        ("f", WEIGHT, ("e",)),
        ("g", ops.Flatten(), ("f",)),
        ("h", ops.Flatten(), ("g",)),
    )
    after = passes.remove_trivial(network)
    assert kinds(after) == ["Conv2d", "Flatten"]
    same_output(network, after)


def test_a_network_of_trivial_nodes_keeps_one():
    network = build((3,), ("a", ops.Flatten(), ("input",)), ("b", ops.Flatten(), ("a",)))
    assert len(passes.remove_trivial(network).nodes) == 1


def test_pads_move_into_convolutions():
    network = build((3, 3, 4), ("p", ops.Pad((1, 2, 0, 1), value=5), ("input",)), ("c", WEIGHT, ("p",)))
    after = passes.fold_pads(network)
    assert kinds(after) == ["Conv2d"]
    assert after.nodes[0].op.pads == (1, 2, 0, 1)
    same_output(network, after)


def test_pads_of_another_value_stay():
    conv = ops.Conv2d(W, IntType(4, True), pads=(1, 1, 1, 1))
    network = build((3, 3, 4), ("p", ops.Pad((1, 2, 0, 1), value=5), ("input",)), ("c", conv, ("p",)))
    assert passes.fold_pads(network) is network


def test_equal_nodes_are_computed_once():
    step = ops.Threshold([[0, 3, 5]], IntType(2))
    network = build(
        (4,),
        ("a", step, ("input",)),
        ("b", step, ("input",)),
        ("c", ops.Add(), ("a", "b")),
    )
    after = passes.merge_equal(network)
    assert kinds(after) == ["Threshold", "Add"]
    same_output(network, after)


def test_biases_move_into_steps():
    network = build(
        (3, 3, 4),
        ("c", WEIGHT, ("input",)),
        ("t", ops.Threshold([[-5, 0, 9]], IntType(2)), ("c",)),
        ("r", ops.Requantize(IntType(2), [3, -2], [4], [7]), ("c",)),
        ("s", ops.Add(), ("t", "r")),
    )
    after = passes.fold_biases(network)
    assert after.node("c").op.bias is None
    same_output(network, after)


def test_a_bias_that_something_else_reads_stays():
    network = build(
        (3, 3, 4),
        ("c", WEIGHT, ("input",)),
        ("t", ops.Threshold([[-5, 0, 9]], IntType(2)), ("c",)),
        ("s", ops.Add(), ("t", "c")),
    )
    assert passes.fold_biases(network) is network


def test_falling_channels_rise():
    falling = ops.Threshold([[-5, 0, 9], [-1, 2, 2]], IntType(2), [3, 0], [-1, 1])
    network = build((3, 3, 4), ("c", WEIGHT, ("input",)), ("t", falling, ("c",)))
    after = passes.flip_falling(network)
    assert after.node("t").op.step.tolist() == [1, 1]
    assert np.array_equal(after.node("c").op.weight[0], -W[0])
    same_output(network, after)
    sign = ops.Threshold([[2]], BIPOLAR, [1], [-2])
    network = build((3, 3, 4), ("c", WEIGHT, ("input",)), ("t", sign, ("c",)))
    after = passes.flip_falling(network)
    assert after.node("t").op.step.tolist() == [2, 2]
    same_output(network, after)


def test_weights_that_cannot_be_negated_stay():
    narrow = ops.Conv2d(np.array([-2, 0, 1, 1]).reshape(1, 1, 1, 4), IntType(2, True))
    falling = ops.Threshold([[0]], IntType(1), 1, -1)
    network = build((3, 3, 4), ("c", narrow, ("input",)), ("t", falling, ("c",)))
    assert passes.flip_falling(network) is network


def picking(channels, *chosen):
    return ops.Conv2d(np.eye(channels, dtype=int)[list(chosen)].reshape(-1, 1, 1, channels), IntType(1))


def test_halves_of_a_value_are_computed_apart():
    step = ops.Threshold([[-5, 0, 9], [-1, 2, 2], [1, 2, 3], [0, 0, 7]], IntType(2))
    wide = ops.Conv2d(np.arange(-8, 8).reshape(4, 1, 1, 4), IntType(5, True), bias=[3, -2, 0, 9])
    network = build(
        (3, 3, 4),
        ("c", wide, ("input",)),
        ("t", step, ("c",)),
        ("a", picking(4, 0, 1), ("t",)),
        ("b", picking(4, 3, 2), ("t",)),
        ("s", ops.Add(), ("a", "b")),
    )
    after = passes.fold_selections(network)
    assert sorted(kinds(after)) == ["Add", "Conv2d", "Conv2d", "Threshold", "Threshold"]
    assert [n.op.weight.shape[0] for n in after.nodes if isinstance(n.op, ops.Conv2d)] == [2, 2]
    same_output(network, after)


def test_a_selection_goes_into_the_weights_behind_it():
    conv = ops.Conv2d(np.arange(-4, 4).reshape(1, 2, 2, 2), IntType(4, True), pads=(1, 0, 0, 1), pad_value=3)
    network = build((3, 3, 4), ("a", picking(4, 3, 1), ("input",)), ("c", conv, ("a",)))
    after = passes.fold_selections(network)
    assert kinds(after) == ["Conv2d"]
    assert after.nodes[0].op.weight.shape == (1, 2, 2, 4)
    same_output(network, after)


def test_a_channel_that_is_picked_twice_is_picked():
    network = build((3, 3, 4), ("c", WEIGHT, ("input",)), ("a", picking(2, 1, 1, 0), ("c",)))
    assert passes.fold_selections(network) is network
