# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that act on each element by itself: affine functions, activations, and sums of two tensors.

Products are read in `products`.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.graph import Quantizer, TypedNode, is_a, ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.surface import MANY, Reader, Readers, reads
from bitwright.models.onnx.tensors import Constant, Tensor
from bitwright.models.problems import OrderError
from bitwright.network.types import IntType

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def per_channel(context: Context, tensor: Tensor, constant: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """A constant that broadcasts over the tensor, as one number [1] or one per channel of its value [C].

    Returns the tensor too: a flattened image becomes a vector, whose every element is a channel.
    """
    tensor = context.plain(tensor)
    constant = np.asarray(constant, np.float64)
    if constant.size == 1 and constant.ndim <= len(tensor.shape):
        return tensor, constant.reshape(1)
    try:
        full = np.broadcast_to(constant, tensor.shape)
    except ValueError:
        shapes = f"{list(constant.shape)}; legal are shapes that broadcast to {list(tensor.shape)}"
        raise ModelError(f"its constant has shape {shapes}") from None
    for layout, order in (("CHW", (0, 2, 3, 1)), ("HWC", (0, 1, 2, 3))):
        if tensor.layout == layout:
            rows = full.transpose(order).reshape(-1, tensor.channels)
            if not np.all(rows == rows[0]):
                raise OrderError("its constant differs from pixel to pixel; legal is one number per channel")
            return tensor, rows[0].copy()
    tensor = context.vector(tensor)
    values = np.empty(tensor.channels)
    values[tensor.index.ravel()] = full.ravel()
    return tensor, values


def affine(context: Context, tensor: Tensor, name: str, scale: np.ndarray, shift: np.ndarray) -> Tensor:
    """tensor * scale + shift, both [C or 1]; nothing where that is the identity."""
    if np.all(scale == 1) and np.all(shift == 0):
        return tensor
    if not (np.all(np.isfinite(scale)) and np.all(np.isfinite(shift))):
        raise ModelError("its constants are not all finite")
    return tensor.on(context.emit(ops.Affine(scale, shift), [tensor.value], name))


def split(node: NodeView) -> tuple[Tensor, np.ndarray, bool]:
    """The tensor and the constant of a binary node, and whether the constant comes second."""
    _, b = node.inputs[:2]
    if isinstance(b, Constant):
        return node.tensor(0), b.array, True
    return node.tensor(1), node.array(0, "other input"), False


def has_constant(node: NodeView) -> bool:
    return any(isinstance(i, Constant) for i in node.inputs)


def _add(context: Context, node: NodeView) -> Tensor:
    if has_constant(node) and len(node.inputs) == 2:
        tensor, constant, _ = split(node)
        tensor, shift = per_channel(context, tensor, constant)
        return affine(context, tensor, node.output, np.ones(1), shift)
    total, count = node.tensor(0), len(node.inputs)
    for k in range(1, count):
        a, b = alike(context, total, node.tensor(k))
        name = node.output if k == count - 1 and node.op != "Mean" else f"{node.output}/sum{k}"
        total = a.on(context.emit(ops.Add(), [a.value, b.value], name))
    return affine(context, total, node.output, np.full(1, 1 / count if node.op == "Mean" else 1.0), np.zeros(1))


def aligned(context: Context, node: NodeView) -> tuple[Tensor, Tensor]:
    """The two inputs as views of values of one shape in the same order; `ModelError` where they are not."""
    return alike(context, node.tensor(0), node.tensor(1))


def alike(context: Context, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors as views of values of one shape; rows, columns, pixels or channels that one has once are repeated."""
    a, b = context.plain(a), context.plain(b)
    if a.shape != b.shape and len(a.shape) == len(b.shape):
        whole = tuple(max(pair) for pair in zip(a.shape, b.shape, strict=True))
        a, b = (spread_out(context, t, whole) for t in (a, b))
    if a.shape != b.shape:
        raise ModelError(f"takes two tensors of one shape, not {list(a.shape)} and {list(b.shape)}")
    return arranged_pair(context, a, b)


def spread_out(context: Context, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor with what it has once along an axis of an image repeated to a shape; as it is where that is none."""
    if tensor.shape == shape or any(n not in (1, m) for n, m in zip(tensor.shape, shape, strict=True)):
        return tensor
    found = context.arranged(tensor)
    if found.layout not in ("CHW", "HWC") and len(shape) == 4 and found.shape[2:] == (1, 1):
        found = context.fresh(context.pixel(context.vector(found)), "CHW")
    if found.layout not in ("CHW", "HWC") or len(shape) != 4:
        return tensor
    value, axes = found.value, (2, 3) if found.layout == "CHW" else (1, 2)
    channels = shape[found.channel_axis]
    if found.channels != channels:
        value = context.emit(ops.Channels((0,) * channels), [value], f"{value}/channels")
    places = [
        tuple(range(n)) if n == shape[a] else (0,) * shape[a] for n, a in zip(found.value_shape, axes, strict=False)
    ]
    if found.value_shape[:2] != (shape[axes[0]], shape[axes[1]]):
        value = context.emit(ops.Pixels(places[0], places[1]), [value], f"{value}/repeated")
    return context.fresh(value, found.layout)


def arranged_pair(context: Context, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape as views of values of one shape in the same order; `ModelError` where they are not."""
    a, b = context.arranged(a), context.arranged(b)
    if a.value_shape != b.value_shape:
        a, b = context.vector(a), context.vector(b)
    if a.layout != b.layout or (not a.layout and not np.array_equal(a.index, b.index)):
        raise OrderError("takes two tensors whose elements lie in different orders")
    return a, b


def _sub(context: Context, node: NodeView) -> Tensor:
    if not has_constant(node):
        a, b = aligned(context, node)
        minus = context.emit(ops.Affine(-np.ones(1), np.zeros(1)), [b.value], f"{node.output}/minus")
        return a.on(context.emit(ops.Add(), [a.value, minus], node.output))
    tensor, constant, second = split(node)
    tensor, c = per_channel(context, tensor, constant)
    if second:
        return affine(context, tensor, node.output, np.ones(1), -c)
    return affine(context, tensor, node.output, -np.ones(1), c)


def _neg(context: Context, node: NodeView) -> Tensor:
    return affine(context, context.plain(node.tensor()), node.output, -np.ones(1), np.zeros(1))


def _clip(context: Context, node: NodeView) -> Tensor:
    low = node.optional(1, "lower bound")
    high = node.optional(2, "upper bound")
    if any(bound is not None and bound.size != 1 for bound in (low, high)):
        raise ModelError("clips to several bounds; legal is one number each")
    lowest = float(low.item()) if low is not None else float(node.attribute("min", -np.inf))
    highest = float(high.item()) if high is not None else float(node.attribute("max", np.inf))
    return clip(context, node.tensor(), node.output, lowest, highest)


def clip(context: Context, tensor: Tensor, name: str, low: float, high: float) -> Tensor:
    """min(max(tensor, low), high); bounds at or beyond those of float32 count as none."""
    made = context.by_name.get(tensor.value)
    if made is not None and is_a(made, ops.Quant) and (tensor.codes or _on_integers(made.op.quantizer, low, high)):
        return _narrowed(context, tensor, made, name, (low, high))
    limit = float(np.finfo(np.float32).max)
    low, high = (low if low > -limit else -np.inf), (high if high < limit else np.inf)
    tensor = context.plain(tensor)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise ModelError(f"clips to [{low}, {high}]")
    if low == -np.inf and high == np.inf:
        return tensor
    if low == 0 and high == np.inf:
        return tensor.on(context.emit(ops.Relu(), [tensor.value], name))
    return tensor.on(context.emit(ops.Clip(low, high), [tensor.value], name))


def _on_integers(quantizer: Quantizer, *bounds: float) -> bool:
    """Whether a quantizer gives integers, and the bounds are some, too."""
    whole = not quantizer.dtype.bipolar and np.all(quantizer.scale == 1) and np.all(quantizer.zero_point == 0)
    return bool(whole and all(np.isinf(b) or b == round(b) for b in bounds))


def _narrowed(
    context: Context, tensor: Tensor, made: TypedNode[ops.Quant], name: str, bounds: tuple[float, float]
) -> Tensor:
    """Codes between bounds: those of a quantizer that saturates there, of the narrowest type."""
    q = made.op.quantizer
    low, high = max(q.low, math.ceil(max(bounds[0], q.low))), min(q.high, math.floor(min(bounds[1], q.high)))
    if low >= high:
        raise ModelError(f"clips codes [{q.low}, {q.high}] to {list(bounds)}; legal are bounds that leave two or more")
    quantizer = replace(q, dtype=IntType.holding(low, high), low=low, high=high)
    value = context.quantize(made.inputs[0], name, quantizer)
    return Tensor(value, tensor.value_shape, tensor.shape, tensor.layout, tensor.custom, tensor.codes)


def _extremum(context: Context, node: NodeView) -> Tensor:
    if not has_constant(node) and len(node.inputs) == 2:
        return _extremum_of_two(context, node)
    if len(node.inputs) != 2:
        raise ModelError(f"compares {len(node.inputs)} tensors; legal are two: compare them one by one")
    tensor, constant, _ = split(node)
    if constant.size != 1:
        raise ModelError("compares with several numbers; legal is one constant number, or a tensor")
    bound = float(constant.item())
    low, high = (bound, np.inf) if node.op == "Max" else (-np.inf, bound)
    return clip(context, tensor, node.output, low, high)


def _extremum_of_two(context: Context, node: NodeView) -> Tensor:
    return larger(context, node.output, *aligned(context, node), minimum=node.op == "Min")


def larger(context: Context, name: str, a: Tensor, b: Tensor, minimum: bool = False) -> Tensor:
    """max(a, b) = b + max(a - b, 0), and min(a, b) = a - max(a - b, 0), of two tensors of one order."""
    one, zero = np.ones(1), np.zeros(1)
    minus = context.emit(ops.Affine(-one, zero), [b.value], f"{name}/minus")
    apart = context.emit(ops.Add(), [a.value, minus], f"{name}/apart")
    more = context.emit(ops.Relu(), [apart], f"{name}/more")
    if not minimum:
        return a.on(context.emit(ops.Add(), [b.value, more], name))
    less = context.emit(ops.Affine(-one, zero), [more], f"{name}/less")
    return a.on(context.emit(ops.Add(), [a.value, less], name))


def _leaky(context: Context, node: NodeView) -> Tensor:
    tensor, slope = context.plain(node.tensor()), np.full(1, float(node.attribute("alpha", 0.01)))
    if node.op == "PRelu":
        tensor, slope = per_channel(context, tensor, node.array(1, "slope"))
    if node.op == "Abs":
        slope = -np.ones(1)
    return tensor.on(context.emit(ops.LeakyRelu(slope), [tensor.value], node.output))


def _activation(context: Context, node: NodeView) -> Tensor:
    if node.op == "Relu" and node.tensor().codes:
        return clip(context, node.tensor(), node.output, 0.0, np.inf)
    tensor = context.plain(node.tensor())
    made = ACTIVATIONS[node.op]
    attributes = {f.name: float(node.attribute(f.name, f.default)) for f in fields(made)}
    if min(attributes.values(), default=0) < 0:
        raise ModelError(f"has {attributes}; legal are numbers of at least 0")
    return tensor.on(context.emit(made(**attributes), [tensor.value], node.output))


def _selu(context: Context, node: NodeView) -> Tensor:
    tensor = context.plain(node.tensor())
    alpha = float(node.attribute("alpha", SELU_ALPHA if node.op == "Selu" else 1.0))
    if alpha <= 0:
        raise ModelError(f"has alpha {alpha:g}; legal are numbers above 0")
    inner, outer = (1.0, float(node.attribute("gamma", SELU_GAMMA))) if node.op == "Selu" else (1 / alpha, alpha)
    alpha = alpha if node.op == "Selu" else 1.0
    tensor = affine(context, tensor, f"{node.output}/in", np.full(1, inner), np.zeros(1))
    tensor = tensor.on(context.emit(ops.Elu(alpha), [tensor.value], f"{node.output}/elu"))
    return affine(context, tensor, node.output, np.full(1, outer), np.zeros(1))


def _batch_norm(context: Context, node: NodeView) -> Tensor:
    """(x - mean) * gamma / sqrt(var + epsilon) + beta.

    The mean is taken off first, so that nothing cancels where the variance is next to 0.
    """
    tensor = context.plain(node.tensor())
    gamma, beta, mean, var = (node.array(i, "batch norm constants") for i in range(1, 5))
    if tensor.layout not in ("CHW", "C") and not (len(tensor.shape) == 2):
        raise OrderError("normalizes an axis that is not the channel axis")
    if np.any(var + float(node.attribute("epsilon", 1e-5)) <= 0):
        raise ModelError("has a variance that is not positive")
    column = (-1,) + (1,) * (len(tensor.shape) - 2)
    scale = gamma / np.sqrt(var + float(node.attribute("epsilon", 1e-5)))
    tensor, less = per_channel(context, tensor, (-mean).reshape(column))
    _, scale = per_channel(context, tensor, scale.reshape(column))
    _, beta = per_channel(context, tensor, beta.reshape(column))
    tensor = affine(context, tensor, f"{node.output}/centered", np.ones(1), less)
    return affine(context, tensor, node.output, scale, beta)


def _scaler(context: Context, node: NodeView) -> Tensor:
    tensor, offset = per_channel(context, node.tensor(), np.array(node.attribute("offset", [0.0])))
    _, scale = per_channel(context, tensor, np.array(node.attribute("scale", [1.0])))
    return affine(context, tensor, node.output, scale, -offset * scale)


def _gelu(context: Context, node: NodeView) -> Tensor:
    tensor = context.plain(node.tensor())
    op: ops.Activation = ops.Gelu() if node.attribute("approximate", "none") == "none" else ops.GeluTanh()
    return tensor.on(context.emit(op, [tensor.value], node.output))


def _swish(context: Context, node: NodeView) -> Tensor:
    """x * sigmoid(alpha * x)."""
    tensor, alpha = context.plain(node.tensor()), float(node.attribute("alpha", 1.0))
    if alpha == 0:
        raise ModelError("has alpha 0; legal are alphas other than 0")
    tensor = affine(context, tensor, f"{node.output}/in", np.full(1, alpha), np.zeros(1))
    tensor = tensor.on(context.emit(ops.Silu(), [tensor.value], f"{node.output}/swish"))
    return affine(context, tensor, node.output, np.full(1, 1 / alpha), np.zeros(1))


ACTIVATIONS: dict[str, type[ops.Elementwise]] = {  # with the operator's own attributes and defaults
    op.__name__: op
    for op in (
        *(ops.Relu, ops.Sigmoid, ops.Tanh, ops.HardSigmoid, ops.HardSwish, ops.Elu, ops.Sign),
        *(ops.Erf, ops.Softplus, ops.Softsign, ops.Mish),
    )
}
READERS: Readers = {
    **{("", op.__name__): Reader(_activation, tuple(f.name for f in fields(op))) for op in ACTIVATIONS.values()},
    **reads(_add, "Add", inputs=2),
    **reads(_add, "Sum", "Mean", inputs=MANY),
    **reads(_sub, "Sub", inputs=2),
    **reads(_neg, "Neg"),
    **reads(_clip, "Clip", read=("max", "min"), inputs=3),
    **reads(_extremum, "Max", "Min", inputs=MANY),
    **reads(_leaky, "LeakyRelu", read=("alpha",)),
    **reads(_leaky, "PRelu", inputs=2),
    **reads(_leaky, "Abs"),
    ("", "Gelu"): Reader(_gelu, only={"approximate": ("none", "tanh")}),
    **reads(_swish, "Swish", read=("alpha",)),
    **reads(_selu, "Selu", read=("alpha", "gamma")),
    **reads(_selu, "Celu", read=("alpha",)),
    ("", "BatchNormalization"): Reader(
        _batch_norm, ("epsilon",), {"training_mode": (0,), "spatial": (1,)}, ("momentum",), inputs=5
    ),
    ("ai.onnx.ml", "Scaler"): Reader(_scaler, ("offset", "scale")),
}
