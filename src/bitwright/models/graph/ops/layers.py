# SPDX-License-Identifier: Apache-2.0
"""Layers with weights, and pools: operations that sum or compare many elements."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from bitwright.models.graph.ops.base import Op, Pads, Pair, Shape, image
from bitwright.models.graph.ops.shapes import Move
from bitwright.network.ops.base import all_see_pixels, require, window_output
from bitwright.network.sizes import check_padded
from bitwright.network.types import Array, Floats, Ints, IntType


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """Integer weights: the float weight is values * scale[o]; a layer that has one is quantized.

    values: integers in the layout of the layer's weight; scale [O or 1] float64.
    """

    values: Ints
    dtype: IntType
    scale: Floats


@dataclass(frozen=True, eq=False)
class Layer(Op):
    """An operation with weights, which are always floats; `quantized` are their integers where it has some."""

    weight: Floats
    bias: Floats | None = None  # [O]
    quantized: QuantizedWeight | None = None

    @property
    def groups(self) -> int:
        """How many parts the channels of input and output have, each with its own weights."""
        return 1

    def work(self, shape: Shape) -> int:
        return math.prod(shape) * math.prod(self.weight.shape[1:])

    def rows(self, channels: Array) -> Array:
        """Numbers per output channel [O or 1] as they broadcast over the weight."""
        return np.broadcast_to(channels, len(self.weight)).reshape(-1, *[1] * (self.weight.ndim - 1))

    def input_channels(self, channels: int) -> Ints:
        """For each weight element the input channel, of `channels`, that it multiplies, in the weight's shape."""
        raise NotImplementedError

    def dequantized(self) -> Self:
        q = self.quantized
        return self if q is None else replace(self, weight=self.rows(q.scale) * q.values, quantized=None)

    def positions(self, shape: Shape) -> Shape:
        """How many windows of an input of that shape are multiplied by the weights, in each direction."""
        raise NotImplementedError

    def shape(self, *inputs: Shape) -> Shape:
        positions, outputs = self.positions(inputs[0]), len(self.weight)
        if self.bias is not None:
            require(self.bias.shape == (outputs,), f"has {self.bias.shape} biases; legal are ({outputs},)")
        return (*positions, outputs)


@dataclass(frozen=True, eq=False)
class Window(Op):
    """An operation on windows of an image."""

    stride: Pair = field(default=(1, 1), kw_only=True)
    pads: Pads = field(default=(0, 0, 0, 0), kw_only=True)

    @property
    def is_padded(self) -> bool:
        return any(self.pads)

    def windows(self, shape: Shape, kernel: Pair, dilation: Pair = (1, 1)) -> tuple[int, int]:
        """(OH, OW) of the windows over an image; `ModelError` where none fits."""
        check_padded(shape, self.pads)
        ends = zip(shape, kernel, self.stride, self.pads[:2], self.pads[2:], dilation, strict=False)
        rows, columns = (window_output(*end) for end in ends)
        require(min(rows, columns) >= 1, f"the window {kernel} is larger than the padded input")
        return rows, columns


@dataclass(frozen=True, eq=False)
class Conv(Layer, Window):
    """weight [O, KH, KW, C / groups]."""

    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def kernel(self) -> Pair:
        return self.weight.shape[1], self.weight.shape[2]

    def positions(self, shape: Shape) -> Shape:
        _, _, c = image(shape)
        outputs, depth = len(self.weight), self.weight.shape[3]
        require(c == depth * self.groups, f"takes {depth * self.groups} input channels, not {c}")
        require(outputs % self.groups == 0, f"has {outputs} output channels for {self.groups} groups")
        return self.windows(shape, self.kernel, self.dilation)

    def input_channels(self, channels: int) -> Ints:
        outputs, _, _, depth = self.weight.shape
        group = np.arange(outputs) // (outputs // self.groups)
        index = group[:, None] * depth + np.arange(depth)
        return np.broadcast_to(index[:, None, None, :], self.weight.shape)


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """weight [O, I]."""

    def positions(self, shape: Shape) -> Shape:
        weight = self.weight.shape
        require(shape == weight[1:], f"weight [O, I] {weight} does not fit the input {shape}")
        return ()

    def input_channels(self, channels: int) -> Ints:
        index = np.arange(self.weight.shape[1]) % channels  # a flattened image is in (H, W, C) order
        return np.broadcast_to(index, self.weight.shape)


