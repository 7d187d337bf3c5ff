"""The fast evaluator equals the definition, value by value."""

import numpy as np
import pytest
from random_networks import KINDS, random_input

from bitwright.fast.evaluator import Evaluator
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate, ops


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("kind", KINDS)
def test_every_value_equals_the_definition(random_network, kind, seed):
    network = random_network(seed, **KINDS[kind])
    x = random_input(network, 6, seed)
    expected = evaluate(network, x)
    fast = Evaluator(network, threads=1)
    found = fast.run(x, list(expected))
    for name, value in expected.items():
        assert found[name].dtype == np.int64
        np.testing.assert_array_equal(found[name], value, err_msg=f"{name}: {network}")
    np.testing.assert_array_equal(fast.run(x), expected[network.output_name])


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1)])
@pytest.mark.parametrize("signed", [False, True])
def test_a_padded_maximum_keeps_the_padding_value(pads, signed):
    """Optimizers like to merge the two, though the padding of a maximum never wins."""
    dtype = IntType(3, signed)
    nodes = (
        Node("pad", ops.Pad((1, 1, 1, 1), 0), ("input",)),
        Node("max", ops.MaxPool((2, 2), (1, 1), pads), ("pad",)),
    )
    network = Network(InputSpec(TensorType((5, 5, 2), dtype)), nodes)
    x = np.random.default_rng(0).integers(dtype.min, dtype.min + 4, (4, 5, 5, 2))
    np.testing.assert_array_equal(Evaluator(network).run(x), evaluate(network, x)["max"])


def test_side_by_side_batches_keep_their_order(random_network):
    network = random_network(5, image=True, depth=(4, 6))
    evaluator = Evaluator(network, threads=3)
    evaluator.batch = 2
    x = random_input(network, 25, 5)
    np.testing.assert_array_equal(evaluator.run(x), evaluate(network, x)[network.output_name])


def check(network, x):
    expected = evaluate(network, x)
    for values in (list(expected), [network.output_name]):
        found = Evaluator(network, threads=1).run(x, values)
        for name in values:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def extremes(network, rng, count=40):
    """Inputs of the extreme values only: they reach the ends of every accumulator."""
    t = network.input.type
    return rng.choice([t.dtype.min, t.dtype.max], (count, *t.shape))


@pytest.mark.parametrize("bits", [9, 12, 16, 20])
@pytest.mark.parametrize("image", [False, True])
def test_accumulators_of_every_width(bits, image):
    """Sums that just keep and just pass 2**24, and such of 32 bits."""
    rng = np.random.default_rng(bits)
    dtype = IntType(bits, True)
    for weight_bits in range(2, 31 - bits):
        top = (1 << (weight_bits - 1)) - 1
        if image:
            weight = rng.choice([-top, top, top - 1, 1], (3, 1, 1, 2))
            op, shape = ops.Conv2d(weight, IntType(weight_bits, True), bias=rng.integers(-9, 9, 3)), (2, 2, 2)
        else:
            weight = rng.choice([-top, top, top - 1, 1], (3, 2))
            op, shape = ops.Dense(weight, IntType(weight_bits, True), rng.integers(-9, 9, 3)), (2,)
        network = Network(InputSpec(TensorType(shape, dtype)), (Node("y", op, ("input",)),))
        check(network, extremes(network, rng))


@pytest.mark.parametrize("rounding", list(ops.Rounding))
@pytest.mark.parametrize("multiplier_bits", [1, 8, 20, 29])
def test_products_of_every_width_are_requantized(rounding, multiplier_bits):
    """x * multiplier within 2**24, within 2**53 and beyond: float32, float64 and integer arithmetic."""
    rng = np.random.default_rng(multiplier_bits)
    for bits in (8, 16, 24, 32):
        multiplier = rng.integers(1 << multiplier_bits - 1, 1 << multiplier_bits, 3) * rng.choice([-1, 1], 3)
        for out in (4, 9, 16, 32):
            shift = np.clip(bits + multiplier_bits - out + rng.integers(-1, 2, 3), 0, 32)
            op = ops.Requantize(IntType(out, True), multiplier, shift, rng.integers(-99, 99, 3), 3, rounding, 7)
            spec = InputSpec(TensorType((3, 2, 3), IntType(bits, True)))
            network = Network(spec, (Node("y", op, ("input",)),))
            check(network, random_input(network, 30, bits))
            near = np.arange(-16, 17)[:, None, None, None] * np.ones((33, *spec.type.shape), np.int64)
            check(network, near)


@pytest.mark.parametrize("seed", range(20))
def test_every_input_of_a_step_operation(seed):
    """Threshold and Requantize over their whole input type, so that no step can be misplaced."""
    rng = np.random.default_rng(seed)
    dtype = IntType(int(rng.integers(6, 15)), True)
    channels, bits = int(rng.integers(1, 5)), int(rng.integers(1, 9))
    if seed % 2:
        count = (1 << bits) - 1
        free = np.sort(rng.integers(dtype.min - 5, dtype.max + 5, (channels, count)), axis=1)
        line = np.linspace(dtype.min * rng.random(), dtype.max * rng.random(), count).astype(np.int64)
        step = rng.choice([-1, 1], channels)
        thresholds = free if seed % 4 == 1 else line[None] + free[:, :1] // 8
        op = ops.Threshold(thresholds, IntType(bits), np.where(step < 0, count, 0), step)
    else:
        multiplier = rng.integers(1, 1 << 16, channels)
        shift = np.full(channels, 16 + dtype.bits - bits)
        op = ops.Requantize(IntType(bits, bits > 1), multiplier, shift, rng.integers(-(1 << 20), 1 << 20, channels))
    network = Network(InputSpec(TensorType((channels,), dtype)), (Node("y", op, ("input",)),))
    check(network, np.repeat(dtype.values()[:, None], channels, axis=1))
