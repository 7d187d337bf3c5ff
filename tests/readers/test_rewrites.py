"""QOperator files and linear models of scikit-learn: operators that are written out as others."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from bitwright.errors import ModelError
from bitwright.models import load, read_model, to_onnx

rng = np.random.default_rng(3)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


NODES = [
    ("Conv", "xwb", "a", {"pads": [1, 1, 1, 1]}),
    ("Relu", "a", "r", {}),
    ("Conv", "rv", "c", {"strides": [2, 2], "group": 2}),
    ("LeakyRelu", "c", "l", {"alpha": 0.1}),
    ("AveragePool", "l", "p", {"kernel_shape": [2, 2]}),
    ("Sigmoid", "p", "s", {}),
    ("Add", "sp", "d", {}),
    ("Concat", "ds", "k", {"axis": 1}),
    ("GlobalAveragePool", "k", "g", {}),
    ("Flatten", "g", "h", {}),
    ("Gemm", "hue", "i", {"transB": 1}),
    ("MatMul", "it", "y", {}),
]
CONSTANTS = {
    "w": f(4, 3, 3, 3) / 3, "b": f(4), "v": f(6, 2, 3, 3) / 3, "u": f(7, 12), "e": f(7), "t": f(7, 3) / 3,
}  # fmt: skip


class Samples(CalibrationDataReader):
    def __init__(self, x):
        self.left = [{"x": x[i : i + 1]} for i in range(len(x))]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", [QuantType.QUInt8, QuantType.QInt8])
def test_qoperator_files(kind, per_channel, onnx_tools, tmp_path):
    """Every operator that ONNX Runtime writes here; its codes are met but for sums that float32 rounds."""
    x = rng.normal(size=(40, 3, 10, 9)).astype(np.float32)
    onnx.save(onnx_tools.model(NODES, CONSTANTS, ("N", 3, 10, 9)), tmp_path / "float.onnx")
    quantize_static(
        tmp_path / "float.onnx", tmp_path / "made.onnx", Samples(x[:20]), quant_format=QuantFormat.QOperator,
        activation_type=kind, weight_type=QuantType.QInt8, per_channel=per_channel,
    )  # fmt: skip
    model = onnx.load(tmp_path / "made.onnx")
    assert {"QLinearConv", "QLinearAdd", "QLinearConcat", "QLinearMatMul"} <= {n.op_type for n in model.graph.node}
    wanted, found = onnx_tools.run(model, x), load(tmp_path / "made.onnx").predict(x)
    step = np.abs(wanted[wanted != 0]).min()
    off = np.abs(found - wanted) / step
    assert np.mean(off > 0.5) < 0.1
    assert off.max() < 4


def test_qoperator_with_channels_last_is_refused(onnx_tools):
    scale = {"s": np.float32(0.1), "z": np.uint8(3)}
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}),
        ("QLinearGlobalAveragePool", "qszsz", "g", {"domain": "com.microsoft", "channels_last": 1}),
        ("DequantizeLinear", "gsz", "y", {}),
    ]
    with pytest.raises(ModelError, match="QLinearGlobalAveragePool 'QLinearGlobalAveragePool_1'"):
        read_model(onnx_tools.model(nodes, scale))


def linear(op, rows, bias, shape=("N", 5), **attributes):
    node = helper.make_node(
        op, ["x"], ["label", "y"] if op == "LinearClassifier" else ["y"], name="linear", domain="ai.onnx.ml",
        coefficients=rows.ravel().tolist(), intercepts=bias.tolist(), **attributes,
    )  # fmt: skip
    info = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))]
    results = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    if op == "LinearClassifier":
        results.insert(0, helper.make_tensor_value_info("label", onnx.TensorProto.INT64, None))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(helper.make_graph([node], "g", info, results), opset_imports=opsets, ir_version=9)


@pytest.mark.parametrize("post", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_linear_classifiers(post, onnx_tools):
    model = linear("LinearClassifier", f(3, 5), f(3), classlabels_ints=[0, 1, 2], post_transform=post)
    check_scores(model, onnx_tools)


def check_scores(model, onnx_tools):
    x = rng.normal(size=(6, 5)).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(["y"], {"x": x})[0]
    assert np.allclose(onnx_tools.run(to_onnx(read_model(model)), x, "input"), wanted, rtol=1e-5, atol=1e-5)


def test_linear_regressors(onnx_tools):
    onnx_tools.check(linear("LinearRegressor", f(2, 5), f(2), targets=2))


def test_one_row_for_two_classes_is_refused(onnx_tools):
    model = linear("LinearClassifier", f(1, 5), f(1), classlabels_ints=[0, 1], post_transform="LOGISTIC")
    with pytest.raises(ModelError, match="LinearClassifier 'linear': the operator of domain"):
        read_model(model)
