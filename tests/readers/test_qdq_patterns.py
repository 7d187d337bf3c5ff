"""QDQ files as Brevitas and ONNX Runtime write them, against ONNX Runtime on the same file."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from bitwright.errors import ModelError
from bitwright.models import lower, read_model, to_onnx
from bitwright.models.graph import ops
from bitwright.network import IntType, evaluate

rng = np.random.default_rng(0)


def codes_of(bits, signed, narrow):
    return (-(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1 - narrow)


def as_bound(value, kind, name, how):
    """A bound of a Clip: constant to store, or a node that makes it."""
    array = np.array(value, kind)
    if how == "initializer":
        return [], {name: array}
    return [("Constant", (), name, {"value": onnx.numpy_helper.from_array(array)})], {}


def qcdq(onnx_tools, bits, signed, narrow, how, float_weights):
    """x -> 8-bit QDQ -> conv (clipped weights per channel) -> QCDQ -> conv, as Brevitas exports it."""
    kind = np.int8 if signed else np.uint8
    low, high = codes_of(bits, signed, narrow)
    wlow, whigh = codes_of(bits, True, True) if bits > 1 else (-1, 1)
    scale = rng.uniform(0.02, 0.2, 8).astype(np.float32)
    nodes, constants = [], {}
    for name, value, of in (("lo", low, kind), ("hi", high, kind), ("wl", wlow, np.int8), ("wh", whigh, np.int8)):
        more, stored = as_bound(value, of, name, how)
        nodes, constants = nodes + more, constants | stored
    constants |= {
        "si": np.float32(0.05), "zi": np.uint8(128), "s": np.float32(0.3 if bits > 2 else 1.5), "z": kind(0),
        "sw": scale, "zw": np.zeros(8, np.int8), "v": rng.integers(-7, 8, (4, 8, 1, 1)).astype(np.int8),
        "sv": np.float32(0.1), "zv": np.int8(0),
    }  # fmt: skip
    weight = rng.normal(size=(8, 3, 3, 3)).astype(np.float32) * scale.reshape(-1, 1, 1, 1) * whigh
    if float_weights:
        constants["w"] = weight
        nodes.append(("QuantizeLinear", ("w", "sw", "zw"), "wq", {"axis": 0}))
    else:
        whole = np.rint(weight / scale.reshape(-1, 1, 1, 1))
        constants["wq"] = np.clip(whole, -128, 127).astype(np.int8)
    nodes += [
        ("Clip", ("wq", "wl", "wh"), "wc", {}),
        ("DequantizeLinear", ("wc", "sw", "zw"), "wd", {"axis": 0}),
        ("QuantizeLinear", ("x", "si", "zi"), "xq", {}),
        ("DequantizeLinear", ("xq", "si", "zi"), "xd", {}),
        ("Conv", ("xd", "wd"), "c", {}),
        *([] if signed else [("Relu", ("c",), "r", {})]),
        ("QuantizeLinear", ("c" if signed else "r", "s", "z"), "aq", {}),
        ("Clip", ("aq", "lo", "hi"), "ac", {}),
        ("DequantizeLinear", ("ac", "s", "z"), "ad", {}),
        ("DequantizeLinear", ("v", "sv", "zv"), "vd", {}),
        ("Conv", ("ad", "vd"), "y", {}),
    ]
    return onnx_tools.model(nodes, constants, ("N", 3, 8, 8)), (low, high), (wlow, whigh)


def steps_apart(found, expected, step):
    """How many outputs differ, and the largest difference in steps."""
    apart = np.abs(found - expected) / step
    return int((apart > 0.01).sum()), float(apart.max())


@pytest.mark.parametrize("how", ["initializer", "node"])
@pytest.mark.parametrize("float_weights", [False, True])
@pytest.mark.parametrize(
    ("bits", "signed", "narrow"),
    [
        (1, False, 0),
        (2, True, 0),
        (2, True, 1),
        (3, False, 0),
        (4, False, 1),
        (4, True, 1),
        (7, True, 0),
        (8, False, 0),
    ],
)
def test_qcdq(bits, signed, narrow, float_weights, how, onnx_tools):
    model, (low, high), (wlow, whigh) = qcdq(onnx_tools, bits, signed, narrow, how, float_weights)
    network = lower(read_model(model))
    layers = [n for n in network.nodes if hasattr(n.op, "weight")]
    assert layers[0].op.weight_type == IntType.holding(wlow, whigh)
    read = network.types[layers[1].inputs[0]].dtype
    assert read == IntType.holding(low, high)
    x = rng.normal(size=(6, 3, 8, 8)).astype(np.float32) * 3
    values = evaluate(network, network.input.quantize(x))[layers[1].inputs[0]]
    assert values.min() >= low
    assert values.max() <= high
    assert len(np.unique(values)) > 1
    differing, _ = steps_apart(network.predict(x), onnx_tools.run_plain(model, x), 0.1 * (0.3 if bits > 2 else 1.5))
    assert differing <= 2  # float32 sums of ONNX Runtime next to a tie


@pytest.mark.parametrize("op", ["Clip", "Relu", "Min"])
def test_bounds_on_an_integer_input(op, onnx_tools):
    """A model that takes uint8, clips it and dequantizes it."""
    nodes = {
        "Clip": [("Clip", "xlh", "c", {})],
        "Relu": [("Cast", "x", "f", {"to": 1}), ("Relu", "f", "c", {})],
        "Min": [("Min", "xh", "c", {})],
    }[op]
    dequantize = ("Mul", "cs", "d", {}) if op == "Relu" else ("DequantizeLinear", "cs", "d", {})
    nodes += [dequantize, ("DequantizeLinear", "wt", "v", {}), ("MatMul", "dv", "y", {})]
    constants = {"l": np.uint8(3), "h": np.uint8(40), "s": np.float32(0.5), "t": np.float32(1)}
    constants["w"] = np.eye(3, dtype=np.int8)
    network = lower(read_model(onnx_tools.model(nodes, constants, ("N", 3), element=TensorProto.UINT8)))
    q = np.arange(256).repeat(3).reshape(-1, 3)
    y = network.output.dequantize(network.evaluator.run(network.input.quantize(q.astype(np.float32))))
    expected = {"Clip": np.clip(q, 3, 40), "Relu": q, "Min": np.minimum(q, 40)}[op] * 0.5
    np.testing.assert_array_equal(y, expected)


def test_bounds_that_leave_one_code(onnx_tools):
    nodes = [("QuantizeLinear", "xsz", "q", {}), ("Clip", "qlh", "c", {}), ("DequantizeLinear", "csz", "y", {})]
    constants = {"s": np.float32(1), "z": np.uint8(0), "l": np.uint8(9), "h": np.uint8(9)}
    with pytest.raises(ModelError, match=r"clips codes \[0, 255\] to \[9.0, 9.0\]; legal are bounds that leave two"):
        read_model(onnx_tools.model(nodes, constants))


def qdq(i, o, s="s", z="z"):
    return [("QuantizeLinear", (i, s, z), o + "_q", {}), ("DequantizeLinear", (o + "_q", s, z), o, {})]


# Each function with quantizers between all of its parts, as a chain from "a" to "b".
GATES = {
    "silu": [("Sigmoid", ("a",), "g", {}), *qdq("g", "gd", "sg"), ("Mul", ("a", "gd"), "b", {})],
    "silu reversed": [("Sigmoid", ("a",), "g", {}), *qdq("g", "gd", "sg"), ("Mul", ("gd", "a"), "b", {})],
    "hard": [("HardSigmoid", ("a",), "g", {"alpha": 0.25}), *qdq("g", "gd", "sg"), ("Mul", ("a", "gd"), "b", {})],
    "hard swish": [
        ("Add", ("a", "three"), "t", {}), *qdq("t", "td", "s8", "z8"), ("Clip", ("td", "zero", "six"), "r", {}),
        *qdq("r", "rd", "s8"), ("Mul", ("a", "rd"), "p", {}), *qdq("p", "pd", "sp", "z8"),
        ("Div", ("pd", "six"), "b", {}),
    ],
    "two roundings": [
        *qdq("a", "a1", "s8", "z8"), *qdq("a", "a2", "s8", "z8"), ("Tanh", ("a1",), "g", {}),
        *qdq("g", "gd", "sp", "z8"), ("Mul", ("a2", "gd"), "b", {}),
    ],
    "square": [("Mul", ("a", "a"), "b", {})],
    "mish parts": [
        ("Tanh", ("a",), "g", {}), ("Mul", ("a", "g"), "h", {}), *qdq("h", "hd", "s8", "z8"),
        ("Sigmoid", ("hd",), "k", {}), *qdq("k", "kd", "sg"), ("Mul", ("hd", "kd"), "b", {}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("gate", GATES)
def test_products_of_functions_of_one_value(gate, kind, onnx_tools):
    """Every code of the input: one table, with ONNX Runtime's numbers but where its float32 meets a tie."""
    odd = kind(131 if kind == np.uint8 else -3)
    constants = {
        "s": np.float32(0.0472), "z": odd, "sg": np.float32(1 / 255), "s8": np.float32(0.061), "z8": odd,
        "sp": np.float32(0.11), "zero": np.float32(0), "three": np.float32(3), "six": np.float32(6),
        "w": np.eye(3, dtype=np.int8), "one": np.float32(1), "so": np.float32(0.037), "zo": kind(40),
    }  # fmt: skip
    nodes = [*qdq("x", "a"), *GATES[gate], *qdq("b", "o", "so", "zo")]
    nodes += [("DequantizeLinear", ("w", "one"), "v", {}), ("MatMul", ("o", "v"), "y", {})]
    model = onnx_tools.model([(op, i, o, dict(a)) for op, i, o, a in nodes], constants, ("N", 3))
    graph = read_model(model)
    network = lower(graph)
    kinds = [type(n.op).__name__ for n in network.nodes]
    assert "Lookup" in kinds
    assert set(kinds) <= {"Lookup", "Requantize", "Threshold", "Dense"}
    codes = np.arange(np.iinfo(kind).min, np.iinfo(kind).max + 1)
    x = ((codes.astype(np.float32) - np.float32(odd)) * constants["s"]).repeat(3).reshape(-1, 3)
    expected = onnx_tools.run_plain(model, x)
    ties, most = steps_apart(network.predict(x), expected, constants["so"])
    assert ties <= 3 * 2  # codes of 256, in each of three columns
    assert most < 1.01
    found = ort.InferenceSession(to_onnx(graph).SerializeToString()).run(None, {"input": x})[0]
    assert steps_apart(found, expected, constants["so"])[0] <= 3 * 2


