"""An operation is its class and its reader: export, lowering and quantization know no names."""

from dataclasses import dataclass

import numpy as np

from bitwright.models import FloatGraph, Quantizer, lower
from bitwright.models.graph import FloatNode, ops
from bitwright.models.onnx import elementwise
from bitwright.models.onnx.reader import READERS
from bitwright.models.onnx.surface import Reader
from bitwright.network import IntType
from bitwright.network import ops as integer_ops
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize


@dataclass(frozen=True)
class Atan(ops.Activation):
    """The angle whose tangent is x."""

    def evaluate(self, x):
        return np.arctan(x)


def test_an_activation_is_its_class_and_its_reader(monkeypatch, onnx_tools):
    rng = np.random.default_rng(0)
    constants = {"w": np.float32(rng.normal(size=(4, 3, 3, 3)) / 3), "v": np.float32(rng.normal(size=(48, 5)) / 10)}
    nodes = [
        ("Conv", "xw", "a", {}),
        ("Atan", "a", "b", {}),
        ("Flatten", "b", "c", {}),
        ("MatMul", "cv", "y", {}),
    ]
    monkeypatch.setitem(elementwise.ACTIVATIONS, "Atan", Atan)
    monkeypatch.setitem(READERS, ("", "Atan"), Reader(READERS["", "Relu"].function))
    graph = onnx_tools.check(onnx_tools.model(nodes, constants))
    x = rng.normal(size=(64, 3, 6, 5)).astype(np.float32)
    network = quantize(graph, x)
    assert any(isinstance(n.op, integer_ops.Threshold) for n in network.nodes)
    wanted, found = FloatRunner(graph).outputs(x), network.predict(x)
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()


@dataclass(frozen=True, eq=False)
class Widened(ops.Move):
    """Every column of an image twice."""

    def on_integers(self):
        return integer_ops.Resize((1, 2))

    def shape(self, *inputs):
        h, w, c = inputs[0]
        return (h, 2 * w, c)


def test_a_move_is_what_it_is_on_integers():
    quantizer = Quantizer(IntType(4, True), [0.5])
    nodes = [FloatNode("q", ops.Quant(quantizer), ("input",)), FloatNode("m", Widened(), ("q",))]
    network = lower(FloatGraph.build(nodes, input_shape=(2, 3, 1), input_layout="HWC"))
    assert [type(n.op) for n in network.nodes] == [integer_ops.Resize]
