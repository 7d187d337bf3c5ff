"""Quantized files of series, of 16-bit codes, and with moves in front of the input's quantizer."""

import numpy as np
import pytest

from bitwright.models import lower, read_model
from bitwright.network import evaluate

rng = np.random.default_rng(0)


def steps_apart(found, expected, step):
    """How many outputs differ, and the largest difference in steps."""
    apart = np.abs(found - expected) / step
    return int((apart > 0.01).sum()), float(apart.max())


def series(kind, zero, per_channel):
    """A quantized series [N, 4, 16] -> Conv -> QDQ -> MaxPool -> QDQ, as ONNX Runtime writes it."""
    local = np.random.default_rng(1)
    scales = local.uniform(0.002, 0.01, 6 if per_channel else 1).astype(np.float32)
    constants = {
        "s": np.float32(0.02), "z": kind(zero), "t": np.float32(0.0191), "o": kind(zero - 36),
        "w": local.integers(-127, 128, (6, 4, 3)).astype(np.int8), "sw": scales if per_channel else scales[0],
        "b": local.integers(-500, 500, 6).astype(np.int32),
        "sb": np.float32(0.02) * (scales if per_channel else scales[0]),
    }  # fmt: skip
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}),
        ("DequantizeLinear", "qsz", "d", {}),
        ("DequantizeLinear", ("w", "sw"), "v", {"axis": 0}),
        ("DequantizeLinear", ("b", "sb"), "c", {"axis": 0}),
        ("Conv", "dvc", "l", {"pads": [1, 1]}),
        ("QuantizeLinear", "lto", "m", {}),
        ("DequantizeLinear", "mto", "n", {}),
        ("MaxPool", "n", "p", {"kernel_shape": [2], "strides": [2]}),
        ("QuantizeLinear", "pto", "r", {}),
        ("DequantizeLinear", "rto", "y", {}),
    ]
    return nodes, constants


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_series_with_a_quantizer_in_front_is_an_image_of_one_row(per_channel, onnx_tools):
    """What the quantizer makes of the input is the input still: no dense layer stands for its convolution."""
    model = onnx_tools.model(*series(np.uint8, 128, per_channel), shape=(1, 4, 16), opset=21)
    network = lower(read_model(model))
    assert [type(n.op).__name__ for n in network.nodes] == ["Conv2d", "Requantize", "MaxPool"]
    x = np.random.default_rng(2).normal(size=(4, 4, 16)).astype(np.float32)
    expected = np.concatenate([onnx_tools.run_plain(model, x[i : i + 1]) for i in range(4)])
    differing, most = steps_apart(network.predict(x), expected, 0.0191)
    assert differing <= 1
    assert most < 1.01


@pytest.mark.parametrize("zero", [32768, 32767])
def test_codes_of_16_bits_with_even_and_odd_zero_points(zero, onnx_tools):
    """An odd zero point sends ties to odd codes: one Requantize does that, too."""
    model = onnx_tools.model(*series(np.uint16, zero, True), shape=(1, 4, 16), opset=21)
    notes = []
    network = lower(read_model(model), notes=notes)
    assert [type(n.op).__name__ for n in network.nodes] == ["Conv2d", "Requantize", "MaxPool"]
    assert all("no exact one exists and the steps are too many" in note for note in notes)
    x = np.random.default_rng(2).normal(size=(4, 4, 16)).astype(np.float32)
    expected = np.concatenate([onnx_tools.run_plain(model, x[i : i + 1]) for i in range(4)])
    differing, most = steps_apart(network.predict(x), expected, 0.0191)
    assert differing <= 8
    assert most < 1.01


@pytest.mark.parametrize("activation", ["LeakyRelu", "Sigmoid", "Abs"])
def test_functions_of_16_bits_are_tables(activation, onnx_tools):
    """More steps than thresholds are made for, and no line: a table of all values, which has no ties."""
    step = np.float32(0.00002 if activation == "Sigmoid" else 0.0007)
    constants = {"s": np.float32(0.001), "z": np.int16(-3), "t": step, "o": np.uint16(1001)}
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}),
        ("DequantizeLinear", "qsz", "d", {}),
        (activation, "d", "f", {}),
        ("QuantizeLinear", "fto", "r", {}),
        ("DequantizeLinear", "rto", "y", {}),
    ]
    network = lower(read_model(onnx_tools.model(nodes, constants, ("N", 3), opset=21)))
    (node,) = network.nodes
    assert type(node.op).__name__ == "Lookup"
    codes = np.arange(-32768, 32768).reshape(-1, 1).repeat(3, 1)
    real = (codes + 3) * np.float64(constants["s"])
    made = {"LeakyRelu": np.where(real < 0, real * np.float64(np.float32(0.01)), real), "Abs": np.abs(real)}
    made["Sigmoid"] = 1 / (1 + np.exp(-real))
    expected = np.clip(np.rint(made[activation] / np.float64(step)) + 1001, 0, 65535)
    assert np.array_equal(evaluate(network, codes)[node.name], expected)


