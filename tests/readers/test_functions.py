"""Functions of one tensor in elementary operators, sums and products that broadcast, averages of the pixels inside."""

import numpy as np
import onnxruntime as ort
import pytest

from bitwright.errors import ModelError
from bitwright.models import lower, node_problems, read_model
from bitwright.models.exact.formula import erf
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize

rng = np.random.default_rng(8)
CONV = ("Conv", "xw", "c", {"pads": [1, 1, 1, 1]})


def f32(value):
    return np.float32(value)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


CONSTANTS = {"w": f(4, 3, 3, 3) / 5, "o": f32(1), "t": f32(3), "z": f32(0), "h": f32(0.5), "k": f32(0.044715)}
CONSTANTS |= {"g": f32(np.sqrt(2 / np.pi)), "u": f(1, 4, 1, 1), "v": f32(4)}
NAMED = {  # an activation as exporters write it, and its name here
    "Softplus": [("Exp", "c", "e", {}), ("Add", "eo", "f", {}), ("Log", "f", "y", {})],
    "Sigmoid": [("Neg", "c", "n", {}), ("Exp", "n", "e", {}), ("Add", "eo", "a", {}), ("Reciprocal", "a", "y", {})],
    "Mish": [
        *[("Exp", "c", "e", {}), ("Add", "eo", "f", {}), ("Log", "f", "s", {})],
        *[("Tanh", "s", "m", {}), ("Mul", "cm", "y", {})],
    ],
    "GeluTanh": [
        *[("Pow", "ct", "p", {}), ("Mul", "pk", "q", {}), ("Add", "cq", "r", {}), ("Mul", "rg", "s", {})],
        *[("Tanh", "s", "a", {}), ("Add", "ao", "b", {}), ("Mul", "ch", "d", {}), ("Mul", "db", "y", {})],
    ],
    "Elu": [
        *[("Exp", "c", "e", {}), ("Sub", "eo", "m", {})],
        *[("Greater", "cz", "q", {}), ("Where", "qcm", "y", {})],
    ],
    "LeakyRelu": [("Mul", "ch", "d", {}), ("Max", "cd", "y", {})],
}
TABLED = {
    "squareplus": [
        *[("Mul", "cc", "s", {}), ("Add", "sv", "a", {}), ("Sqrt", "a", "r", {})],
        *[("Add", "cr", "b", {}), ("Mul", "bh", "y", {})],
    ],
    "shrink": [("Shrink", "c", "y", {"lambd": 0.5, "bias": 0.1})],
    "thresholded": [("ThresholdedRelu", "c", "y", {"alpha": 0.5})],
    "sine behind a rectifier": [("Relu", "c", "r", {}), ("Sin", "r", "y", {})],
    "exponential": [("Exp", "c", "y", {})],
}
JOINED = {
    "sum with a pixel": [("GlobalAveragePool", "c", "a", {}), ("Add", "ca", "y", {})],
    "difference of a channel": [("Conv", "cu", "a", {}), ("Sub", "ca", "y", {})],
    "product with a row": [("ReduceMean", "c", "a", {"axes": [2]}), ("Mul", "ac", "y", {})],
    "sum of three": [("Relu", "c", "a", {}), ("Sum", "cac", "y", {})],
    "mean of two": [("Relu", "c", "a", {}), ("Mean", "ca", "y", {})],
    "larger": [("Conv", "cu", "a", {}), ("Max", "ca", "y", {})],
    "smaller": [("Conv", "cu", "a", {}), ("Min", "ac", "y", {})],
    "average inside": [("AveragePool", "c", "y", {"kernel_shape": [3, 5], "pads": [1, 2, 1, 2], "strides": [1, 2]})],
    "average, ceil": [("AveragePool", "c", "y", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})],
}


def checked(nodes, onnx_tools, least=18):
    names = {n for _, inputs, _, _ in (CONV, *nodes) for n in inputs}
    constants = {k: v for k, v in CONSTANTS.items() if k in names}
    model = onnx_tools.model([CONV, *nodes], constants, ("N", 3, 8, 8))
    x = f(24, 3, 8, 8)
    wanted = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    graph = read_model(model)
    assert np.allclose(FloatRunner(graph).outputs(x), wanted, atol=1e-4 * np.abs(wanted).max())
    assert node_problems(graph) == []
    error = quantize(graph, x).predict(x) - wanted
    assert 10 * np.log10(np.square(wanted).sum() / np.square(error).sum()) > least
    return [node.kind for node in graph.nodes]


@pytest.mark.parametrize("name", NAMED)
def test_decomposed_activations_get_their_names(name, onnx_tools):
    kinds = checked(NAMED[name], onnx_tools)
    assert name in kinds
    assert "Function" not in kinds


