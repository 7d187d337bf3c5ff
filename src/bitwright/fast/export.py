# SPDX-License-Identifier: Apache-2.0
"""An integer network as a QDQ or QONNX file that computes what `predict` computes.

Between quantizers values are the network's codes as floats: all inner scales are 1, so that ONNX Runtime's float
arithmetic is exact. The input's quantizer and the output's scale are the network's own. Images are NCHW inside. Where
sums of a layer pass 2**24 it is computed in exact parts or in float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from bitwright.errors import OptionError
from bitwright.fast.onnx_builder import Builder
from bitwright.fast.products import FLOAT32_EXACT
from bitwright.fast.translate import Translator
from bitwright.fast.values import Value
from bitwright.files import write_file
from bitwright.network import ops
from bitwright.network.graph import Network, Node
from bitwright.network.inputs import OutputSpec
from bitwright.network.types import Ints, IntType

FORMATS = ("qdq", "qonnx")
QONNX_DOMAIN = "qonnx.custom_op.general"
OPSET, IR_VERSION = 19, 9  # of later ones ONNX Runtime 1.2x rejects its own rewriting of int8 quantizers
QDQ_BITS = 8
STEPS = (ops.Threshold, ops.Requantize, ops.Lookup)


def export(network: Network, path: str | os.PathLike[str], format: str = "qdq") -> None:
    """Write the network as an ONNX file, see `exported`; the file appears whole or not at all."""
    write_file(path, exported(network, format).SerializeToString())


def exported(network: Network, format: str = "qdq") -> onnx.ModelProto:
    """The network as an ONNX model with float inputs and outputs, those of `predict`, under their own names.

    format: "qdq" has QuantizeLinear and DequantizeLinear around products, "qonnx" has Quant and BipolarQuant, which the
    file also defines as functions, so that ONNX Runtime runs it. Raises `OptionError` for another format.
    """
    if format not in FORMATS:
        raise OptionError(f"format is {format!r}; legal are {', '.join(FORMATS)}")
    graph = _Graph()
    quantize = _qdq if format == "qdq" else _qonnx
    return _Exporter(network, graph, quantize).exported(format)


class _Graph(Builder):
    """A graph whose nodes are called after the layer that they belong to."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = ""
        self._count = 0

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = super().add(kind, *inputs, **attributes)
        self._nodes[-1].name = self.layer if not self._count else f"{self.layer}/{self._count}"
        self._count += 1
        return name

    def operand(self, value: Any) -> str:
        """A plain constant: what stands behind a product cannot be merged into it, see `_Exporter._bounded`."""
        return self.constant(value)

    def at(self, layer: str) -> None:
        """What follows belongs to this layer."""
        self.layer, self._count = layer, 0

    def leave(self, value: str, name: str, shape: tuple[int, ...]) -> None:
        """Give `value` out under `name`, in floats of this shape."""
        self._nodes.append(helper.make_node("Identity", [value], [name], f"{self.layer}/output"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]))

    def finished(self, name: str, functions: list[onnx.FunctionProto]) -> onnx.ModelProto:
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(f.domain, 1) for f in functions[:1])]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, functions=functions)
        model.producer_name, model.producer_version = "bitwright", version("bitwright")
        return model


Quantize = Callable[[_Graph, str, IntType], str]  # codes as floats, which are of this type, through its quantizer
Emit = Callable[[_Graph, Ints, IntType], str]


def _storage(dtype: IntType) -> np.dtype[Any] | None:
    """NumPy's type for codes in QuantizeLinear, which has 8 bits; None for wider ones, which stay floats."""
    if dtype.bits > QDQ_BITS:
        return None
    signed = dtype.signed or dtype.bipolar
    return np.dtype(f"{'int' if signed else 'uint'}{8 if dtype.bits <= 8 else QDQ_BITS}")


def _qdq(g: _Graph, x: str, dtype: IntType) -> str:
    """QuantizeLinear and DequantizeLinear of scale 1."""
    kind = _storage(dtype)
    if kind is None:
        return x
    one, zero = g.constant(np.float32(1)), g.constant(np.zeros((), kind))
    return g.add("DequantizeLinear", g.add("QuantizeLinear", x, one, zero), one, zero)


def _qonnx(g: _Graph, x: str, dtype: IntType) -> str:
    """Quant, or BipolarQuant, of scale 1."""
    one = g.constant(np.float32(1))
    if dtype.bipolar:
        return g.add("BipolarQuant", x, one, domain=QONNX_DOMAIN)
    if dtype.bits > 24:  # Quant computes in float32
        return x
    rest = (one, g.constant(np.float32(0)), g.constant(np.float32(dtype.bits)))
    settings = {"signed": int(dtype.signed), "narrow": 0, "rounding_mode": "ROUND"}
    return g.add("Quant", x, *rest, domain=QONNX_DOMAIN, **settings)


