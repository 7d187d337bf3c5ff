"""Convolutions and their steps as integer kernels: the proof, what they equal, and where they are left alone."""

import numpy as np
import onnx
import pytest

from bitwright.fast import kernels
from bitwright.fast.evaluator import Evaluator
from bitwright.fast.staircase import steps_of
from bitwright.fast.translate import translate
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate, ops
from bitwright.network.types import Interval
from bitwright.quantization.settle import settled


def line(rng, channels, reach, dtype, dead=False):
    """A Requantize of sums up to `reach` with 16-bit multipliers, that leaves the type at both ends."""
    multiplier = rng.integers(1 << 15, 1 << 16, channels)
    shift = np.full(channels, int(np.log2(reach / dtype.levels)) + 15)
    middle = (dtype.max + dtype.min + 1) / 2 * 2.0**shift
    bias = np.rint(middle + rng.normal(size=channels) * 2.0**shift * dtype.levels / 8).astype(np.int64)
    if dead:
        bias[0] = -(reach + 1) * multiplier[0] * 2
    return ops.Requantize(dtype, multiplier, shift, bias)


def network(seed):
    """Two convolutions, a pool, an addition and a Dense, with what decides about kernels at random."""
    rng = np.random.default_rng(seed)
    signed, bits = bool(seed % 2), 8 - seed % 3
    source = IntType(bits, signed=signed)
    channels = int(rng.choice([4, 8]))
    depthwise = seed % 4 == 1
    groups = channels if depthwise else 1
    shape = (channels, 3, 3, channels // groups)
    first = ops.Conv2d(
        rng.integers(-128, 128, shape),
        IntType(8, signed=True),
        stride=(1 + seed % 2, 1),
        pads=(1, 1, 0, 2),
        groups=groups,
        pad_value=int(rng.integers(max(source.min, -3), 4)),
        bias=rng.integers(-500, 500, channels) if seed % 3 else None,
    )
    second = ops.Conv2d(rng.integers(-9, 10, (6, 1, 1, channels)), IntType(5, signed=True))
    middle, last = IntType(8, signed=seed % 5 == 0), IntType(4)
    nodes = [
        Node("first", first, ("input",)),
        Node("codes", line(rng, channels, 20_000 if depthwise else 80_000, middle, dead=seed % 4 == 2), ("first",)),
        Node("pool", ops.MaxPool((2, 2), (1, 1)), ("codes",)),
        Node("second", second, ("pool",)),
        Node("narrow", line(rng, 6, 6_000, last), ("second",)),
        Node("flat", ops.Flatten(), ("narrow",)),
    ]
    size = Network(InputSpec(TensorType((7, 6, channels), source)), nodes).output_type.size
    hidden = ops.Dense(rng.integers(-128, 128, (12, size)), IntType(8, signed=True), rng.integers(-99, 99, 12))
    last = ops.Dense(rng.integers(-8, 8, (5, 12)), IntType(4, signed=True))
    nodes += [
        Node("hidden", hidden, ("flat",)),
        Node("relu", line(rng, 12, 100_000, IntType(8)), ("hidden",)),
        Node("logits", last, ("relu",)),
    ]
    return settled(Network(InputSpec(TensorType((7, 6, channels), source)), nodes))


def kinds(net, floats=False):
    model = onnx.load_from_string(translate(net, net.output_values, floats=floats))
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("seed", range(24))
def test_kernels_equal_the_network(seed):
    net = network(seed)
    dtype = net.input.type.dtype
    x = np.random.default_rng(seed).integers(dtype.min, dtype.max + 1, (6, *net.input.type.shape))
    x[0], x[1] = dtype.min, dtype.max
    assert [kinds(net).count(kind) for kind in ("QLinearConv", "QGemm")] == [2, 1]
    assert "Conv" not in kinds(net, floats=True)
    values = ["codes", "pool", "narrow", "flat", "relu"]
    found, wanted = Evaluator(net).run(x, values), evaluate(net, x)
    for value in values:
        assert np.array_equal(found[value], wanted[value]), value
    assert np.array_equal(Evaluator(net).run(x), wanted["logits"])


@pytest.mark.parametrize("seed", range(6))
def test_the_nearest_is_near_and_exact_for_every_sum(seed):
    rng = np.random.default_rng(seed)
    dtype = IntType(8, signed=bool(seed % 2))
    op = line(rng, 16, 40_000, dtype)
    x = Interval.of(np.full(16, -40_000), np.full(16, 40_000))
    near = kernels.nearest(op, x, 1)
    assert np.all(near.bias % near.multiplier == 0)
    assert np.all(near.shift == op.shift)
    assert np.abs(near.multiplier - op.multiplier).max() <= kernels.CHANGES
    sums = np.arange(-40_000, 40_001)
    form = kernels.fit_kernel(steps_of(near, x), 1)
    everything = np.repeat(sums[None], 16, axis=0)
    assert np.array_equal(form(everything), near.evaluate(everything.T).T)
    apart = np.abs(near.evaluate(everything.T) - op.evaluate(everything.T))
    assert apart.max() <= 1
    assert 0 < apart.mean() < 0.02


def test_what_is_left_alone():
    """Multipliers of few bits, coarse sums, other roundings, wide results: the network is as it was."""
    rng = np.random.default_rng(1)
    x = Interval.of(np.full(4, -40_000), np.full(4, 40_000))
    good = line(rng, 4, 40_000, IntType(8, signed=True))
    assert kernels.nearest(good, x, 1)
    floor = ops.Requantize(good.dtype, good.multiplier, good.shift, good.bias, 0, ops.Rounding.FLOOR)
    wide = ops.Requantize(IntType(12), good.multiplier, good.shift, good.bias)
    coarse = ops.Requantize(good.dtype, good.multiplier, good.shift - 6, good.bias)
    short = ops.Requantize(good.dtype, good.multiplier >> 10, good.shift - 10, good.bias >> 10)
    for op in (floor, wide, coarse, short):
        assert kernels.nearest(op, x, 1) is None


def test_machines_whose_kernels_saturate(monkeypatch):
    """Products that do not fit 16 bits in pairs are computed in floats there, with the same results."""
    net = network(0)
    monkeypatch.setattr(kernels, "adds_exactly", lambda: False)
    assert [kinds(net).count(kind) for kind in ("QLinearConv", "QGemm")] == [1, 1]  # what is small enough
    x = np.full((1, *net.input.type.shape), net.input.type.dtype.max)
    assert np.array_equal(Evaluator(net).run(x), evaluate(net, x)["logits"])


def test_probe_of_the_machine():
    """Whatever it finds: where it says that sums are exact, the largest ones are."""
    op = ops.Conv2d(np.full((3, 3, 3, 7), -128), IntType(8, signed=True))
    x = Interval.of(np.zeros(7, int), np.full(7, 255))
    assert kernels.takes(op, x)
    assert kernels.factor_here(op, x) == (1 if kernels.adds_exactly() else None)


@pytest.mark.parametrize(
    ("largest", "factor"), [(-128, 1), (127, 1), (64, 1), (63, 2), (-64, 2), (1, 64), (0, 64), (32_000, 1)]
)
def test_weights_are_scaled_up_as_far_as_they_stay_codes(largest, factor):
    assert kernels.factor_of(ops.Dense(np.array([[largest, 0]]), IntType(16, signed=True))) == factor


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("distance", range(5, 65, 7))
def test_even_steps_are_proved_in_the_arithmetic_of_the_kernel(distance, falling):
    """Half a code away from a step, float64 rounds up where the kernel's float32 meets a tie."""
    thresholds = np.arange(63)[None] * distance - 1260
    step = ops.Threshold(thresholds, IntType(6), base=[63 if falling else 0], step=[-1 if falling else 1])
    steps = steps_of(step, Interval(np.array([-1557]), np.array([thresholds.max() + 99]), 9999))
    form = kernels.fit_kernel(steps, 1)
    assert form is not None
    assert form.scale.dtype == np.float32
    x = np.arange(-1557, thresholds.max() + 100)[None]
    np.testing.assert_array_equal(form(x), steps(x))


def test_values_without_a_code_for_zero_stay_numbers():
    """Few values may lie far from zero, whose code is that of the zero point."""
    step = ops.Threshold([[-900, 0, 900]], IntType(10, signed=True), base=[-292], step=[1])
    nodes = [
        Node("fc", ops.Dense(np.full((3, 4), 100), IntType(8, signed=True)), ("input",)),
        Node("step", step, ("fc",)),
        Node("next", ops.Dense(np.full((2, 3), -7), IntType(4, signed=True)), ("step",)),
    ]
    net = Network(InputSpec(TensorType((4,), IntType(4, signed=True))), nodes)
    x = np.random.default_rng(0).integers(-8, 8, (50, 4))
    np.testing.assert_array_equal(Evaluator(net).run(x), evaluate(net, x)["next"])
    assert kernels.code_base(Interval(np.array([-292]), np.array([-289]), 292)) is None
    assert kernels.code_base(Interval(np.array([-255]), np.array([-3]), 255)) == -255
