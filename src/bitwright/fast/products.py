# SPDX-License-Identifier: Apache-2.0
"""Exact matrix products and convolutions in floating point.

A float32 product sum is exact while every partial sum stays within 2**24 whatever its order, that is,
while reach = sum |w| * |x| + |bias| <= 2**24. Wider ones are split: the input channels into parts
whose sums are exact and are added in float64, the input into two halves of its bits, or, where that
does not help, the product is computed in float64, tap by tap. Types have at most 32 bits, so every
reach is below 2**53 and float64 is always exact.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.fast.onnx_builder import Builder
from bitwright.network.ops import Conv2d, Dense
from bitwright.network.types import Array, Interval

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
Pair = tuple[int, int]
FLOAT32_EXACT = 1 << 24
MAX_PARTS = 8


def conv(g: Builder, op: Conv2d, x: str, wide: bool, interval: Interval, shapes: Shapes) -> tuple[str, bool]:
    """Conv2d of the NCHW value x; returns (value, whether it is float64). shapes: (H, W, C) before and after."""
    before, after = shapes
    op, x, interval, before = _with_zero_pads(g, op, x, wide, interval, before)
    if not wide:
        if int(op.reach(interval).max()) <= FLOAT32_EXACT:
            return float_conv(g, op, x, op.weight, op.bias), False
        parts = _channel_parts(op, interval)
        if parts:
            return _bias(g, _conv_in_parts(g, op, x, parts, after), op), True
        halves = _bit_halves(op, interval)
        if halves:
            return _bias(g, _conv_in_halves(g, op, x, *halves, after), op), True
        x = g.cast(x, "float64")
    return _bias(g, _conv_by_taps(g, op, x, before, after), op), True


def _with_zero_pads(
    g: Builder, op: Conv2d, x: str, wide: bool, interval: Interval, shape: tuple[int, ...]
) -> tuple[Conv2d, str, Interval, tuple[int, ...]]:
    """Pads of another value than zero become a Pad of their own: (op, x, interval, shape) after it."""
    if not (any(op.pads) and op.pad_value):
        return op, x, interval, shape
    x = pad(g, x, wide, op.pads, op.pad_value)
    return replace(op, pads=(0, 0, 0, 0), pad_value=0), x, interval.including(op.pad_value), _padded(shape, op.pads)


def dense(g: Builder, op: Dense, x: str, wide: bool, interval: Interval) -> tuple[str, bool]:
    """Dense of the value x [N, I]; returns (value, whether it is float64)."""
    exact = not wide and int(op.reach(interval).max()) <= FLOAT32_EXACT
    if not exact and not wide:
        x = g.cast(x, "float64")
    return float_dense(g, x, op.weight, op.bias, np.float32 if exact else np.float64), not exact


def pairs_fit(span: int, largest: int) -> bool:
    """Whether two products of codes up to `span` and weights up to `largest` have room in 16 bits.

    Some kernels add pairs of products of a uint8 and an int8 there, with saturation.
    """
    return 2 * span * largest < 1 << 15


def codes_exact(op: Dense, base: int, high: int) -> bool:
    """Whether integer kernels compute the Dense of uint8 codes x - base exactly, and float32 holds the result."""
    span, largest = high - base, int(np.abs(op.weight).max())
    constant = np.abs(base * op.weight.sum(axis=1) + (0 if op.bias is None else op.bias))
    sums = span * np.abs(op.weight).sum(axis=1) + constant
    return largest < 128 and pairs_fit(span, largest) and int(sums.max()) <= FLOAT32_EXACT


def dense_of_codes(g: Builder, op: Dense, codes: str, base: int) -> str:
    """Dense of x = codes + base in integer kernels, where `codes_exact`; yields float32."""
    y = g.add("MatMulInteger", codes, g.constant(np.ascontiguousarray(op.weight.T).astype(np.int8)))
    constant = base * op.weight.sum(axis=1) + (0 if op.bias is None else op.bias)
    if np.any(constant):
        y = g.add("Add", y, g.constant(constant.astype(np.int32)))
    return g.cast(y, "float32")


def float_dense(g: Builder, x: str, weight: Array, bias: Array | None, dtype: type) -> str:
    """x @ weight.T + bias in one float type; weight [O, I]."""
    w = g.constant(np.ascontiguousarray(weight.T).astype(dtype))
    return g.add("Gemm", x, w) if bias is None else g.add("Gemm", x, w, g.constant(bias.astype(dtype)))


def float_conv(g: Builder, op: Conv2d, x: str, weight: Array, bias: Array | None) -> str:
    """The convolution in float32, pads filled with zeros; weight [O, KH, KW, C/groups] replaces op's."""
    operands = [g.constant(np.moveaxis(weight, 3, 1).astype(np.float32))]
    if bias is not None:
        operands.append(g.constant(bias.astype(np.float32)))
    return _conv_node(g, op, x, operands, op.groups)


def _conv_node(g: Builder, op: Conv2d, x: str, operands: list[str], groups: int) -> str:
    return g.add(
        "Conv",
        x,
        *operands,
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        pads=list(op.pads),
        dilations=list(op.dilation),
        group=groups,
    )


