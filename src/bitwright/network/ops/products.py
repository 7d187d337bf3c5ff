# SPDX-License-Identifier: Apache-2.0
"""Products with constant weights: `Conv2d` and `Dense`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from bitwright.network.ops.base import Op, array, check_window, require, window_shape, windows
from bitwright.network.types import Array, Interval, Ints, IntType, TensorType


@dataclass(frozen=True, eq=False)
class Conv2d(Op):
    """y[p, o] = bias[o] + sum over (i, j, c) of weight[o, i, j, c] * x[p*stride + (i, j)*dilation - pad, g(o), c].

    weight [O, KH, KW, C/groups]; output channel o reads the input channels of group o // (O/groups).
    pads are (top, left, bottom, right) and hold `pad_value`, which must belong to the input type.
    """

    weight: Ints = array(required=True)
    weight_type: IntType = field(default=IntType(8, True))
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    bias: Ints | None = array()

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weight.shape[1], self.weight.shape[2]

    def check(self) -> None:
        require(self.weight.ndim == 4, f"Conv2d weight must be [O, KH, KW, C/groups], not {self.weight.shape}")
        _check_weight(self.weight, self.weight_type, self.bias)
        check_window(self.kernel, self.stride, self.pads, self.dilation)
        require(
            self.groups >= 1 and self.weight.shape[0] % self.groups == 0,
            f"Conv2d has {self.weight.shape[0]} output channels, which {self.groups} groups do not divide",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        oh, ow = window_shape(t, self.kernel, self.stride, self.pads, self.dilation, "Conv2d")
        expected = self.weight.shape[3] * self.groups
        require(t.channels == expected, f"Conv2d takes {expected} input channels, not {t.channels}")
        require(
            not any(self.pads) or t.dtype.contains(self.pad_value),
            f"Conv2d pad value {self.pad_value} is outside its input type {t.dtype}",
        )
        flat = self.weight.reshape(self.weight.shape[0], -1)
        low, high = _dot_range(flat, t.dtype.min, t.dtype.max, self.bias)
        return TensorType((oh, ow, self.weight.shape[0]), IntType.holding(low, high))

    def evaluate(self, *inputs: Ints) -> Ints:
        x = windows(inputs[0], self.kernel, self.stride, self.pads, self.dilation, self.pad_value)
        n, oh, ow, kh, kw, _ = x.shape
        x = x.reshape(n, oh, ow, kh, kw, self.groups, -1)
        w = self.weight.reshape(self.groups, -1, kh, kw, self.weight.shape[3])
        y: Ints = np.einsum("nyxijgc,goijc->nyxgo", x, w, optimize=True).reshape(n, oh, ow, -1)
        return y if self.bias is None else y + self.bias

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return _product_interval(self.weight, self.bias, self.groups, self._padded(inputs[0]))

    def reach(self, x: Interval) -> Ints:
        """sum |weight| * max |x| + |bias| for each output channel, int64 [O]."""
        return _reach(self.weight, self.bias, self.groups, self._padded(x))

    def _padded(self, x: Interval) -> Interval:
        return x.including(self.pad_value) if any(self.pads) else x

    def work(self, result: TensorType) -> int:
        return result.size * math.prod(self.weight.shape[1:])


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """y[o] = bias[o] + sum over i of weight[o, i] * x[i]; weight [O, I], x (I,)."""

    weight: Ints = array(required=True)
    weight_type: IntType = field(default=IntType(8, True))
    bias: Ints | None = array()

    def check(self) -> None:
        require(self.weight.ndim == 2, f"Dense weight must be [O, I], not {self.weight.shape}")
        _check_weight(self.weight, self.weight_type, self.bias)

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        expected = (self.weight.shape[1],)
        require(t.shape == expected, f"Dense takes a value of shape {expected}, not {t.shape}")
        low, high = _dot_range(self.weight, t.dtype.min, t.dtype.max, self.bias)
        return TensorType((self.weight.shape[0],), IntType.holding(low, high))

    def evaluate(self, *inputs: Ints) -> Ints:
        y: Ints = inputs[0] @ self.weight.T
        return y if self.bias is None else y + self.bias

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return _product_interval(self.weight, self.bias, 1, inputs[0])

    def reach(self, x: Interval) -> Ints:
        """sum |weight| * max |x| + |bias| for each output, int64 [O]."""
        return _reach(self.weight, self.bias, 1, x)

    def work(self, result: TensorType) -> int:
        return result.size * math.prod(self.weight.shape[1:])


Product = Conv2d | Dense


def _dot_range(w: Ints, low: int, high: int, bias: Ints | None) -> tuple[int, int]:
    """Exact bounds of w @ x + bias over all x in [low, high]; w is [O, K]."""
    parts = (np.maximum(w, 0), np.minimum(w, 0))
    positive, negative = (part.sum(1).astype(object) for part in parts)  # Python's integers: no overflow
    lo: Array = positive * low + negative * high
    hi: Array = positive * high + negative * low
    if bias is not None:
        lo, hi = lo + bias.astype(object), hi + bias.astype(object)
    return int(lo.min()), int(hi.max())


def _check_weight(weight: Ints, weight_type: IntType, bias: Ints | None) -> None:
    require(
        weight.size > 0 and weight_type.contains(weight),
        f"weights span [{weight.min() if weight.size else ''}, {weight.max() if weight.size else ''}], "
        f"outside {weight_type}",
    )
    require(
        bias is None or bias.shape == (weight.shape[0],),
        f"bias has shape {None if bias is None else bias.shape}; legal is ({weight.shape[0]},)",
    )


def _weigh(weight: Ints, x: Ints, groups: int) -> Ints:
    """sum of weight * x over everything but the output channel; x [C]."""
    taps = weight.reshape(weight.shape[0], -1, weight.shape[-1]).sum(axis=1)  # [O, C/groups]
    taps = taps.reshape(groups, -1, taps.shape[-1])
    y: Ints = np.einsum("goc,gc->go", taps, x.reshape(groups, -1)).reshape(-1)
    return y


def _reach(weight: Ints, bias: Ints | None, groups: int, x: Interval) -> Ints:
    total = _weigh(np.abs(weight), np.maximum(np.abs(x.low), np.abs(x.high)), groups)
    return total if bias is None else total + np.abs(bias)


def _product_interval(weight: Ints, bias: Ints | None, groups: int, x: Interval) -> Interval:
    positive, negative = np.maximum(weight, 0), np.minimum(weight, 0)
    offset = 0 if bias is None else bias
    return Interval.of(
        _weigh(positive, x.low, groups) + _weigh(negative, x.high, groups) + offset,
        _weigh(positive, x.high, groups) + _weigh(negative, x.low, groups) + offset,
        int(_reach(weight, bias, groups, x).max()),
    )
