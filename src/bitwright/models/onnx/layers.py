# SPDX-License-Identifier: Apache-2.0
"""ONNX operators with weights: convolutions, matrix products, and the ends of classifiers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.graph import QuantizedWeight, ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.elementwise import affine, arranged_pair
from bitwright.models.onnx.surface import Readers, reads
from bitwright.models.onnx.tensors import Constant, ConstantQuant, Tensor
from bitwright.models.problems import OrderError
from bitwright.network.ops import windows
from bitwright.network.types import Array

Pads = tuple[int, int, int, int]
MOST_WEIGHTS = 1 << 22  # of a dense layer in the place of a convolution
WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")


def quantized_weight(quant: ConstantQuant, codes: Array, scale: Array) -> QuantizedWeight:
    """Integer weights [O, ...] with one scale per output channel; `ModelError` where a channel has several."""
    rows = scale.reshape(len(scale), -1)
    if not np.all(rows == rows[:, :1]):
        raise ModelError("weight scales differ within an output channel; legal is one scale, or one per output channel")
    single = bool(np.all(rows == rows[0, 0]))
    return QuantizedWeight(codes.astype(np.int64), quant.dtype, rows[0, :1].copy() if single else rows[:, 0].copy())


def finite(array: np.ndarray, what: str) -> np.ndarray:
    if not np.all(np.isfinite(array)):
        raise ModelError(f"its {what} hold NaN or infinity")
    return array.astype(np.float64)


def pair(node: NodeView, name: str, default: list[int]) -> tuple[int, int]:
    """An attribute of two positive integers, for height and width."""
    found: tuple[int, ...] = tuple(node.attribute(name, default))
    if len(found) != 2 or min(found) < 1:
        raise ModelError(f"has {name} {list(found)}; legal are two numbers of at least 1, for height and width")
    return found[0], found[1]


def _conv(context: Context, node: NodeView) -> Tensor:
    tensor = context.plain(node.tensor())
    stored = node.stored(1, "weights")
    if stored.array.ndim != 4:
        dimensions = stored.array.ndim - 2
        raise ModelError(f"is a {dimensions}-D convolution; legal are 2-D convolutions (1 x K kernels for 1-D data)")
    bias, kernel = node.optional(2, "bias"), stored.array.shape[2:]
    if tensor.layout != "CHW" and tensor.value_shape[:-1] == (1, 1):
        tensor = context.vector(tensor)
    if context.is_computed_vector(tensor):
        made = _conv_of_vector(context, node, tensor, stored, bias)
        if made is not None:
            return made
    value = context.image(tensor)
    if tuple(node.attribute("kernel_shape", kernel)) != kernel:
        said = list(node.attribute("kernel_shape"))
        raise ModelError(f"has kernel_shape {said} and weights of {list(kernel)}; legal is one size for both")
    dilation = pair(node, "dilations", [1, 1])
    stride = pair(node, "strides", [1, 1])
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    op = ops.Conv(
        finite(np.moveaxis(stored.array, 1, 3), "weights"),
        None if bias is None else finite(bias, "biases"),
        stride=stride,
        pads=pads_of(node, tensor.shape[2:], span, stride),
        dilation=dilation,
        groups=int(node.attribute("group", 1)),
        quantized=moved(stored.quant, lambda a: np.moveaxis(a, 1, 3)),
    )
    return context.fresh(context.emit(op, [value], node.output), "CHW")


def _conv_of_vector(
    context: Context, node: NodeView, tensor: Tensor, stored: Constant, bias: np.ndarray | None
) -> Tensor | None:
    """A convolution along the elements of a vector, as a dense layer: each output its own row of weights.

    None where that has more than `MOST_WEIGHTS`.
    """
    kernel, groups = stored.array.shape[2:], int(node.attribute("group", 1))
    dilation, stride = pair(node, "dilations", [1, 1]), pair(node, "strides", [1, 1])
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    pads = pads_of(node, tensor.shape[2:], span, stride)
    if math.prod(n + a + b for n, a, b in zip(tensor.shape[2:], pads[:2], pads[2:], strict=True)) > MOST_WEIGHTS:
        return None
    places = np.moveaxis(tensor.index, 1, 3)
    view = windows(places, kernel, stride, pads, dilation, -1)[0]  # [OH, OW, KH, KW, C]
    (rows, columns), outputs, depth = view.shape[:2], len(stored.array), stored.array.shape[1]
    if rows * columns * outputs * tensor.channels > MOST_WEIGHTS or depth * groups != tensor.shape[1]:
        return None

    def spread(array: Array) -> Array:
        """The weights [O, C, KH, KW] of every position and output [O * OH * OW, I]."""
        dense = np.zeros((outputs, rows, columns, tensor.channels))
        for o in range(outputs):
            first = o * groups // outputs * depth
            at = view[..., first : first + depth].reshape(rows, columns, -1)
            values = np.broadcast_to(np.moveaxis(array[o], 0, 2).ravel(), at.shape)
            i, j, _ = np.nonzero(at >= 0)
            np.add.at(dense[o], (i, j, at[at >= 0]), values[at >= 0])
        return dense.reshape(-1, tensor.channels)

    scale = None if stored.quant is None else stored.quant.scale.reshape(outputs, -1)
    if scale is not None and not np.all(scale == scale[:, :1]):
        raise ModelError("weight scales differ within an output channel; legal is one scale, or one per output channel")
    quantized = None
    if stored.quant is not None and scale is not None:
        own = np.repeat(scale[:, 0], rows * columns)
        quantized = QuantizedWeight(spread(stored.quant.codes).astype(np.int64), stored.quant.dtype, own)
    shifts = None if bias is None else np.repeat(finite(bias, "biases"), rows * columns)
    op = ops.Dense(finite(spread(stored.array), "weights"), shifts, quantized)
    value = context.emit(op, [tensor.value], node.output)
    return context.view(value, np.arange(outputs * rows * columns).reshape(1, outputs, rows, columns))


def moved(quant: ConstantQuant | None, move: Callable[[Array], Array]) -> QuantizedWeight | None:
    """The integers of a constant, where it has some, in the layout of a node's weight."""
    return quantized_weight(quant, move(quant.codes), move(quant.scale)) if quant else None


