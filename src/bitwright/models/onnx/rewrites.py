# SPDX-License-Identifier: Apache-2.0
"""Operators that stand for several others, written out: QOperator nodes as QDQ, linear models of scikit-learn as Gemm.

QLinearConv and its kind compute on codes: y = Quantize(op(Dequantize(x), ...)). What is written out is read as if the
model had those nodes from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bitwright.text import unique

MICROSOFT, CLASSIC = "com.microsoft", "ai.onnx.ml"
Attributes = dict[str, Any]


@dataclass
class Writer:
    """The nodes in the place of one node; `names` are taken."""

    source: onnx.NodeProto
    names: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    @property
    def attributes(self) -> Attributes:
        return {a.name: helper.get_attribute_value(a) for a in self.source.attribute}

    def given(self, first: int, count: int) -> list[str]:
        """The names of inputs, empty where they are left out."""
        found = list(self.source.input[first : first + count])
        return found + [""] * (count - len(found))

    def name(self, what: str) -> str:
        made = unique(f"{self.source.name or self.source.output[0]}/{what}", self.names)
        self.names.add(made)
        return made

    def constant(self, what: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(value, self.name(what)))
        return self.constants[-1].name

    def add(self, op: str, inputs: Sequence[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        """A node; it has the name of the one that it stands for."""
        output = output or self.name(op)
        name = self.source.name or self.source.output[0]
        while inputs and not inputs[-1]:
            inputs = inputs[:-1]
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name, domain=domain, **attributes))
        return output

    def real(self, codes: Sequence[str], axis: int = 1) -> str:
        """The numbers of codes, their scale and zero point."""
        return self.add("DequantizeLinear", codes, domain=MICROSOFT, axis=axis)

    def coded(self, value: str, scale: Sequence[str]) -> None:
        """The node's output: codes of a value."""
        self.add("QuantizeLinear", [value, *scale], self.source.output[0], domain=MICROSOFT)


def _layer(w: Writer, op: str, weight_axis: int, bias: str, result: int) -> None:
    """Codes, scale and zero point of the input and of the weights; a bias has the product of both scales.

    `result` is where scale and zero point of the output are.
    """
    attributes = w.attributes
    x, weight = w.given(0, 3), w.given(3, 3)
    inputs = [w.real(x), w.real(weight, weight_axis)]
    if bias:
        scale = w.add("Mul", [x[1], weight[1]])
        if attributes.get("alpha", 1.0) != 1.0:
            scale = w.add("Mul", [scale, w.constant("alpha", np.asarray(attributes["alpha"], np.float32))])
        inputs.append(w.real([bias, scale], 0))
    if w.given(result, 1)[0]:
        w.coded(w.add(op, inputs, **attributes), w.given(result, 2))
    else:
        w.add(op, inputs, w.source.output[0], **attributes)


def _conv(w: Writer) -> None:
    _layer(w, "Conv", 0, w.given(8, 1)[0], 6)


def _mat_mul(w: Writer) -> None:
    _layer(w, "MatMul", 1, "", 6)


def _gemm(w: Writer) -> None:
    transposed = bool(w.attributes.get("transB", 0))
    _layer(w, "Gemm", 0 if transposed else 1, w.given(6, 1)[0], 7)


def _binary(op: str) -> Callable[[Writer], None]:
    def write(w: Writer) -> None:
        w.coded(w.add(op, [w.real(w.given(0, 3)), w.real(w.given(3, 3))]), w.given(6, 2))

    return write


def _unary(op: str) -> Callable[[Writer], None]:
    def write(w: Writer) -> None:
        attributes = {k: v for k, v in w.attributes.items() if k not in ("channels_last", "opset")}
        w.coded(w.add(op, [w.real(w.given(0, 3))], **attributes), w.given(3, 2))

    return write


def _concat(w: Writer) -> None:
    parts = [w.real(w.given(k, 3)) for k in range(2, len(w.source.input), 3)]
    w.coded(w.add("Concat", parts, **w.attributes), w.given(0, 2))