@pytest.mark.parametrize("name", TABLED)
def test_other_functions_are_tables(name, onnx_tools):
    kinds = checked(TABLED[name], onnx_tools)
    assert kinds.count("Function") == 1
    assert ("Relu" in kinds) == (name == "sine behind a rectifier")


@pytest.mark.parametrize("name", JOINED)
def test_tensors_of_other_shapes_and_averages(name, onnx_tools):
    checked(JOINED[name], onnx_tools)


def test_a_function_between_quantizers_is_exact(onnx_tools):
    constants = {"s": f32(0.05), "z": np.int8(0), "o": f32(1)}
    nodes = [
        *[("QuantizeLinear", "xsz", "q", {}), ("DequantizeLinear", "qsz", "d", {}), ("Sin", "d", "e", {})],
        *[("Add", "eo", "f", {}), ("Sqrt", "f", "g", {})],
        *[("QuantizeLinear", "gsz", "r", {}), ("DequantizeLinear", "rsz", "y", {})],
    ]
    network = lower(read_model(onnx_tools.model(nodes, constants, ("N", 3))))
    x = (rng.integers(-128, 128, (200, 3)) * 0.05).astype(np.float32)
    step = np.float64(f32(0.05))
    exact = np.sqrt(np.sin(np.rint(x / step) * step) + 1) / step
    assert np.array_equal(np.rint(network.predict(x) / step), np.rint(exact))


def test_functions_of_other_tensors_and_of_constants_stay(onnx_tools):
    """What is a constant, or depends on two tensors, is no function of one."""
    two = [("Exp", "c", "e", {}), ("Conv", "cu", "a", {}), ("Pow", "ea", "y", {})]
    names = {"w": CONSTANTS["w"], "u": CONSTANTS["u"]}
    with pytest.raises(ModelError, match="Pow 'Pow_3': "):
        read_model(onnx_tools.model([CONV, *two], names, ("N", 3, 8, 8)))
    fixed = [("Exp", "u", "e", {}), ("Add", "ce", "y", {})]
    graph = read_model(onnx_tools.model([CONV, *fixed], names, ("N", 3, 8, 8)))
    assert "Function" not in [node.kind for node in graph.nodes]


@pytest.mark.parametrize("batch", [2, 7])
def test_a_fixed_batch_is_one_sample_after_another(batch, onnx_tools):
    constants = {"w": CONSTANTS["w"], "s": np.array([batch, -1]), "v": f(256, 5)}
    nodes = [CONV, ("Reshape", "cs", "r", {}), ("MatMul", "rv", "y", {})]
    model = onnx_tools.model(nodes, constants, (batch, 3, 8, 8))
    x = f(batch, 3, 8, 8)
    wanted = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    assert np.allclose(FloatRunner(read_model(model)).outputs(x), wanted, atol=1e-4)


def test_channels_of_padding_and_layers_on_a_series(onnx_tools):
    nodes = [CONV, ("Pad", "cp", "y", {})]
    constants = {"w": CONSTANTS["w"], "p": np.array([0, 2, 0, 1, 0, 1, 0, 0])}
    model = onnx_tools.model(nodes, constants, ("N", 3, 8, 8))
    x = f(20, 3, 8, 8)
    wanted = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    found = quantize(read_model(model), x).predict(x)
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    nodes = [("Conv", "xw", "c", {}), ("Transpose", "c", "t", {"perm": [0, 2, 1]}), ("MatMul", "tv", "y", {})]
    model = onnx_tools.model(nodes, {"w": f(6, 4, 3), "v": f(6, 5)}, ("N", 4, 20))
    x = f(20, 4, 20)
    wanted = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    assert np.allclose(FloatRunner(read_model(model)).outputs(x), wanted, atol=1e-4)


def test_a_softmax_inside_the_model_is_told_by_check(onnx_tools):
    nodes = [CONV, ("Softmax", "c", "s", {"axis": 1}), ("Conv", "su", "y", {})]
    names = {"w": CONSTANTS["w"], "u": CONSTANTS["u"]}
    (problem,) = node_problems(read_model(onnx_tools.model(nodes, names, ("N", 3, 8, 8))))
    assert problem.endswith("stands inside the model; legal is the end, or one quantizer at the end behind it")


def test_few_and_many_values_have_one_error_function():
    """Within two ulps, and exact at the ends."""
    x = np.linspace(-7, 7, 4001)
    few = np.concatenate([erf(part) for part in np.array_split(x, 8)])
    assert np.max(np.abs(few - erf(x)) / np.spacing(np.abs(few))) <= 4
    assert erf(np.array(0.0)) == 0
    assert erf(np.array([-9.0, 9.0])).tolist() == [-1, 1]