def pads_of(node: NodeView, size: tuple[int, ...], span: tuple[int, ...], stride: tuple[int, ...]) -> Pads:
    """Pads (top, left, bottom, right), from the node or its auto_pad."""
    auto = node.attribute("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = tuple(node.attribute("pads", [0, 0, 0, 0]))
        if len(pads) != 4 or min(pads) < 0:
            raise ModelError(f"has pads {list(pads)}; legal are four numbers of at least 0")
        top, left, bottom, right = pads
        return top, left, bottom, right
    if auto == "VALID":
        return (0, 0, 0, 0)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise ModelError(f"has auto_pad {auto!r}; legal are NOTSET, VALID, SAME_UPPER and SAME_LOWER")
    total = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(size, span, stride, strict=True)]
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    (top, left), (bottom, right) = (less, more) if auto == "SAME_UPPER" else (more, less)
    return top, left, bottom, right


def _dense(context: Context, name: str, tensor: Tensor, weight: Constant, bias: np.ndarray | None = None) -> Tensor:
    """tensor [1, I] times weight [I, O], plus bias [O]; the rows are put into the order of the value."""
    tensor = context.vector(tensor)
    index = tensor.index.ravel()
    if weight.array.ndim != 2 or weight.array.shape[0] != index.size:
        raise ModelError(f"weights {list(weight.array.shape)} do not fit the {index.size} inputs")

    def ordered(array: np.ndarray) -> np.ndarray:
        result = np.empty_like(array.T)
        result[:, index] = array.T
        return result

    op = ops.Dense(finite(ordered(weight.array), "weights"), bias, moved(weight.quant, ordered))
    value = context.emit(op, [tensor.value], name)
    return context.view(value, np.arange(weight.array.shape[1]).reshape(*tensor.shape[:-1], -1))


