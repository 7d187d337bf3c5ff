"""QONNX and QDQ models: what the quantizer operators mean, and whole models against their own runtime."""

import numpy as np
import onnxruntime as ort
import pytest

from bitwright.errors import ModelError
from bitwright.models import lower, read_model, to_onnx
from bitwright.network import BIPOLAR, IntType, evaluate

DOMAINS = ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general", ""]
ROUNDINGS = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda v: np.sign(v) * np.ceil(np.abs(v)),
    "DOWN": np.fix,
    "ROUND_TO_ZERO": np.fix,
    "HALF_UP": lambda v: np.sign(v) * np.floor(np.abs(v) + 0.5),
    "HALF_DOWN": lambda v: np.sign(v) * np.ceil(np.abs(v) - 0.5),
}
GRID = np.arange(-6, 6, 0.125, dtype=np.float32)


def f32(*values):
    return np.array(values, np.float32)


def limits(bits, signed, narrow):
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    return low, 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow


def on_grid(graph):
    """The graph's outputs for every grid point in every one of two channels."""
    session = ort.InferenceSession(to_onnx(graph).SerializeToString())
    return session.run(None, {"input": np.stack([GRID, GRID], 1)})[0]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(("signed", "narrow"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_quant_rounds_and_clamps(rounding, signed, narrow, onnx_tools):
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": rounding.lower(), "domain": DOMAINS[signed]}
    constants = {"s": f32(0.5), "z": np.float32(1), "b": np.float32(3)}
    model = onnx_tools.model([("Quant", "xszb", "y", attributes)], constants, shape=("N", 2))
    low, high = limits(3, signed, narrow)
    expected = (ROUNDINGS[rounding](np.clip(GRID / 0.5 + 1, low, high)) - 1) * 0.5
    assert np.array_equal(on_grid(read_model(model))[:, 0], expected)


@pytest.mark.parametrize("domain", DOMAINS)
def test_quant_of_every_domain_and_per_channel(domain, onnx_tools):
    """A missing rounding mode, a bit width that a sub-graph computes, IntQuant, scales per channel."""
    nodes = [
        ("Add", "bo", "c", {}),
        ("IntQuant" if domain else "Quant", "xszc", "y", {"signed": 1, "narrow": 1, "domain": domain}),
    ]
    constants = {"s": f32(0.5, 0.25).reshape(1, 2), "z": np.float32(0), "b": np.float32(3), "o": np.float32(1)}
    graph = read_model(onnx_tools.model(nodes, constants, shape=("N", 2)))
    quantizer = graph.nodes[0].op.quantizer
    assert (quantizer.dtype, quantizer.low, quantizer.high) == (IntType(4, True), -7, 7)
    for c, scale in enumerate((0.5, 0.25)):
        assert np.array_equal(on_grid(graph)[:, c], np.clip(np.rint(GRID / scale), -7, 7) * scale)


def test_fractional_zero_point(onnx_tools):
    constants = {"s": f32(0.5), "z": np.float32(0.5), "b": np.float32(3)}
    model = onnx_tools.model([("Quant", "xszb", "y", {"signed": 1, "domain": DOMAINS[0]})], constants, shape=("N", 2))
    expected = (np.rint(np.clip(GRID / 0.5 + 0.5, -4, 3)) - 0.5) * 0.5
    assert np.array_equal(on_grid(read_model(model))[:, 0], expected)


@pytest.mark.parametrize("op", ["BipolarQuant", "Quant"])
def test_bipolar(op, onnx_tools):
    inputs = "xs" if op == "BipolarQuant" else "xszb"
    attributes = {"domain": DOMAINS[0]} | ({} if op == "BipolarQuant" else {"signed": 1})
    constants = {"s": f32(0.5), "z": np.float32(0), "b": np.float32(1)}
    constants = {k: v for k, v in constants.items() if k in inputs}
    graph = read_model(onnx_tools.model([(op, inputs, "y", attributes)], constants, shape=("N", 2)))
    assert graph.nodes[0].op.quantizer.dtype == BIPOLAR
    assert np.array_equal(on_grid(graph)[:, 0], np.where(GRID >= 0, 0.5, -0.5))


def trunc(x, scale, zero, shift, rounding, version, low=0, high=0):
    y = np.rint(x / scale + zero) / 2.0**shift
    if version == 1:
        return (ROUNDINGS[rounding](y) - zero) * scale
    return (ROUNDINGS[rounding](np.clip(y, low, high)) - zero / 2.0**shift) * scale * 2.0**shift


@pytest.mark.parametrize("zero", [0, 4])
@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "CEIL"])
def test_trunc(zero, rounding, onnx_tools):
    base = {"s": f32(0.125), "z": np.float32(zero), "i": np.float32(8), "o": np.float32(6), "t": f32(0.5)}
    for version, inputs in ((1, "xszio"), (2, "xszito")):
        attributes = {"domain": DOMAINS[1]} | ({} if rounding == "FLOOR" else {"rounding_mode": rounding})
        constants = {k: v for k, v in base.items() if k in inputs}
        model = onnx_tools.model([("Trunc", inputs, "y", attributes)], constants, shape=("N", 2))
        expected = trunc(GRID, 0.125, zero, 2, rounding, version, -32, 31)
        assert np.array_equal(on_grid(read_model(model))[:, 0], expected)


