"""From float network to integer network: accuracy of every option, and what unusual input does."""

import numpy as np
import pytest

from bitwright.errors import DataError, ModelError, OptionError
from bitwright.fast.evaluator import Evaluator
from bitwright.models.graph import INPUT, FloatGraph, FloatNode, ops
from bitwright.network import evaluate
from bitwright.network.ops import Conv2d, Requantize, Rounding
from bitwright.quantization import placement
from bitwright.quantization.equalize import equalize, find_pairs
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.options import QuantizeOptions, make_options
from bitwright.quantization.ptq import narrowed, quantize, quantize_model, resolve_widths
from bitwright.quantization.ranges.calibrate import exact_input


def sqnr(reference, outputs):
    return 10 * np.log10(np.mean(reference**2) / np.mean((outputs - reference) ** 2))


def quality(graph, data, seed=9, **options):
    """SQNR in dB of the integer network's outputs on fresh data, and what was made."""
    made = quantize_model(graph, data, make_options(options))
    x = np.random.default_rng(seed).normal(size=(64, *graph.input_shape)).astype(np.float32)
    return sqnr(FloatRunner(graph).outputs(x), Evaluator(made.network).predict(x)), made


@pytest.mark.parametrize(
    ("options", "least"),
    [
        pytest.param({}, 36, id="default"),
        pytest.param({"weight_bits": 16, "activation_bits": 16}, 38, id="16 bits"),
        pytest.param({"scales": "power_of_two"}, 33, id="power of two"),
        pytest.param({"zero_points": True}, 36, id="zero points"),
        pytest.param({"per_channel": False}, 30, id="per tensor"),
        pytest.param({"equalize": True}, 33, id="equalized"),
        pytest.param({"channel_scales": True}, 36, id="channel scales"),
        pytest.param({"bias_correction": False}, 30, id="no bias correction"),
        pytest.param({"method": "kl"}, 33, id="kl"),
        pytest.param({"method": "minmax"}, 33, id="minmax"),
        pytest.param({"method": "percentile"}, 33, id="percentile"),
        pytest.param({"method": "moving_average"}, 25, id="moving average"),
        pytest.param({"weight_rounding": "second_order"}, 36, id="second order"),
        pytest.param({"weight_rounding": "stochastic"}, 30, id="stochastic weights"),
        pytest.param({"weight_rounding": "half_away"}, 34, id="half away"),
        pytest.param({"weight_rounding": "floor"}, 15, id="floor"),
        pytest.param({"activation_rounding": "stochastic"}, 28, id="stochastic activations"),
        pytest.param({"activation_rounding": "half_up"}, 34, id="half up"),
        pytest.param({"activation_rounding": "floor"}, 12, id="floor activations"),
        pytest.param({"refine_scales": True}, 34, id="refined"),
        pytest.param({"refine_scales": True, "scales": "power_of_two"}, 32, id="refined power of two"),
        pytest.param({"add_extra_bits": 0}, 28, id="narrow additions"),
        pytest.param({"weight_bits": 4, "weight_rounding": "second_order"}, 27, id="W4"),
        pytest.param({"weight_bits": 2, "weight_rounding": "second_order"}, 17, id="W2"),
        pytest.param({"weight_bits": 1}, 10, id="W1"),
        pytest.param({"activation_bits": 4}, 24, id="A4"),
        pytest.param({"activation_bits": 1}, 8, id="A1"),
    ],
)
def test_every_option_yields_a_good_integer_network(graph, data, options, least):
    found, made = quality(graph, data, **options)
    assert found >= least
    report = made.report
    assert len(report.layers) == 5
    assert report.bytes < report.float_bytes or options.get("equalize")  # a clip per channel needs thresholds
    assert "size:" in report.table()


def test_the_integer_network_repeats_the_simulated_one(graph, data):
    """The float graph with quantizers and the network lowered from it differ by single codes at most."""
    made = quantize_model(graph, data, QuantizeOptions(multiplier_bits=24))
    simulated = FloatRunner(made.graph.with_nodes(n.dequantized() for n in made.graph.nodes)).outputs(data)
    assert sqnr(simulated, Evaluator(made.network).predict(data)) > 45


def test_same_seed_same_network(graph, data):
    options = {"weight_rounding": "stochastic", "activation_rounding": "stochastic"}
    a, b, c = (quantize(graph, data, seed=seed, **options).digest for seed in (1, 1, 2))
    assert a == b != c


