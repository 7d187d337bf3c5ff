"""Pixels that Resize, Pad and Slice pick, against ONNX Runtime."""

import numpy as np
import onnxruntime as ort
import pytest

from bitwright.models import lower, read_model
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize

rng = np.random.default_rng(6)
NONE = np.zeros(0, np.float32)
HALF = {"coordinate_transformation_mode": "half_pixel"}
SYMMETRIC = {"coordinate_transformation_mode": "half_pixel_symmetric"}


def resize(high, wide, **attributes):
    return ("Resize", "cns", "y", attributes), {"n": NONE, "s": np.array([1, 1, high, wide], np.float32)}


def pad(mode, *pads):
    return ("Pad", "cp", "y", {"mode": mode}), {"p": np.array([0, 0, *pads[:2], 0, 0, *pads[2:]])}


CASES = {
    "ties that float32 makes": resize(1.7, 2.3, mode="nearest", **HALF),
    "symmetric": resize(0.4, 0.6, mode="nearest", **SYMMETRIC),
    "symmetric and linear": resize(1.7, 0.6, mode="linear", **SYMMETRIC),
    "wrapped behind a cut": pad("wrap", -1, 2, 1, -2),
    "reflected behind a cut": pad("reflect", 2, -3, -1, 4),
    "edges wider than the image": pad("edge", 0, 20, 0, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_are_those_of_onnx_runtime(case, onnx_tools):
    node, constants = CASES[case]
    weight = rng.normal(size=(2, 3, 1, 1)).astype(np.float32)
    model = onnx_tools.model([("Conv", "xw", "c", {}), node], {"w": weight, **constants}, ("N", 3, 12, 12), opset=19)
    x = rng.normal(size=(6, 3, 12, 12)).astype(np.float32)
    wanted = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    graph = read_model(model)
    assert np.allclose(FloatRunner(graph).outputs(x), wanted, atol=1e-5)
    assert np.abs(quantize(graph, x).predict(x) - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_part_far_from_the_edges(onnx_tools):
    """Cut off by several small windows."""
    constants = {"s": np.array([40]), "e": np.array([100]), "a": np.array([3]), "k": np.array([3])}
    nodes = [("Slice", "xseak", "c", {}), ("Conv", "cw", "y", {})]
    weight = rng.normal(size=(2, 2, 1, 1)).astype(np.float32)
    model = onnx_tools.model(nodes, {**constants, "w": weight}, ("N", 2, 3, 128))
    x = rng.normal(size=(6, 2, 3, 128)).astype(np.float32)
    wanted = np.einsum("oc,nchw->nohw", weight[:, :, 0, 0], x[..., 40:100:3])
    assert np.abs(quantize(read_model(model), x).predict(x) - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_linear_resize_of_codes_yields_codes(onnx_tools):
    """Rounded half to even, as ONNX's evaluator does; ONNX Runtime cuts toward 0."""
    constants = {
        "s": np.float32(0.25),
        "z": np.int8(3),
        "n": NONE,
        "f": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        ("QuantizeLinear", "xsz", "q", {}),
        ("Resize", "qnf", "r", {"mode": "linear", **HALF}),
        ("DequantizeLinear", "rsz", "y", {}),
    ]
    model = onnx_tools.model(nodes, constants, ("N", 1, 4, 5))
    x = rng.normal(size=(20, 1, 4, 5)).astype(np.float32) * 8
    codes = np.clip(np.rint(x / 0.25) + 3, -128, 127)
    wanted = codes
    for axis in (2, 3):
        line = np.clip((np.arange(2 * wanted.shape[axis]) + 0.5) / 2 - 0.5, 0, wanted.shape[axis] - 1)
        low = np.floor(line).astype(int)
        part = (line - low).reshape([-1 if a == axis else 1 for a in range(4)])
        high = np.minimum(low + 1, wanted.shape[axis] - 1)
        wanted = np.take(wanted, low, axis) * (1 - part) + np.take(wanted, high, axis) * part
    network = lower(read_model(model))
    assert np.allclose(network.predict(x), (np.rint(wanted) - 3) * 0.25)
