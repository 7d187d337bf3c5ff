"""Softmax along every axis at the end, and what a model's own order makes of it."""

import numpy as np
import onnxruntime as ort
import pytest

from bitwright.models import read_model
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize

rng = np.random.default_rng(5)
CONV = ("Conv", "xw", "c", {})
WEIGHT = rng.normal(size=(4, 3, 1, 1)).astype(np.float32)
CASES = {
    "channels": ([("c", "y", {"axis": 1})], 17),
    "height": ([("c", "y", {"axis": -2})], 17),
    "width": ([("c", "y", {"axis": 3})], 17),
    "all pixels of a channel": ([("p", "y", {"axis": -1})], 17),
    "all of an image, as before opset 13": ([("c", "y", {})], 11),
    "all of a flattened image": ([("f", "y", {"axis": -1})], 17),
}


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("case", CASES)
def test_softmax_along_any_axis(op, case, onnx_tools):
    ((source, result, attributes),), opset = CASES[case]
    before = {"c": [], "f": [("Flatten", "c", "f", {})], "p": [("Reshape", "cs", "p", {})]}[source]
    constants = {"w": WEIGHT, **({"s": np.array([0, 0, -1])} if source == "p" else {})}
    model = onnx_tools.model([CONV, *before, (op, source, result, attributes)], constants, ("N", 3, 5, 6), opset)
    x = rng.normal(size=(12, 3, 5, 6)).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString())
    wanted = np.concatenate([session.run(None, {"x": row[None]})[0] for row in x])
    graph = read_model(model)
    assert np.allclose(FloatRunner(graph).outputs(x).reshape(wanted.shape), wanted, atol=1e-5)
    network = quantize(graph, x)
    assert network.output.function.startswith("log_softmax" if op == "LogSoftmax" else "softmax")
    found = network.predict(x)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 0.06 * np.abs(wanted).max()
    if op == "Softmax":
        assert np.allclose(found.reshape(12, -1).sum(1), wanted.reshape(12, -1).sum(1), rtol=1e-4)