def test_power_of_two_scales_need_shifts_alone(graph, data):
    network = quantize(graph, data, scales="power_of_two")
    multipliers = [node.op.multiplier for node in network.nodes if isinstance(node.op, Requantize)]
    assert all(np.all(m & (m - 1) == 0) for m in multipliers if m.size)
    for node in network.nodes:
        if isinstance(node.op, Requantize) and node.name != "pool_q":
            assert np.all((node.op.multiplier == 1) | (node.op.shift == 0))


def test_stochastic_rounding_stands_in_the_network(graph, data):
    network = quantize(graph, data, activation_rounding="stochastic")
    ops = [node.op for node in network.nodes if isinstance(node.op, Requantize)]
    seeds = [op.seed for op in ops if op.rounding is Rounding.STOCHASTIC]
    assert len(seeds) >= 4
    assert len(set(seeds)) == len(seeds)


def test_second_order_and_bias_correction_pay(graph, data):
    plain, _ = quality(graph, data, weight_bits=3, bias_correction=False)
    corrected, _ = quality(graph, data, weight_bits=3)
    best, _ = quality(graph, data, weight_bits=3, weight_rounding="second_order")
    assert plain < corrected < best


def test_equalization_keeps_the_function_through_clips(graph, data):
    assert [(p.first, p.second) for p in find_pairs(graph)] == [("expand", "depthwise"), ("depthwise", "project")]
    equal = equalize(graph)
    np.testing.assert_allclose(FloatRunner(equal).outputs(data), FloatRunner(graph).outputs(data), atol=1e-4)
    first = np.abs(equal.node("expand").op.weight).reshape(24, -1).max(1)
    second = np.abs(equal.node("depthwise").op.weight).reshape(24, -1).max(1)
    assert np.all(np.abs(np.log(first / second)) < 0.1)


def test_equalization_mends_unequal_channels(graph, data):
    """The same function with channels scaled up and down: hopeless per tensor, unless equalized."""
    factors = 10 ** np.linspace(-1.5, 1.5, 24)
    changes = {
        "expand": {"weight": factors[:, None, None, None], "bias": factors},
        "depthwise": {"weight": 1 / factors[:, None, None, None]},
    }
    nodes = []
    for node in graph.nodes:
        scaled = {k: getattr(node.op, k) * f for k, f in changes.get(node.name, {}).items()}
        new = node.having(**scaled)
        nodes.append(FloatNode(node.name, ops.Relu(), node.inputs) if node.kind == "Clip" else new)
    unequal = graph.with_nodes(nodes)
    poor, _ = quality(unequal, data, per_channel=False)
    good, _ = quality(unequal, data, per_channel=False, equalize=True)
    assert good > poor + 10


def test_operands_of_additions_share_a_scale_that_aligns_exactly(graph, data):
    made = quantize_model(graph, data)
    grid = placement.grids(made.graph)
    operands = [grid[v] for v in made.graph.node("add").inputs]
    assert operands[0].scale[0] == operands[1].scale[0]
    ratio = np.log2(grid["relu_q"].scale[0] / operands[0].scale[0])
    assert ratio == round(ratio) >= 0
    assert all(q.dtype.bits <= 12 for q in operands)


def test_average_pool_is_a_sum_and_its_division_is_in_the_requantize(graph, data):
    made = quantize_model(graph, data)
    values = evaluate(made.network, made.network.input.quantize(data[:4]))
    grid = placement.grids(made.graph)
    mean = values["add_q"].mean(axis=(1, 2), keepdims=True) * grid["add_q"].scale[0]
    code = np.clip(np.rint(mean / grid["pool_q"].scale[0]), grid["pool_q"].low, grid["pool_q"].high)
    assert np.abs(values["pool_q"] - code).max() <= 1
    assert np.mean(values["pool_q"] == code) > 0.9


