# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that compute no new numbers: constant sub-graphs, reshapes, transposes, no-ops."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper

from bitwright.errors import ModelError
from bitwright.models.graph import ops
from bitwright.models.onnx.budget import check_folding
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.surface import MANY, Reader, Readers, reads
from bitwright.models.onnx.tensors import Constant, ConstantQuant, Tensor, is_whole
from bitwright.models.problems import OrderError
from bitwright.network.types import IntType
from bitwright.parsing import summary

MOST_FLATTENED = 1 << 12  # elements of values of different sizes that are joined
MOVES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Expand", "Tile")
SAME = ("Identity", "Dropout", "Cast")
ALWAYS = ("QuantizeLinear", "DequantizeLinear")
WHOLE = (TensorProto.INT32, TensorProto.INT64)  # hold every code and index
REAL = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


def evaluate(context: Context, node: NodeView, inputs: list[np.ndarray | None]) -> list[np.ndarray]:
    """What ONNX's reference evaluator computes for a node."""
    proto = onnx.NodeProto()
    proto.CopyFrom(node.proto)
    names = [f"i{k}" if x is not None else "" for k, x in enumerate(inputs)]
    outputs = [f"o{k}" for k in range(len(proto.output))]
    del proto.input[:], proto.output[:]
    proto.domain = ""
    proto.input.extend(names)
    proto.output.extend(outputs)
    info = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in names if n]
    results = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in outputs]
    graph = helper.make_graph([proto], "fold", info, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", context.opset)])
    check_folding(proto, context.opset, inputs, context.held)
    feeds = {n: x for n, x in zip(names, inputs, strict=True) if x is not None}
    from onnx.reference import ReferenceEvaluator  # a quarter of a second, which most models do not need

    try:
        with np.errstate(all="ignore"):
            return [np.asarray(x) for x in ReferenceEvaluator(model).run(None, feeds)]
    except Exception as error:  # the evaluator raises whatever NumPy does
        raise ModelError(f"cannot be computed from its constants: {summary(error)}") from None


def fold(context: Context, node: NodeView) -> tuple[Constant, ...]:
    """A node of constants alone; what a quantizer made stays known as integers through moves and scalings."""
    if node.op == "Constant" and "value" in node.attribute_names:
        return (Constant(node.attribute("value")),)
    inputs = [i for i in node.inputs if not isinstance(i, Tensor)]  # none is
    quant = inputs[0].quant if inputs and inputs[0] is not None else None
    if node.op in SAME and (quant is None or node.op != "Cast" or node.attribute("to") in REAL):
        assert inputs[0] is not None
        if node.op != "Cast":
            return (inputs[0],)
        return (Constant(evaluate(context, node, [inputs[0].array])[0], quant),)
    arrays = [None if x is None else x.array for x in inputs]
    folded = [Constant(a) for a in evaluate(context, node, arrays)]
    if quant is not None and node.op in MOVES:
        codes, scale = (evaluate(context, node, [a, *arrays[1:]])[0] for a in (quant.codes, quant.scale))
        return (Constant(folded[0].array, ConstantQuant(codes, scale, quant.dtype)),)
    if node.op == "Clip" and folded[0].array.dtype.kind in "iu" and folded[0].array.dtype.itemsize <= 4:
        return (_clipped(node, folded[0].array),)
    if node.op in ("Mul", "Div") and len(inputs) == 2:
        return (Constant(folded[0].array, _scaled(node.op, inputs, folded[0].array.shape)),)
    return tuple(folded)


def _clipped(node: NodeView, codes: np.ndarray) -> Constant:
    """Integers between the bounds of a Clip, as those of the narrowest type that holds both bounds."""
    limits = np.iinfo(codes.dtype)
    given = [node.optional(1, "lower bound"), node.optional(2, "upper bound")]
    said = [node.attribute("min"), node.attribute("max")]
    low, high = (b.item() if b is not None else a for b, a in zip(given, said, strict=True))
    low = limits.min if low is None else max(limits.min, math.ceil(low))
    high = limits.max if high is None else min(limits.max, math.floor(high))
    if low >= high:
        return Constant(codes)
    return Constant(codes, ConstantQuant(codes.astype(np.int64), np.ones(codes.shape), IntType.holding(low, high)))


def _scaled(op: str, inputs: list[Constant | None], shape: tuple[int, ...]) -> ConstantQuant | None:
    """The integers behind quantized * c, c * quantized or quantized / c for positive c."""
    a, b = inputs
    assert a is not None
    assert b is not None
    if a.quant is None and op == "Mul":
        a, b = b, a
    if a.quant is None or b.quant is not None or np.any(b.array <= 0):
        return None
    factor = b.array.astype(np.float64)
    scale = a.quant.scale * factor if op == "Mul" else a.quant.scale / factor
    codes = np.broadcast_to(a.quant.codes, shape)
    return ConstantQuant(codes, np.broadcast_to(scale, shape), a.quant.dtype)


def move(context: Context, node: NodeView) -> Tensor:
    tensor = node.tensor()
    others = [
        node.stored(i, "shape, axes or indices").array if node.has(i) else None for i in range(1, len(node.inputs))
    ]
    if node.op == "Reshape" and context.batch > 1 and others[0] is not None and others[0].size:
        target = others[0].copy()
        if target.ndim == 1 and target[0] == context.batch and np.all(target):  # the samples of a batch stay apart
            target[0] = 1
            others[0] = target
    index = evaluate(context, node, [tensor.index, *others])[0]
    return part_of(context, node, tensor, index, node.output)


def part_of(context: Context, node: NodeView, tensor: Tensor, index: np.ndarray, name: str) -> Tensor:
    """What an index of a tensor's elements holds: another view of its value, or a part of it."""
    if tensor.codes is None and not is_whole(index, tensor.value_shape):
        value = context.vector(tensor).value if index.ndim == 2 else tensor.value
        made = context.part(value, index, name)
        if made is not None:
            return made
    return context.view(tensor.value, index, tensor.codes)


def _split(context: Context, node: NodeView) -> tuple[Tensor, ...]:
    tensor = context.plain(node.tensor())
    parts = evaluate(context, node, [tensor.index, node.stored(1, "sizes").array if node.has(1) else None])
    return tuple(part_of(context, node, tensor, i, n) for i, n in zip(parts, node.proto.output, strict=True))


def _same(context: Context, node: NodeView) -> Tensor:
    return node.tensor()


def _cast(context: Context, node: NodeView) -> Tensor:
    tensor = node.tensor()
    whole = tensor.codes is not None
    if tensor.value in context.by_name:
        made = context.by_name[tensor.value].op
        unscaled = isinstance(made, ops.Quant) and bool(np.all(made.quantizer.scale == 1))
        whole |= unscaled or isinstance(made, ops.ArgMax)
    if node.attribute("to") not in (*REAL, *(WHOLE if whole else ())):
        if not whole:
            raise ModelError("casts real numbers to integers; legal are casts to floating point")
        kind = TensorProto.DataType.Name(node.attribute("to")).lower()
        raise ModelError(f"casts integers to {kind}; legal are casts to floating point, int32 and int64")
    return tensor


def _shape(context: Context, node: NodeView) -> Constant:
    shape = np.array(node.tensor().shape, np.int64)
    return Constant(shape[node.attribute("start", 0) : node.attribute("end", len(shape))])


def _size(context: Context, node: NodeView) -> Constant:
    return Constant(np.array(math.prod(node.tensor().shape), np.int64))


def _concat(context: Context, node: NodeView) -> Tensor:
    tensors = _joined_tensors(context, node)
    axis = node.attribute("axis", 1) % len(tensors[0].shape)
    if axis == 0 and len(tensors[0].shape) < 5:
        raise ModelError("joins along the batch; legal are the other axes")
    layout = tensors[0].layout
    spatial = {"CHW": (2, 3), "HWC": (1, 2)}.get(layout, ())
    if spatial and all(t.layout == layout for t in tensors):
        op = ops.Stack(spatial.index(axis)) if axis in spatial else ops.Concat()
        return context.fresh(_chained(context, node, op, [t.value for t in tensors]), layout)
    sizes = {t.value_shape[:-1] for t in tensors}
    if len(sizes) > 1 and sum(math.prod(t.shape) for t in tensors) <= MOST_FLATTENED:
        tensors = [context.vector(t) for t in tensors]
    elif len(sizes) > 1:
        raise OrderError(f"joins along axis {axis}; legal are the channels, height and width of images, or vectors")
    return context.view(*_concatenated(context, node, tensors, axis))


def _joined_tensors(context: Context, node: NodeView) -> list[Tensor]:
    """The tensors that are joined; constants among them are made of the first one that is none."""
    made = [context.arranged(context.plain(i)) if isinstance(i, Tensor) else None for i in node.inputs]
    first = next(t for t in made if t is not None)
    constants = [node.stored(k, "other input").array if t is None else None for k, t in enumerate(made)]
    if any(c is not None for c in constants) and not first.layout:
        first = context.vector(first)
    return [t or _numbers(context, node, first, c) for t, c in zip(made, constants, strict=True)]


def _numbers(context: Context, node: NodeView, like: Tensor, constant: np.ndarray | None) -> Tensor:
    """A constant as a tensor of that layout: channels of any value less itself, plus one number for each channel."""
    assert constant is not None
    if constant.ndim != len(like.shape) or constant.ndim not in (2, 4):
        raise ModelError(f"joins {list(like.shape)} with a constant of shape {list(constant.shape)}")
    samples = np.moveaxis(constant, 1, -1) if like.layout == "CHW" else constant
    rows = samples.reshape(-1, samples.shape[-1]).astype(np.float64)
    if not np.all(rows == rows[0]) or not np.all(np.isfinite(rows)):
        raise ModelError("joins a constant that differs from pixel to pixel; legal is one finite number per channel")
    steps: list[ops.Op] = [ops.Channels((0,) * rows.shape[1])]
    if constant.ndim == 4:
        steps.append(ops.Pixels(*((0,) * n for n in samples.shape[1:3])))
    value, whole = like.value, (*samples.shape[1:3], rows.shape[1]) if constant.ndim == 4 else rows.shape[1:]
    for op in steps:
        if context.shapes[value] != whole and not op.is_trivial(context.shapes[value]):
            value = context.emit(op, [value], f"{node.output}/same")
    zero = ops.Affine(np.zeros(rows.shape[1]), rows[0])
    return context.fresh(context.emit(zero, [value], f"{node.output}/number"), like.layout)


def _concatenated(context: Context, node: NodeView, tensors: list[Tensor], axis: int) -> tuple[str, np.ndarray]:
    """The channels of all values, and which elements of them a join along any axis is."""
    joined = _chained(context, node, ops.Concat(), [t.value for t in tensors])
    whole, before, parts = context.shapes[joined][-1], 0, []
    for tensor in tensors:
        pixel, channel = np.divmod(tensor.index, tensor.channels)
        parts.append(pixel * whole + channel + before)
        before += tensor.channels
    return joined, np.concatenate(parts, axis=axis)


def _chained(context: Context, node: NodeView, op: ops.Op, values: list[str]) -> str:
    """A join of many values, one after the other."""
    joined = values[0]
    for i, value in enumerate(values[1:], 1):
        joined = context.emit(op, [joined, value], node.output if i == len(values) - 1 else f"{node.output}/{i}")
    return joined


def dequantized(codes: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int) -> Constant:
    """The constant (codes - zero) * scale; scale and zero along `axis` or single."""
    shape = [1] * codes.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    whole = codes.astype(np.int64) - np.reshape(zero.astype(np.int64), shape if zero.size > 1 else [1] * codes.ndim)
    full = np.broadcast_to(np.reshape(scale.astype(np.float64), shape), whole.shape)
    dtype = IntType.holding(min(0, int(whole.min(initial=0))), max(0, int(whole.max(initial=0))))
    return Constant(whole * full, ConstantQuant(whole, full, dtype))


READERS: Readers = {
    **reads(move, "Flatten", read=("axis",)),
    **reads(move, "Gather", read=("axis",), inputs=2),
    **reads(move, "Reshape", read=("allowzero",), inputs=2),
    **reads(move, "Slice", read=("axes", "ends", "starts"), inputs=5),
    **reads(move, "Squeeze", "Unsqueeze", read=("axes",), inputs=2),
    **reads(move, "Tile", inputs=2),
    **reads(move, "Transpose", read=("perm",)),
    **reads(_same, "Identity"),
    ("", "Dropout"): Reader(_same, free=("ratio", "seed"), inputs=3),
    ("ai.onnx.ml", "ZipMap"): Reader(_same, free=("classlabels_int64s", "classlabels_strings")),
    ("", "Cast"): Reader(_cast, ("to",), free=("saturate", "round_mode")),  # of 8-bit floats, which are refused
    **reads(_split, "Split", read=("axis", "num_outputs", "split"), inputs=2),
    **reads(_shape, "Shape", read=("end", "start")),
    **reads(_size, "Size"),
    **reads(_concat, "Concat", read=("axis",), inputs=MANY),
}
