"""Quantizers of the model's input: the codes are those that ONNX Runtime's QuantizeLinear, or QONNX' Quant, gives."""

import dataclasses
import itertools

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper

from bitwright.models import lower, read_model
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops, storage

KINDS = {"uint8": np.uint8, "int8": np.int8, "uint16": np.uint16, "int16": np.int16}


def near_ties(scale, zero, kind, rng, count):
    """Random floats over the codes and beyond, and the floats on and next to rounding limits."""
    info = np.iinfo(kind)
    low, high = int(info.min) - zero, int(info.max) - zero
    span = high - low + 1
    x = rng.uniform(low - span / 8, high + span / 8, count) * scale
    whole = rng.integers(low - 4, high + 5, count // 4) + 0.5
    ties = (whole * scale).astype(np.float32)
    ties = np.concatenate([np.nextafter(ties, np.float32(-np.inf)), ties, np.nextafter(ties, np.float32(np.inf))])
    return np.concatenate([x.astype(np.float32), ties])


def qdq_input(onnx_tools, scale, zero):
    """A quantizer alone, and in front of a dense layer of unit weights."""
    constants = {"s": np.float32(scale), "z": zero}
    alone = onnx_tools.model([("QuantizeLinear", "xsz", "y", {})], constants, ("N", 4), opset=21)
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}),
        ("DequantizeLinear", "qsz", "d", {}),
        ("DequantizeLinear", "wt", "v", {}),
        ("MatMul", "dv", "y", {}),
    ]
    weights = {"w": np.eye(4, dtype=np.int8), "t": np.float32(1)}
    whole = onnx_tools.model(nodes, {**constants, **weights}, ("N", 4), opset=21)
    alone.graph.output[0].type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(zero.dtype)
    return alone, whole