class _Exporter(Translator):
    """The translation without what only speed needs, with quantizers where values are steps."""

    def __init__(self, network: Network, graph: _Graph, quantize: Quantize) -> None:
        super().__init__(network, tuple(dict.fromkeys(network.output_values)))
        self.g: _Graph = graph
        self.quantize = quantize

    def exported(self, format: str) -> onnx.ModelProto:
        network = self.network
        for spec in network.inputs:
            self.g.at(f"{spec.name}_quantizer")
            value = self.float_input(spec, spec.name)
            self.values[spec.name] = self._quantized(value, spec.type.dtype)
        for node in network.nodes:
            self.g.at(node.name)
            self.values[node.name] = self.emit_node(node)
            value, dtype = self.values[node.name], network.types[node.name].dtype
            if isinstance(node.op, STEPS):
                self.values[node.name] = self._quantized(value, dtype)
            elif isinstance(node.op, (ops.Product, ops.SumPool, ops.Pad)):
                self.values[node.name] = self._bounded(value, dtype)
        for output in network.outputs:
            self.g.at(f"{output.name}_scale")
            self._leave(output)
        functions = [_quant_function(), _bipolar_function()] if format == "qonnx" else []
        model = self.g.finished(network.name, functions)
        helper.set_model_props(model, {"bitwright.digest": network.digest, "bitwright.format": format})
        return model

    def is_deferred(self, node: Node) -> bool:
        return False

    def codes_suffice(self, spec: Any) -> bool:
        return False

    def _quantized(self, value: Value, dtype: IntType) -> Value:
        if value.wide:
            return value
        return Value(self.quantize(self.g, value.name, dtype), False, value.order)

    def product(self, node: Node, op: ops.Product) -> Value:
        """A product with its weights in their type; an exact form of its own where float32 is too narrow."""
        x = self.in_order(self.values[node.inputs[0]])
        kind = _storage(op.weight_type)
        reach = op.reach(self.intervals[node.inputs[0]])
        if x.wide or kind is None or float(np.max(reach)) > FLOAT32_EXACT:
            return super().product(node, op)
        bias = np.zeros(len(op.weight)) if op.bias is None else op.bias
        added = self.g.constant(bias.astype(np.float32))
        if isinstance(op, ops.Conv2d):
            y = self._convolution(op, x, added)
        else:
            y = self.g.add("Gemm", x.name, self._weight(op.weight, op.weight_type), added, transB=1)
        return Value(y, False)

    def _bounded(self, value: Value, dtype: IntType) -> Value:
        """A value within its type's limits, which it never passes, so that ONNX Runtime merges nothing over them.

        It would take what follows a product into its weights, and a pad into a pool that is smaller than the pad.
        """
        kind, most = (np.float64, np.inf) if value.wide else (np.float32, float(FLOAT32_EXACT))
        limits = (self.g.constant(np.array(v, kind)) for v in (max(dtype.min, -most), min(dtype.max, most)))
        return Value(self.g.add("Clip", value.name, *limits), value.wide, value.order)

    def _convolution(self, op: ops.Conv2d, x: Value, bias: str) -> str:
        source, pads = x.name, list(op.pads)
        if op.pad_value and any(pads):
            top, left, bottom, right = pads
            sizes = self.g.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
            source = self.g.add("Pad", source, sizes, self.g.constant(np.float32(op.pad_value)))
            pads = [0, 0, 0, 0]
        weight = self._weight(op.weight.transpose(0, 3, 1, 2), op.weight_type)
        window = {"strides": list(op.stride), "pads": pads, "dilations": list(op.dilation), "group": op.groups}
        return self.g.add("Conv", source, weight, bias, **window)

    def _weight(self, weight: Ints, dtype: IntType) -> str:
        """Weights as floats that are stored as integers."""
        kind = _storage(dtype)
        if self.quantize is _qonnx or kind is None:
            return self.quantize(self.g, self.g.constant(weight.astype(np.float32)), dtype)
        stored = self.g.constant(weight.astype(kind))
        return self.g.add(
            "DequantizeLinear", stored, self.g.constant(np.float32(1)), self.g.constant(np.zeros((), kind))
        )

    def _leave(self, spec: OutputSpec) -> None:
        """The output in the model's units, shape and order: y = function((q - offset) * scale)."""
        g, t = self.g, self.network.types[spec.value]
        value = self.widen(self.in_order(self.values[spec.value]))
        image = len(t.shape) == 3
        y = value.name

        def factor(a: np.ndarray) -> str:
            return g.constant(a.reshape((1, -1, 1, 1) if image else (1, -1)))

        if np.any(spec.offset):
            y = g.add("Sub", y, factor(spec.offset))
        y = _function(g, g.add("Mul", y, factor(spec.scale)), spec.function)
        y = g.cast(y, "float32")
        if spec.step:
            step, zero = (g.constant(np.float32(v)) for v in (spec.step, spec.zero_point))
            limits = (g.constant(np.float32(v)) for v in (spec.low, spec.high))
            codes = g.add("Clip", g.add("Add", g.add("Round", g.add("Div", y, step)), zero), *limits)
            y = g.add("Mul", g.add("Sub", codes, zero), step)
        if image and spec.layout != "CHW":
            y = g.transpose(y, 0, 2, 3, 1)
        shape = spec.shape or t.shape
        self.g.leave(g.reshape(y, 0, *shape), spec.name, shape)


