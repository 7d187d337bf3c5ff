"""Pools with gaps and rounded up sizes, reductions of every kind, and constants in joins, against ONNX Runtime."""

import itertools

import numpy as np
import onnxruntime as ort
import pytest

from bitwright.errors import ModelError
from bitwright.models import read_model
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize

rng = np.random.default_rng(4)
WEIGHT = rng.normal(size=(4, 3, 1, 1)).astype(np.float32)


def check(onnx_tools, nodes, constants, shape=("N", 3, 9, 8), opset=19):
    """The float graph computes what ONNX Runtime does, in its shape, and the integers nearly."""
    model = onnx_tools.model([("Conv", "xw", "c", {}), *nodes], {"w": WEIGHT, **constants}, shape, opset=opset)
    x = rng.normal(size=(6, *shape[1:])).astype(np.float32)
    wanted = np.concatenate([ort.InferenceSession(model.SerializeToString()).run(None, {"x": s[None]})[0] for s in x])
    graph = read_model(model)
    found = FloatRunner(graph).outputs(x)
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    integers = quantize(graph, x).predict(x)
    assert integers.shape == wanted.shape
    assert np.abs(integers - wanted).max() < 0.1 * np.abs(wanted).max()


WINDOWS = list(itertools.product(((2, 2), (3, 2)), ((1, 1), (2, 3)), ([0, 0, 0, 0], [0, 1, 1, 0]), ((1, 1), (2, 3))))


@pytest.mark.parametrize(("kernel", "stride", "pads", "dilation"), WINDOWS)
@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool", "counted"])
def test_pools(onnx_tools, kind, kernel, stride, pads, dilation, ceil):
    window = {"kernel_shape": kernel, "strides": stride, "pads": pads, "dilations": dilation, "ceil_mode": ceil}
    op = "MaxPool" if kind == "MaxPool" else "AveragePool"
    check(onnx_tools, [(op, "c", "y", window | ({"count_include_pad": 1} if kind == "counted" else {}))], {})


AXES = [(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("op", [f"Reduce{kind}" for kind in ("Mean", "Sum", "Max", "Min", "L1", "L2", "SumSquare")])
def test_reductions(onnx_tools, op, axes, keep):
    check(onnx_tools, [(op, "ca", "y", {"keepdims": keep})], {"a": np.array(axes)})


@pytest.mark.parametrize("keep", [0, 1])
def test_all_axes_where_the_batch_is_one(onnx_tools, keep):
    nodes = [("Conv", "xw", "c", {}), ("ReduceMean", "c", "y", {"keepdims": keep})]
    model = onnx_tools.model(nodes, {"w": WEIGHT}, (1, 3, 4, 4), opset=18)
    x = rng.normal(size=(1, 3, 4, 4)).astype(np.float32)
    wanted = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    assert np.allclose(FloatRunner(read_model(model)).outputs(x).ravel(), wanted.ravel(), atol=1e-6)
    free = onnx_tools.model(nodes, {"w": WEIGHT}, ("N", 3, 4, 4), opset=18)
    with pytest.raises(ModelError, match=r"reduces axes \[0, 1, 2, 3\]; legal are those of the height"):
        read_model(free)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("axis", "shape"), [(1, (1, 2, 9, 8)), (2, (1, 4, 2, 8)), (3, (1, 4, 9, 3))])
def test_joins_with_constants(onnx_tools, axis, shape, first):
    one = rng.normal(size=(1, shape[1], 1, 1)).astype(np.float32)
    for numbers in (np.zeros(shape, np.float32), np.broadcast_to(one, shape).copy()):
        nodes = [("Concat", "kc" if first else "ck", "j", {"axis": axis}), ("Relu", "j", "y", {})]
        check(onnx_tools, nodes, {"k": numbers})
    with pytest.raises(ModelError, match="joins a constant that differs from pixel to pixel; legal is one finite"):
        check(onnx_tools, nodes, {"k": rng.normal(size=shape).astype(np.float32)})


def test_vectors_with_constants(onnx_tools):
    nodes = [("Flatten", "c", "f", {}), ("Concat", "fk", "y", {"axis": 1})]
    check(onnx_tools, nodes, {"k": rng.normal(size=(1, 5)).astype(np.float32)})
