"""Every operator and exporter style: the float graph computes what ONNX Runtime computes on the original model."""

import numpy as np
import pytest
from onnx import TensorProto, helper, version_converter

rng = np.random.default_rng(7)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


W = f(4, 3, 3, 2)
BN = {"g": f(3), "b": f(3), "m": f(3), "v": np.array([1e-45, 0.5, 2], np.float32)}
IMAGE = {
    "conv": ([("Conv", "xwb", "y", {"pads": [1, 0, 2, 1], "strides": [2, 1]})], {"w": W, "b": f(4)}),
    "conv dilated": ([("Conv", "xw", "y", {"dilations": [2, 3]})], {"w": W}),
    "conv groups": ([("Conv", "xw", "y", {"group": 3, "pads": [1, 1, 1, 1]})], {"w": f(6, 1, 3, 3)}),
    "same upper": ([("Conv", "xw", "y", {"auto_pad": "SAME_UPPER", "strides": [2, 2]})], {"w": W}),
    "same lower": ([("Conv", "xw", "y", {"auto_pad": "SAME_LOWER", "strides": [2, 3]})], {"w": W}),
    "valid": ([("Conv", "xw", "y", {"auto_pad": "VALID"})], {"w": W}),
    "batch norm first": ([("BatchNormalization", "xgbmv", "y", {"epsilon": 1e-3})], BN),
    "conv batch norm": (
        [("Conv", "xw", "c", {}), ("BatchNormalization", "cgbmv", "y", {})],
        {"w": f(3, 3, 3, 3), "g": f(3), "b": f(3), "m": f(3), "v": np.abs(f(3))},
    ),
    "max pool": ([("MaxPool", "x", "y", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]})], {}),
    "max pool ceil": ([("MaxPool", "x", "y", {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1})], {}),
    "average pool": ([("AveragePool", "x", "y", {"kernel_shape": [3, 2], "pads": [1, 1, 0, 0]})], {}),
    "average counted": (
        [("AveragePool", "x", "y", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1})],
        {},
    ),
    "average same": ([("AveragePool", "x", "y", {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"})], {}),
    "average ceil": ([("AveragePool", "x", "y", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})], {}),
    "global average": ([("GlobalAveragePool", "x", "y", {})], {}),
    "global max": ([("GlobalMaxPool", "x", "y", {})], {}),
    "reduce mean": ([("ReduceMean", "x", "y", {"axes": [2, 3], "keepdims": 0})], {}),
    "reduce mean negative": ([("ReduceMean", "x", "y", {"axes": [-1], "keepdims": 1})], {}),
    "clip attributes": ([("Relu", "x", "a", {}), ("Clip", ("a", "", "h"), "y", {})], {"h": np.float32(1.5)}),
    "clip both": ([("Clip", "xlh", "y", {})], {"l": np.float32(-1), "h": np.float32(0.5)}),
    "leaky": ([("LeakyRelu", "x", "y", {"alpha": 0.2})], {}),
    "prelu": ([("PRelu", "xs", "y", {})], {"s": f(3, 1, 1)}),
    "sigmoid tanh": ([("Sigmoid", "x", "a", {}), ("Tanh", "a", "y", {})], {}),
    "hard sigmoid": ([("HardSigmoid", "x", "y", {"alpha": 0.3, "beta": 0.4})], {}),
    "hard swish": ([("HardSwish", "x", "y", {})], {}),
    "hard swish parts": (
        [("Add", "xt", "a", {}), ("Clip", "azs", "c", {}), ("Mul", "xc", "m", {}), ("Div", "ms", "y", {})],
        {"t": np.float32(3), "z": np.float32(0), "s": np.float32(6)},
    ),
    "silu": ([("Sigmoid", "x", "s", {}), ("Mul", "xs", "y", {})], {}),
    "elu": ([("Elu", "x", "y", {"alpha": 0.7})], {}),
    "selu celu": ([("Selu", "x", "a", {}), ("Celu", "a", "y", {"alpha": 2.0})], {}),
    "abs sign": ([("Abs", "x", "a", {}), ("Sub", "ah", "b", {}), ("Sign", "b", "y", {})], {"h": np.float32(0.5)}),
    "min max": ([("Max", "xl", "a", {}), ("Min", "ah", "y", {})], {"l": np.float32(-1), "h": np.float32(0.5)}),
    "arithmetic": (
        [("Mul", "xa", "p", {}), ("Sub", "bp", "q", {}), ("Div", "qc", "r", {}), ("Neg", "r", "y", {})],
        {"a": f(3, 1, 1), "b": f(1, 3, 1, 1), "c": np.float32([[[2]], [[-3]], [[4]]])},
    ),
    "pow sqrt of constants": (
        [("Pow", "ae", "p", {}), ("Sqrt", "p", "q", {}), ("Div", "xq", "y", {})],
        {"a": np.abs(f(3, 1, 1)), "e": np.float32(1.5)},
    ),
    "residual": ([("Relu", "x", "a", {}), ("Tanh", "x", "b", {}), ("Sub", "ab", "y", {})], {}),
    "concat": ([("Relu", "x", "a", {}), ("Neg", "x", "b", {}), ("Concat", "axb", "y", {"axis": 1})], {}),
    "pad conv": (
        [("Pad", "xp", "a", {}), ("Conv", "aw", "y", {})],
        {"p": i64(0, 0, 1, 0, 0, 0, 2, 1), "w": W},
    ),
    "pad value": ([("Pad", "xpv", "y", {})], {"p": i64(0, 0, 1, 0, 0, 0, 2, 1), "v": np.float32(1.5)}),
    "resize": (
        [("Resize", ("x", "", "s"), "y", {"mode": "nearest"})],
        {"s": np.float32([1, 1, 2, 3])},
    ),
    "resize asymmetric": (
        [
            (
                "Resize",
                ("x", "", "", "s"),
                "y",
                {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            )
        ],
        {"s": i64(1, 3, 12, 10)},
    ),
    "softmax": ([("Softmax", "x", "y", {"axis": 1})], {}),
    "standardized weights": (
        [("BatchNormalization", "wsbsb", ("v", "m", "n"), {"training_mode": 1}), ("Conv", "xv", "y", {})],
        {"w": f(2, 3, 3, 3), "s": np.ones(3, np.float32), "b": np.zeros(3, np.float32)},
    ),
    "log softmax": ([("Flatten", "x", "a", {}), ("LogSoftmax", "a", "y", {"axis": -1})], {}),
    "flatten dense": ([("Flatten", "x", "a", {}), ("MatMul", "aw", "y", {})], {"w": f(90, 4)}),
    "reshape gemm": (
        [("Reshape", "xs", "a", {}), ("Gemm", "awb", "y", {"transB": 1, "alpha": 0.5, "beta": 2.0})],
        {"s": i64(-1, 90), "w": f(4, 90), "b": f(4)},
    ),
    "shape arithmetic": (
        [
            ("Shape", "x", "s", {}),
            ("Gather", "si", "n", {}),
            ("Unsqueeze", "nz", "u", {}),
            ("Concat", "um", "t", {"axis": 0}),
            ("Reshape", "xt", "a", {}),
            ("Gemm", "aw", "y", {}),
        ],
        {"i": np.int64(0), "z": i64(0), "m": i64(-1), "w": f(90, 2)},
    ),
    "transposed flatten": (
        [("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}), ("Flatten", "t", "a", {}), ("MatMul", "aw", "y", {})],
        {"w": f(90, 3)},
    ),
    "odd flatten": (
        [("Transpose", "x", "t", {"perm": [0, 3, 1, 2]}), ("Flatten", "t", "a", {}), ("MatMul", "aw", "y", {})],
        {"w": f(90, 3)},
    ),
    "flat bias": (
        [("Flatten", "x", "a", {}), ("Mul", "as", "m", {}), ("MatMul", "mw", "y", {})],
        {"s": f(90), "w": f(90, 3)},
    ),
    "pooled squeeze": (
        [("GlobalAveragePool", "x", "p", {}), ("Squeeze", "pa", "s", {}), ("Gemm", "sw", "y", {})],
        {"a": i64(2, 3), "w": f(3, 4)},
    ),
    "pooled index": (
        [("GlobalAveragePool", "x", "p", {}), ("Gather", "pz", "a", {"axis": 3}), ("Gather", "az", "y", {"axis": 2})],
        {"z": np.int64(0)},
    ),
    "identity dropout cast": (
        [("Identity", "x", "a", {}), ("Dropout", "a", "b", {}), ("Cast", "b", "c", {"to": 1}), ("Relu", "c", "y", {})],
        {},
    ),
    "arg max": ([("ArgMax", "x", "a", {"axis": 1, "keepdims": 0}), ("Cast", "a", "y", {"to": 1})], {}),
    "flattened concat": (
        [
            ("Flatten", "x", "a", {}),
            ("Relu", "a", "b", {}),
            ("Concat", "ab", "c", {"axis": 1}),
            ("Gemm", "cw", "y", {}),
        ],
        {"w": f(180, 3)},
    ),
}


@pytest.mark.parametrize("name", IMAGE)
def test_image_operators(name, onnx_tools):
    nodes, constants = IMAGE[name]
    model = onnx_tools.model([(op, tuple(i), o, dict(a)) for op, i, o, a in nodes], constants)
    onnx_tools.check(model, batch=1 if "asymmetric" in name else 2)


def test_keras_style_nhwc(onnx_tools):
    """tf2onnx: NHWC input, Transposes around convolutions, channel-last bias, a dense layer on pixels."""
    nodes = [
        ("Transpose", "x", "t", {"perm": [0, 3, 1, 2]}),
        ("Conv", "tw", "c", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ("Transpose", "c", "d", {"perm": [0, 2, 3, 1]}),
        ("Add", "db", "e", {}),
        ("Relu", "e", "g", {}),
        ("MatMul", "gm", "h", {}),
        ("Concat", "hg", "k", {"axis": 3}),
        ("ReduceMean", "k", "r", {"axes": [1, 2], "keepdims": 0}),
        ("MatMul", "ro", "s", {}),
        ("Softmax", "s", "y", {"axis": -1}),
    ]
    constants = {"w": f(4, 3, 3, 3), "b": f(4), "m": f(4, 5), "o": f(9, 6)}
    graph = onnx_tools.check(onnx_tools.model(nodes, constants, shape=("N", 7, 5, 3)))
    assert graph.input_layout == "HWC"
    assert graph.shapes["input"] == (7, 5, 3)


@pytest.mark.parametrize(("given", "shape"), [((28, 28), (28, 28)), ((784,), (784,))])
def test_reshaped_input(given, shape, onnx_tools):
    """A model that takes rows or vectors and reshapes them into an image."""
    nodes = [
        ("Reshape", "xs", "a", {}),
        ("Transpose", "a", "t", {"perm": [0, 3, 1, 2]}),
        ("Conv", "tw", "c", {}),
        ("GlobalAveragePool", "c", "p", {}),
        ("Flatten", "p", "y", {}),
    ]
    constants = {"s": i64(-1, 28, 28, 1), "w": f(4, 1, 5, 5)}
    graph = onnx_tools.check(onnx_tools.model(nodes, constants, shape=("N", *given)))
    assert graph.input_shape == shape
    assert graph.shapes["input"] == (28, 28, 1)


def test_scikit_learn_style(onnx_tools):
    """An MLPClassifier: a scaler, dense layers, labels beside probabilities."""
    nodes = [
        ("MatMul", "xw", "a", {}),
        ("Add", "ab", "c", {}),
        ("Relu", "c", "d", {}),
        ("MatMul", "de", "f", {}),
        ("Add", "fg", "h", {}),
        ("Softmax", "h", "y", {"axis": 1}),
    ]
    constants = {"w": f(8, 6), "b": f(1, 6), "e": f(6, 3), "g": f(1, 3)}
    graph = onnx_tools.check(onnx_tools.model(nodes, constants, shape=("N", 8)))
    assert [n.kind for n in graph.nodes] == ["Dense", "Relu", "Dense", "Softmax"]


def test_old_opset_attributes(onnx_tools):
    """Opset 9: axes, pads, bounds and scales as attributes, Upsample, initializers that are inputs too."""
    nodes = [
        ("Pad", "x", "a", {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "value": 0.0}),
        ("Conv", "aw", "b", {}),
        ("Clip", "b", "c", {"min": 0.0, "max": 6.0}),
        ("Upsample", "cs", "d", {"mode": "nearest"}),
        ("ReduceMean", "d", "e", {"axes": [2, 3], "keepdims": 1}),
        ("Squeeze", "e", "g", {"axes": [2, 3]}),
        ("Unsqueeze", "g", "h", {"axes": [2, 3]}),
        ("Flatten", "h", "y", {}),
    ]
    model = onnx_tools.model(nodes, {"w": W, "s": np.float32([1, 1, 2, 2])}, opset=9)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, W.shape))
    graph = onnx_tools.check(model)
    assert [n.kind for n in graph.nodes][:3] == ["Conv", "Clip", "Resize"]
    assert graph.nodes[0].op.pads == (1, 1, 1, 1)


def test_constant_if_is_resolved(onnx_tools):
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        node = helper.make_node(op, ["x"], [f"{op}_out"])
        out = helper.make_tensor_value_info(f"{op}_out", TensorProto.FLOAT, None)
        branches[name] = helper.make_graph([node], name, [], [out])
    model = onnx_tools.model([("If", "c", "y", branches)], {"c": np.array(False)})
    assert [n.kind for n in onnx_tools.check(model).nodes] == ["Affine"]


def test_batch_norm_folds_into_weights(onnx_tools):
    nodes, constants = IMAGE["conv batch norm"]
    model = onnx_tools.model([(op, tuple(i), o, dict(a)) for op, i, o, a in nodes], constants)
    assert [n.kind for n in onnx_tools.check(model).nodes] == ["Conv"]


@pytest.mark.parametrize("opset", range(11, 23))
def test_every_opset(opset, onnx_tools):
    nodes = [
        ("Pad", "xp", "a", {}),
        ("Conv", "aw", "b", {}),
        ("BatchNormalization", "bgomv", "c", {}),
        ("Clip", "cl", "d", {}),
        ("Dropout", "d", "e", {}),
        ("ReduceMean", "e", "f", {"axes": [2, 3], "keepdims": 1}),
        ("Squeeze", "f", "h", {"axes": [2, 3]}),
        ("Gemm", "hk", "i", {}),
        ("Softmax", "i", "y", {"axis": 1}),
    ]
    constants = {
        "p": i64(0, 0, 1, 1, 0, 0, 1, 1), "w": W, "g": f(4), "o": f(4), "m": f(4), "v": np.abs(f(4)),
        "l": np.float32(-0.5), "k": f(4, 3),
    }  # fmt: skip
    model = version_converter.convert_version(onnx_tools.model(nodes, constants, opset=11), opset)
    graph = onnx_tools.check(model)
    assert [n.kind for n in graph.nodes] == ["Conv", "Clip", "AveragePool", "Flatten", "Dense", "Softmax"]


def test_local_functions_are_inlined(onnx_tools):
    body = [helper.make_node("Relu", ["i"], ["t"]), helper.make_node("Neg", ["t"], ["o"])]
    function = helper.make_function("local", "Twist", ["i"], ["o"], body, [helper.make_opsetid("", 17)])
    model = onnx_tools.model([("Twist", "x", "y", {"domain": "local"})], functions=[function])
    assert [n.kind for n in onnx_tools.check(model).nodes] == ["Relu", "Affine"]
