# SPDX-License-Identifier: Apache-2.0
"""Sums of two quantized values behind a quantizer, exact in few bits: a table for each operand.

For operands of few bits the code of every pair, k(i, j), is known exactly. Integers f(i) and g(j) with

    k(i, j) <= (f(i) + g(j)) / D < k(i, j) + 1        (one-sided at the lowest and the highest code)

make code = floor((f + g) / D) exact. These are difference constraints in f and -g, whose solutions are longest paths
(Bellman and Ford). Around a circle of 2 r of them the codes differ by at least one, since the real sums solve the
system, and its r strict bounds cost r: D = r, at most the number of an operand's values, always suffices. So f and g
take at most 8 bits more than the codes, 16 for sums of 8 bits, where whole multiples of both scales take 27 and more.
The tables found are tried on every pair before they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.models.exact.chain import Affine, Chain, Rationals, rationals, spread
from bitwright.models.graph import FloatNode, Quantizer
from bitwright.models.lowering.alignment import MAX_PAIRS, Alignment, exact_pairs
from bitwright.models.lowering.requantize import inner_clamps, narrowest
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.ops import Add, Lookup, Op, Requantize, Rounding, Threshold
from bitwright.network.types import Floats, Ints, IntType, ints

MAX_BITS = 16  # of what targets store
TABLE_BITS = 8  # of an operand
FEW_STEPS = 15
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 56, *range(64, 257, 8))
ROUNDS = 64  # of relaxations; solutions near the real sums are found within a few
MAX_SHIFT = 32
FREE = 1 << 40


@dataclass(frozen=True, eq=False)
class Tables:
    """f [C, n], g [C, m], from 0 on, and the offset of their sum [C]: code = floor((f + g + offset) / step)."""

    first: Ints
    second: Ints
    offset: Ints
    step: int


def narrow_sum(b: Builder, node: FloatNode, v: Value, quantizer: Quantizer) -> list[tuple[Op, ...]] | None:
    """Operations (for one operand), (for the other), (on their sum, in order); None where there are none."""
    aligned = v.alignment
    assert aligned is not None
    types = [b.types[name].dtype for name in aligned.operands]
    sizes = [high - low + 1 for low, high in aligned.reaches]
    unfit = any(t.bipolar or t.bits > TABLE_BITS for t in types) or len(v.chain.steps) < aligned.length
    if unfit or quantizer.rounding == Rounding.STOCHASTIC or v.type.channels * sizes[0] * sizes[1] > MAX_PAIRS:
        return None
    channels = v.type.channels if _differs(aligned, v.chain, quantizer) else 1
    codes = exact_pairs(aligned, v.chain, quantizer, channels).reshape(-1, *sizes)
    if quantizer.dtype.bipolar:
        codes = (codes + 1) // 2
    numbers: dict[bytes, int] = {}  # of the tables of codes that differ
    channel = ints(numbers.setdefault(row.tobytes(), len(numbers)) for row in codes)
    distinct = codes[np.unique(channel, return_index=True)[1]]
    found = find_tables(distinct, _starts(aligned, v, quantizer, channel))
    if found is None:
        return None
    found = Tables(found.first[channel], found.second[channel], found.offset[channel], found.step)
    ops: list[tuple[Op, ...]] = [
        (_lookup(table, t, reach),)
        for table, t, reach in zip((found.first, found.second), types, aligned.reaches, strict=True)
    ]
    behind = _behind(found, codes, quantizer)
    if behind is None:
        return None
    ops.append(behind)
    return ops if _proven(ops, aligned, codes, quantizer) else None


def _differs(aligned: Alignment, chain: Chain, quantizer: Quantizer) -> bool:
    """Whether any constant of the sum and of what follows differs from channel to channel."""
    found = [*aligned.scales, aligned.shift, rationals(quantizer.scale), rationals(quantizer.zero_point)]

    def seen(values: Rationals) -> Rationals:
        found.append(values)
        return values

    chain.map(seen)
    return any(len(set(values)) > 1 for values in found)


def _starts(aligned: Alignment, v: Value, quantizer: Quantizer, channel: Ints) -> list[Floats]:
    """The operands' own parts of the code, real, [distinct channels, n]: where the search begins."""
    place, channels = np.unique(channel, return_index=True)[1], v.type.channels
    slope = 1 / np.broadcast_to(quantizer.scale, channels)
    for step in v.chain.steps[aligned.length :]:
        slope = slope * (np.array([float(s) for s in step.scale]) if isinstance(step, Affine) else 1.0)
    parts = []
    for side, (low, high) in zip(aligned.scales, aligned.reaches, strict=True):
        real = np.array([float(s) for s in spread(side, channels)]) * slope
        parts.append(real[place, None] * np.arange(low, high + 1))
    return parts


def find_tables(codes: Ints, starts: list[Floats]) -> Tables | None:
    """Tables for codes [C, n, m] with the smallest step; None where no step has any in 16 bits."""
    for step in STEPS:
        pairs = [_solved(k, f * step, g * step, step) for k, f, g in zip(codes, *starts, strict=True)]
        if all(pair is not None for pair in pairs):
            first, second = (np.array([pair[i] for pair in pairs if pair is not None]) for i in range(2))
            least = first.min(1), second.min(1)
            first, second = first - least[0][:, None], second - least[1][:, None]
            if max(int(first.max()), int(second.max())) >= 1 << MAX_BITS:
                return None
            return Tables(first, second, least[0] + least[1], step)
    return None


