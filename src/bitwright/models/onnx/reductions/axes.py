# SPDX-License-Identifier: Apache-2.0
"""Reductions of axes: means, sums and extremes, and those of magnitudes and squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bitwright.models.exact.formula import Formula, X
from bitwright.models.graph import ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.elementwise import affine, arranged_pair, larger
from bitwright.models.onnx.layers import slice_of
from bitwright.models.onnx.products import product
from bitwright.models.onnx.reductions.pools import whole
from bitwright.models.onnx.surface import Readers, reads
from bitwright.models.onnx.tensors import Tensor
from bitwright.models.problems import OrderError

MOST_SLICES = 8  # parts of an axis that are added


@dataclass(frozen=True)
class Kind:
    """What stands before a sum, mean or maximum of many numbers, and the function behind it."""

    core: str
    before: Callable[[Context, NodeView, Tensor], Tensor] | None = None
    after: Callable[[Context, NodeView, Tensor], Tensor] | None = None


def _negative(context: Context, node: NodeView, x: Tensor) -> Tensor:
    return affine(context, x, f"{node.output}/negative", -np.ones(1), np.zeros(1))


def _magnitude(context: Context, node: NodeView, x: Tensor) -> Tensor:
    return x.on(context.emit(ops.LeakyRelu(-np.ones(1)), [x.value], f"{node.output}/magnitude"))


def _square(context: Context, node: NodeView, x: Tensor) -> Tensor:
    return product(context, node, x, x)


def _root(context: Context, node: NodeView, x: Tensor) -> Tensor:
    return x.on(context.emit(ops.Function(Formula("Sqrt", (X,))), [x.value], f"{node.output}/root"))


KINDS = {
    "ReduceL1": Kind("sum", _magnitude),
    "ReduceL2": Kind("sum", _square, _root),
    "ReduceMax": Kind("maximum"),
    "ReduceMean": Kind("mean"),
    "ReduceMin": Kind("maximum", _negative, _negative),
    "ReduceSum": Kind("sum"),
    "ReduceSumSquare": Kind("sum", _square),
}


def _reduce(context: Context, node: NodeView) -> Tensor:
    tensor, kind = context.plain(node.tensor()), KINDS[node.op]
    rank = len(tensor.shape)
    given = node.integers(1, "axes", "axes")
    if not given and node.attribute("noop_with_empty_axes", 0):
        return kind.after(context, node, tensor) if kind.after else tensor
    axes = {a % rank for a in given or range(rank)}
    reduced = kind.before(context, node, tensor) if kind.before else tensor
    inner = axes - {0} if context.is_one_sample else axes
    if given and len(inner) == 1 and not tensor.layout:
        reduced = _reduced_slices(context, node, reduced, min(inner), kind.core)
    elif inner:
        reduced = _reduced_image(context, node, reduced, inner, kind.core)
    reduced = kind.after(context, node, reduced) if kind.after else reduced
    if node.attribute("keepdims", 1):
        return reduced
    kept = [n for i, n in enumerate(reduced.shape) if i not in axes]
    return context.view(reduced.value, reduced.index.reshape(kept))


def _reduced_image(context: Context, node: NodeView, tensor: Tensor, axes: set[int], core: str) -> Tensor:
    """The sum, mean or maximum over height, width and channels of an image, or over a vector."""
    spatial = {"CHW": (2, 3), "HWC": (1, 2)}.get(tensor.layout, ())
    if not tensor.layout or not axes <= {*spatial, tensor.channel_axis}:
        raise OrderError(f"reduces axes {sorted(axes)}; legal are those of the height, width and channels of an image")
    value, maximum = tensor.value, core == "maximum"
    over = [a in axes for a in spatial]
    name = f"{node.output}/mean" if core == "sum" else node.output
    if tensor.channel_axis in axes:
        op = ops.ChannelMax() if maximum else ops.ChannelMean()
        value = context.emit(op, [value], f"{name}/channels" if any(over) else name)
    if any(over):
        value = whole(context, value, name, (over[0], over[1]), maximum)
    reduced, taps = context.fresh(value, tensor.layout), math.prod(tensor.shape[a] for a in axes)
    return affine(context, reduced, node.output, np.full(1, float(taps) if core == "sum" else 1.0), np.zeros(1))


def _reduced_slices(context: Context, node: NodeView, tensor: Tensor, axis: int, core: str) -> Tensor:
    """The sum or mean over a short axis of any order, as a sum of its parts; the maximum likewise."""
    count = tensor.shape[axis]
    if count > MOST_SLICES:
        raise OrderError(f"reduces axis {axis} of {count}; legal are height, width and channels of an image")
    parts = [slice_of(context, node, tensor, axis, k) for k in range(count)]
    total = parts[0]
    for k, part in enumerate(parts[1:], 1):
        name = node.output if k == count - 1 and core != "mean" else f"{node.output}/sum{k}"
        a, b = arranged_pair(context, total, part)
        if core == "maximum":
            total = larger(context, name, a, b)
        else:
            total = a.on(context.emit(ops.Add(), [a.value, b.value], name))
    return affine(context, total, node.output, np.full(1, 1 / count if core == "mean" else 1.0), np.zeros(1))


READERS: Readers = reads(_reduce, *KINDS, read=("axes", "keepdims", "noop_with_empty_axes"), inputs=2)
