# SPDX-License-Identifier: Apache-2.0
"""Input quantization as ONNX nodes, exactly equal to `inputs.quantize`.

Codes of at most 8 bits are made by QuantizeLinear, which divides, rounds half to even, adds a zero point and saturates
in one pass. What it cannot do itself stands before it: a multiplication with 1/scale, a scale per channel, an offset
that is added before rounding. Where the scale is a power of two, scaling commutes with rounding.
"""

from __future__ import annotations

import numpy as np

from bitwright.fast.onnx_builder import Builder
from bitwright.network.inputs import InputSpec, affine
from bitwright.network.types import Array

EXACT_BITS = 24  # integers of up to so many bits are exact in float32
CODE_BITS = 8


def quantizing(g: Builder, spec: InputSpec, x: str, wide: bool) -> str:
    """The float input [N, *shape] as integers in NCHW, float64 where `wide`."""
    x = _arranged(g, spec, x)
    dtype = spec.type.dtype
    if dtype.bipolar:
        zero, one, minus = (np.array(v, np.float32) for v in (0, 1, -1))
        hit = g.add("GreaterOrEqual", _scaled(g, spec, x), g.constant(zero))
        return g.add("Where", hit, g.constant(one), g.constant(minus))
    if dtype.bits <= CODE_BITS and not wide:
        return g.cast(_codes(g, spec, x, np.int8 if dtype.signed else np.uint8, 0), "float32")
    x = g.add("Round", _scaled(g, spec, x))
    after = affine(spec)[2]
    double = wide or dtype.bits > EXACT_BITS or bool(np.any(np.abs(after) >= 1 << EXACT_BITS))
    x = g.cast(x, "float64") if double else x
    x = _plus(g, spec, x, after.astype(np.float64 if double else np.float32))
    limits = (np.array(v, np.float64 if double else np.float32) for v in (spec.low, spec.high))
    return g.add("Clip", x, *(g.constant(v) for v in limits))


def coding(g: Builder, spec: InputSpec, x: str) -> str:
    """The float input as uint8 codes q - code_base, in NCHW, for a type of at most 8 bits that is not bipolar."""
    return _codes(g, spec, _arranged(g, spec, x), np.uint8, -code_base(spec))


def code_base(spec: InputSpec) -> int:
    """What is taken off q to make it a code of at least 0."""
    return min(spec.low, 0)


def _arranged(g: Builder, spec: InputSpec, x: str) -> str:
    """The input as [N, C, H, W] or [N, C]."""
    shape = spec.type.shape
    own = (shape[2], *shape[:2]) if spec.layout == "CHW" else shape
    if spec.shape != own:
        x = g.reshape(x, 0, *own)
    return g.transpose(x, 0, 3, 1, 2) if spec.layout == "HWC" else x


def _scaled(g: Builder, spec: InputSpec, x: str) -> str:
    """What is rounded: x * (1/scale) or x / scale, plus the offset that is added before rounding."""
    factor, before, _ = affine(spec)
    if np.any(factor != 1):
        x = g.add("Mul" if spec.rule == "multiply" else "Div", x, _operand(g, spec, factor))
    return _plus(g, spec, x, before)


def _plus(g: Builder, spec: InputSpec, x: str, a: Array) -> str:
    return g.add("Add", x, _operand(g, spec, a)) if np.any(a != 0) else x


def _operand(g: Builder, spec: InputSpec, a: Array) -> str:
    """One value or one per channel."""
    return g.operand(a.reshape(((1, -1, 1, 1) if len(spec.type.shape) == 3 else (1, -1)) if a.size > 1 else ()))


def _codes(g: Builder, spec: InputSpec, x: str, dtype: type, zero_point: int) -> str:
    """The input's integers plus zero_point in an 8-bit type."""
    scale, zero = np.float32(1), zero_point
    shifted = (spec.offset * spec.scale).astype(np.float32)
    single = spec.scale.size == 1 and spec.offset.size == 1
    _, before, after = affine(spec)
    in_type = np.iinfo(dtype).min <= zero_point + after[0] <= np.iinfo(dtype).max
    if spec.rule != "multiply" and single and not np.any(before) and in_type:
        scale, zero = np.float32(spec.scale[0]), zero_point + int(after[0])
    elif (
        spec.rule != "divide_then_add"
        and spec.scale.size == 1
        and np.frexp(spec.scale[0])[0] == 0.5
        and np.all(shifted == spec.offset * spec.scale)
    ):
        scale = np.float32(spec.scale[0])
        x = _plus(g, spec, x, shifted)
    else:
        x = _scaled(g, spec, x)
        x = _plus(g, spec, g.add("Round", x), after.astype(np.float32)) if np.any(after) else x
    x = g.add("QuantizeLinear", x, g.constant(np.array(scale)), g.constant(np.array(zero, dtype)))
    limits = np.array([spec.low, spec.high]) + zero_point
    if np.array_equal(limits, [np.iinfo(dtype).min, np.iinfo(dtype).max]):
        return x
    return g.add("Clip", x, *(g.constant(np.array(v, dtype)) for v in limits))