def _function(g: _Graph, y: str, name: str) -> str:
    """The output's function, over the channels, in float64."""
    if name == "sigmoid":
        one = g.constant(np.float64(1))
        return g.add("Div", one, g.add("Add", one, g.add("Exp", g.add("Neg", y))))
    if name == "identity":
        return y
    axis = g.constant(np.array([1]))
    y = g.add("Sub", y, g.add("ReduceMax", y, axis, keepdims=1))
    total = g.add("ReduceSum", g.add("Exp", y), axis, keepdims=1)
    return g.add("Div", g.add("Exp", y), total) if name == "softmax" else g.add("Sub", y, g.add("Log", total))


def _constant(name: str, **value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], **value)


def _attribute(name: str, attribute: str) -> onnx.NodeProto:
    """A whole number that the caller gives as an attribute."""
    node = helper.make_node("Constant", [], [name])
    found = node.attribute.add()
    found.name, found.ref_attr_name, found.type = "value_int", attribute, onnx.AttributeProto.INT
    return node


def _quant_function() -> onnx.FunctionProto:
    """Quant: (clamp(round(x / scale + zero), low, high) - zero) * scale, with the limits of the bits."""
    make, real = helper.make_node, TensorProto.FLOAT
    nodes = [
        _attribute("signed_int", "signed"), make("Cast", ["signed_int"], ["sign"], to=real),
        _attribute("narrow_int", "narrow"), make("Cast", ["narrow_int"], ["less"], to=real),
        _constant("two", value_float=2.0), _constant("one", value_float=1.0),
        make("Sub", ["bits", "sign"], ["magnitude"]), make("Pow", ["two", "magnitude"], ["levels"]),
        make("Sub", ["less", "levels"], ["lowest"]), make("Mul", ["sign", "lowest"], ["low"]),
        make("Sub", ["one", "sign"], ["unsigned"]), make("Mul", ["unsigned", "less"], ["fewer"]),
        make("Sub", ["levels", "one"], ["most"]), make("Sub", ["most", "fewer"], ["high"]),
        make("Div", ["x", "scale"], ["scaled"]), make("Add", ["scaled", "zero"], ["shifted"]),
        make("Round", ["shifted"], ["whole"]), make("Max", ["whole", "low"], ["above"]),
        make("Min", ["above", "high"], ["code"]), make("Sub", ["code", "zero"], ["apart"]),
        make("Mul", ["apart", "scale"], ["y"]),
    ]  # fmt: skip
    inputs, opsets = ["x", "scale", "zero", "bits"], [helper.make_opsetid("", OPSET)]
    made = helper.make_function(
        QONNX_DOMAIN, "Quant", inputs, ["y"], nodes, opsets, ["signed", "narrow", "rounding_mode"]
    )
    return made


def _bipolar_function() -> onnx.FunctionProto:
    """BipolarQuant: scale where x >= 0, else -scale."""
    nodes = [
        _constant("nothing", value_float=0.0),
        helper.make_node("GreaterOrEqual", ["x", "nothing"], ["hit"]),
        helper.make_node("Neg", ["scale"], ["minus"]),
        helper.make_node("Where", ["hit", "scale", "minus"], ["y"]),
    ]
    return helper.make_function(
        QONNX_DOMAIN, "BipolarQuant", ["x", "scale"], ["y"], nodes, [helper.make_opsetid("", OPSET)]
    )