@dataclass(frozen=True, eq=False)
class Pool(Window):
    """One number for each window and channel."""

    kernel: Pair
    dilation: Pair = field(default=(1, 1), kw_only=True)
    homogeneous: ClassVar[bool] = True

    @property
    def span(self) -> Pair:
        """Rows and columns from the first tap to the last."""
        (high, wide), (down, across) = self.kernel, self.dilation
        return down * (high - 1) + 1, across * (wide - 1) + 1

    def shape(self, *inputs: Shape) -> Shape:
        size = self.windows(inputs[0], self.kernel, self.dilation)
        ends = zip(inputs[0], self.kernel, self.stride, self.pads, self.dilation, size, strict=False)
        require(all(all_see_pixels(*end) for end in ends), "has windows that see padding alone")
        return (*size, image(inputs[0])[2])

    def work(self, shape: Shape) -> int:
        return math.prod(shape) * math.prod(self.kernel)

    def is_trivial(self, shape: Shape) -> bool:
        return (*self.kernel, *self.stride) == (1, 1, 1, 1) and not any(self.pads)


@dataclass(frozen=True, eq=False)
class MaxPool(Pool, Move):
    """The maximum; pads do not count."""


class Mean(Op):
    """An operation that sums integers, whose division joins what follows."""


@dataclass(frozen=True, eq=False)
class AveragePool(Pool, Mean):
    """The mean; of the whole image for global pooling. count_include_pad: pads count as zeros."""

    count_include_pad: bool = True


@dataclass(frozen=True, eq=False)
class Blend(Mean):
    """The mean of each window with whole weights: rows[a] * columns[b] over their sum."""

    homogeneous: ClassVar[bool] = True
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def window(self) -> Ints:
        """The weights of a window, [KH, KW]."""
        return np.outer(self.rows, self.columns)

    def shape(self, *inputs: Shape) -> Shape:
        h, w, c = image(inputs[0])
        size = (h - len(self.rows) + 1, w - len(self.columns) + 1)
        require(min(size) >= 1, f"the window {self.window.shape} is larger than its input")
        return (*size, c)

    def work(self, shape: Shape) -> int:
        return math.prod(shape) * self.window.size

    def is_trivial(self, shape: Shape) -> bool:
        return self.window.size == 1


@dataclass(frozen=True)
class Line:
    """Places along an axis between two rows or columns: weights[i] / whole of the way from places[i] to the next."""

    places: tuple[int, ...]
    weights: tuple[int, ...]
    whole: int

    def following(self, size: int) -> tuple[int, ...]:
        """The next one of each place; the last of `size` is its own."""
        return tuple(min(p + 1, size - 1) for p in self.places)


@dataclass(frozen=True, eq=False)
class Interpolation(Mean):
    """Pixels between others: (1 - w / whole) * x[p] + (w / whole) * x[p + 1], along height and width."""

    homogeneous: ClassVar[bool] = True
    rows: Line
    columns: Line

    def shape(self, *inputs: Shape) -> Shape:
        h, w, c = image(inputs[0])
        for line, whole in ((self.rows, h), (self.columns, w)):
            legal = min(line.places) >= 0 and max(line.places) < whole and len(line.weights) == len(line.places)
            require(legal and 0 <= min(line.weights) <= max(line.weights) <= line.whole, f"picks places of {whole}")
        return (len(self.rows.places), len(self.columns.places), c)

    def work(self, shape: Shape) -> int:
        return 4 * math.prod(shape)


@dataclass(frozen=True, eq=False)
class ChannelMean(Mean):
    """The mean of all channels, as one channel."""

    def shape(self, *inputs: Shape) -> Shape:
        return (*inputs[0][:-1], 1)

    def is_trivial(self, shape: Shape) -> bool:
        return shape[-1] == 1


@dataclass(frozen=True, eq=False)
class ChannelMax(Move):
    """The maximum of all channels, as one channel."""

    homogeneous: ClassVar[bool] = False

    def shape(self, *inputs: Shape) -> Shape:
        return (*inputs[0][:-1], 1)

    def is_trivial(self, shape: Shape) -> bool:
        return shape[-1] == 1