def _linear(w: Writer) -> None:
    """Scores of a linear model, behind its last function; the labels of a classifier are not computed."""
    found = w.attributes
    scores = w.source.output[-1]
    weights = np.asarray(found["coefficients"], np.float32)
    bias = np.asarray(found.get("intercepts", [0.0] * int(found.get("targets", 1))), np.float32)
    rows = weights.reshape(len(bias), -1)
    function = {b"SOFTMAX": "Softmax", b"LOGISTIC": "Sigmoid"}.get(found.get("post_transform", b"NONE"), "")
    gemm = [w.source.input[0], w.constant("coefficients", rows), w.constant("intercepts", bias)]
    made = w.add("Gemm", gemm, "" if function else scores, transB=1)
    if function:
        w.add(function, [made], scores)


def _is_plain(node: onnx.NodeProto) -> bool:
    """Whether a node is written out: not where it works on images [N, H, W, C], or has an unusual last function."""
    found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.domain == CLASSIC:
        several = "classlabels_strings" in found or "classlabels_ints" in found
        labels = len(found.get("classlabels_strings") or found.get("classlabels_ints") or ())
        usual = found.get("post_transform", b"NONE") in (b"NONE", b"SOFTMAX", b"LOGISTIC")
        return usual and (not several or labels == len(found.get("intercepts", ())))
    return not found.get("channels_last", 0)


def _is_sum_one(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> bool:
    """Whether a Normalizer divides by a sum that is 1: of a softmax, or of a sigmoid and that of the opposite."""
    norm = {a.name: helper.get_attribute_value(a) for a in node.attribute}.get("norm", b"MAX")
    maker = makers.get(node.input[0])
    if norm != b"L1" or maker is None or maker.op_type != "LinearClassifier":
        return False
    found = {a.name: helper.get_attribute_value(a) for a in maker.attribute}
    if found.get("post_transform", b"NONE") == b"SOFTMAX":
        return True
    rows = np.asarray(
        [
            found.get("coefficients", ()),
        ],
        np.float64,
    ).reshape(len(found.get("intercepts", (0,))), -1)
    bias = np.asarray(found.get("intercepts", (0,)), np.float64)
    opposite = len(rows) == 2 and np.array_equal(rows[0], -rows[1]) and bias[0] == -bias[1]
    return opposite and found.get("post_transform") == b"LOGISTIC"


def _same(w: Writer) -> None:
    w.add("Identity", w.given(0, 1), w.source.output[0])


WRITERS: dict[tuple[str, str], Callable[[Writer], None]] = {
    ("", "QLinearConv"): _conv,
    ("", "QLinearMatMul"): _mat_mul,
    (MICROSOFT, "QLinearConv"): _conv,
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearAdd"): _binary("Add"),
    (MICROSOFT, "QLinearMul"): _binary("Mul"),
    (MICROSOFT, "QLinearGlobalAveragePool"): _unary("GlobalAveragePool"),
    (MICROSOFT, "QLinearAveragePool"): _unary("AveragePool"),
    (MICROSOFT, "QLinearReduceMean"): _unary("ReduceMean"),
    (MICROSOFT, "QLinearSigmoid"): _unary("Sigmoid"),
    (MICROSOFT, "QLinearLeakyRelu"): _unary("LeakyRelu"),
    (MICROSOFT, "QLinearSoftmax"): _unary("Softmax"),
    (MICROSOFT, "QLinearConcat"): _concat,
    (CLASSIC, "LinearClassifier"): _linear,
    (CLASSIC, "LinearRegressor"): _linear,
}


def written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, changed in place, without the operators of `WRITERS`; one whose attributes do not fit stays."""
    makers = {o: n for n in model.graph.node for o in n.output if o}
    names = {*makers, *(t.name for t in model.graph.initializer), *(i.name for i in model.graph.input)}
    made = {i: w for i, node in enumerate(model.graph.node) if (w := _written(node, makers, names)) is not None}
    if not made:
        return model
    nodes = [new for i, node in enumerate(model.graph.node) for new in (made[i].nodes if i in made else (node,))]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(constant for writer in made.values() for constant in writer.constants)
    return model


def _written(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto], names: set[str]) -> Writer | None:
    """The nodes in the place of one; None where it stays."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    write = WRITERS.get((domain, node.op_type))
    writer = Writer(node, names)
    try:
        if (domain, node.op_type) == (CLASSIC, "Normalizer") and _is_sum_one(node, makers):
            write = _same
        elif write is None or not node.output or not _is_plain(node):
            return None
        write(writer)
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    return writer
