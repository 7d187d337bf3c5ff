# SPDX-License-Identifier: Apache-2.0
"""What an ONNX tensor is while a model is read: a constant, or a view of a value of the float graph.

ONNX models hold images as NCHW or NHWC and flatten, transpose and reshape them in many ways. Every
tensor is therefore kept as (value, index): element i of the tensor is element index[i] of the value in
its (H, W, C) row-major order. A reshape or transpose changes the index alone, and whoever needs
an image, a vector or a channel axis looks at the index.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.problems import OrderError
from bitwright.network.types import Array, IntType

FEW = 1 << 22  # elements whose order always has room
ORDERED = 8  # elements of the budget that an element costs whose place is worked out one by one


@dataclass(frozen=True, eq=False)
class ConstantQuant:
    """The integers behind a constant: value = codes * scale, elementwise, both of the constant's shape."""

    codes: Array
    scale: Array
    dtype: IntType


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input; `quant` where a quantizer made it."""

    array: Array
    quant: ConstantQuant | None = None


@dataclass(frozen=True, eq=False)
class Codes:
    """The tensor holds the codes of its value: code = value / scale + zero, each [C or 1] (QuantizeLinear)."""

    scale: Array
    zero: Array


@dataclass(frozen=True, eq=False)
class Tensor:
    """A view of a value. `layout` is "CHW", "HWC", "C" (the value's own order) or "" (see `custom`).

    shape is the ONNX shape with the batch of 1; value_shape (H, W, C) or (C,); `custom` the index, of
    the ONNX shape, where no layout describes it.
    """

    value: str
    value_shape: tuple[int, ...]
    shape: tuple[int, ...]
    layout: str
    custom: Array | None = None
    codes: Codes | None = None

    @property
    def index(self) -> Array:
        """Position in the value of each element, of the ONNX shape."""
        if self.custom is not None:
            return self.custom
        size = math.prod(self.value_shape)
        if size > FEW:
            limits.check("elements", ORDERED * size, f"the order of {size:,} elements takes as much room as")
        order: Array = np.arange(size)
        if self.layout == "CHW":
            order = order.reshape(self.value_shape).transpose(2, 0, 1)
        return order.reshape(self.shape)

    @property
    def channel_axis(self) -> int:
        """The ONNX axis that runs over the value's channels; `ModelError` where no single one does."""
        if self.layout == "CHW":
            return 1
        if self.layout in ("HWC", "C"):
            return len(self.shape) - 1
        raise OrderError("the tensor was reshaped or transposed so that none of its axes is the channel axis")

    @property
    def channels(self) -> int:
        return self.value_shape[-1]

    def on(self, value: str) -> Tensor:
        """The same view of another value of the same shape."""
        return Tensor(value, self.value_shape, self.shape, self.layout, self.custom)


def view(value: str, value_shape: tuple[int, ...], index: Array, codes: Codes | None = None) -> Tensor:
    """The tensor of an index of any shape: named by its layout where it has one, which costs no memory."""
    if len(value_shape) == 3:
        h, w, c = value_shape
        layouts: dict[str, tuple[int, ...]] = {"CHW": (1, c, h, w), "HWC": (1, h, w, c)}
    else:
        layouts = {"C": (1, *value_shape)}
    for layout, shape in layouts.items():
        made = Tensor(value, value_shape, shape, layout, None, codes)
        if index.shape == shape and np.array_equal(index, made.index):
            return made
    if not is_whole(index, value_shape):
        legal = "channels, and rows and columns in steps of at least 1"
        raise ModelError(f"takes a part of a tensor or repeats it; legal are {legal}")
    return Tensor(value, value_shape, index.shape, "", np.ascontiguousarray(index), codes)


def is_whole(index: Array, value_shape: tuple[int, ...]) -> bool:
    """Whether an index holds every element of a value once; a byte an element."""
    size = math.prod(value_shape)
    if index.size != size:
        return False
    seen = np.zeros(size, np.bool_)
    seen[index.reshape(-1)] = True
    return bool(seen.all())


Selection = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def selection(index: Array, value_shape: tuple[int, ...]) -> tuple[Selection, str] | None:
    """The rows, columns and channels of an image that an index of 4 axes holds, and the order in which it does."""
    if index.ndim != 4 or index.shape[0] != 1 or len(value_shape) != 3:
        return None
    places = np.unravel_index(index[0], value_shape)
    for layout, axes in (("CHW", (1, 2, 0)), ("HWC", (0, 1, 2))):
        lines = [np.moveaxis(p, axis, 0)[:, 0, 0] for p, axis in zip(places, axes, strict=True)]
        shapes = [np.expand_dims(v, tuple({0, 1, 2} - {axis})) for v, axis in zip(lines, axes, strict=True)]
        if all(np.all(p == s) for p, s in zip(places, shapes, strict=True)):
            rows, columns, channels = (tuple(int(n) for n in v) for v in lines)
            return (rows, columns, channels), layout
    return None


@dataclass(frozen=True)
class Blocks:
    """Channels of an image, each of the pixels in steps from a place of its own on; `channels` are the image's."""

    factor: tuple[int, int]
    first: tuple[tuple[int, int], ...]  # of each channel
    channels: tuple[int, ...]


def blocks(index: Array, value_shape: tuple[int, ...]) -> Blocks | None:
    """Blocks of pixels as channels: element [0, k, i, j] is pixel (f i + a, g j + b) of one channel, for each k."""
    if index.ndim != 4 or index.shape[0] != 1 or len(value_shape) != 3:
        return None
    factor = (value_shape[0] // index.shape[2], value_shape[1] // index.shape[3])
    rows, columns, channels = np.unravel_index(index[0], value_shape)
    first = rows[:, :1, :1], columns[:, :1, :1], channels[:, :1, :1]
    i, j = np.arange(index.shape[2])[:, None], np.arange(index.shape[3])
    wanted = (rows, first[0] + factor[0] * i), (columns, first[1] + factor[1] * j), (channels, first[2] + 0 * i)
    if not all(np.array_equal(a, np.broadcast_to(b, a.shape)) for a, b in wanted):
        return None
    places = tuple((int(y), int(x)) for y, x in zip(first[0].ravel(), first[1].ravel(), strict=True))
    return Blocks(factor, places, tuple(int(c) for c in first[2].ravel()))


def spread_blocks(index: Array, value_shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, ...]] | None:
    """Channels as blocks of pixels: the factor, and the channels in the order (channel, row, column) of blocks."""
    if index.ndim != 4 or index.shape[0] != 1 or len(value_shape) != 3:
        return None
    high, wide = index.shape[2] // value_shape[0], index.shape[3] // value_shape[1]
    if index.shape[2:] != (high * value_shape[0], wide * value_shape[1]) or high * wide < 2:
        return None
    rows, columns, channels = np.unravel_index(index[0], value_shape)
    i, j = np.arange(index.shape[2])[:, None], np.arange(index.shape[3])
    picked = channels[:, :high, :wide]
    wanted = (rows, i // high + 0 * j), (columns, j // wide + 0 * i), (channels, picked[:, i % high, j % wide])
    if not all(np.array_equal(a, np.broadcast_to(b, a.shape)) for a, b in wanted):
        return None
    return (high, wide), tuple(int(c) for c in picked.ravel())


def fresh(value: str, value_shape: tuple[int, ...], layout: str) -> Tensor:
    """A whole value in a layout: "CHW" as (1, C, H, W), "HWC" as (1, H, W, C), "C" as (1, C)."""
    if layout == "CHW":
        h, w, c = value_shape
        return Tensor(value, value_shape, (1, c, h, w), layout)
    return Tensor(value, value_shape, (1, *value_shape), layout)
