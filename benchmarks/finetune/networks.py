"""The networks of the benchmark, their training data and their test data."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

import bitwright as bw
from bitwright.data.samples import samples_of
from bitwright.models import read
from bitwright.models.graph import FloatGraph, FloatNode, ops
from bitwright.quantization.floatrun import FloatRunner, float_input
from bitwright.training.batches import Batches
from bitwright.training.loop import Plan
from bitwright.training.module import Rules
from bitwright.training.run import taught

TFC_EPOCHS = 100
DIGITS_EPOCHS = 150


@dataclass(frozen=True, eq=False)
class Case:
    """A float network, samples to train on, and others to test on, all as the network takes them."""

    graph: FloatGraph
    x: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    def fold(self, index: int, count: int) -> Case:
        """Of `count` parts of the training data the one to test on; the others are trained on."""
        part = np.arange(len(self.x)) % count == index
        return Case(self.graph, self.x[~part], self.labels[~part], self.x[part], self.labels[part])


def resnet8(data: Path) -> Case:
    """MLPerf Tiny ResNet-8: 25,000 training images of CIFAR-10, 6,000 test images."""
    from PIL import Image

    train = np.load(data / "cifar10" / "train.npz")
    jpeg, offsets = train["jpeg"], train["offsets"]
    parts = (jpeg[a:b].tobytes() for a, b in pairwise(offsets))
    images = np.stack([np.asarray(Image.open(io.BytesIO(part))) for part in parts])
    tests = [np.load(data / "cifar10" / name) for name in ("dev.npz", "dev2.npz")]
    test = np.concatenate([t["images"] for t in tests]).transpose(0, 3, 1, 2).astype(np.float32)
    x = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    graph = read(data / "mlperf_tiny" / "resnet8.onnx")
    return Case(graph, x, train["labels"], test, np.concatenate([t["labels"] for t in tests]))


def kws(data: Path) -> Case:
    """MLPerf Tiny DS-CNN: 500 clips, for cross-validation."""
    clips = np.load(data / "mlperf_tiny" / "speech_commands_dev.npz")
    x = (clips["x_int8"] * clips["input_scale"]).astype(np.float32)
    x = np.ascontiguousarray(x.reshape(len(x), 1, *x.shape[-2:]).swapaxes(2, 3))
    order = np.random.default_rng(0).permutation(len(x))
    x, labels = x[order], clips["labels"][order]
    return Case(read(data / "mlperf_tiny" / "kws.onnx"), x, labels, x[:0], labels[:0])


def digits(data: Path) -> Case:
    """A CNN for scikit-learn's digits, trained here in floats: 1,437 images train, the demo's 360 test."""
    from sklearn.datasets import load_digits

    test = np.load(Path(bw.__file__).parent / "demo" / "digits_test.npz")
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.uint8).reshape(-1, 8, 8)
    known = {image.tobytes() for image in test["images"].astype(np.uint8).reshape(-1, 8, 8)}
    kept = np.array([image.tobytes() not in known for image in images])
    x, y = (images[kept][:, None] / 16).astype(np.float32), labels[kept]
    layers = [_conv("a", "input", 16, 1), _relu("a"), _conv("b", "a/relu", 16, 16), _relu("b"), _halved("b")]
    layers += [_conv("c", "b/half", 32, 16), _relu("c"), _halved("c"), FloatNode("flat", ops.Flatten(), ("c/half",))]
    layers += [FloatNode("d", _dense(10, 128), ("flat",))]
    graph = FloatGraph.build(layers, input_shape=(1, 8, 8), input_layout="CHW", name="digits")
    test_x = (test["images"].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    return Case(trained_in_floats(graph, x, y, {"shift": (1, 1)}, DIGITS_EPOCHS), x, y, test_x, test["labels"])


def tfc(data: Path) -> Case:
    """784-64-64-64-10, trained here in floats: 4,000 MNIST images train, 1,000 test."""
    found = np.load(data / "mnist" / "dev.npz")
    x, labels = (found["images"][:, None] / 255).astype(np.float32), found["labels"].astype(np.int64)
    sizes, value = (784, 64, 64, 64, 10), "flat"
    nodes = [FloatNode("flat", ops.Flatten(), ("input",))]
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        nodes.append(FloatNode(f"l{i}", _dense(outputs, inputs), (value,)))
        value = f"l{i}"
        if outputs != sizes[-1]:
            nodes.append(_relu(value))
            value = f"{value}/relu"
    graph = FloatGraph.build(nodes, input_shape=(1, 28, 28), input_layout="CHW", name="tfc")
    train, test = (x[:4000], labels[:4000]), (x[4000:], labels[4000:])
    return Case(trained_in_floats(graph, *train, {"shift": (2, 2)}, TFC_EPOCHS), *train, *test)


def _random(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))


def _conv(name: str, source: str, outputs: int, inputs: int) -> FloatNode:
    return FloatNode(name, ops.Conv(_random((outputs, 3, 3, inputs)), np.zeros(outputs), pads=(1, 1, 1, 1)), (source,))


def _dense(outputs: int, inputs: int) -> ops.Dense:
    return ops.Dense(_random((outputs, inputs)), np.zeros(outputs))


def _relu(name: str) -> FloatNode:
    return FloatNode(f"{name}/relu", ops.Relu(), (name,))


def _halved(name: str) -> FloatNode:
    return FloatNode(f"{name}/half", ops.MaxPool((2, 2), stride=(2, 2)), (f"{name}/relu",))


def trained_in_floats(
    graph: FloatGraph, x: np.ndarray, labels: np.ndarray, pixels: dict[str, tuple[int, int]], epochs: int
) -> FloatGraph:
    """The float network trained by the same loop from labels alone."""
    batches = Batches(samples_of(x, labels, float_input(graph)), np.arange(len(x)), graph, 64, 1, pixels)
    return trained_by_loop(graph, batches, Plan(epochs * batches.per_epoch, None, 5e-3, 1.0, "kl", 1))


def trained_by_loop(graph: FloatGraph, batches: Batches, plan: Plan, half: bool = False) -> FloatGraph:
    """The float network after that plan; half: with convolutions in bfloat16, as integers are trained."""
    return taught(graph, batches, plan, Rules(half=half), "cpu")[0]


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Percent."""
    return 100 * float(np.mean(outputs.reshape(len(outputs), -1).argmax(1) == labels))


def float_accuracy(graph: FloatGraph, x: np.ndarray, labels: np.ndarray) -> float:
    """Percent, of the float network."""
    return accuracy(FloatRunner(graph).outputs(x), labels)


MAKERS: dict[str, Callable[[Path], Case]] = {"resnet8": resnet8, "kws": kws, "digits": digits, "tfc": tfc}


@cache
def case(network: str, data: Path) -> Case:
    """Made once in a process."""
    return MAKERS[network](data)
