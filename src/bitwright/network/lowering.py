# SPDX-License-Identifier: Apache-2.0
"""Networks in simpler operations: what a target has no hardware for, said by what it has, exactly.

Each function takes and gives a network and keeps `evaluate` of the output; a target calls those that it needs. A node
that becomes several leaves its name to the last of them; all of them have it as their `origin`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from bitwright.network.affine import channels_of
from bitwright.network.graph import Network, Node, Output
from bitwright.network.ops import (
    Add,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    Mul,
    Op,
    Pad,
    Requantize,
    SumPool,
    Threshold,
    Weave,
    repeated,
)
from bitwright.network.parts import Parts, replaced, sign
from bitwright.network.stages import Elementwise, is_staged
from bitwright.network.types import BIPOLAR, MAX_BITS, Ints, IntType, TensorType

BIT = IntType(1)
MOST_MOVED = 1024  # elements that a Dense puts in another order
SQUARED_BITS = 12  # of sums of factors whose squares are looked up


def lowered(network: Network, *passes: Callable[[Network], Network]) -> Network:
    """The network after all of the passes, in their order."""
    return functools.reduce(lambda found, run: run(found), passes, network)


def flatten_first(network: Network) -> Network:
    """Move a Flatten to the input, before elementwise operations that treat all channels alike: it is a view there."""
    inputs = network.input_names
    for flat in (node for node in network.nodes if node.name not in network.output_values):
        chain = [flat]
        while isinstance(flat.op, Flatten) and (before := chain[0].inputs[0]) not in inputs:
            node = network.node(before)
            alike = isinstance(node.op, Elementwise) and channels_of(node.op) == 1
            if not alike or len(network.consumers[before]) > 1:
                break
            chain.insert(0, node)
        source = chain[0].inputs[0]
        if len(chain) > 1 and source in inputs and len(network.consumers[source]) == 1:
            return _moved(network, flat, chain[0], chain[-2].name)
    return network


def _moved(network: Network, flat: Node, first: Node, last: str) -> Network:
    """The network with `flat` before `first`, its readers reading `last`."""
    nodes = []
    for node in network.nodes:
        inputs = tuple(last if name == flat.name else name for name in node.inputs)
        if node is first:
            nodes.append(replace(flat, inputs=first.inputs))
            inputs = (flat.name,)
        if node is not flat:
            nodes.append(replace(node, inputs=inputs))
    return replace(network, nodes=tuple(nodes))


def is_view(network: Network, flat: Node) -> bool:
    """Whether all readers of a Flatten can read the image as it is stored: a Dense layer does, and what leaves."""
    source = flat.inputs[0]
    if source in network.input_names and all(isinstance(n.op, Flatten) for n in network.consumers[source]):
        return True
    readers = network.consumers[flat.name]
    return network.types[source].pixels == 1 or all(isinstance(n.op, (Dense, Output)) for n in readers)


def flatten_by_products(network: Network) -> Network:
    """Flattens that other operations than Dense read, where they are no views: a Dense with unit weights rearranges."""

    def change(parts: Parts) -> None:
        node, size = parts.node, parts.source.size
        if not isinstance(node.op, Flatten) or is_view(network, node) or size > MOST_MOVED:
            return
        view = parts.add("view", Flatten())
        _unit(parts, Dense(np.eye(size, dtype=np.int64), BIT), view)

    return replaced(network, change)


def _unit(parts: Parts, op: Op, *inputs: str) -> None:
    """The last part, an operation that changes no number; it makes int2 of bipolar ones, which become bipolar again."""
    if parts.network.types[parts.node.name].dtype.bipolar:
        parts.finish(BIPOLAR, parts.add("number", op, *inputs))
    else:
        parts.last(op, *inputs)


def pads_apart(network: Network, legal: Callable[[IntType, int], bool]) -> Network:
    """Convolutions that pad with a value that is not `legal` for the type, as a Pad and a convolution without pads."""

    def change(parts: Parts) -> None:
        op = parts.node.op
        if isinstance(op, Conv2d) and any(op.pads) and not legal(parts.source.dtype, op.pad_value):
            padded = parts.add("padded", Pad(op.pads, op.pad_value))
            parts.last(replace(op, pads=(0, 0, 0, 0), pad_value=0), padded)

    return replaced(network, change)


def pads_by_sums(network: Network) -> Network:
    """Pads as sums over windows of one pixel, whose padding counts as zero: x - value before, + value behind."""

    def change(parts: Parts) -> None:
        op, t = parts.node.op, parts.source.dtype
        if not isinstance(op, Pad):
            return
        pool = SumPool((1, 1), (1, 1), op.pads)
        if t.bipolar:  # 0 outside the image, and -1 and 1 in it
            parts.last(sign((1 - op.value) // 2), parts.add("number", pool))
        elif op.value == 0:
            parts.last(pool)
        elif t.max - t.min < 1 << (MAX_BITS - 1):
            shifted = Requantize(IntType.holding(t.min - op.value, t.max - op.value), bias=np.array([-op.value]))
            inner = parts.add("pad", pool, parts.add("shifted", shifted))
            parts.last(Requantize(t, bias=np.array([op.value])), inner)

    return replaced(network, change)


def concats_by_products(network: Network, aligned: Callable[[int], bool]) -> Network:
    """Concats whose first value has such a number of channels that they are not `aligned`, as sums.

    Each value goes through a 1x1 convolution with unit weights that puts its channels in their place among zeros.
    """

    def change(parts: Parts) -> None:
        node = parts.node
        if not isinstance(node.op, Concat) or aligned(parts.source.channels):
            return
        whole, first = network.types[node.name].channels, 0
        placed = []
        for what, name in zip(("first", "second"), node.inputs, strict=True):
            t = network.types[name]
            weight = np.eye(whole, dtype=np.int64)[:, first : first + t.channels]
            image = len(t.shape) == 3
            op = Conv2d(weight.reshape(whole, 1, 1, -1), BIT) if image else Dense(weight, BIT)
            placed.append(parts.add(what, op, name))
            first += t.channels
        parts.finish(network.types[node.name].dtype, parts.summed(placed))

    return replaced(network, change)


def weaves_by_sums(network: Network) -> Network:
    """Weaves that put all columns of one image behind all of another's, as sums among zeros."""

    def change(parts: Parts) -> None:
        op, node = parts.node.op, parts.node
        if not isinstance(op, Weave) or op.axis == 0 or op.turns(parts.source) > 1:
            return
        types = [network.types[name] for name in node.inputs]
        first, second = (t.shape[1] for t in types)
        placed = []
        for what, name, t, pads in zip(
            ("first", "second"), node.inputs, types, ((0, 0, 0, second), (0, first, 0, 0)), strict=True
        ):
            if not t.dtype.contains(0):
                name = parts.add(f"{what}/wide", Requantize(IntType.holding(min(t.dtype.min, 0), t.dtype.max)), name)
            placed.append(parts.add(what, Pad(pads), name))
        parts.finish(network.types[node.name].dtype, parts.summed(placed))

    return replaced(network, change)