def test_products_of_wide_values_are_those_of_two(onnx_tools):
    """Of 16 bits no table of both functions is made: the quantized factors are multiplied."""
    nodes = [
        ("QuantizeLinear", ("x", "s", "z"), "q", {}), ("DequantizeLinear", ("q", "s", "z"), "a", {}),
        ("Sigmoid", ("a",), "g", {}), *qdq("g", "gd", "sg", "z8"), ("Mul", ("a", "gd"), "b", {}),
        *qdq("b", "y", "s", "z8"),
    ]  # fmt: skip
    constants = {"s": np.float32(0.001), "z": np.int16(0), "sg": np.float32(1 / 255), "z8": np.uint8(0)}
    model = onnx_tools.model(nodes, constants, ("N", 3), opset=21)
    graph = read_model(model)
    network = lower(graph)
    assert [type(n.op).__name__ for n in network.nodes].count("Mul") == 1
    x = rng.uniform(-30, 30, (200, 3)).astype(np.float32)
    ties, most = steps_apart(network.predict(x), onnx_tools.run_plain(model, x), constants["s"])
    assert ties <= 6
    assert most < 1.01
    gate = next(n for n in graph.nodes if n.kind == "Sigmoid")
    product = ops.Product((), (gate.op,))
    wide = graph.with_nodes(replace(n, op=product, inputs=gate.inputs) if n.kind == "Mul" else n for n in graph.nodes)
    with pytest.raises(ModelError, match="any shape of a value of 16 bits; legal are at most 12 bits: quantize the"):
        lower(wide)