def _mat_mul(context: Context, node: NodeView) -> Tensor:
    if all(isinstance(i, Tensor) for i in node.inputs):
        attention = "multiplies two computed tensors, as attention between positions does"
        raise ModelError(f"{attention}; legal is a constant second factor")
    tensor, weight = context.plain(node.tensor(0)), node.stored(1, "second factor")
    if weight.array.ndim == 2 and math.prod(tensor.shape[:-1]) == 1:
        return _dense(context, node.output, tensor, weight)
    series = len(tensor.shape) == 3 and weight.array.ndim == 2
    shapes = f"{list(tensor.shape)} by {list(weight.array.shape)}"
    tensor = context.view(tensor.value, tensor.index[:, None]) if series else tensor
    if weight.array.ndim != 2 or tensor.layout != "HWC" or len(tensor.shape) != 4:
        kind = OrderError if weight.array.ndim == 2 and len(tensor.shape) == 4 and not series else ModelError
        raise kind(f"multiplies {shapes}; legal are [N, I] by [I, O], and images [N, H, W, I] by [I, O]")

    def pointwise(array: np.ndarray) -> np.ndarray:
        return array.T[:, None, None, :]

    op = ops.Conv(finite(pointwise(weight.array), "weights"), quantized=moved(weight.quant, pointwise))
    made = context.fresh(context.emit(op, [tensor.value], node.output), "HWC")
    return context.view(made.value, made.index[:, 0]) if series else made


def _gemm(context: Context, node: NodeView) -> Tensor:
    tensor, weight = context.plain(node.tensor(0)), node.stored(1, "weights")
    if node.attribute("transA", 0):
        tensor = context.view(tensor.value, tensor.index.T)
    if node.attribute("transB", 0):
        quant = weight.quant
        turned = quant and ConstantQuant(quant.codes.T, quant.scale.T, quant.dtype)
        weight = Constant(weight.array.T, turned)
    if len(tensor.shape) != 2 or tensor.shape[0] != 1:
        raise ModelError(f"multiplies {list(tensor.shape)}; legal is [N, I]")
    alpha, beta = (float(node.attribute(k, 1.0)) for k in ("alpha", "beta"))
    bias = node.optional(2, "bias")
    outputs = weight.array.shape[1]
    if bias is not None:
        if bias.shape not in ((), (1,), (1, 1), (outputs,), (1, outputs)):
            raise ModelError(f"has biases of shape {list(bias.shape)}; legal are [1] or [{outputs}]")
        bias = finite(np.broadcast_to(beta * bias.ravel(), (outputs,)).copy(), "biases")
    if alpha == 1:
        return _dense(context, node.output, tensor, weight, bias)
    product = _dense(context, f"{node.output}/product", tensor, weight)
    return affine(context, product, node.output, np.full(1, alpha), np.zeros(1) if bias is None else bias)


def slice_of(context: Context, node: NodeView, tensor: Tensor, axis: int, place: int) -> Tensor:
    """One entry of an axis, which keeps it."""
    index = np.take(tensor.index, [place], axis)
    vector, image = len(tensor.value_shape) == 1, index.ndim >= 4
    flat = index.reshape(1, -1) if vector else index.reshape(1, -1, *index.shape[-2:])
    made = context.part(tensor.value, flat, f"{node.output}/part{place}") if vector or image else None
    if made is None:
        raise OrderError(f"takes parts along axis {axis}; legal are channels, and height and width of an image")
    return context.view(made.value, made.index.reshape(index.shape))


def _channels_last(context: Context, node: NodeView, default: int) -> Tensor:
    """The tensor, whose `axis` must be its channel axis."""
    tensor = context.plain(node.tensor())
    axis = node.attribute("axis", default) % len(tensor.shape)
    if tensor.layout == "" or len(tensor.shape) == 2:
        tensor = context.vector(tensor)
        ordered = np.array_equal(tensor.index.ravel(), np.arange(tensor.index.size))
        if not ordered or tensor.shape[axis] != tensor.index.size:
            raise OrderError(f"works along axis {axis}, which is not the channel axis")
        return tensor
    if axis != tensor.channel_axis:
        raise OrderError(f"works along axis {axis}; legal is the channel axis, {tensor.channel_axis}")
    return tensor