@pytest.mark.parametrize(
    ("kind", "zero"), [(np.int8, 0), (np.int8, -3), (np.uint8, 128), (np.uint8, 7), (np.int16, 0), (np.uint16, 9)]
)
def test_quantize_linear(kind, zero, onnx_tools):
    """Ties go to the even code before the zero point is added, odd zero points included."""
    nodes = [("QuantizeLinear", "xsz", "q", {}), ("DequantizeLinear", "qsz", "y", {})]
    constants = {"s": np.float32(0.25), "z": kind(zero)}
    model = onnx_tools.model(nodes, constants, shape=("N", 2), opset=21)
    x = np.stack([GRID * 8, GRID * 16], 1)
    graph = onnx_tools.check(model, data=x, tolerance=0)
    assert graph.nodes[0].op.quantizer.dtype == IntType(np.iinfo(kind).bits, np.iinfo(kind).min < 0)


def dense(rng, o, i):
    w = rng.integers(-127, 128, (o, i)).astype(np.int8)
    return w, rng.uniform(0.005, 0.02, o).astype(np.float32), rng.integers(-500, 500, o).astype(np.int32)


def qdq_model(onnx_tools, input_zero):
    """Convolution, Relu, pooling on codes, residual sum, flatten, dense: as ONNX Runtime's quantizer writes it."""
    rng = np.random.default_rng(5)
    w = rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8)
    dw, ds, db = dense(rng, 5, 36)
    sw = rng.uniform(0.001, 0.01, 4).astype(np.float32)
    constants = {
        "w": w, "sw": sw, "zw": np.zeros(4, np.int8), "b": rng.integers(-900, 900, 4).astype(np.int32),
        "sb": (sw * np.float32(0.05)).astype(np.float32), "zb": np.zeros(4, np.int32),
        "si": np.float32(0.05), "zi": np.uint8(input_zero), "sa": np.float32(0.08), "za": np.uint8(0),
        "dw": dw, "ds": ds, "dz": np.zeros(5, np.int8), "db": db, "dbs": (ds * np.float32(0.11)).astype(np.float32),
        "dbz": np.zeros(5, np.int32), "so": np.float32(0.11), "zo": np.uint8(100),
    }  # fmt: skip
    nodes = [
        ("QuantizeLinear", ("x", "si", "zi"), "xq", {}),
        ("DequantizeLinear", ("xq", "si", "zi"), "xd", {}),
        ("DequantizeLinear", ("w", "sw", "zw"), "wd", {"axis": 0}),
        ("DequantizeLinear", ("b", "sb", "zb"), "bd", {"axis": 0}),
        ("Conv", ("xd", "wd", "bd"), "c", {"pads": [1, 1, 1, 1]}),
        ("Relu", ("c",), "r", {}),
        ("QuantizeLinear", ("r", "sa", "za"), "rq", {}),
        ("MaxPool", ("rq",), "mq", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("DequantizeLinear", ("mq", "sa", "za"), "md", {}),
        ("Add", ("md", "md"), "s", {}),
        ("QuantizeLinear", ("s", "so", "zo"), "sq", {}),
        ("DequantizeLinear", ("sq", "so", "zo"), "sd", {}),
        ("Flatten", ("sd",), "f", {}),
        ("DequantizeLinear", ("dw", "ds", "dz"), "dwd", {"axis": 0}),
        ("DequantizeLinear", ("db", "dbs", "dbz"), "dbd", {"axis": 0}),
        ("Gemm", ("f", "dwd", "dbd"), "y", {"transB": 1}),
    ]
    return onnx_tools.model(nodes, constants, shape=("N", 2, 6, 7), opset=17)


@pytest.mark.parametrize("input_zero", [0, 128, 3])
def test_qdq_model_is_lowered_exactly(input_zero, onnx_tools):
    model = qdq_model(onnx_tools, input_zero)
    network = lower(read_model(model))
    q = np.random.default_rng(0).integers(0, 256, (64, 6, 7, 2))
    x = ((q - input_zero) * np.float32(0.05)).astype(np.float32).transpose(0, 3, 1, 2)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    expected = ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]
    found = evaluate(network, q)[network.output_name]
    real = (found - network.output.offset) * network.output.scale
    # float32 may round the other way next to a boundary: at most a code or two in the 64 images
    assert np.mean(np.abs(real - expected).max(1) > 1e-3) <= 0.05