def test_widths_of_layers(graph, data):
    options = {
        "weight_bits": 4,
        "activation_bits": 5,
        "first_bits": (8, 8),
        "last_bits": (7, 6),
        "layer_bits": {"project": (3, 2)},
    }
    made = quantize_model(graph, data, make_options(options))
    bits = {layer.name: (layer.weight_bits, layer.activation_bits) for layer in made.report.layers}
    assert bits == {"stem": (8, 8), "expand": (4, 5), "depthwise": (4, 5), "project": (3, 2), "head": (7, 6)}
    for node in made.network.nodes:
        if isinstance(node.op, Conv2d):
            assert node.op.weight_type.bits == bits[node.name][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": 0}, "weight_bits asks for 0 bits; legal are 1 to 16"),
        ({"activation_bits": 17}, "activation_bits asks for 17 bits; legal are 1 to 16"),
        ({"weight_bits": 2.5}, "weight_bits asks for 2.5 bits"),
        ({"layer_bits": {"head": (4, 40)}}, "head asks for 40 bits"),
        ({"layer_bits": {"tail": (4, 4)}}, "no layer is called 'tail'; legal are stem, expand"),
        ({"layer_bits": {"head": 4}}, "legal is a pair"),
        ({"method": "entropy"}, "method is 'entropy'; legal are minmax"),
        ({"scales": "log"}, "legal are free, power_of_two"),
        ({"weight_rounding": "up"}, "legal are nearest"),
        ({"percentile": 20}, "legal are 50 to 100"),
        ({"seed": 0}, "seed is 0"),
        ({"seed": 1.5}, "option seed is 1.5; legal is a whole number"),
        ({"percentile": "high"}, "option percentile is 'high'; legal is a number"),
        ({"zero_points": "yes"}, "option zero_points is 'yes'; legal is true or false"),
        ({"layer_bits": "head"}, "layer_bits is 'head'; legal is a mapping"),
        ({"bits": 4}, "no option 'bits'; legal are weight_bits"),
    ],
)
def test_illegal_options_are_told(graph, data, options, message):
    with pytest.raises(OptionError, match=message):
        quantize(graph, data, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:0], "no samples; legal is at least one"),
        (lambda x: x[0], r"legal is \(N, 3, 8, 8\)"),
        (lambda x: x.transpose(0, 2, 3, 1), r"shape \(32, 8, 8, 3\)"),
        (lambda x: np.where(np.arange(32)[:, None, None, None] == 5, np.nan, x), "NaN or infinity in sample 5"),
        (lambda x: x.astype(object), "legal are real numbers"),
        (lambda x: x * np.float64(1e300), "in sample 0; legal are finite values of float32"),
    ],
)
def test_unfit_data_are_told(graph, data, change, message):
    with pytest.raises(DataError, match=message):
        quantize(graph, change(data))


def test_a_network_that_overflows_is_told(graph, data):
    with pytest.raises(DataError, match="becomes NaN or infinite"):
        quantize(graph, np.clip(data, -1, 1) * np.float32(3e38))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_told(graph, data, bad):
    head = graph.node("head")
    weight = head.op.weight.copy()
    weight[2, 3] = bad
    nodes = [n.having(weight=weight) if n is head else n for n in graph.nodes]
    with pytest.raises(ModelError, match="weight of 'head' holds NaN or infinity; legal are finite parameters"):
        quantize(graph.with_nodes(nodes), data)


def test_a_quantized_model_is_told(graph, data):
    made = quantize_model(graph, data)
    with pytest.raises(ModelError, match=r"is quantized already \(node 'input_q'\); legal are float models"):
        quantize(made.graph, data)


@pytest.mark.shared
def test_a_quantized_file_is_told(shared_data):
    with pytest.raises(ModelError, match=r"TFC_2W2A.* is quantized already .* bitwright.load makes"):
        quantize(shared_data / "qonnx" / "TFC_2W2A.onnx", np.zeros((4, 1, 28, 28), np.float32))


@pytest.mark.parametrize("options", [{}, {"weight_bits": 4, "weight_rounding": "second_order"}, {"method": "kl"}])
@pytest.mark.parametrize("change", ["one sample", "zeros", "constant channel", "dead", "outlier", "huge outlier"])
def test_unusual_networks_and_data_give_finite_results(graph, data, options, change):
    if change == "one sample":
        data = data[:1]
    elif change == "zeros":
        data = np.zeros_like(data)
    elif change == "constant channel":
        data = data.copy()
        data[:, 1] = 3.0
    elif change == "outlier":
        data = data.copy()
        data[3, 0, 2, 2] = 1e6
    elif change == "huge outlier":
        data = data.copy()
        data[3, 0, 2, 2] = 1e30
    else:
        dead = graph.node("expand")
        bias = np.full_like(dead.op.bias, -1e3)
        graph = graph.with_nodes([n.having(bias=bias) if n is dead else n for n in graph.nodes])
    outputs = quantize(graph, data, **options).predict(data)
    assert np.all(np.isfinite(outputs))
    if change in ("one sample", "constant channel", "dead"):
        assert sqnr(FloatRunner(graph).outputs(data), outputs) > 15


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_a_layer_of_one_weight(bits):
    node = FloatNode("only", ops.Dense(weight=np.array([[0.7]]), bias=None), (INPUT,))
    graph = FloatGraph.build([node], input_shape=(1,), input_layout="C")
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    for rounding in ("nearest", "second_order"):
        network = quantize(graph, x, weight_bits=bits, weight_rounding=rounding)
        np.testing.assert_allclose(network.predict(x), 0.7 * x, atol=0.02)