def focus(same):
    """Slices of the float image, joined, and quantized before the convolution; the parts alike or not."""
    constants = {
        "s": np.float32(0.02), "z": np.uint8(120), "t": np.float32(0.01), "o": np.int8(0),
        "w": rng.integers(-127, 128, (4, 6, 3, 3)).astype(np.int8),
        "b": np.array([0]), "c": np.array([1]), "e": np.array([99]), "a": np.array([2]), "k": np.array([2]),
    }  # fmt: skip
    nodes = [
        ("Slice", "xbeak", "h", {}),
        ("Slice", "xceak", "i", {}),
        ("Concat", "hi", "j", {"axis": 1}),
        ("QuantizeLinear", "jsz", "q", {}),
        ("DequantizeLinear", "qsz", "d", {}),
        ("DequantizeLinear", "wto", "v", {}),
        ("Conv", "dv", "l", {"pads": [1] * 4}),
    ]
    if not same:
        constants["u"] = np.float32(0.03)
        nodes += [("QuantizeLinear", "huz", "m", {}), ("DequantizeLinear", "muz", "n", {})]
        return [
            *nodes,
            ("GlobalMaxPool", "n", "p", {}),
            ("GlobalMaxPool", "l", "r", {}),
            ("Concat", "pr", "y", {"axis": 1}),
        ], constants
    return [*nodes, ("GlobalMaxPool", "l", "y", {})], constants


def test_the_quantizer_behind_a_focus_stem_is_that_of_the_input(onnx_tools):
    model = onnx_tools.model(*focus(True), ("N", 3, 8, 8))
    network = lower(read_model(model))
    assert str(network.input.type) == "uint8[8, 8, 3]"
    x = rng.normal(size=(20, 3, 8, 8)).astype(np.float32)
    assert np.allclose(network.predict(x), onnx_tools.run_plain(model, x), atol=1e-5)


def test_parts_of_the_input_with_two_quantizers_read_one_of_16_bits(onnx_tools):
    model = onnx_tools.model(*focus(False), ("N", 3, 8, 8))
    notes = []
    network = lower(read_model(model), notes=notes)
    assert str(network.input.type) == "int16[8, 8, 3]"
    assert notes == ["input 'input': has 2 quantizers, and one of 16 bits in front of them"]
    x = rng.normal(size=(40, 3, 8, 8)).astype(np.float32)
    off = np.abs(network.predict(x) - onnx_tools.run_plain(model, x)).reshape(40, -1)
    assert np.mean(off[:, :6] < 1e-5) > 0.95  # the others are one code of the quantizer off
    assert off[:, :6].max() < 0.031
    assert off[:, 6:].max() < 0.02 * 127 * 0.01 * 3


def test_products_that_pass_32_bits_halve_a_factor(onnx_tools):
    """Of two values of 16 bits: one code of 65,536 off at most, and a note."""
    constants = {"s": np.float32(0.0002), "z": np.uint16(30000), "t": np.float32(1 / 65535), "o": np.uint16(0)}
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}),
        ("DequantizeLinear", "qsz", "d", {}),
        ("Sigmoid", "d", "f", {}),
        ("QuantizeLinear", "fto", "g", {}),
        ("DequantizeLinear", "gto", "h", {}),
        ("Mul", "dh", "p", {}),
        ("QuantizeLinear", "psz", "r", {}),
        ("DequantizeLinear", "rsz", "y", {}),
    ]
    notes = []
    model = onnx_tools.model(nodes, constants, ("N", 3), opset=21)
    network = lower(read_model(model), notes=notes)
    assert any("is halved and rounded, since the product passes 32 bits" in note for note in notes)
    x = rng.uniform(-7, 8, (400, 3)).astype(np.float32)
    step, gate = np.float64(constants["s"]), np.float64(constants["t"])
    real = (np.clip(np.rint(x / step) + 30000, 0, 65535) - 30000) * step
    product = real * np.clip(np.rint(1 / (1 + np.exp(-real)) / gate), 0, 65535) * gate
    expected = (np.clip(np.rint(product / step) + 30000, 0, 65535) - 30000) * step
    differing, most = steps_apart(network.predict(x), expected, step)
    assert 0 < differing < x.size
    assert most < 1.01