def products_by_squares(network: Network) -> Network:
    """Products of two values as differences of squares, which are looked up: a * b = s(a + b) - s(a - b).

    s(v) = floor(v**2 / 4): v has the same last bit in both. A pixel or a channel for all is repeated first.
    """

    def change(parts: Parts) -> None:
        node = parts.node
        if not isinstance(node.op, Mul):
            return
        (a, b), (first, second) = node.inputs, (network.types[name].dtype for name in node.inputs)
        if sum_bits(first, second) > SQUARED_BITS:
            return
        b, second = _repeated(parts, b, second)
        negative = IntType.holding(-second.max, -second.min)
        minus = parts.add("minus", Requantize(negative, multiplier=np.array([-1])), b)
        zero, other = node.op.zeros
        plus = _square(parts, "sum", (a, b), _sum_type(first, second), zero + other, 1)
        less = _square(parts, "difference", (a, minus), _sum_type(first, negative), zero - other, -1)
        parts.finish(network.types[node.name].dtype, parts.summed([plus, less]))

    return replaced(network, change)


def sum_bits(a: IntType, b: IntType) -> int:
    """Bits of the sums and of the differences of two factors."""
    most = max(-b.min, b.max)
    return IntType.holding(a.min - most, a.max + most).bits


def _sum_type(a: IntType, b: IntType) -> IntType:
    return Add().infer(TensorType((1,), a), TensorType((1,), b)).dtype


