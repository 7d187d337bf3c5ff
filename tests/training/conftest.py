"""Small float models as ONNX files would give them, and data on which they can be trained in seconds."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright.models import read_model

CLASSES = 4


class Model:
    """Grows an ONNX model node by node; `at` is the last tensor."""

    def __init__(self, shape, seed=0):
        self.rng = np.random.default_rng(seed)
        self.shape, self.nodes, self.constants, self.at = shape, [], [], "x"

    def constant(self, values, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, op, *constants, inputs=None, **attributes):
        names = [*(inputs or [self.at]), *(self.constant(c) for c in constants)]
        self.at = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [self.at], name=self.at, **attributes))
        return self.at

    def quantizer(self, scale, bits, signed=1, zero=0.0, rounding="ROUND", narrow=0):
        names = [self.at, *(self.constant(v) for v in (scale, zero, bits))]
        self.at = f"quant{len(self.nodes)}"
        more = {"domain": "onnx.brevitas", "signed": signed, "narrow": narrow, "rounding_mode": rounding}
        self.nodes.append(helper.make_node("Quant", names, [self.at], name=self.at, **more))
        return self.at

    def conv(self, outputs, inputs, kernel=3, groups=1, bias=True, **attributes):
        weight = self.weight(outputs, inputs // groups, kernel, kernel)
        return self.add(
            "Conv", weight, *([self.rng.normal(size=outputs) * 0.1] if bias else []), group=groups, **attributes
        )

    def weight(self, *shape):
        return self.rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))

    def proto(self):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "model",
            [value("x", TensorProto.FLOAT, [1, *self.shape])],
            [value(self.at, TensorProto.FLOAT, None)],
            self.constants,
        )
        domains = [helper.make_opsetid("", 17), helper.make_opsetid("onnx.brevitas", 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)

    def graph(self):
        return read_model(self.proto())

    def save(self, path):
        onnx.save(self.proto(), path)
        return path


def small_model(seed=0, classes=CLASSES):
    """A residual network for images of 8 by 8 pixels: convolutions, an addition, pools, a dense layer."""
    m = Model((3, 8, 8), seed)
    m.conv(8, 3, pads=[1, 1, 1, 1])
    first = m.add("Relu")
    m.conv(8, 8, pads=[1, 1, 1, 1])
    m.add("Relu")
    second = m.conv(8, 8, pads=[1, 1, 1, 1])
    m.add("Add", inputs=[second, first])
    m.add("Relu")
    m.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    m.conv(16, 8, groups=2)
    m.add("Relu")
    m.add("GlobalAveragePool")
    m.add("Flatten")
    m.add("Gemm", m.weight(classes, 16) * 3, np.zeros(classes), transB=1)
    return m


def images(count=400, seed=1):
    """Smooth random images, float32 [N, 3, 8, 8]."""
    coarse = np.random.default_rng(seed).normal(size=(count, 3, 4, 4))
    return coarse.repeat(2, 2).repeat(2, 3).astype(np.float32)


@pytest.fixture(scope="session")
def model_kit():
    return Model


@pytest.fixture(scope="session")
def make_small():
    return small_model


@pytest.fixture(scope="session")
def small():
    return small_model()


@pytest.fixture(scope="session")
def x():
    return images()


@pytest.fixture(scope="session")
def labels(small, x):
    """What the float model says of the samples."""
    from bitwright.quantization.floatrun import FloatRunner

    return FloatRunner(small.graph()).outputs(x).argmax(1)
