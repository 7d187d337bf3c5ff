"""Single rules of lowering: what a pattern becomes, and that it computes the same."""

import re

import numpy as np
import pytest

from bitwright.errors import ModelError
from bitwright.models import FloatGraph, FloatNode, QuantizedWeight, Quantizer, lower, to_onnx
from bitwright.models.graph import ops
from bitwright.network import BIPOLAR, IntType, evaluate
from bitwright.network.ops import ArgMax, Conv2d, Dense, MaxPool, Requantize, Rounding, Threshold

rng = np.random.default_rng(11)
INT3, INT4 = IntType(3, True), IntType(4, True)


def node(name, kind, *inputs, **attributes):
    return FloatNode(name, getattr(ops, kind)(**attributes), inputs)


def quant(name, value, scale=1.0, dtype=INT4, **more):
    return node(name, "Quant", value, quantizer=Quantizer(dtype, np.atleast_1d(scale), **more))


def dense(name, value, outputs, inputs, scale=1.0, bias=None, dtype=INT3):
    values = rng.integers(dtype.min, dtype.max + 1, (outputs, inputs))
    weight = QuantizedWeight(values, dtype, np.atleast_1d(scale))
    return node(name, "Dense", value, quantized=weight, weight=values * weight.scale[:, None], bias=bias)


