"""A small float network with everything that quantization treats specially."""

import numpy as np
import pytest

from bitwright.models.graph import FloatGraph, FloatNode, ops


def conv(name, source, weight, bias, groups=1, **window):
    return FloatNode(name, ops.Conv(weight, bias, groups=groups, **window), (source,))


def make_graph(seed=0, channels=8, size=8, clip=6.0):
    """Conv, ReLU; inverted residual block with clips and a depthwise layer; average pool; dense."""
    rng = np.random.default_rng(seed)

    def weight(*shape):
        return (
            rng.normal(size=shape)
            / np.sqrt(np.prod(shape[1:]))
            * np.exp(rng.normal(size=(shape[0], *[1] * (len(shape) - 1))) * 0.5)
        )

    c, e = channels, 3 * channels
    top = {"low": 0.0, "high": clip}
    pool = {"kernel": (size, size), "stride": (1, 1), "pads": (0, 0, 0, 0), "count_include_pad": False}
    nodes = [
        conv("stem", "input", weight(c, 3, 3, 3) * 2, rng.normal(size=c) * 0.2, pads=(1, 1, 1, 1)),
        FloatNode("relu", ops.Relu(), ("stem",)),
        conv("expand", "relu", weight(e, 1, 1, c) * 2, rng.normal(size=e) * 0.3),
        FloatNode("clip1", ops.Clip(**top), ("expand",)),
        conv("depthwise", "clip1", weight(e, 3, 3, 1), rng.normal(size=e) * 0.3, groups=e, pads=(1, 1, 1, 1)),
        FloatNode("clip2", ops.Clip(**top), ("depthwise",)),
        conv("project", "clip2", weight(c, 1, 1, e), None),
        FloatNode("add", ops.Add(), ("project", "relu")),
        FloatNode("pool", ops.AveragePool(**pool), ("add",)),
        FloatNode("flat", ops.Flatten(), ("pool",)),
        FloatNode("head", ops.Dense(weight=weight(5, c), bias=rng.normal(size=5)), ("flat",)),
    ]
    return FloatGraph.build(nodes, input_shape=(3, size, size), input_layout="CHW")


def make_data(count=32, seed=1, size=8):
    return np.random.default_rng(seed).normal(size=(count, 3, size, size)).astype(np.float32)


@pytest.fixture(scope="session")
def graph():
    return make_graph()


@pytest.fixture(scope="session")
def data():
    return make_data()


@pytest.fixture(scope="session")
def small_graph():
    return make_graph(channels=2)


@pytest.fixture(scope="session")
def labels(small_graph, data):
    """Those of the float model, so that it has 100 % and its integers lose some."""
    from bitwright.quantization.floatrun import FloatRunner

    return FloatRunner(small_graph).outputs(data).argmax(1)
