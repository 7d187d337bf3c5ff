# SPDX-License-Identifier: Apache-2.0
"""Products with weights that are no single operation: sums that pass 32 bits, convolutions of stretched images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.chain import ZERO, Affine, Chain
from bitwright.models.graph import LayerNode, ops
from bitwright.models.lowering.moves import cropped, side_by_side, woven
from bitwright.models.lowering.sums import SUM_BITS
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.ops import Add, Conv2d, Dense, Requantize
from bitwright.network.types import MAX_BITS, Interval, IntType, ints

Product = Conv2d | Dense
Parts = Sequence[tuple[int, Product]]


def sum_bits(op: Product, v: Value) -> int:
    """Bits of the sums of a product with constant weights, over all integers of the value's type."""
    t = v.type.dtype
    ends = op.interval(v.type.shape, Interval.of([t.min] * v.type.channels, [t.max] * v.type.channels))
    low, high = min(int(ends.low.min()), 0), max(int(ends.high.max()), 0)
    return max(high, -low - 1).bit_length() + (low < 0)


def in_parts(b: Builder, name: str, v: Value, parts: Parts, unit: int, chain: Chain) -> Value:
    """A value, `unit` times which is the sum of the parts, rounded; the sum of each part is exact."""
    scaled: list[Value] = []
    shift = unit.bit_length() - 1
    for k, (place, part) in enumerate(parts):
        more, less = max(place - shift, 0), max(shift - place, 0)
        found = b.value(f"{name}/part{k}", part, [v], Chain())
        t = found.type.dtype
        dtype = IntType.holding((t.min << more) >> less, (t.max << more) >> less)
        op_scaled = Requantize(dtype, multiplier=ints([1 << more]), shift=ints([less]))
        scaled.append(b.value(f"{name}/part{k}/scaled", op_scaled, [found], Chain()))
    total = scaled[0]
    for k, addend in enumerate(scaled[1:], 2):
        total = b.value(name if k == len(scaled) else f"{name}/sum{k}", Add(), [total, addend], Chain())
    return replace(total, chain=chain)


def sum_shift(parts: Parts, v: Value) -> int:
    """The least power of two with which the sum of all parts fits."""
    return max(0, *(sum_bits(part, v) + place - SUM_BITS for place, part in parts))


