# SPDX-License-Identifier: Apache-2.0
"""Lowering of quantizers: the first becomes the input's specification, the others become operations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import spread
from bitwright.models.graph import ExtraRounding, FloatNode, Quantizer
from bitwright.models.lowering.alignment import deviation
from bitwright.models.lowering.grids import coded, dequantized
from bitwright.models.lowering.narrow_sums import build, narrow_sum
from bitwright.models.lowering.requantize import clamped
from bitwright.models.lowering.steps import tabulate
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.inputs import InputSpec
from bitwright.network.ops import Flatten, Rounding
from bitwright.network.types import TensorType

# How far a boundary moves, in codes, so that rounding half to even is rounding down or up.
OFFSETS = {Rounding.FLOOR: -0.5 + 2.0**-20, ExtraRounding.CEIL: 0.5 - 2.0**-20}


def quantize(b: Builder, node: FloatNode, v: Value, quantizer: Quantizer) -> Value:
    """The value on the quantizer's grid."""
    if not v.name:
        return _quantized_input(b, node, v, quantizer)
    if _changes_nothing(v, quantizer):
        return v
    chain, limits = dequantized(quantizer), (quantizer.low, quantizer.high)
    if v.alignment is not None and b.align_bits is None:
        ops = narrow_sum(b, node, v, quantizer)
        if ops is not None:
            if v.alignment.name in b.inexact:
                b.inexact[v.alignment.name][1].append(True)
            return build(b, node, v, ops, chain, limits)
    table = tabulate(v.chain, quantizer, v.type.dtype, v.type.channels, b.multiplier_bits)
    if table.note:
        b.note(node, table.note)
    if v.alignment is not None and v.alignment.name in b.inexact:
        off = deviation(v.alignment, v.chain, quantizer, (*table.ops, *table.then), v.type.channels)
        b.inexact[v.alignment.name][1].append(off is not None and not off.any())
        if off is not None and off.any():
            text = f"over all pairs of its inputs, codes are off by {off.mean():.2g} on average and {off.max()} at most"
            b.note(node, f"{text}, since the sum {v.alignment.name!r} is aligned to fewer bits")
    return coded(b, node.name, v, table, quantizer)


def _changes_nothing(v: Value, quantizer: Quantizer) -> bool:
    """Whether every integer of the value is on the quantizer's grid and inside its limits already."""
    line = v.chain.affine()
    if line is None:
        return False
    channels, (least, most) = v.type.channels, v.reach
    if quantizer.dtype.bipolar != v.type.dtype.bipolar:
        return False
    steps = Steps.of(quantizer)
    for c in range(channels):
        scale, shift = line.scale[c % len(line.scale)], line.shift[c % len(line.shift)]
        s, zero = steps.scale[c % len(steps.scale)], steps.zero[c % len(steps.zero)]
        offset = shift / s + zero
        if scale != s or offset.denominator != 1:
            return False
        if not quantizer.low <= least + offset <= most + offset <= quantizer.high:
            return False
    return True


def _quantized_input(b: Builder, node: FloatNode, v: Value, quantizer: Quantizer) -> Value:
    """The input specification that computes affine chain, clips and quantizer at once."""
    shape = b.graph.shapes[v.source]
    flat = v.type.shape != shape
    lines = clamped(v.chain, v.type.channels)
    hint = "give bitwright.load the input's integer type (input_type='uint8', input_scale=1/255)"
    if lines is None or any(f.scale <= 0 for f in lines):
        raise ModelError(
            f"the input passes a function that is not rising and affine before its first quantizer; {hint}"
        )
    steps = Steps.of(quantizer)
    limits = {_limits(quantizer, steps, f.low, f.high, c) for c, f in enumerate(lines)}
    if len(limits) != 1:
        raise ModelError(f"the input's channels are clipped at different codes; {hint}")
    scale, zero = spread(steps.scale, len(lines)), spread(steps.zero, len(lines))
    per_channel = [(s / f.scale, f.shift / s + z) for f, s, z in zip(lines, scale, zero, strict=True)]
    known = _unflattened(per_channel, shape[-1]) if flat else per_channel
    if known is None:
        raise ModelError(f"the flattened input is scaled element by element; {hint}")
    (reach,) = limits
    after = quantizer.zero_after and not any(f.shift for f in lines)
    _add_input(b, node, v.source, quantizer, known, reach, after)
    first = Value(v.source, b.types[v.source], dequantized(quantizer), reach)
    if flat:
        return b.value(f"{v.source}/flat", Flatten(), [first], first.chain, first.limits)
    return first


def _limits(quantizer: Quantizer, steps: Steps, low: Fraction | None, high: Fraction | None, c: int) -> tuple[int, int]:
    return (
        quantizer.low if low is None else steps.code(low, c),
        quantizer.high if high is None else steps.code(high, c),
    )


def _unflattened(values: list[tuple[Fraction, Fraction]], channels: int) -> list[tuple[Fraction, Fraction]] | None:
    """Per-element numbers of a flattened image as one per channel, where they repeat from pixel to pixel."""
    if values != values[:channels] * (len(values) // channels):
        return None
    return values[:channels]


def _add_input(
    b: Builder,
    node: FloatNode,
    source: str,
    quantizer: Quantizer,
    per_channel: list[tuple[Fraction, Fraction]],
    limits: tuple[int, int],
    after: bool,
) -> None:
    """Take the specification; `after`: the offset is the quantizer's own zero point, added after rounding."""
    if quantizer.rounding in (ExtraRounding.ZERO, ExtraRounding.AWAY):
        raise ModelError(f"rounds the model's input {quantizer.rounding}; legal are half_even, floor and ceil there")
    exact = quantizer.rounding == Rounding.HALF_EVEN or quantizer.dtype.bipolar or after
    if not exact:
        b.note(node, f"the input is rounded half to even in place of {quantizer.rounding}, the same but for ties")
    moved = 0.0 if quantizer.dtype.bipolar else OFFSETS.get(quantizer.rounding, 0.0)
    port = next(port for port in b.graph.inputs if port.value == source)
    spec = InputSpec(
        TensorType(b.graph.shapes[source], quantizer.dtype),
        scale=_single([float(s) for s, _ in per_channel]),
        offset=_single([float(o) + moved for _, o in per_channel]),
        shape=port.shape,
        layout=port.layout,
        low=limits[0],
        high=limits[1],
        rule="divide_then_add" if after else "divide",
        name=source,
    )
    if source in b.inputs and not _same(b.inputs[source], spec):
        raise ModelError("is a second, different quantizer of the model's input; legal is one")
    b.start(spec)


def _single(values: list[float]) -> np.ndarray:
    return np.array(values[:1] if len(set(values)) == 1 else values)


def _same(a: InputSpec, other: InputSpec) -> bool:
    same = (a.type, a.low, a.high, a.rule) == (other.type, other.low, other.high, other.rule)
    return same and np.array_equal(a.scale, other.scale) and np.array_equal(a.offset, other.offset)