@pytest.mark.parametrize("shape", [("N", 5), ("N", 3, 4, 2)])
@pytest.mark.parametrize(("step", "zero"), [(1 / 256, 0), (1 / 255, 3), (0.01, 128)])
def test_a_quantized_softmax_at_the_end(shape, step, zero, onnx_tools):
    nodes = [*qdq("x", "a"), ("Softmax", ("a",), "b", {"axis": 1}), *qdq("b", "y", "so", "zo")]
    nodes.insert(2, ("DequantizeLinear", ("w", "one"), "v", {}))
    image = len(shape) == 4
    channels = shape[1]
    constants = {
        "s": np.float32(0.1), "z": np.uint8(128), "so": np.float32(step), "zo": np.uint8(zero), "one": np.float32(1),
        "w": np.eye(channels, dtype=np.int8).reshape(channels, channels, *[1] * (2 * image)),
    }  # fmt: skip
    nodes.insert(3, ("Conv" if image else "MatMul", ("a", "v"), "l", {}))
    nodes[4] = ("Softmax", ("l",), "b", {"axis": 1})
    model = onnx_tools.model(nodes, constants, shape)
    network = lower(read_model(model))
    assert network.output.function == "softmax"
    x = rng.normal(size=(2000 // int(np.prod(shape[2:])), *shape[1:])).astype(np.float32) * 4
    expected, found = onnx_tools.run_plain(model, x), network.predict(x)
    ties, most = steps_apart(found, expected, step)
    assert ties <= 2
    assert most < 1.01
    assert len(np.unique(found)) > 20


def test_a_softmax_with_more_behind_it_is_refused(onnx_tools):
    nodes = [*qdq("x", "a"), ("DequantizeLinear", ("w", "one"), "v", {}), ("MatMul", ("a", "v"), "l", {})]
    nodes += [("Softmax", ("l",), "b", {}), *qdq("b", "c"), ("MatMul", ("c", "v"), "y", {})]
    constants = {"s": np.float32(0.1), "z": np.uint8(0), "one": np.float32(1), "w": np.eye(3, dtype=np.int8)}
    with pytest.raises(ModelError, match="stands inside the model; legal is the end, or one quantizer at the end"):
        lower(read_model(onnx_tools.model(nodes, constants, ("N", 3))))


class Samples(CalibrationDataReader):
    def __init__(self, x):
        self.left = [{"x": x[i : i + 1]} for i in range(len(x))]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.mark.parametrize("activation", ["silu", "hardswish", "hardswish parts", "softmax", "gate"])
@pytest.mark.parametrize("signed", [False, True])
def test_what_onnx_runtimes_quantizer_writes(activation, signed, onnx_tools, tmp_path):
    act = {
        "silu": [("Sigmoid", ("c",), "g", {}), ("Mul", ("c", "g"), "a", {})],
        "hardswish": [("HardSigmoid", ("c",), "g", {"alpha": 1 / 6, "beta": 0.5}), ("Mul", ("c", "g"), "a", {})],
        "hardswish parts": [
            ("Add", ("c", "three"), "t", {}), ("Clip", ("t", "zero", "six"), "r", {}), ("Mul", ("c", "r"), "p", {}),
            ("Div", ("p", "six"), "a", {}),
        ],
        "softmax": [("Relu", ("c",), "a", {})],
        "gate": [
            ("GlobalAveragePool", ("c",), "p", {}), ("Conv", ("p", "u"), "q", {}), ("Sigmoid", ("q",), "g", {}),
            ("Mul", ("c", "g"), "a", {}),
        ],
    }[activation]  # fmt: skip
    nodes = [("Conv", ("x", "w"), "c", {"pads": [1, 1, 1, 1]}), *act, ("Conv", ("a", "v"), "d", {})]
    nodes += [("GlobalAveragePool", ("d",), "e", {}), ("Flatten", ("e",), "f", {}), ("Softmax", ("f",), "y", {})]
    constants = {
        "w": rng.normal(size=(8, 3, 3, 3)).astype(np.float32), "v": rng.normal(size=(5, 8, 1, 1)).astype(np.float32),
        "u": rng.normal(size=(8, 8, 1, 1)).astype(np.float32),
        "three": np.float32(3), "zero": np.float32(0), "six": np.float32(6),
    }  # fmt: skip
    model = onnx_tools.model(nodes, constants, (1, 3, 8, 8))
    source, made = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(model, source)
    x = rng.normal(size=(64, 3, 8, 8)).astype(np.float32)
    kind = QuantType.QInt8 if signed else QuantType.QUInt8
    quantize_static(
        str(source), str(made), Samples(x[:16]), quant_format=QuantFormat.QDQ, activation_type=kind, per_channel=True
    )
    model = onnx.load(made)
    network = lower(read_model(model))
    expected = np.concatenate([onnx_tools.run_plain(model, x[i : i + 1]) for i in range(len(x))])
    found = network.predict(x)
    step = network.output.step
    assert step > 0
    codes = np.abs(np.rint((found - expected) / step))
    assert codes.max() <= 1
    assert codes.mean() < 0.02


def test_equal_quantizers_of_one_value_are_one(onnx_tools):
    nodes = [*qdq("x", "a"), *qdq("x", "b"), ("Add", "ab", "y", {})]
    graph = read_model(onnx_tools.model(nodes, {"s": np.float32(0.1), "z": np.uint8(0)}, ("N", 3)))
    assert [n.kind for n in graph.nodes] == ["Quant", "Add"]


def test_bounds_as_attributes(onnx_tools):
    """Opset 10 gives the bounds of a Clip as attributes."""
    clip = {"min": -3.0, "max": 3.0}
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}), ("Clip", "q", "c", clip), ("DequantizeLinear", "csz", "d", {}),
        ("Clip", "w", "k", dict(clip)), ("DequantizeLinear", "ksz", "v", {}), ("MatMul", "dv", "y", {}),
    ]  # fmt: skip
    constants = {"s": np.float32(0.5), "z": np.int8(0), "w": rng.integers(-9, 9, (3, 3)).astype(np.int8)}
    network = lower(read_model(onnx_tools.model(nodes, constants, ("N", 3), opset=10)))
    assert str(network.input.type.dtype) == "int3"
    assert network.nodes[0].op.weight_type == IntType(3, signed=True)
