# SPDX-License-Identifier: Apache-2.0
"""What a quantized ONNX file computes by the definitions of its operators, in double precision.

Every float32 number of the file is taken as a double. The reference evaluator of ONNX runs all but convolutions and
pools, which PyTorch computes, and quantizers, whose definitions are below. A value within `TIE` of the middle of two
codes is the middle: products of scales are seldom representable, and rounding errors shall not decide ties. ONNX
Runtime computes in single precision instead, and its integer kernels differ once more: near ties, and by saturation
of sums of two products in 16 bits on processors without VNNI.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch.nn import functional

TIE = 2.0**-30
MICROSOFT = "com.microsoft"
Array = np.ndarray


def nearest(x: Array) -> Array:
    """Halves to even; what is within TIE of one half is one half."""
    half = np.floor(x) + 0.5
    return np.rint(np.where(np.abs(x - half) < TIE * np.maximum(1, np.abs(x)), half, x))


def along(array: Array, axis: int, rank: int) -> Array:
    """Numbers per channel as they broadcast."""
    return array if array.size == 1 else array.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def real(codes: Array, scale: Array, zero: Array | None, axis: int = 1) -> Array:
    scale, zero = (along(np.asarray(a, np.float64), axis, codes.ndim) for a in (scale, 0 if zero is None else zero))
    return (codes.astype(np.float64) - zero.reshape(zero.shape or ())) * scale


LIMITS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


def coded(x: Array, scale: Array, zero: Array | None, axis: int = 1) -> Array:
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    low, high = LIMITS.get(kind.name) or (np.iinfo(kind).min, np.iinfo(kind).max)
    scale, shift = (along(np.asarray(a, np.float64), axis, x.ndim) for a in (scale, 0 if zero is None else zero))
    return np.clip(nearest(x / scale) + shift, low, high).astype(kind)


def tensor(x: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x, np.float64))


def padded(x: Array, attributes: dict[str, Any], kernel: tuple[int, ...], value: float) -> torch.Tensor:
    """With the pads of a window operator, `ceil_mode` and auto_pad left aside."""
    rank = len(kernel)
    pads = list(attributes.get("pads") or [0] * 2 * rank)
    if (attributes.get("auto_pad") or "NOTSET") not in ("NOTSET", "VALID"):
        strides = attributes.get("strides") or [1] * rank
        need = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(x.shape[2:], strides, kernel, strict=True)]
        small, large = [n // 2 for n in need], [n - n // 2 for n in need]
        pads = small + large if attributes["auto_pad"] == "SAME_UPPER" else large + small
    order = [p for i in reversed(range(rank)) for p in (pads[i], pads[i + rank])]
    return functional.pad(tensor(x), order, value=value)


def conv(x: Array, weight: Array, bias: Array | None, attributes: dict[str, Any]) -> Array:
    call = (functional.conv1d, functional.conv2d)[weight.ndim - 3]
    rank = weight.ndim - 2
    given = padded(x, attributes, weight.shape[2:], 0.0)
    stride, dilation = (attributes.get(k) or [1] * rank for k in ("strides", "dilations"))
    groups = attributes.get("group") or 1
    held = None if bias is None else tensor(bias)
    return call(given, tensor(weight), held, tuple(stride), 0, tuple(dilation), groups).numpy()


class Conv(OpRun):
    """Convolution in double precision."""

    def _run(self, x, weight, bias=None, **attributes):
        return (conv(x, weight, bias, attributes),)


class ConvTranspose(OpRun):
    """Its transpose, whose pads are equal on both sides."""

    def _run(self, x, weight, bias=None, **attributes):
        rank = weight.ndim - 2
        call = (functional.conv_transpose1d, functional.conv_transpose2d)[rank - 1]
        stride, dilation = (attributes.get(k) or [1] * rank for k in ("strides", "dilations"))
        pads = attributes.get("pads") or [0] * 2 * rank
        assert pads[:rank] == pads[rank:], "unequal pads"
        extra = tuple(attributes.get("output_padding") or [0] * rank)
        given = (tensor(x), tensor(weight), None if bias is None else tensor(bias))
        made = call(*given, tuple(stride), tuple(pads[:rank]), extra, attributes.get("group") or 1, tuple(dilation))
        return (made.numpy(),)


class MaxPool(OpRun):
    """Codes and numbers alike."""

    def _run(self, x, **attributes):
        kernel = tuple(attributes["kernel_shape"])
        call = (functional.max_pool1d, functional.max_pool2d)[len(kernel) - 1]
        made = call(
            padded(x, attributes, kernel, -np.inf), kernel, tuple(attributes.get("strides") or [1] * len(kernel))
        )
        return (made.numpy().astype(x.dtype),)


class QuantizeLinear(OpRun):
    """The zero point is added after rounding."""

    def _run(self, x, scale, zero=None, **attributes):
        return (coded(x, scale, zero, attributes.get("axis") or 1),)


class DequantizeLinear(OpRun):
    """(code - zero point) * scale."""

    def _run(self, x, scale, zero=None, **attributes):
        axis = attributes.get("axis")
        return (real(x, scale, zero, 1 if axis is None else axis),)


# The same operators of another domain; the evaluator knows operators by the names of their classes.
OTHER_DOMAIN = [type(made.__name__, (made,), {"op_domain": MICROSOFT}) for made in (QuantizeLinear, DequantizeLinear)]


class QLinearConv(OpRun):
    """Codes in, codes out; the bias has the product of both scales."""

    def _run(self, x, xs, xz, w, ws, wz, ys, yz, bias=None, **attributes):
        scale = np.float64(xs) * ws
        held = None if bias is None else bias * scale
        return (coded(conv(real(x, xs, xz), real(w, ws, wz, 0), held, attributes), ys, yz),)


class QLinearMatMul(OpRun):
    """Scales of the second operand are those of its columns."""

    def _run(self, a, sa, za, b, sb, zb, ys, yz, **_):
        return (coded(real(a, sa, za) @ real(b, sb, zb, b.ndim - 1), ys, yz),)


class QGemm(OpRun):
    op_domain = MICROSOFT

    def _run(self, a, sa, za, b, sb, zb, bias=None, ys=None, yz=None, **attributes):
        transposed, alpha = bool(attributes.get("transB")), attributes.get("alpha") or 1.0
        weight = real(b, sb, zb, 0 if transposed else 1)
        made = alpha * real(a, sa, za) @ (weight.T if transposed else weight)
        if bias is not None:
            made = made + bias * (alpha * np.float64(sa) * sb)
        return (made if ys is None else coded(made, ys, yz),)


class QLinearAdd(OpRun):
    op_domain = MICROSOFT

    def _run(self, a, sa, za, b, sb, zb, ys, yz=None, **_):
        return (coded(real(a, sa, za) + real(b, sb, zb), ys, yz),)


class QLinearMul(OpRun):
    op_domain = MICROSOFT

    def _run(self, a, sa, za, b, sb, zb, ys, yz=None, **_):
        return (coded(real(a, sa, za) * real(b, sb, zb), ys, yz),)


class QLinearSigmoid(OpRun):
    op_domain = MICROSOFT

    def _run(self, x, xs, xz, ys, yz=None, **_):
        return (coded(1 / (1 + np.exp(-real(x, xs, xz))), ys, yz),)


class QLinearLeakyRelu(OpRun):
    op_domain = MICROSOFT

    def _run(self, x, xs, xz, ys, yz=None, **attributes):
        held = real(x, xs, xz)
        return (coded(np.where(held < 0, np.float64(np.float32(attributes["alpha"])) * held, held), ys, yz),)


class QLinearSoftmax(OpRun):
    op_domain = MICROSOFT

    def _run(self, x, xs, xz, ys, yz=None, **attributes):
        held = real(x, xs, xz)
        raised = np.exp(held - held.max(attributes.get("axis", -1), keepdims=True))
        return (coded(raised / raised.sum(attributes.get("axis", -1), keepdims=True), ys, yz),)


class QLinearGlobalAveragePool(OpRun):
    op_domain = MICROSOFT

    def _run(self, x, xs, xz, ys, yz=None, **_):
        return (coded(real(x, xs, xz).mean(tuple(range(2, x.ndim)), keepdims=True), ys, yz),)


class QLinearAveragePool(OpRun):
    op_domain = MICROSOFT

    def _run(self, x, xs, xz, ys, yz=None, **attributes):
        kernel = tuple(attributes["kernel_shape"])
        assert attributes.get("count_include_pad") or not any(attributes.get("pads") or [0]), "pads are not counted"
        given = padded(real(x, xs, xz), attributes, kernel, 0.0)
        return (coded(functional.avg_pool2d(given, kernel, tuple(attributes["strides"])).numpy(), ys, yz),)


class QLinearConcat(OpRun):
    op_domain = MICROSOFT

    def _run(self, ys, yz, *parts, **attributes):
        held = [real(*parts[k : k + 3]) for k in range(0, len(parts), 3)]
        return (coded(np.concatenate(held, attributes["axis"]), ys, yz),)


BRAZEN = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")


def _rounded(x: Array, mode: str) -> Array:
    away = np.sign(x) * np.floor(np.abs(x) + 0.5)
    return {
        "ROUND": nearest,
        "HALF_EVEN": nearest,
        "CEIL": lambda v: np.ceil(v - TIE),
        "FLOOR": lambda v: np.floor(v + TIE),
        "ROUND_TO_ZERO": lambda v: np.fix(v + np.sign(v) * TIE),
        "DOWN": lambda v: np.fix(v + np.sign(v) * TIE),
        "HALF_UP": lambda v: away,
    }[mode.upper()](x)


class Quant(OpRun):
    """QONNX: (round(clamp(x / s + z)) - z) * s."""

    op_domain = BRAZEN[0]

    def _run(self, x, scale, zero, bits, **attributes):
        return (self.quantized(x / scale + zero, scale, zero, bits, attributes),)

    @staticmethod
    def quantized(steps: Array, scale: Array, zero: Array, bits: Array, attributes: dict[str, Any]) -> Array:
        """Of x / s + z."""
        bits, narrow, signed = int(np.ravel(bits)[0]), attributes.get("narrow") or 0, attributes.get("signed", 1)
        low = -(2 ** (bits - 1)) + narrow if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        codes = _rounded(np.clip(steps, low, high), attributes.get("rounding_mode") or "ROUND")
        return (codes - zero) * scale


class BipolarQuant(OpRun):
    op_domain = BRAZEN[0]

    def _run(self, x, scale, **_):
        return (np.where(x >= 0, 1.0, -1.0) * scale,)


class Trunc(OpRun):
    """Both versions of the operator."""

    op_domain = BRAZEN[0]

    def _run(self, x, scale, zero, bits_in, fourth, fifth=None, **attributes):
        mode = attributes.get("rounding_mode") or "FLOOR"
        codes = nearest(x / scale + zero)
        if fifth is None:
            factor = 2.0 ** (float(np.ravel(bits_in)[0]) - float(np.ravel(fourth)[0]))
            return ((_rounded(codes / factor, mode) - zero) * scale,)
        factor = 2.0 ** np.round(np.log2(fourth / scale))
        bits, signed, narrow = int(np.ravel(fifth)[0]), attributes.get("signed", 1), attributes.get("narrow") or 0
        low = -(2 ** (bits - 1)) + narrow if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        return ((_rounded(np.clip(codes / factor, low, high), mode) - zero / factor) * fourth,)


OPERATORS = [
    *(Conv, ConvTranspose, MaxPool, QuantizeLinear, DequantizeLinear, *OTHER_DOMAIN),
    *(QLinearConv, QLinearMatMul, QGemm, QLinearAdd, QLinearMul, QLinearSigmoid),
    *(QLinearLeakyRelu, QLinearSoftmax, QLinearGlobalAveragePool, QLinearAveragePool, QLinearConcat),
    *(Quant, BipolarQuant, Trunc),
]


def _double(stored: TensorProto) -> None:
    if stored.data_type == TensorProto.FLOAT:
        stored.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float64), stored.name))


def doubled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model on doubles, changed in place."""
    for stored in model.graph.initializer:
        _double(stored)
    for node in model.graph.node:
        if node.domain in BRAZEN:
            node.domain = BRAZEN[0]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _double(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    known = {o.domain for o in model.opset_import}
    model.opset_import.extend(helper.make_opsetid(d, 1) for d in (BRAZEN[0], MICROSOFT) if d not in known)
    return model


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with QONNX's quantizers of constants computed in their own type, changed in place.

    Weights were quantized in single precision when the file was made, and whoever runs it does so again: there a
    weight beside a tie is one.
    """
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    done = []
    for node in model.graph.node:
        if node.op_type == "Quant" and all(name in stored for name in node.input):
            x, scale, zero, _ = (stored[name] for name in node.input)
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            attributes["rounding_mode"] = attributes.get("rounding_mode", b"ROUND").decode()
            steps = (x / scale).astype(np.float64)  # rounded once, to single precision
            made = Quant.quantized(steps + zero, np.float64(scale), zero, stored[node.input[3]], attributes)
            model.graph.initializer.append(numpy_helper.from_array(made, node.output[0]))
            done.append(node)
    for node in done:
        model.graph.node.remove(node)
    return model


def run(path: Path, x: Array) -> Array:
    """The first output for x [N, ...], image by image, float64."""
    model = doubled(folded(onnx.load(path)))
    evaluator: Any = ReferenceEvaluator(model, new_ops=OPERATORS)
    name = next(i.name for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer})
    made = [evaluator.run(None, {name: x[i : i + 1].astype(np.float64)})[0] for i in range(len(x))]
    return np.concatenate(made)