def _repeated(parts: Parts, name: str, t: IntType) -> tuple[str, IntType]:
    """The second factor in the shape of the first."""
    (*size, channels), (*own, few) = (parts.network.types[value].shape for value in parts.node.inputs)
    if own != size:
        name = parts.add("pixels", repeated((size[0], size[1])), name)
    if few == channels:
        return name, t
    ones = np.ones((channels, *(1,) * len(size), 1), np.int64)
    op = Conv2d(ones, BIT) if size else Dense(ones, BIT)
    return parts.add("channels", op, name), IntType.holding(t.min, t.max)


def _square(parts: Parts, what: str, pair: tuple[str, str], t: IntType, zero: int, sign: int) -> str:
    """s(v - zero) of the sum v, of type t, of two values, times the sign."""
    total = parts.add(what, Add(), *pair)
    table = sign * ((t.values() - zero) ** 2 // 4)
    return parts.add(
        f"{what}_squared", Lookup(t, table[None], IntType.holding(int(table.min()), int(table.max()))), total
    )


def unit_steps(network: Network, legal: Collection[int]) -> Network:
    """Thresholds with other steps than the legal ones: a step of 2 as two of 1, none as one that is never reached."""

    def change(parts: Parts) -> None:
        op = parts.node.op
        if not isinstance(op, Threshold):
            return
        base, step = (op.base + 1) // 2 if op.dtype.bipolar else op.base, op.step // (1 + op.dtype.bipolar)
        if set(np.unique(step)) <= set(legal):
            return
        count = channels_of(op)
        t = np.broadcast_to(op.thresholds, (count, op.thresholds.shape[1]))
        base, step = (np.broadcast_to(a, count) for a in (base, step))
        rows = [np.repeat(row, abs(n)) for row, n in zip(t, step, strict=True)]
        sign = np.where(step < 0, -1, 1)
        _typed(parts, _staircase(rows, base, sign, parts.source.dtype.max + 1), op.dtype)

    return replaced(network, change)


def split_thresholds(network: Network, most: int) -> Network:
    """Thresholds with more than `most` levels as sums of several that count, scaled by the step."""

    def change(parts: Parts) -> None:
        op = parts.node.op
        if not isinstance(op, Threshold) or op.thresholds.shape[1] <= most:
            return
        counts = []
        for first in range(0, op.thresholds.shape[1], most):
            some = op.thresholds[:, first : first + most]
            counts.append(parts.add(f"from{first}", Threshold(some, IntType.holding(0, some.shape[1]))))
        parts.last(Requantize(op.dtype, op.step, bias=op.base), parts.summed(counts))

    return replaced(network, change)


def lookup_steps(op: Lookup) -> int:
    """Thresholds of the longest staircase that a table becomes."""
    jumps = np.diff(_numbers(op), axis=1)
    return int(max(np.maximum(jumps, 0).sum(axis=1).max(), np.maximum(-jumps, 0).sum(axis=1).max()))


def lower_lookups(network: Network, table_bits: int, steps: int) -> Network:
    """Lookups over more than `table_bits` as Thresholds with at most so many steps, else as sums of shorter tables.

    With table_bits 0 there are no tables: all become Thresholds.
    """

    def change(parts: Parts) -> None:
        op = parts.node.op
        if isinstance(op, Lookup) and op.domain.bits > table_bits:
            if table_bits and lookup_steps(op) > steps:
                _segments(parts, op, IntType(table_bits))
            else:
                _thresholds(parts, op)

    return replaced(network, change)


def _numbers(op: Lookup) -> Ints:
    """The table, a bipolar one as 0 and 1."""
    return (op.table + 1) // 2 if op.dtype.bipolar else op.table


def _thresholds(parts: Parts, op: Lookup) -> None:
    """y = t[0] + (rises up to x) - (falls up to x), each rise and fall by one a threshold.

    One Threshold holds them where no channel does both.
    """
    table, x = _numbers(op), op.domain.values()
    jumps, base, never = np.diff(table, axis=1), table[:, 0], int(x[-1]) + 1
    up, down = (np.maximum(j, 0) for j in (jumps, -jumps))
    one, none = np.ones(len(base), np.int64), np.zeros(len(base), np.int64)

    def rows(jumps: Ints) -> list[Ints]:
        return [np.repeat(x[1:], row) for row in jumps]

    if not (up.any(axis=1) & down.any(axis=1)).any():
        sign = np.where(down.any(axis=1), -1, 1)
        _typed(parts, _staircase(rows(up + down), base, sign, never), op.dtype)
    else:
        a = parts.add("rises", _staircase(rows(up), base, one, never))
        b = parts.add("falls", _staircase(rows(down), none, -one, never))
        parts.finish(op.dtype, parts.add("sum", Add(), a, b))


def _staircase(rows: Sequence[Ints], base: Ints, step: Ints, never: int) -> Threshold:
    """base + step * (numbers of the row up to x); shorter rows are filled up with what no input reaches."""
    length = max(1, *(len(row) for row in rows))
    thresholds = np.array([np.pad(row, (0, length - len(row)), constant_values=never) for row in rows])
    ends = np.concatenate([base, base + step * length])
    return Threshold(thresholds, IntType.holding(int(ends.min()), int(ends.max())), base, step)


def _typed(parts: Parts, op: Threshold, dtype: IntType) -> None:
    """The staircase in the type that is wanted, of bipolar ones 0 and 1; followed by another node where it must be."""
    if dtype.bipolar and op.thresholds.shape[1] == 1:
        parts.last(Threshold(op.thresholds, dtype, 2 * op.base - 1, 2 - 4 * op.base))
    elif not dtype.bipolar and dtype.contains(np.array([op.dtype.min, op.dtype.max])):
        parts.last(replace(op, dtype=dtype))
    else:
        parts.finish(dtype, parts.add("steps", op))


def _segments(parts: Parts, op: Lookup, part: IntType) -> None:
    """y = sum over segments a of f[a](clamp(x - a, 0, part.max)), f[a](i) = t[a + i] - t[a], with t[0] in the first.

    Segments follow each other with one number in common; those that change nothing are left out.
    """
    table, low, span = _numbers(op), op.domain.min, part.max
    found = []
    for first in range(0, op.domain.levels - 1, span):
        some = table[:, first : first + span + 1]
        some = np.pad(some, ((0, 0), (0, part.levels - some.shape[1])), mode="edge")
        some = some - (some[:, :1] if first else 0)
        if first and not some.any():
            continue
        place = parts.add(f"from{first}", Requantize(part, bias=np.array([-low - first])))
        dtype = IntType.holding(int(some.min()), int(some.max()))
        found.append(parts.add(f"part{first}", Lookup(part, some, dtype), place))
    parts.finish(op.dtype, parts.summed(found))


def why_unstaged(network: Network, node: Node) -> tuple[str, str] | None:
    """Why no stage computes a node, and what is legal; None where one does."""
    size, op = network.types[node.name].size, node.op
    if isinstance(op, Mul):
        bits = sum_bits(*(network.types[name].dtype for name in node.inputs))
        rule = f"sums of its factors take {bits} bits, and products are differences of squares, looked up by sums"
        return rule, f"factors with sums of at most {SQUARED_BITS} bits"
    if not is_staged(op):
        return f"{type(op).__name__} has no mapping", "operations that stages compute"
    if isinstance(op, ArgMax) and not _only_leaves(network, node.name):
        return "ArgMax stands before the output", "ArgMax as the last node"
    if isinstance(op, Flatten) and not is_view(network, node):
        return (
            f"it puts {size} elements in another order",
            f"at most {MOST_MOVED}, or Flatten before Dense or at the end",
        )
    return None


def _only_leaves(network: Network, name: str) -> bool:
    """Whether nothing but outputs reads a value, or Flattens that hand it on to them."""
    handing = (r.name for r in network.consumers[name] if not isinstance(r.op, Output))
    return all(isinstance(network.node(r).op, Flatten) and _only_leaves(network, r) for r in handing)