def _softmax(context: Context, node: NodeView) -> Tensor:
    given = context.plain(node.tensor())
    axis = node.attribute("axis", 1 if context.opset < 13 else -1) % len(given.shape)
    if context.opset >= 13 and node.op == "Softmax" and not given.layout and given.shape[axis] == 2:
        return _softmax_of_two(context, node, given, axis)
    rest = (-1,) if context.opset < 13 else given.shape[axis:]  # before opset 13, over all axes from this one on
    merged = context.view(given.value, given.index.reshape(*given.shape[:axis], *rest))
    kind = ops.Softmax if node.op == "Softmax" else ops.LogSoftmax
    return given.on(context.emit(kind(_along(merged, axis)), [given.value], node.output))


def _along(tensor: Tensor, axis: int) -> str:
    """Which axis of its value an axis of a tensor is, whatever the order along it; "pixels" for height and width."""
    lines = np.moveaxis(tensor.index, axis, -1).reshape(-1, tensor.shape[axis])
    shape = tensor.value_shape
    names = ("height", "width", "") if len(shape) == 3 else ("",)
    places = np.unravel_index(lines, shape)
    for k, (name, size) in enumerate(zip(names, shape, strict=True)):
        others = [p for i, p in enumerate(places) if i != k]
        if lines.shape[1] == size and all(np.all(p == p[:, :1]) for p in others):
            return name
    if lines.shape[1] == math.prod(shape[:-1]) and np.all(places[-1] == places[-1][:, :1]):
        return "pixels"
    if lines.shape[1] == math.prod(shape):
        return "all"
    raise OrderError(f"works along axis {axis}; legal are the channels, height or width of an image, and all elements")


def _softmax_of_two(context: Context, node: NodeView, tensor: Tensor, axis: int) -> Tensor:
    """sigmoid(a - b) and 1 - sigmoid(a - b)."""
    a, b = arranged_pair(context, *(slice_of(context, node, tensor, axis, k) for k in (0, 1)))
    name, one = node.output, np.ones(1)
    minus = context.emit(ops.Affine(-one, np.zeros(1)), [b.value], f"{name}/minus")
    apart = context.emit(ops.Add(), [a.value, minus], f"{name}/apart")
    first = context.emit(ops.Sigmoid(), [apart], f"{name}/first")
    second = context.emit(ops.Affine(-one, one), [first], f"{name}/second")
    joined = context.emit(ops.Concat(), [first, second], name)
    channels = a.channels
    pixel, channel = np.divmod(a.index, channels)
    halves = [pixel * 2 * channels + channel + k * channels for k in (0, 1)]
    return context.view(joined, np.concatenate(halves, axis=axis))


def _arg_max(context: Context, node: NodeView) -> Tensor:
    tensor = _channels_last(context, node, 0)
    if node.attribute("select_last_index", 0):
        raise ModelError("picks the last of equal maxima; legal is the first")
    axis = node.attribute("axis", 0) % len(tensor.shape)
    shape = [1 if i == axis else n for i, n in enumerate(tensor.shape)]
    if not node.attribute("keepdims", 1):
        del shape[axis]
    value = context.emit(ops.ArgMax(), [tensor.value], node.output)
    return context.view(value, np.arange(math.prod(shape)).reshape(shape))


READERS: Readers = {
    **reads(_conv, "Conv", read=(*WINDOW, "group"), inputs=3),
    **reads(_mat_mul, "MatMul", inputs=2),
    **reads(_gemm, "Gemm", read=("alpha", "beta", "transA", "transB"), inputs=3),
    **reads(_softmax, "LogSoftmax", "Softmax", read=("axis",)),
    **reads(_arg_max, "ArgMax", read=("axis", "keepdims", "select_last_index")),
}
