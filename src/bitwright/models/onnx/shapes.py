# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that compute no new numbers: constant sub-graphs, reshapes, transposes, no-ops, padding, resizing."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.graph import ops
from bitwright.models.onnx.budget import check_folding
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.surface import MANY, Reader, Readers, reads
from bitwright.models.onnx.tensors import Constant, ConstantQuant, Tensor
from bitwright.models.problems import OrderError
from bitwright.network.types import IntType
from bitwright.parsing import summary

MOVES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Expand")
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
    try:
        with np.errstate(all="ignore"):
            return [np.asarray(x) for x in ReferenceEvaluator(model).run(None, feeds)]
    except Exception as error:  # the evaluator raises whatever NumPy does
        raise ModelError(f"cannot be computed from its constants: {summary(error)}") from None


def fold(context: Context, node: NodeView) -> tuple[Constant, ...]:
    """A node of constants alone; what a quantizer made stays known as integers through moves and scalings."""
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


def _move(context: Context, node: NodeView) -> Tensor:
    tensor = node.tensor()
    others = [
        node.stored(i, "shape, axes or indices").array if node.has(i) else None for i in range(1, len(node.inputs))
    ]
    index = evaluate(context, node, [tensor.index, *others])[0]
    return _moved(context, node, tensor, index, node.output)


def _moved(context: Context, node: NodeView, tensor: Tensor, index: np.ndarray, name: str) -> Tensor:
    """What an index of a tensor's elements holds: another view of its value, or a part of it."""
    whole = index.size == math.prod(tensor.value_shape) and len(np.unique(index)) == index.size
    if not whole and tensor.codes is None:
        value = context.vector(tensor).value if index.ndim == 2 else tensor.value
        made = context.part(value, index, name)
        if made is not None:
            return made
    return context.view(tensor.value, index, tensor.codes)


def _split(context: Context, node: NodeView) -> tuple[Tensor, ...]:
    tensor = context.plain(node.tensor())
    parts = evaluate(context, node, [tensor.index, node.stored(1, "sizes").array if node.has(1) else None])
    return tuple(_moved(context, node, tensor, i, n) for i, n in zip(parts, node.proto.output, strict=True))