def cut(op: Product, v: Value) -> Parts:
    """(place, part), the lowest first: weights are the sum of 2**place * part, of the fewest parts whose sums fit."""
    bits = op.weight_type.bits
    if bits == 1 and sum_bits(op, v) <= MAX_BITS:
        return [(0, op)]
    for count in range(2, bits + 1):
        k, rest = -(-bits // count), op.weight
        parts: list[tuple[int, Product]] = []
        for place in range(0, bits, k):
            upper = (rest + (1 << k >> 1)) >> k if place + k < bits else np.zeros_like(rest)
            part = rest - (upper << k)
            dtype = IntType.holding(int(part.min()), int(part.max()))
            parts.append((place, replace(op, weight=part, weight_type=dtype, bias=op.bias if not place else None)))
            rest = upper
        if all(sum_bits(part, v) <= MAX_BITS for _, part in parts):
            return parts
    raise ModelError(f"its sums take {sum_bits(op, v)} bits, those of one bit of its weights more than {MAX_BITS}")


@dataclass(frozen=True)
class _Line:
    """Of a phase along an axis: taps of the kernel, their distance in the image, the part of it that they meet, pads.

    Without taps nothing is met.
    """

    taps: tuple[int, ...]
    dilation: int
    part: ops.Run
    before: int
    after: int


@dataclass(frozen=True)
class _Block:
    """Phases from 0 on, and of each of them so many results, from the first one on."""

    phases: int
    first: int
    count: int


def _line(kernel: int, dilation: int, before: int, factor: int, size: int, phase: int, block: _Block) -> _Line:
    """The taps that meet pixels, and no zero, at every `factor`-th place from `phase` on."""
    taps = tuple(t for t in range(kernel) if (phase + dilation * t - before) % factor == 0)
    apart = dilation // gcd(dilation, factor)
    start = block.first + ((phase + dilation * taps[0] - before) // factor if taps else 0)
    end = start + block.count + apart * (max(len(taps), 1) - 1)
    low, high = max(start, 0), min(end, size)
    if not taps or low >= high:  # nothing but pads
        return _Line((), 1, ops.Run(0, 1, 1, 1), 0, block.count - 1)
    return _Line(taps, apart, ops.Run(low, 1, 1, high - low), low - start, end - high)


def _blocks(b: Builder, node: LayerNode, size: int, factor: int) -> list[_Block]:
    """Of all results along an axis: of one number for all phases, and one more for the first ones.

    Where a quantizer follows, all phases have one more, and what is too much is cut off behind the quantizer.
    """
    turns, rest = divmod(size, factor)
    if not rest:
        return [_Block(factor, 0, turns)]
    if _narrowed(b, node.name):
        return [_Block(factor, 0, turns + 1)]
    return [_Block(factor, 0, turns)] * (turns > 0) + [_Block(rest, turns, 1)]


def _narrowed(b: Builder, value: str) -> bool:
    """Whether all that reads a value is a quantizer, behind functions at most."""
    readers = b.graph.consumers[value]
    return all(
        isinstance(r.op, ops.Quant) or (isinstance(r.op, ops.Elementwise) and _narrowed(b, r.name)) for r in readers
    )


def phases(b: Builder, node: LayerNode, layer: ops.Conv, v: Value, zero: int, chain: Chain) -> Value:
    """The convolution of a stretched image: for each place of a block the taps that meet pixels, and all in turns.

    zero: the integer that stands for 0.
    """
    size, factor = b.graph.shapes[node.name][:2], v.factor
    v = b.widened(node.inputs[0], replace(v, factor=(1, 1)), zero, zero)
    rows, columns = (_blocks(b, node, n, f) for n, f in zip(size, factor, strict=True))

    def lines(axis: int, block: _Block) -> list[_Line]:
        fixed = layer.kernel[axis], layer.dilation[axis], layer.pads[axis], factor[axis], v.type.shape[axis]
        return [_line(*fixed, k, block) for k in range(block.phases)]

    grids = [[[[(y, x) for x in lines(1, c)] for y in lines(0, r)] for c in columns] for r in rows]
    flat = [_phase(layer, y, x, zero) for line in grids for grid in line for pairs in grid for y, x in pairs]
    wide = any(sum_bits(op, v) > MAX_BITS for op in flat)
    unit = 1 << max(sum_shift(cut(op, v), v) for op in flat) if wide else 1
    if wide:
        b.note(node, f"its sums pass {MAX_BITS} bits; they are rounded to multiples of {unit}")
        chain = Chain((Affine((Fraction(unit),), (ZERO,)), *chain.steps))

    def computed(name: str, down: _Line, across: _Line) -> Value:
        op, part = _phase(layer, down, across, zero), cropped(b, f"{name}/part", v, down.part, across.part)
        return in_parts(b, name, part, cut(op, v), unit, chain) if wide else b.value(name, op, [part], chain)

    def turned(k: int, i: int) -> Value:
        grid = grids[k][i]
        name = node.name + f"/{k}{i}" * (len(rows) + len(columns) > 2)
        places = enumerate(grid)
        return woven(b, name, [[computed(f"{name}/{y}{x}", *pair) for x, pair in enumerate(row)] for y, row in places])

    made = [[turned(k, i) for i in range(len(columns))] for k in range(len(rows))]
    joined = [side_by_side(b, f"{node.name}/row{k}", row, 1) for k, row in enumerate(made)]
    whole = side_by_side(b, node.name, joined, 0)
    return cropped(b, f"{node.name}/cut", whole, *(ops.Run(0, 1, 1, n) for n in size))


def _phase(layer: ops.Conv, down: _Line, across: _Line, zero: int) -> Conv2d:
    """The convolution of the image itself; weights of 0 where no tap meets a pixel."""
    assert layer.quantized is not None
    weights, dtype = layer.quantized.values[:, list(down.taps)][:, :, list(across.taps)], layer.quantized.dtype
    if not weights.size:
        shape = (len(weights), max(len(down.taps), 1), max(len(across.taps), 1), weights.shape[3])
        weights, dtype = np.zeros(shape, np.int64), IntType(1)
    less = -zero * weights.reshape(len(weights), -1).sum(1)
    pads = (down.before, across.before, down.after, across.after)
    dilation, bias = (down.dilation, across.dilation), less if zero else None
    return Conv2d(weights, dtype, (1, 1), pads, dilation, layer.groups, zero, bias)
