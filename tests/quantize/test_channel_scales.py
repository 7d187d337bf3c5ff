"""Scales for the channels of activations: the same function, one range for all channels."""

import numpy as np
import pytest

from bitwright.models.graph import FloatGraph, FloatNode, ops
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import quantize_model, resolve_widths
from bitwright.quantization.ranges.channel_noise import OCTAVES_BELOW, STEPS_PER_OCTAVE, observe
from bitwright.quantization.ranges.channel_scales import Part, Reader, best_scales, channel_scales, find_groups, scaled


@pytest.fixture(scope="module")
def residual():
    """Two convolutions that an addition joins, a pool and a dense layer, with unequal channels."""
    rng = np.random.default_rng(3)
    uneven = 10 ** np.linspace(-0.5, 0.5, 8)

    def conv(name, source, inputs, factor=1.0):
        weight = rng.normal(size=(8, 3, 3, inputs)) * np.reshape(factor, (-1, 1, 1, 1)) / (3 * inputs**0.5)
        rest = {"bias": np.full(8, 0.1), "stride": (1, 1), "pads": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1}
        return FloatNode(name, ops.Conv(weight=weight, **rest), (source,))

    whole = {"kernel": (6, 6), "stride": (1, 1), "pads": (0, 0, 0, 0), "count_include_pad": False}
    nodes = (
        conv("a", "input", 3, uneven), FloatNode("ar", ops.Relu(), ("a",)),
        conv("b", "ar", 8), FloatNode("br", ops.Relu(), ("b",)),
        conv("c", "br", 8, uneven), FloatNode("sum", ops.Add(), ("ar", "c")), FloatNode("last", ops.Relu(), ("sum",)),
        FloatNode("pool", ops.AveragePool(**whole), ("last",)), FloatNode("flat", ops.Flatten(), ("pool",)),
        FloatNode("dense", ops.Dense(weight=rng.normal(size=(5, 8)), bias=np.zeros(5)), ("flat",)),
    )  # fmt: skip
    return FloatGraph.build(nodes, input_shape=(3, 6, 6), input_layout="CHW")


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(4).normal(size=(64, 3, 6, 6)).astype(np.float32)


def test_groups_end_at_layers_and_span_additions(residual):
    groups = {frozenset(group) for group in find_groups(residual)}
    assert groups == {frozenset({"a", "ar", "c", "sum", "last", "pool", "flat"}), frozenset({"b", "br"})}


def test_the_function_stays(residual, samples):
    scales, steps = channel_scales(residual, samples, resolve_widths(residual, QuantizeOptions()))
    assert set(steps) == {"ar", "br", "last", "pool"}
    same = scaled(residual, scales)
    want = FloatRunner(residual).outputs(samples)
    np.testing.assert_allclose(FloatRunner(same).outputs(samples), want, atol=1e-4 * np.abs(want).max())
    values = FloatRunner(same, ["ar", "last"]).run(samples)
    before = FloatRunner(residual, ["ar", "last"]).run(samples)
    assert np.ptp(np.log(scales["br"])) > 0.1
    np.testing.assert_allclose(values["ar"] * scales["ar"], before["ar"], atol=1e-4)


def test_values_lose_less(residual, samples):
    """Squared error of a layer's input in its own units, with and without the scales."""
    found = []
    for given in (False, True):
        made = quantize_model(residual, samples, QuantizeOptions(channel_scales=given))
        q = made.graph.node("last_q").op.quantizer
        want = FloatRunner(residual, ["last"]).run(samples)["last"]
        s = made.channel_scales.get("last", 1.0)
        got = np.clip(np.rint(want / s / q.scale), q.low, q.high) * q.scale * s
        found.append(float(np.mean(np.square((got - want) / want.std((0, 1, 2))))))
    assert found[1] < 0.7 * found[0]


def test_the_grids_take_the_joint_steps_unless_another_method_is_asked_for(residual, samples):
    _, steps = channel_scales(residual, samples, resolve_widths(residual, QuantizeOptions()))
    for method, same in (("mse", True), ("minmax", False)):
        made = quantize_model(residual, samples, QuantizeOptions(channel_scales=True, method=method))
        scale = float(made.graph.node("br_q").op.quantizer.scale[0])
        assert (scale == steps["br"][1]) is same


def test_noise_is_the_error_that_a_grid_makes(residual, samples):
    """Against rounding to the grid itself, wherever the tail that was not seen does not count."""
    seen = observe(residual, {"br": 8}, samples)["br"]
    values = FloatRunner(residual, ["br"]).run(samples)["br"].reshape(-1, 8).astype(np.float64)
    noise, levels, above = seen.noise(255), 255, OCTAVES_BELOW * STEPS_PER_OCTAVE
    for octaves, tolerance in ((-1.0, 0.02), (1.0, 0.05)):
        step = seen.peak / levels * 2.0**octaves
        error = np.square(np.clip(np.rint(values / step), 0, levels) * step - values).mean(0)
        np.testing.assert_allclose(noise[:, above + int(octaves * STEPS_PER_OCTAVE)], error, rtol=tolerance)


def test_values_beyond_those_seen_count():
    """At the largest magnitude seen nothing has been clipped, yet noise is more than rounding alone makes."""
    nodes = (FloatNode("y", ops.Relu(), ("input",)),)
    graph = FloatGraph.build(nodes, input_shape=(2,), input_layout="C")
    x = np.random.default_rng(5).exponential(size=(4096, 2)).astype(np.float32)
    seen = observe(graph, {"y": 2}, x)["y"]
    at = OCTAVES_BELOW * STEPS_PER_OCTAVE
    step = seen.peak / 255
    clipping = seen.noise(255)[:, at] - step**2 / 12
    np.testing.assert_allclose(clipping, 2 * np.exp(-seen.peak), rtol=0.7)  # E(x - T)^2+ of the exponential
    np.testing.assert_allclose(seen.noise(255, 16)[:, at] - step**2 / 12, 4 * clipping, rtol=1e-2)


def test_the_best_scales_are_a_minimum():
    """No other scale of one channel is better, and steps in proportion leave the error as it is."""
    rng = np.random.default_rng(6)
    octaves = (np.arange((OCTAVES_BELOW + 2) * STEPS_PER_OCTAVE + 1) / STEPS_PER_OCTAVE - OCTAVES_BELOW)[None]
    start = 10 ** rng.uniform(-0.3, 0.3, 6)
    error = (start[:, None] * 2.0**octaves) ** 2 + np.exp(-30 * 2.0**octaves)
    part = Part(start, error, [Reader(np.abs(rng.normal(size=(5, 6))), np.full((5, 6), 1e-3))])
    s, steps = best_scales([part])
    assert np.exp(np.log(s).mean()) == pytest.approx(1)
    least = part.total(s * steps[0])
    for c in range(6):
        for factor in (0.8, 1.25):
            other = s * steps[0] * np.where(np.arange(6) == c, factor, 1.0)
            assert part.total(other) > least
    assert part.total(start) > 1.02 * least


def test_rounding_for_a_layer_alone_ignores_the_layers_before(residual, samples):
    """Without compensation the codes of a layer follow its own input, whatever its float input was."""
    found = []
    for compensate in (True, False):
        options = QuantizeOptions(
            weight_bits=4, activation_bits=4, weight_rounding="second_order", compensate=compensate
        )
        made = quantize_model(residual, samples, options)
        weight = np.asarray(residual.node("c").op.weight, np.float64)
        q = made.graph.node("c").op.quantized
        difference = q.values * q.scale.reshape(-1, 1, 1, 1) - weight
        found.append(float(np.square(difference).sum()))
    assert found[1] < found[0]