SCALES = (0.042551294, 1 / 255, 0.5, 0.007812501, 3.1e-5, 123.456)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_those_of_onnx_runtime(kind, onnx_tools):
    """Random values and ties, for many scales and zero points, even and odd: none differs."""
    rng = np.random.default_rng(3)
    info = np.iinfo(KINDS[kind])
    zeros = (int(info.min), int(info.max), 0, (int(info.min) + int(info.max)) // 2 + 3)
    for scale, zero in itertools.product(SCALES, zeros):
        alone, whole = qdq_input(onnx_tools, scale, KINDS[kind](zero))
        x = near_ties(np.float32(scale), zero, KINDS[kind], rng, 4000)
        x = x[: len(x) // 4 * 4].reshape(-1, 4)
        network = lower(read_model(whole))
        assert network.input.rule == "divide_then_add"
        expected = ort.InferenceSession(alone.SerializeToString()).run(None, {"x": x})[0]
        np.testing.assert_array_equal(network.input.quantize(x), expected.astype(np.int64))
        real = (expected.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        np.testing.assert_allclose(network.predict(x), real, rtol=1e-6)


def test_a_million_values_with_a_zero_point(onnx_tools):
    """x / s + z in float32 loses the bits that decide; 7 of these differed."""
    alone, whole = qdq_input(onnx_tools, 0.042551294, np.uint8(130))
    x = np.random.default_rng(0).normal(size=(250000, 4)).astype(np.float32)
    expected = ort.InferenceSession(alone.SerializeToString()).run(None, {"x": x})[0]
    network = lower(read_model(whole))
    np.testing.assert_array_equal(network.input.quantize(x), expected)
    np.testing.assert_array_equal(np.rint(network.predict(x) / np.float32(0.042551294)) + 130, expected)


def test_scales_and_zero_points_of_channels(onnx_tools):
    """One quantizer a channel of an image, in front of a depthwise convolution."""
    rng = np.random.default_rng(4)
    constants = {"s": np.float32([0.0425, 0.31, 0.0078]), "z": np.uint8([130, 4, 200]), "t": np.float32(1)}
    constants["w"] = np.ones((3, 1, 1, 1), np.int8)
    nodes = [
        ("QuantizeLinear", "xsz", "q", {"axis": 1}),
        ("DequantizeLinear", "qsz", "d", {"axis": 1}),
        ("DequantizeLinear", "wt", "v", {}),
        ("Conv", "dv", "y", {"group": 3}),
    ]
    model = onnx_tools.model(nodes, constants, ("N", 3, 5, 4))
    x = rng.normal(scale=3, size=(4000, 3, 5, 4)).astype(np.float32)
    network = lower(read_model(model))
    np.testing.assert_allclose(network.predict(x), onnx_tools.run(model, x), rtol=1e-6)


@pytest.mark.parametrize("zero", [0.0, 3.0, 0.25])
def test_qonnx_adds_before_it_rounds(zero, onnx_tools):
    """(round(clamp(x / s + z)) - z) * s in float32, as qonnx computes it; not the order of QuantizeLinear."""
    constants = {"s": np.float32(0.0425), "z": np.float32(zero), "b": np.float32(5), "w": np.eye(4, dtype=np.float32)}
    constants |= {"t": np.float32(1), "o": np.float32(0), "c": np.float32(2)}
    nodes = [
        ("Quant", "xszb", "q", {"domain": "onnx.brevitas", "signed": 1}),
        ("Quant", "wtoc", "v", {"domain": "onnx.brevitas", "signed": 1}),
        ("MatMul", "qv", "y", {}),
    ]
    network = lower(read_model(onnx_tools.model(nodes, constants, ("N", 4))))
    x = near_ties(np.float32(0.0425), int(zero), np.int8, np.random.default_rng(1), 40000)
    x = x[: len(x) // 4 * 4].reshape(-1, 4)
    codes = np.rint(np.clip(x / np.float32(0.0425) + np.float32(zero), -16, 15))
    if zero == int(zero):
        assert network.input.rule == "divide"
        np.testing.assert_array_equal(network.input.quantize(x), codes)
    np.testing.assert_allclose(network.predict(x), (codes - np.float32(zero)) * np.float32(0.0425), atol=1e-5)


@pytest.mark.parametrize("rule", ["multiply", "divide", "divide_then_add"])
@pytest.mark.parametrize("dtype", ["uint1", "int4", "uint8", "int8", "int12", "uint16", "int30", "bipolar"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("far", [False, True])
def test_predict_computes_each_rule(rule, dtype, channels, far):
    """The fast path gives the codes of `quantize`, next to every limit, with scales and offsets of channels."""
    rng = np.random.default_rng(7)
    kind = IntType.parse(dtype)
    scale, offset = rng.uniform(0.01, 2, channels), rng.integers(-9, 9, channels).astype(float)
    if rule != "divide_then_add":
        offset += rng.uniform(-0.5, 0.5, channels)
    low = kind.min + int(rng.integers(0, 2)) if kind.bits > 2 and not kind.bipolar else None
    spec = InputSpec(TensorType((3,), kind), scale, offset * (1 + 40 * far), rule=rule, low=low)
    offset = spec.offset
    centre = rng.integers(kind.min, kind.max, (5000, 3), endpoint=True)
    ties = ((centre + 0.5 - offset) * scale).astype(np.float32)
    x = np.nextafter(ties, rng.choice([-1e9, 0, 1e9], ties.shape).astype(np.float32))
    for op in (ops.Dense(np.eye(3, dtype=int), IntType(2, True)), ops.Flatten()):
        network = Network(spec, (Node("y", op, ("input",)),))
        np.testing.assert_array_equal(network.predict(x), spec.quantize(x).astype(np.float32))


def test_old_files_keep_their_meaning(random_network):
    """A file without a rule multiplies by the reciprocal, as the program that wrote it did."""
    network = random_network(5)
    network = dataclasses.replace(network, inputs=dataclasses.replace(network.input, scale=[0.042551294], offset=[0.0]))
    tree = storage.to_bytes(network)
    assert storage.from_bytes(tree).input.rule == "multiply"
    entries = storage._unzip(tree)
    del entries["format.json"]
    text = entries["network.json"].decode()
    old = text.replace('  "rule": "multiply",\n', "")
    assert old != text
    entries["network.json"] = old.encode()
    header = {"format": storage.FORMAT, "version": 1, "digest": storage._digest(entries)}
    again = storage.from_bytes(storage._zip({"format.json": storage._json(header), **entries}))
    assert again.input.rule == "multiply"
    assert again.digest == network.digest
    divided = dataclasses.replace(network, inputs=dataclasses.replace(network.input, rule="divide"))
    assert storage.from_bytes(storage.to_bytes(divided)).input.rule == "divide"
    assert divided.digest != network.digest


def test_rules_are_checked():
    flat = TensorType((3,), IntType(8))
    with pytest.raises(Exception, match="legal are multiply, divide, divide_then_add"):
        InputSpec(flat, rule="guess")
    with pytest.raises(Exception, match="added after rounding must be whole"):
        InputSpec(flat, offset=[0.5], rule="divide_then_add")