def _solved(codes: Ints, first: Ints, second: Ints, step: int) -> tuple[Ints, Ints] | None:
    """Integers f [n] and g [m] for one channel's codes [n, m], near real ones."""
    lower = np.where(codes > codes.min(), codes * step, -FREE)
    upper = np.where(codes < codes.max(), codes * step + step - 1, FREE)
    f, minus_g = (np.floor(a).astype(np.int64) for a in (first, -second))
    for _ in range(ROUNDS):
        higher = np.maximum(f, (minus_g + lower).max(1))
        lifted = np.maximum(minus_g, (higher[:, None] - upper).max(0))
        if np.array_equal(lifted, minus_g) and np.array_equal(higher, f):
            return f, -minus_g
        f, minus_g = higher, lifted
    return None


def _lookup(table: Ints, dtype: IntType, reach: tuple[int, int]) -> Lookup:
    """The table over all values of a type; those that do not occur repeat the nearest entry."""
    index = np.clip(dtype.values(), *reach) - reach[0]
    table = table[:, index]
    table = table[:1] if np.all(table == table[:1]) else table
    return Lookup(dtype, table, IntType.holding(0, max(int(table.max()), 1)))


def _behind(found: Tables, codes: Ints, quantizer: Quantizer) -> tuple[Op, ...] | None:
    """From the sum of the tables to the code, one operation after the other."""
    low, high, step = codes.min((1, 2)), codes.max((1, 2)), found.step
    if int(high.max() - low.min()) <= FEW_STEPS:
        levels = np.arange(low.min() + 1, max(high.max(), low.min() + 1) + 1)
        above = found.first.max(1) + found.second.max(1) + 1
        rows = levels * step - found.offset[:, None]
        rows = np.where(levels <= low[:, None], 0, np.where(levels > high[:, None], above[:, None], rows))
        base, size = (2 * low.min() - 1, 2) if quantizer.dtype.bipolar else (low.min(), 1)
        rows = rows[:1] if np.all(rows == rows[:1]) else rows
        return (Threshold(rows, narrowest(quantizer), ints([base]), ints([size])),)
    most = (found.first.max(1) + found.second.max(1) + found.offset) // step
    dtype, zero = narrowest(quantizer), 0
    then: tuple[Requantize, ...] = ()
    reach = list(zip(low.tolist(), high.tolist(), (found.offset // step).tolist(), most.tolist(), strict=True))
    if any((a > dtype.min and c < a) or (z < dtype.max and d > z) for a, z, c, d in reach):
        dtype, zero, then = inner_clamps(dtype, reach)
    divided = _divided(found)
    if divided is None:
        return None
    multiplier, shift, bias, lift = divided
    return Requantize(dtype, ints([multiplier]), ints([shift]), bias, zero - lift, Rounding.FLOOR), *then


def _divided(found: Tables) -> tuple[int, int, Ints, int] | None:
    """Multiplier, shift, bias [C or 1] and what is added to the code: floor((f + g + offset) / step) as a product."""
    lift = -min(0, int(found.offset.min()) // found.step)  # so that what is divided is not negative
    start = found.offset + lift * found.step
    x = np.arange(int((found.first.max(1) + found.second.max(1) + start).max()) + 1)
    for shift in range(MAX_SHIFT + 1):
        multiplier = -(-(1 << shift) // found.step)
        if np.array_equal(x * multiplier >> shift, x // found.step):
            bias = start * multiplier
            return multiplier, shift, bias[:1] if np.all(bias == bias[0]) else bias, lift
    return None


def _proven(ops: list[tuple[Op, ...]], aligned: Alignment, codes: Ints, quantizer: Quantizer) -> bool:
    """Whether the operations give the exact code for every pair."""
    pairs = np.meshgrid(*(np.arange(low, high + 1) for low, high in aligned.reaches), indexing="ij")
    operands = [np.repeat(p.reshape(-1, 1), len(codes), axis=1) for p in pairs]
    (first, *_), (second, *_), behind = ops
    found = first.evaluate(operands[0]) + second.evaluate(operands[1])
    for op in behind:
        found = op.evaluate(found)
    wanted = codes.reshape(len(codes), -1).T
    return bool(np.array_equal(found, 2 * wanted - 1 if quantizer.dtype.bipolar else wanted))


def build(
    b: Builder, node: FloatNode, v: Value, ops: list[tuple[Op, ...]], chain: Chain, limits: tuple[int, int] | None
) -> Value:
    """The nodes of a narrow sum, from the operands of the wide one, which nothing reads then."""
    assert v.alignment is not None
    sides = []
    for name, side, key in zip(v.alignment.operands, ops, "ab", strict=False):
        operand = Value(name, b.types[name], Chain())
        sides.append(b.value(f"{node.name}/{key}", side[0], [operand], Chain()))
    made = b.value(f"{node.name}/sum", Add(), sides, Chain())
    *before, last = ops[2]
    for op in before:
        made = b.value(f"{node.name}/unclamped", op, [made], Chain())
    return b.value(node.name, last, [made], chain, limits)