def test_weight_zero_points_are_folded_into_the_integers(onnx_tools):
    w = np.array([[100, 130], [128, 255]], np.uint8)
    constants = {"w": w, "s": np.float32(0.5), "z": np.uint8(128), "i": np.float32(1), "j": np.int8(0)}
    nodes = [
        ("QuantizeLinear", "xij", "q", {}),
        ("DequantizeLinear", "qij", "d", {}),
        ("DequantizeLinear", "wsz", "e", {}),
        ("MatMul", "de", "y", {}),
    ]
    graph = onnx_tools.check(onnx_tools.model(nodes, constants, shape=("N", 2)))
    layer = next(n for n in graph.nodes if n.kind == "Dense")
    assert np.array_equal(layer.op.quantized.values, w.T.astype(int) - 128)
    assert lower(graph).nodes[0].op.weight_type == IntType(8, True)


def test_integer_input_with_its_scale(onnx_tools):
    """A model whose input is uint8: the codes are the input, their scale is part of the network."""
    from onnx import TensorProto

    w = np.arange(-3, 3, dtype=np.int8).reshape(2, 3)
    constants = {"w": w, "s": np.float32(0.5), "z": np.int8(0), "i": np.float32(0.25), "j": np.uint8(128)}
    nodes = [
        ("DequantizeLinear", "xij", "d", {}),
        ("DequantizeLinear", "wsz", "e", {}),
        ("Gemm", "de", "y", {"transB": 1}),
    ]
    model = onnx_tools.model(nodes, constants, shape=("N", 3), element=TensorProto.UINT8)
    network = lower(read_model(model))
    assert network.input.type.dtype == IntType(8)
    q = np.random.default_rng(0).integers(0, 256, (10, 3))
    expected = onnx_tools.run(model, q.astype(np.uint8))
    found = (evaluate(network, q)[network.output_name] - network.output.offset) * network.output.scale
    assert np.allclose(found, expected)


@pytest.mark.parametrize(
    ("attributes", "constants", "message"),
    [
        ({"rounding_mode": "DITHER"}, {}, "rounding mode 'DITHER'; legal are ROUND"),
        ({}, {"b": np.float32(33)}, "bit width 33; legal is one whole number from 1 to 32"),
        ({}, {"b": np.float32(2.5)}, "bit width 2.5"),
        ({}, {"s": np.float32(0)}, "scale that is not positive"),
    ],
)
def test_illegal_quantizers(attributes, constants, message, onnx_tools):
    base = {"s": f32(0.5), "z": np.float32(0), "b": np.float32(3)} | constants
    model = onnx_tools.model([("Quant", "xszb", "y", {"domain": DOMAINS[0], **attributes})], base, shape=("N", 2))
    with pytest.raises(ModelError, match=message):
        read_model(model)
