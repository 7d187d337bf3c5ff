"""Networks that others made: the three QONNX files lower exactly, the three float models come in unchanged."""

import numpy as np
import onnxruntime as ort
import pytest

from bitwright.models import is_quantized, load, read, to_onnx
from bitwright.network import evaluate
from bitwright.network.ops import Threshold

pytestmark = pytest.mark.shared


def session(model):
    return ort.InferenceSession(model if isinstance(model, str) else model.SerializeToString())


def integers(network, x):
    """The input as `InputSpec` says, (N, H, W, C)."""
    spec = network.input
    q = np.rint(x * np.float32(1 / spec.scale[0]) + np.float32(spec.offset[0]))
    return np.moveaxis(np.clip(q, spec.low, spec.high), 1, 3).astype(np.int64)


def scores(network, x):
    parts = np.array_split(integers(network, x), max(1, len(x) // 1000))
    y = np.concatenate([evaluate(network, part)[network.output_name] for part in parts])
    return (y - network.output.offset) * network.output.scale, y


@pytest.mark.parametrize(("name", "accuracy"), [("TFC_1W2A", 0.9292), ("TFC_2W2A", 0.9536)])
def test_tfc_equals_the_float_graph(name, accuracy, shared_data):
    path = shared_data / "qonnx" / f"{name}.onnx"
    notes = []
    network, data = load(path, notes=notes), np.load(shared_data / "mnist" / "dev.npz")
    x = (data["images"] / np.float32(255)).astype(np.float32)[:, None]
    real, _ = scores(network, x)
    graph = session(to_onnx(read(path))).run(None, {"input": x})[0]
    assert notes == []
    assert [type(n.op).__name__ for n in network.nodes] == ["Flatten", *["Dense", "Threshold"] * 3, "Dense"]
    assert np.allclose(real, graph, atol=1e-4)
    assert np.array_equal(real.argmax(1), graph.argmax(1))
    assert np.mean(real.argmax(1) == data["labels"]) == pytest.approx(accuracy, abs=1e-4)


def test_kws_equals_the_published_predictions(shared_data):
    network = load(shared_data / "qonnx" / "kws_finn_submission_v0.7.onnx")
    data = np.load(shared_data / "mlperf_tiny" / "speech_commands_dev.npz")
    x = (data["x_int8"].astype(np.float32) * np.float32(data["input_scale"])).reshape(-1, 1, 10, 49)
    _, y = scores(network, x)
    wrong = y.argmax(1) != data["reference_pred"]
    tied = y.max(1) == np.take_along_axis(y, data["reference_pred"][:, None].astype(int), 1)[:, 0]
    assert not np.any(wrong & ~tied)
    assert sum(isinstance(n.op, Threshold) for n in network.nodes) == 3


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlperf_tiny/resnet8", (3, 32, 32)),
        ("mlperf_tiny/kws", (1, 49, 10)),
        ("imagenet/efficientnet_lite0", (3, 224, 224)),
    ],
)
def test_float_models_compute_the_same(name, shape, shared_data):
    path = shared_data / f"{name}.onnx"
    graph = read(path)
    x = np.random.default_rng(0).uniform(0, 255 if "resnet8" in name else 2, (2, *shape)).astype(np.float32)
    expected = session(str(path)).run(None, {"input": x})[0]
    found = session(to_onnx(graph)).run(None, {"input": x})[0]
    assert not is_quantized(graph)
    assert {n.kind for n in graph.nodes} <= {
        "Conv",
        "Dense",
        "Relu",
        "Clip",
        "Add",
        "AveragePool",
        "Flatten",
        "Softmax",
    }
    assert np.abs(found - expected).max() < 1e-4