def _expand(context: Context, node: NodeView) -> Tensor:
    """What keeps every element is a move; rows or columns of an image that has one are repeated by a Resize."""
    tensor = node.tensor()
    target = np.broadcast_shapes(tensor.shape, tuple(int(n) for n in node.stored(1, "shape").array))
    repeats = [b // a for a, b in zip(tensor.shape, target, strict=False)]
    if len(target) != len(tensor.shape) or all(r == 1 for r in repeats):
        return _move(context, node)
    tensor = context.plain(tensor)
    rows, columns = {"CHW": (2, 3), "HWC": (1, 2)}.get(tensor.layout, (-1, -1))
    if rows < 0 or any(r != 1 for i, r in enumerate(repeats) if i not in (rows, columns)):
        raise OrderError(f"repeats {list(tensor.shape)} to {list(target)}; legal is along height and width of an image")
    factor = (repeats[rows], repeats[columns])
    return context.fresh(context.emit(ops.Resize(factor), [tensor.value], node.output), tensor.layout)


def one_pixel(context: Context, tensor: Tensor) -> str:
    """The value of a tensor that is a vector as an image of one pixel."""
    return context.emit(ops.Resize((1, 1)), [tensor.value], f"{tensor.value}/pixel")


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
    tensors = [context.plain(node.tensor(i)) for i in range(len(node.inputs))]
    axis = node.attribute("axis", 1) % len(tensors[0].shape)
    if len(tensors[0].shape) == 2:
        return _concat_vectors(context, node, tensors, axis)
    tensors = [context.arranged(t) for t in tensors]
    layouts = {t.layout for t in tensors}
    if len(layouts) > 1 or "" in layouts or axis != tensors[0].channel_axis:
        raise OrderError(f"joins along axis {axis}; legal is the channel axis of images, or of vectors")
    value = tensors[0].value
    for i, tensor in enumerate(tensors[1:], 1):
        name = node.output if i == len(tensors) - 1 else f"{node.output}/{i}"
        value = context.emit(ops.Concat(), [value, tensor.value], name)
    return context.fresh(value, tensors[0].layout)


def _concat_vectors(context: Context, node: NodeView, tensors: list[Tensor], axis: int) -> Tensor:
    if axis != 1:
        raise ModelError("joins along the batch; legal is the channel axis")
    tensors = [context.vector(t) for t in tensors]
    value, index = tensors[0].value, tensors[0].index
    for i, tensor in enumerate(tensors[1:], 1):
        name = node.output if i == len(tensors) - 1 else f"{node.output}/{i}"
        offset = context.shapes[value][0]
        value = context.emit(ops.Concat(), [value, tensor.value], name)
        index = np.concatenate([index, tensor.index + offset], axis=1)
    return context.view(value, index)


def _pad(context: Context, node: NodeView) -> Tensor:
    tensor = context.ordered(node.tensor())
    if node.attribute("mode", "constant") != "constant":
        raise ModelError(f"pads with mode {node.attribute('mode')!r}; legal is 'constant'")
    pads = node.integers(1, "pads", "pads")
    value = node.array(2, "pad value").item() if node.has(2) else float(node.attribute("value", 0.0))
    rank = len(tensor.shape)
    axes = node.integers(3, "", "axes")
    axes = list(range(rank)) if axes is None else axes
    if pads is None or len(pads) != 2 * len(axes):
        raise ModelError(f"has pads {pads}; legal are two numbers for every axis")
    full = {a % rank: (pads[i], pads[i + len(axes)]) for i, a in enumerate(axes)}
    if not any(pads):
        return tensor
    rows, columns = {"CHW": (2, 3), "HWC": (1, 2)}.get(tensor.layout, (-1, -1))
    if min(pads) < 0 or any(any(p) for a, p in full.items() if a not in (rows, columns)):
        raise OrderError(f"has pads {pads}; legal are pads of at least 0 along the height and width of an image")
    (top, bottom), (left, right) = full.get(rows, (0, 0)), full.get(columns, (0, 0))
    name = context.emit(ops.Pad((top, left, bottom, right), value), [tensor.value], node.output)
    return context.fresh(name, tensor.layout)


def _resize(context: Context, node: NodeView) -> Tensor:
    tensor = context.ordered(node.tensor())
    if tensor.layout not in ("CHW", "HWC"):
        raise OrderError("resizes what is no image")
    if node.attribute("mode", "nearest") != "nearest":
        raise ModelError(f"resizes with mode {node.attribute('mode')!r}; legal is 'nearest'")
    scales = _scales(node, tensor)
    rows, columns = (2, 3) if tensor.layout == "CHW" else (1, 2)
    if any(not math.isfinite(s) or s != round(s) or s < 1 for s in scales) or any(
        s != 1 for i, s in enumerate(scales) if i not in (rows, columns)
    ):
        raise OrderError(f"resizes by {scales}; legal are whole factors along height and width")
    factor = (int(scales[rows]), int(scales[columns]))
    limits.check_shape((*tensor.shape, *factor), "its value has")
    for f, size in zip(factor, (tensor.shape[rows], tensor.shape[columns]), strict=True):
        if not np.array_equal(_nearest(node, f, size), np.arange(size * f) // f):
            mode = node.attribute("coordinate_transformation_mode", "half_pixel")
            raise ModelError(f"picks other pixels than the enclosing ones ({mode}); legal is y[i] = x[i // factor]")
    return context.fresh(context.emit(ops.Resize(factor), [tensor.value], node.output), tensor.layout)


def _scales(node: NodeView, tensor: Tensor) -> list[float]:
    if node.op == "Upsample" or len(node.inputs) == 2:
        found = node.array(1, "scales") if node.has(1) else np.array(node.attribute("scales", []), np.float64)
    elif node.has(3):
        found = node.array(3, "sizes") / np.array(tensor.shape)[list(node.attribute("axes", range(len(tensor.shape))))]
    else:
        found = node.array(2, "scales")
    rank = len(tensor.shape)
    axes = [a % rank for a in node.attribute("axes", range(rank))]
    full = dict(zip(axes, found.ravel().tolist(), strict=True))
    return [full.get(i, 1.0) for i in range(len(tensor.shape))]


COORDINATES = (
    "asymmetric",
    "align_corners",
    "tf_half_pixel_for_nn",
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
)


def _nearest(node: NodeView, factor: int, size: int) -> np.ndarray:
    """The source pixel of each of size * factor pixels, as the node's modes say."""
    out = np.arange(size * factor)
    if node.op == "Upsample" or len(node.inputs) == 2:
        return out // factor
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    if mode not in COORDINATES:
        raise ModelError(f"has coordinate_transformation_mode {mode!r}; legal are {', '.join(COORDINATES)}")
    if mode == "asymmetric":
        at = out / factor
    elif mode == "align_corners":
        at = out * (size - 1) / max(1, size * factor - 1)
    elif mode == "tf_half_pixel_for_nn":
        at = (out + 0.5) / factor
    else:
        at = (out + 0.5) / factor - 0.5
    pick = node.attribute("nearest_mode", "round_prefer_floor")
    whole = {
        "floor": np.floor(at),
        "ceil": np.ceil(at),
        "round_prefer_floor": np.ceil(at - 0.5),
        "round_prefer_ceil": np.floor(at + 0.5),
    }[pick]
    return np.clip(whole, 0, size - 1).astype(np.int64)


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
    **reads(_move, "Flatten", read=("axis",)),
    **reads(_move, "Gather", read=("axis",), inputs=2),
    **reads(_move, "Reshape", read=("allowzero",), inputs=2),
    **reads(_move, "Slice", read=("axes", "ends", "starts"), inputs=5),
    **reads(_move, "Squeeze", "Unsqueeze", read=("axes",), inputs=2),
    **reads(_move, "Transpose", read=("perm",)),
    **reads(_expand, "Expand", inputs=2),
    **reads(_same, "Identity"),
    ("", "Dropout"): Reader(_same, free=("ratio", "seed"), inputs=3),
    ("ai.onnx.ml", "ZipMap"): Reader(_same, free=("classlabels_int64s", "classlabels_strings")),
    ("", "Cast"): Reader(_cast, ("to",), free=("saturate", "round_mode")),  # of 8-bit floats, which are refused
    **reads(_split, "Split", read=("axis", "num_outputs", "split"), inputs=2),
    **reads(_shape, "Shape", read=("end", "start")),
    **reads(_size, "Size"),
    **reads(_concat, "Concat", read=("axis",), inputs=MANY),
    **reads(_pad, "Pad", read=("mode", "pads", "value"), inputs=4),
    ("", "Upsample"): Reader(_resize, ("mode", "scales"), inputs=2, per_axis=True),
    ("", "Resize"): Reader(
        _resize,
        ("axes", "coordinate_transformation_mode", "mode", "nearest_mode"),
        {"keep_aspect_ratio_policy": ("stretch",)},
        ("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value"),  # of other modes than nearest
        inputs=4,
        per_axis=True,
    ),
}