def conv(name, value, outputs, channels, pads=(0, 0, 0, 0), scale=1.0, groups=1):
    values = rng.integers(-3, 4, (outputs, 3, 3, channels // groups))
    weight = QuantizedWeight(values, IntType(3, True), np.atleast_1d(scale))
    attributes = {"stride": (1, 1), "pads": pads, "dilation": (1, 1), "groups": groups, "bias": None}
    return node(name, "Conv", value, quantized=weight, weight=values * scale, **attributes)


def build(*nodes, shape=(6,), layout="C"):
    return FloatGraph.build(nodes, input_shape=shape, input_layout=layout)


def kinds(network):
    return [type(n.op).__name__ for n in network.nodes]


def check(graph, rational, **options):
    """Lower, and compare the real outputs with rational arithmetic for random integers."""
    notes = []
    network = lower(graph, notes=notes, **options)
    spec = network.input
    q = rng.integers(spec.low, spec.high + 1, (5, *spec.type.shape))
    y = evaluate(network, q)[network.output_name]
    real = (y - network.output.offset) * network.output.scale
    for i in range(len(q)):
        x = (q[i] - spec.offset) * spec.scale
        expected = rational.run(graph, x)[graph.output_name].astype(float)
        assert np.allclose(real[i], expected, rtol=1e-9, atol=1e-9)
    return network, notes


def test_relu_between_layers_runs_on_the_integers(rational):
    """Without a quantizer behind it a Relu is a Requantize that clamps, in channels of either sign."""
    graph = build(
        quant("q", "input"),
        dense("a", "q", 3, 6),
        node("s", "Affine", "a", scale=np.array([0.5, -0.5, 0.5]), shift=np.array([1.5, 2.0, -1.0])),
        node("r", "Relu", "s"),
        dense("b", "r", 2, 3),
    )
    network, notes = check(graph, rational)
    assert kinds(network) == ["Dense", "Requantize", "Dense"]
    assert notes == []


def test_equal_quantizers_are_made_once_and_identities_not_at_all(rational):
    graph = build(
        quant("q", "input"),
        quant("again", "q"),
        dense("a", "again", 3, 6),
        quant("b", "a", 2.0),
        quant("c", "a", 2.0),
        node("s", "Add", "b", "c"),
        dense("d", "s", 2, 3),
    )
    network, _ = check(graph, rational)
    assert [n.name for n in network.nodes] == ["a", "b", "d"]


def test_bipolar_codes_with_zero_padding_are_widened(rational):
    graph = build(
        quant("q", "input", dtype=BIPOLAR),
        conv("c", "q", 2, 2, pads=(1, 1, 1, 1)),
        shape=(5, 4, 2),
        layout="HWC",
    )
    network = lower(graph)
    assert kinds(network) == ["Requantize", "Conv2d"]
    assert network.types["q/wide"].dtype == IntType(2, True)
    x = rng.choice([-1, 1], (5, 4, 2))
    expected = rational.run(graph, x)["c"].astype(float)
    assert np.array_equal(evaluate(network, x[None])["c"][0], expected)


def test_zero_points_are_pad_values(rational):
    dtype = IntType(4)
    graph = build(
        quant("q", "input", 0.5, dtype=dtype, zero_point=np.full(1, 3)),
        conv("c", "q", 2, 2, pads=(1, 0, 0, 1)),
        shape=(5, 4, 2),
        layout="HWC",
    )
    network, _ = check(graph, rational)
    assert isinstance(network.nodes[0].op, Conv2d)
    assert network.nodes[0].op.pad_value == 3


def test_zero_points_that_differ_between_channels_are_taken_off_before_padding(rational):
    graph = build(
        quant("q", "input", 0.5, dtype=IntType(4), zero_point=np.array([3, 5])),
        conv("c", "q", 2, 2, pads=(1, 0, 0, 1)),
        shape=(5, 4, 2),
        layout="HWC",
    )
    assert kinds(check(graph, rational)[0]) == ["Requantize", "Conv2d"]


def test_scales_of_depthwise_channels_may_differ(rational):
    quantizer = quant("q", "input", np.array([0.5, 0.125]))
    graph = build(quantizer, conv("c", "q", 4, 2, groups=2), shape=(5, 4, 2), layout="HWC")
    check(graph, rational)
    with pytest.raises(ModelError, match="different scales; legal is one scale for the channels of a group"):
        lower(build(quantizer, conv("c", "q", 4, 2), shape=(5, 4, 2), layout="HWC"))


def test_pools_move_behind_quantizers(rational):
    pool = node("p", "MaxPool", "c", kernel=(2, 2), stride=(1, 1), pads=(0, 0, 0, 0))
    graph = build(
        quant("q", "input"), conv("c", "q", 2, 2), pool, node("r", "Relu", "p"), quant("z", "r", 4.0),
        shape=(6, 6, 2), layout="HWC",
    )  # fmt: skip
    network, _ = check(graph, rational)
    assert kinds(network) == ["Conv2d", "Threshold", "MaxPool"]


def test_maximum_of_falling_channels(rational):
    nodes = (
        quant("q", "input"),
        node("s", "Affine", "q", scale=np.array([0.5, -0.25]), shift=np.array([0.25, 0.5])),
        node("p", "MaxPool", "s", kernel=(2, 2), stride=(2, 2), pads=(0, 0, 0, 0)),
    )
    network, _ = check(build(*nodes, shape=(6, 6, 2), layout="HWC"), rational)
    assert kinds(network) == ["Requantize", "MaxPool"]
    assert isinstance(network.nodes[1].op, MaxPool)


def sum_of(scale, *tail):
    return build(
        quant("q", "input"),
        dense("a", "q", 4, 6),
        quant("b", "a", scale),
        quant("c", "a", 3.0),
        node("s", "Add", "b", "c"),
        *tail,
    )


def test_sums_of_whole_multiples_are_exact(rational):
    network, notes = check(sum_of(4.5), rational)
    assert notes == []
    assert kinds(network) == ["Dense", "Threshold", "Threshold", "Requantize", "Requantize", "Add"]
    assert [int(n.op.multiplier[0]) for n in network.nodes if isinstance(n.op, Requantize)] == [3, 2]


def test_sums_without_a_common_measure_are_noted_unless_proven(rational):
    scale = np.pi
    notes = []
    lower(sum_of(scale), notes=notes)
    assert len(notes) == 1
    assert notes[0].startswith("Add 's': its inputs' scales have no common measure; they are aligned with")
    network, notes = check(sum_of(scale, quant("z", "s", 5.0)), rational)
    assert notes == []  # all 256 pairs of integers give the exact code
    assert isinstance(network.nodes[-1].op, Threshold)
    network, notes = check(sum_of(scale, quant("z", "s", 5.0, rounding=Rounding.FLOOR)), rational)
    assert notes == []  # 0 * pi + 5 * 3 lies on a boundary, which tables hit
    lower(sum_of(scale, dense("d", "s", 1, 4)), notes=notes)
    assert len(notes) == 1  # a layer reads the sum as it is


def test_arg_max_needs_channels_on_one_grid(rational):
    tail = {"scale": np.array([1.0, 2.0, 1.0]), "shift": np.array([0.5, 0.0, -1.0])}
    graph = build(
        quant("q", "input"), dense("a", "q", 3, 6), node("s", "Affine", "a", **tail), node("m", "ArgMax", "s")
    )
    network, notes = check(graph, rational)
    assert kinds(network) == ["Dense", "Requantize", "ArgMax"]
    assert notes == []
    plain = build(quant("q", "input"), dense("a", "q", 3, 6, scale=0.3), node("m", "ArgMax", "a"))
    assert isinstance(check(plain, rational)[0].nodes[-1].op, ArgMax)


def test_output_functions():
    start = (quant("q", "input"), dense("a", "q", 3, 6, scale=0.25, bias=np.array([0.5, 0.25, 0.0])))
    for kind, function in (("Softmax", "softmax"), ("LogSoftmax", "log_softmax"), ("Sigmoid", "sigmoid")):
        network = lower(build(*start, node("y", kind, "a")))
        assert network.output.function == function
        assert np.allclose(network.output.offset, [-2, -1, 0])


def test_a_function_without_a_quantizer_gets_a_grid_of_its_own(rational):
    """Of 12 bits that reach just as far as its values, with a note; for a layer behind it, and at the end."""
    start = (quant("q", "input"), dense("a", "q", 3, 6, scale=0.25, bias=np.array([0.5, 0.25, 0.0])))
    graph = build(*start, node("t", "Silu", "a"), dense("y", "t", 2, 3))
    notes = []
    network = lower(graph, notes=notes)
    assert notes == ["Dense 'y': its input, a function without a quantizer behind it, is rounded to 12 bits"]
    x = rng.normal(size=(50, 6)) * 4
    exact = np.stack([rational.run(graph, np.clip(np.rint(row), -8, 7))["t"].astype(float) for row in x])
    step = max(exact.max() / 2047, -exact.min() / 2048) * 2  # of the samples; that of the grid is larger
    found = network.predict(x)
    weights = graph.node("y").op.weight
    assert np.abs(found - exact @ weights.T).max() < 3 * 3 * step
    assert np.corrcoef(found.ravel(), (exact @ weights.T).ravel())[0, 1] > 0.9999
    end = lower(build(*start, node("y", "Tanh", "a")))
    assert np.abs(end.predict(x) - np.tanh(lower(build(*start)).predict(x))).max() < 1 / 2047


def test_both_probabilities_of_a_binary_classifier():
    """Concat(1 - p, p) with p = sigmoid(x) is sigmoid(Concat(-x, x)): both channels are the same accumulator."""
    minus = {"scale": -np.ones(1), "shift": np.ones(1)}
    graph = build(
        quant("q", "input"),
        dense("a", "q", 1, 6, scale=0.25, bias=np.array([0.5])),
        node("p", "Sigmoid", "a"),
        node("n", "Affine", "p", **minus),
        node("y", "Concat", "n", "p"),
    )
    network = lower(graph)
    assert kinds(network) == ["Dense", "Concat"]
    assert network.output.function == "sigmoid"
    assert network.output.scale.tolist() == [-0.25, 0.25]
    assert network.output.offset.tolist() == [-2.0, -2.0]


def test_constant_output_channels(rational):
    tail = {"scale": np.array([1.0, 0.0, 0.0]), "shift": np.array([0.5, 1.5, 0.0])}
    graph = build(quant("q", "input"), dense("a", "q", 3, 6), node("s", "Affine", "a", **tail))
    check(graph, rational)


def test_integer_input_tabulates_the_first_quantizer(rational):
    """uint8 pixels, x = q / 255, then 2 x - 1 and a ternary quantizer."""
    graph = build(
        node("s", "Affine", "input", scale=np.array([2.0]), shift=np.array([-1.0])),
        quant("q", "s", dtype=IntType(2, True), low=-1),
        dense("a", "q", 3, 6),
    )
    network = lower(graph, input_type="uint8", input_scale=1 / 255)
    assert network.input.type.dtype == IntType(8)
    assert kinds(network) == ["Threshold", "Dense"]
    assert network.nodes[0].op.thresholds.tolist() == [[64, 192]]
    with pytest.raises(ModelError, match="an input scale needs an input type"):
        lower(graph, input_scale=0.5)


def test_input_quantizer_takes_in_affine_functions_and_clips(rational):
    graph = build(
        node("s", "Affine", "input", scale=np.array([2.0]), shift=np.array([-1.0])),
        node("r", "Relu", "s"),
        quant("q", "r", 0.25, dtype=IntType(4, True), zero_point=np.full(1, -3)),
        dense("a", "q", 3, 6),
    )
    spec = lower(graph).input
    assert (spec.scale[0], spec.offset[0], spec.low, spec.high) == (0.125, -7.0, -3, 7)


def test_two_quantizers_of_the_input_read_one_of_16_bits():
    graph = build(quant("q", "input"), quant("p", "input", 2.0), node("s", "Add", "q", "p"))
    notes = []
    network = lower(graph, notes=notes)
    assert str(network.input.type) == "int16[6]"
    assert notes == ["input 'input': has 2 quantizers, and one of 16 bits in front of them"]
    x = rng.normal(size=(200, 6)) * 9
    wanted = np.clip(np.rint(x), -8, 7) + 2 * np.clip(np.rint(x / 2), -8, 7)
    near = np.abs(x - np.floor(x) - 0.5) < 2.0**-10  # of a tie of either quantizer
    assert np.array_equal(network.predict(x)[~near], wanted[~near])
    assert near.mean() < 0.02


def test_a_second_quantizer_of_the_input_is_refused():
    half = node("h", "Affine", "input", scale=np.array([0.5]), shift=np.zeros(1))
    graph = build(quant("q", "input"), half, quant("p", "h", 2.0), node("s", "Add", "q", "p"))
    with pytest.raises(ModelError, match="is a second, different quantizer of the model's input"):
        lower(graph)


def test_power_of_two_networks_shift_under_fixed_point():
    graph = build(quant("q", "input"), dense("a", "q", 3, 6, scale=0.5), quant("z", "a", 4.0, dtype=IntType(8, True)))
    network = lower(graph, multiplier_bits=16)
    op = network.nodes[-1].op
    assert isinstance(op, Requantize)
    assert (op.multiplier.tolist(), op.shift.tolist()) == ([1], [3])
    assert isinstance(network.nodes[0].op, Dense)


def test_named_outputs_of_the_exported_graph():
    import onnxruntime as ort

    graph = build(quant("q", "input"), conv("c", "q", 2, 2), shape=(2, 5, 4), layout="CHW")
    session = ort.InferenceSession(to_onnx(graph, ["q", "c"]).SerializeToString())
    x = rng.normal(size=(3, 2, 5, 4)).astype(np.float32)
    q, c = session.run(None, {"input": x})
    assert q.shape == (3, 5, 4, 2)
    assert c.shape == (3, 3, 2, 2)
    assert np.array_equal(q, np.clip(np.rint(x), -8, 7).transpose(0, 2, 3, 1))


@pytest.mark.parametrize("bits", [8, 16])
def test_sums_of_more_than_32_bits_come_in_parts(bits):
    """Of the upper and lower bits of weights, or of more parts; the total is rounded to 30 bits."""
    dtype, wide = IntType(bits, True), IntType(16, True)
    values = rng.integers(dtype.min, dtype.max + 1, (4, 3, 3, 600))
    weight = QuantizedWeight(values, dtype, np.array([2.0**-7]))
    bias = np.array([1.0, -2.0, 0.5, 0.0])
    layer = node("c", "Conv", "q", weight=values * 2.0**-7, quantized=weight, bias=bias, pads=(1, 1, 1, 1))
    last = quant("y", "c", 2.0 ** (bits - 3), dtype=wide)
    graph = FloatGraph.build(
        (quant("q", "input", 2.0**-8, dtype=wide), layer, last), input_shape=(4, 4, 600), input_layout="HWC"
    )
    notes = []
    network = lower(graph, notes=notes)
    assert re.fullmatch(r"Conv 'c': its sums pass 32 bits; they are rounded to multiples of \d+", notes[0])
    x = rng.normal(size=(20, 4, 4, 600)) * 60
    codes = np.pad(np.clip(np.rint(x * 256), wide.min, wide.max), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(codes, (3, 3), (1, 2))
    sums = np.einsum("nyxcij,oijc->nyxo", windows, values) * 2.0**-15 + bias
    wanted = np.clip(np.rint(sums / last.op.quantizer.scale), wide.min, wide.max)
    off = np.abs(network.predict(x) / last.op.quantizer.scale - wanted)
    assert off.max() <= 1
    assert np.mean(off == 0) > 0.99


def test_float_weights_among_integers_get_8_bits():
    values = rng.normal(size=(5, 6))
    values[2] = 0
    nodes = (quant("q", "input"), node("f", "Dense", "q", weight=values), quant("r", "f"), dense("y", "r", 3, 5))
    graph, notes = build(*nodes), []
    network = lower(graph, notes=notes)
    assert notes == ["Dense 'f': its float weights are rounded to 8 bits"]
    scale = np.abs(values).max(1, keepdims=True) / 127
    rounded = np.rint(np.divide(values, scale, where=scale > 0, out=np.zeros_like(values))) * scale
    x = np.clip(np.rint(rng.normal(size=(50, 6)) * 3), -8, 7)
    inner = np.clip(np.rint(x @ rounded.T), -8, 7)
    assert np.allclose(network.predict(x), inner @ graph.node("y").op.weight.T)
    with pytest.raises(ModelError, match=r"2 of 2 layers have float weights \(f, y\); quantize the model first"):
        lower(build(quant("q", "input"), nodes[1], node("y", "Dense", "f", weight=rng.normal(size=(3, 5)))))