def test_images_of_8_bits_are_taken_exactly():
    pixels = np.random.default_rng(0).integers(0, 256, size=(8, 3, 4, 4))
    raw = exact_input(pixels.astype(np.float32), 8)
    assert (str(raw.dtype), raw.scale[0], raw.zero_point[0]) == ("uint8", 1, 0)
    centered = exact_input(((pixels - 127) / np.float32(128)).astype(np.float32), 8)
    assert str(centered.dtype) == "uint8"
    assert centered.zero_point[0] == 127
    assert centered.scale[0] == pytest.approx(1 / 128, rel=1e-5)
    signed = exact_input(((pixels - 128) * np.float32(0.3)).astype(np.float32), 8)
    assert str(signed.dtype) == "int8"
    assert exact_input(np.random.default_rng(0).normal(size=(8, 4)), 8) is None
    assert exact_input(pixels.astype(np.float32), 7) is None


def test_wide_widths_share_the_accumulator():
    w = np.ones((4, 3, 3, 64))
    assert narrowed(w, 8, 8) == 8
    assert narrowed(w, 2, 16) == 16
    wide = narrowed(w, 16, 16)
    assert 10 <= wide < 14
    node = FloatNode("only", ops.Conv(w), (INPUT,))
    graph = FloatGraph.build([node], input_shape=(3, 3, 64), input_layout="HWC")
    assert resolve_widths(graph, QuantizeOptions(weight_bits=16, activation_bits=16)).layers["only"] == (16, wide)


def test_progress_and_samples(graph, data):
    seen = []
    made = quantize_model(graph, data, QuantizeOptions(samples=20), lambda *step: seen.append(step))
    assert made.report.calibration_samples == 20
    assert ("calibrate", 20, 20) in seen
    assert ("round weights", 5, 5) in seen


def test_the_report_has_accuracy_and_size_before_and_after(graph, data):
    x = np.random.default_rng(3).normal(size=(50, *graph.input_shape)).astype(np.float32)
    before = FloatRunner(graph).outputs(x).argmax(1)
    labels = np.append((before[:10] + 1) % 5, before[10:])
    made = quantize_model(graph, data, QuantizeOptions(weight_bits=1, activation_bits=1), evaluation=(x, labels))
    after = made.network.predict(x).argmax(1)
    report = made.report
    assert report.accuracy_float == 0.8
    assert report.accuracy == pytest.approx(np.mean(after == labels))
    assert report.agreement == pytest.approx(np.mean(after == before))
    assert report.as_dict()["evaluated_samples"] == 50
    assert "accuracy: 80.00 % in float" in report.summary()
    assert report.summary() in report.table()
    alone = quantize_model(graph, data, evaluation=(x, None)).report
    assert (alone.accuracy, alone.evaluated_samples) == (None, 50)
    with pytest.raises(DataError, match=r"labels of shape \(3,\) for 50 samples"):
        quantize_model(graph, data, evaluation=(x, labels[:3]))


@pytest.mark.shared
def test_resnet8_in_8_bits_loses_nothing(shared_data):
    calibration, test = (np.load(shared_data / "cifar10" / n)["images"] for n in ("calibration.npz", "dev.npz"))
    labels = np.load(shared_data / "cifar10" / "dev.npz")["labels"][:500]
    calibration, x = (a.transpose(0, 3, 1, 2).astype(np.float32) for a in (calibration[:200], test[:500]))
    made = quantize_model(shared_data / "mlperf_tiny" / "resnet8.onnx", calibration)
    outputs = Evaluator(made.network).predict(x)
    reference = FloatRunner(made.graph.with_nodes(n.dequantized() for n in made.graph.nodes)).outputs(x)
    assert np.mean(outputs.argmax(1) == reference.argmax(1)) > 0.98
    assert 100 * np.mean(outputs.argmax(1) == labels) > 74