def pad(g: Builder, x: str, wide: bool, pads: tuple[int, ...], value: float) -> str:
    """Constant pads (top, left, bottom, right) around an NCHW value."""
    top, left, bottom, right = pads
    amounts = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    fill = np.array(value, np.float64 if wide else np.float32)
    return g.add("Pad", x, g.constant(amounts), g.constant(fill), mode="constant")


def _padded(shape: tuple[int, ...], pads: tuple[int, ...]) -> tuple[int, ...]:
    return shape[0] + pads[0] + pads[2], shape[1] + pads[1] + pads[3], shape[2]


def _bias(g: Builder, y: str, op: Conv2d) -> str:
    """Add the bias to a float64 value."""
    if op.bias is None:
        return y
    return g.add("Add", y, g.constant(op.bias.astype(np.float64).reshape(1, -1, 1, 1)))


def _part_reach(op: Conv2d, magnitude: Array, parts: int) -> int:
    """Largest sum |w| * |x| over one of `parts` equal runs of each group's input channels."""
    per_channel = np.abs(op.weight).sum(axis=(1, 2)).reshape(op.groups, -1, op.weight.shape[3])
    sums = per_channel * magnitude.reshape(op.groups, 1, -1)
    return int(sums.reshape(op.groups, sums.shape[1], parts, -1).sum(axis=3).max())


def _channel_parts(op: Conv2d, x: Interval) -> int | None:
    """The least number of channel parts whose sums are exact in float32."""
    channels = op.weight.shape[3]
    legal = (p for p in range(1, min(MAX_PARTS, channels) + 1) if channels % p == 0)
    magnitude = np.maximum(np.abs(x.low), np.abs(x.high))
    return next((p for p in legal if _part_reach(op, magnitude, p) <= FLOAT32_EXACT), None)


def _conv_in_parts(g: Builder, op: Conv2d, x: str, parts: int, after: tuple[int, ...]) -> str:
    """One grouped float32 convolution yields each part's sums; float64 adds them."""
    out, kh, kw, channels = op.weight.shape
    groups = op.groups
    w = op.weight.reshape(groups, out // groups, kh, kw, parts, channels // parts)
    w = w.transpose(0, 4, 1, 5, 2, 3).reshape(parts * out, channels // parts, kh, kw)
    y = g.cast(_conv_node(g, op, x, [g.constant(w.astype(np.float32))], groups * parts), "float64")
    if parts == 1:
        return y
    split = g.reshape(y, 0, groups, parts, out // groups, after[0] * after[1])
    total = g.add("ReduceSum", split, g.constant(np.array([2])), keepdims=0)
    return g.reshape(total, 0, out, *after[:2])


def _bit_halves(op: Conv2d, x: Interval) -> tuple[int, int] | None:
    """(bits, parts): x = high * 2**bits + low such that both halves are exact in `parts` channel parts."""
    bits = -(-x.reach.bit_length() // 2)
    low = Interval.of(np.zeros_like(x.low), np.full_like(x.high, (1 << bits) - 1))
    high = Interval.of(x.low >> bits, x.high >> bits)
    a, b = _channel_parts(op, low), _channel_parts(op, high)
    return (bits, max(a, b)) if a and b else None


def _conv_in_halves(g: Builder, op: Conv2d, x: str, bits: int, parts: int, after: tuple[int, ...]) -> str:
    """conv(high) * 2**bits + conv(low); both halves are exact in float32."""
    scale = np.float32(2.0**bits)
    high = g.add("Floor", g.add("Mul", x, g.constant(1 / scale)))
    low = g.add("Sub", x, g.add("Mul", high, g.constant(scale)))
    y_low, y_high = (_conv_in_parts(g, op, half, parts, after) for half in (low, high))
    return g.add("Add", g.add("Mul", y_high, g.constant(np.float64(scale))), y_low)


def taps(g: Builder, x: str, shape: tuple[int, ...], kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> list[str]:
    """For each kernel position, in row-major order, the NCHW elements of x that it meets; x is padded already."""
    h, w = shape[:2]
    reach = [(n - d * (k - 1) - 1) // s * s + 1 for n, k, s, d in zip((h, w), kernel, stride, dilation, strict=True)]
    found = []
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            start = np.array([i * dilation[0], j * dilation[1]], np.int64)
            bounds = [start, start + np.array(reach, np.int64), np.array([2, 3]), np.array(stride, np.int64)]
            found.append(g.add("Slice", x, *(g.constant(b) for b in bounds)))
    return found


def _conv_by_taps(g: Builder, op: Conv2d, x: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """The convolution in float64 as one batched matrix product for each kernel position."""
    if any(op.pads):
        x, before = pad(g, x, True, op.pads, 0), _padded(before, op.pads)
    out, kh, kw, channels = op.weight.shape
    w = op.weight.reshape(op.groups, out // op.groups, kh, kw, channels).astype(np.float64)
    total = ""
    for position, piece in enumerate(taps(g, x, before, op.kernel, op.stride, op.dilation)):
        matrix = w[None, :, :, position // kw, position % kw]  # [1, groups, O/groups, C/groups]
        columns = g.reshape(piece, 0, op.groups, channels, after[0] * after[1])
        product = g.add("MatMul", g.constant(matrix), columns)
        total = g.add("Add", total, product) if total else product
    return g.reshape(total, 0, out, *after[:2])
