"""Scales for the channels of activations: the same function, one range for all channels."""

import numpy as np
import pytest

from bitwright.quantize.channel_scales import channel_scales, find_groups, ranges, scaled
from bitwright.quantize.floatrun import FloatRunner
from bitwright.quantize.options import QuantizeOptions
from bitwright.quantize.ptq import quantize_model
from bitwright.readers.floatgraph import FloatGraph, FloatNode


@pytest.fixture(scope="module")
def residual():
    """Two convolutions that an addition joins, a pool and a dense layer, with unequal channels."""
    rng = np.random.default_rng(3)
    uneven = 10 ** np.linspace(-0.5, 0.5, 8)

    def conv(name, source, inputs, factor=1.0):
        weight = rng.normal(size=(8, 3, 3, inputs)) * np.reshape(factor, (-1, 1, 1, 1)) / (3 * inputs**0.5)
        rest = {"bias": np.full(8, 0.1), "stride": (1, 1), "pads": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1}
        return FloatNode(name, "Conv", (source,), {"weight": weight, **rest})

    whole = {"kernel": (6, 6), "stride": (1, 1), "pads": (0, 0, 0, 0), "count_include_pad": False}
    nodes = (
        conv("a", "input", 3, uneven), FloatNode("ar", "Relu", ("a",)),
        conv("b", "ar", 8), FloatNode("br", "Relu", ("b",)),
        conv("c", "br", 8, uneven), FloatNode("sum", "Add", ("ar", "c")), FloatNode("last", "Relu", ("sum",)),
        FloatNode("pool", "AveragePool", ("last",), whole), FloatNode("flat", "Flatten", ("pool",)),
        FloatNode("dense", "Dense", ("flat",), {"weight": rng.normal(size=(5, 8)), "bias": np.zeros(5)}),
    )  # fmt: skip
    return FloatGraph.build(nodes, input_shape=(3, 6, 6), input_layout="CHW")


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(4).normal(size=(64, 3, 6, 6)).astype(np.float32)


def test_groups_end_at_layers_and_span_additions(residual):
    groups = {frozenset(group) for group in find_groups(residual)}
    assert groups == {frozenset({"a", "ar", "c", "sum", "last", "pool", "flat"}), frozenset({"b", "br"})}


def test_the_function_stays_and_the_ranges_come_closer(residual, samples):
    scales = channel_scales(residual, samples, 8)
    same = scaled(residual, scales)
    want = FloatRunner(residual).outputs(samples)
    np.testing.assert_allclose(FloatRunner(same).outputs(samples), want, atol=1e-4 * np.abs(want).max())
    values = FloatRunner(same, ["ar", "last"]).run(samples)
    before = FloatRunner(residual, ["ar", "last"]).run(samples)
    for name, value in before.items():
        spread, reduced = (np.ptp(np.log(v.max((0, 1, 2)))) for v in (value, values[name]))
        assert reduced < 0.8 * spread, name
    np.testing.assert_allclose(values["ar"] * scales["ar"], before["ar"], atol=1e-4)


def test_values_lose_less(residual, samples):
    """Squared error of a layer's input in its own units, with and without the scales."""
    found = []
    for given in (False, True):
        made = quantize_model(residual, samples, QuantizeOptions(channel_scales=given))
        q = made.graph.node("last_q")["quantizer"]
        want = FloatRunner(residual, ["last"]).run(samples)["last"]
        s = made.channel_scales.get("last", 1.0)
        got = np.clip(np.rint(want / s / q.scale), q.low, q.high) * q.scale * s
        found.append(float(np.mean(np.square((got - want) / want.std((0, 1, 2))))))
    assert found[1] < 0.7 * found[0]


def test_the_range_of_a_channel_may_leave_out_outliers():
    x = np.abs(np.random.default_rng(5).normal(size=(100_000, 2)))
    x[0, 1] = 20
    found = ranges(x, 4)
    assert found[0] < x[:, 0].max()
    assert found[1] < 8
