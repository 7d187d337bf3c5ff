# SPDX-License-Identifier: Apache-2.0
"""Lowering of moves that the integer network says by other operations: weights of 1, turns, sums.

No number changes on the way, so whatever the integers stand for stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.chain import ONE, ZERO, Affine, Chain, spread
from bitwright.models.graph import TypedNode, ops
from bitwright.models.lowering.grids import realize
from bitwright.models.lowering.sums import add
from bitwright.models.lowering.values import Builder, Value
from bitwright.network.ops import Add, Conv2d, Dense, Lookup, Mul, Op, Pad, Requantize, SumPool, Weave, repeated
from bitwright.network.types import IntType, ints

BIT = IntType(1)
MOST_CROPPED = 16  # rows or columns of a window that picks one


def _channels(b: Builder, node: TypedNode[ops.Channels], v: Value) -> Value:
    """Weights of 1 for the channels that are picked; the constants of each go with it."""
    picked, channels = node.op.picked, v.type.channels
    rows = np.zeros((len(picked), channels), np.int64)
    rows[np.arange(len(picked)), picked] = 1
    op: Op = Dense(rows, BIT) if len(v.type.shape) == 1 else Conv2d(rows[:, None, None, :], BIT)
    chain = v.chain.map(lambda a: tuple(a[c] for c in picked) if len(a) == channels and channels > 1 else a)
    return b.value(node.name, op, [v], chain, v.limits)


def _pixels(b: Builder, node: TypedNode[ops.Pixels], v: Value) -> Value:
    """Windows that pick rows and columns in steps, repeated ones, and what both make side by side."""
    found = [
        ops.runs(places, whole) for places, whole in zip((node.op.rows, node.op.columns), v.type.shape, strict=False)
    ]
    (rows, *others), (columns, *more) = found
    if not others and not more and rows.repeats == columns.repeats == 1:
        return cropped(b, node.name, v, rows, columns)
    for axis, places in enumerate((node.op.rows, node.op.columns)):
        v = _picked(b, node.name, v, axis, places)
    return v


def _run(b: Builder, name: str, v: Value, axis: int, run: ops.Run) -> Value:
    """The rows (axis 0) or columns (axis 1) of a run."""
    if run.is_one:
        v = _single(b, name, v, axis, run.first // run.repeats)
        return _enlarged(b, name, v, axis, run.count)
    last = run.first + (run.count - 1) * run.step
    start, step = (run.first, run.step) if run.repeats == 1 else (run.first // run.repeats, 1)
    end = last // run.repeats
    v = _on_axis(b, f"{name}/part", v, axis, ops.Run(start, step, 1, (end - start) // step + 1))
    if run.repeats == 1:
        return v
    v = _enlarged(b, name, v, axis, run.repeats)
    return _on_axis(b, f"{name}/steps", v, axis, ops.Run(run.first % run.repeats, run.step, 1, run.count))


def _single(b: Builder, name: str, v: Value, axis: int, place: int) -> Value:
    """One row or column: of those that are a multiple of its place away from the first one, the second."""
    if place:
        v = _on_axis(b, f"{name}/few", v, axis, ops.Run(0, place, 1, (v.type.shape[axis] - 1) // place + 1))
    return _on_axis(b, f"{name}/one", v, axis, ops.Run(min(place, 1), 1, 1, 1))


def _enlarged(b: Builder, name: str, v: Value, axis: int, times: int) -> Value:
    if times == 1:
        return v
    return b.value(f"{name}/repeated", repeated((times, 1) if axis == 0 else (1, times)), [v], v.chain, v.limits)


def _on_axis(b: Builder, name: str, v: Value, axis: int, run: ops.Run) -> Value:
    other = ops.Run(0, 1, 1, v.type.shape[1 - axis])
    return cropped(b, name, v, *((run, other) if axis == 0 else (other, run)))


def cropped(b: Builder, name: str, v: Value, *axes: ops.Run) -> Value:
    """A weight of 1 in a window of each channel that reaches from the first pixel to where no other window fits.

    Windows are small: rows and columns at the edges that are too many go before, some at a time.
    """
    runs = list(axes)
    for axis, run in enumerate(axes):
        while run.first >= MOST_CROPPED:
            run = replace(run, first=run.first - MOST_CROPPED + 1)
            v = _shortened(b, f"{name}/start", v, axis, MOST_CROPPED - 1, 0)
        while _window(run, v.type.shape[axis])[0] > MOST_CROPPED:
            v = _shortened(b, f"{name}/end", v, axis, 0, min(MOST_CROPPED - 1, v.type.shape[axis] - 1 - _last(run)))
        runs[axis] = run
    pairs = [_window(run, whole) for run, whole in zip(runs, v.type.shape, strict=False)]
    return _at(b, name, v, [k for k, _ in pairs], [s for _, s in pairs], [run.first for run in runs])


def _last(run: ops.Run) -> int:
    return run.first + (run.count - 1) * run.step


def _window(run: ops.Run, whole: int) -> tuple[int, int]:
    """Size and step of the windows that find just the places of a run among so many."""
    step = run.step if run.count > 1 else max(run.step, whole - run.first)
    own = (whole - run.first - 1) // step + 1 == run.count
    return run.first + 1 if own else whole - (run.count - 1) * step, step


def _shortened(b: Builder, name: str, v: Value, axis: int, start: int, end: int) -> Value:
    """Without so many rows (axis 0) or columns (axis 1) at the start or at the end."""
    kernel, place = [1, 1], [0, 0]
    kernel[axis], place[axis] = start + end + 1, start
    return _at(b, name, v, kernel, [1, 1], place)


def _at(b: Builder, name: str, v: Value, kernel: list[int], stride: list[int], place: list[int]) -> Value:
    """The pixels at one place of every window."""
    if (*kernel, *stride) == (1, 1, 1, 1):
        return v
    weight = np.zeros((v.type.channels, *kernel, 1), np.int64)
    weight[:, place[0], place[1]] = 1
    op = Conv2d(weight, BIT, (stride[0], stride[1]), groups=v.type.channels)
    return b.value(name, op, [v], v.chain, v.limits)


def side_by_side(b: Builder, name: str, pieces: list[Value], axis: int) -> Value:
    """Images of one chain below (axis 0) or right of (axis 1) each other."""
    while len(pieces) > 1:
        joined = [
            in_turns(b, name, axis, v, w, (v.type.shape[axis], w.type.shape[axis]))
            for v, w in zip(pieces[::2], pieces[1::2], strict=False)
        ]
        pieces = [*joined, *pieces[len(pieces) & ~1 :]]
    return pieces[0]


def in_turns(b: Builder, name: str, axis: int, v: Value, w: Value, counts: tuple[int, int] = (1, 1)) -> Value:
    """Rows (axis 0) or columns (axis 1) of two images of one chain, so many of each in turns."""
    low, high = (pick(ends) for pick, ends in zip((min, max), zip(v.reach, w.reach, strict=True), strict=True))
    return b.value(name, Weave(axis, counts), [v, w], v.chain, (low, high))


def woven(b: Builder, name: str, parts: Sequence[Sequence[Value]]) -> Value:
    """An image whose pixel at (f * i + a, g * j + b) is pixel (i, j) of parts[a][b], all of one chain."""
    rows = [_in_all_turns(b, f"{name}/columns", 1, list(row)) for row in parts]
    return _in_all_turns(b, name, 0, rows)


def _in_all_turns(b: Builder, name: str, axis: int, parts: list[Value]) -> Value:
    """One row (axis 0) or column (axis 1) of each in turns: pairs where their number is even, as they nest."""
    count = len(parts)
    if count == 1:
        return parts[0]
    if count % 2 == 0:
        evens, odds = (_in_all_turns(b, f"{name}/{k}", axis, parts[k::2]) for k in (0, 1))
        return in_turns(b, name, axis, evens, odds)
    before = _in_all_turns(b, f"{name}/first", axis, parts[:-1])
    return in_turns(b, name, axis, before, parts[-1], (count - 1, 1))


def _stack(b: Builder, node: TypedNode[ops.Stack], v: Value, w: Value) -> Value:
    """Of one chain side by side; of two, each among what stands for 0, and their sum."""
    if v.chain == w.chain:
        return side_by_side(b, node.name, [v, w], node.op.axis)
    axis, whole = node.op.axis, b.graph.shapes[node.name][node.op.axis]
    placed = []
    for k, x in enumerate((v, w)):
        rest = whole - x.type.shape[axis]
        pads = ((0, rest), (rest, 0))[k]
        x, zero = centered(b, f"{node.name}/{k}", realize(b, node, x))
        x = b.widened(f"{node.name}/{k}", x, zero, zero)
        edges = (pads[0], 0, pads[1], 0) if axis == 0 else (0, pads[0], 0, pads[1])
        placed.append(b.value(f"{node.name}/placed{k}", Pad(edges, zero), [x], x.chain))
    return add(b, node, *placed)


def centered(b: Builder, name: str, v: Value) -> tuple[Value, int]:
    """The value with one whole number for all channels that stands for 0, and that number."""
    line, channels = v.line(), v.type.channels
    pairs = zip(spread(line.scale, channels), spread(line.shift, channels), strict=True)
    zeros = [-shift / scale if scale else shift and Fraction(1, 2) for scale, shift in pairs]
    if any(z.denominator != 1 for z in zeros):
        raise ModelError(
            "has zeros around its pixels, which no integer of its input stands for; legal are whole zero points"
        )
    if len(set(zeros)) == 1:
        return v, int(zeros[0])
    t = v.type.dtype
    dtype = IntType.holding(min(t.min - int(z) for z in zeros), max(t.max - int(z) for z in zeros))
    op = Requantize(dtype, bias=ints(-int(z) for z in zeros))
    return b.value(f"{name}/centered", op, [v], Chain((Affine(line.scale, (ZERO,)),))), 0


def of_places(b: Builder, name: str, v: Value, axis: int, numbers: Sequence[int]) -> Value:
    """An image [H, W, 1] of v's size with a number of at least 0 for each row (axis 0) or column (axis 1)."""
    none, what = Chain(), ("rows", "columns")[axis]
    first = np.zeros((1, 1, 1, v.type.channels), np.int64)
    first[..., 0] = 1
    channel = b.value(f"{name}/channel", Conv2d(first, BIT), [v], none)
    ones = b.value(f"{name}/ones", Requantize(BIT, multiplier=ints([0]), bias=ints([1])), [channel], none)
    count = len(numbers)
    window, pads = ((count, 1), (count - 1, 0, 0, 0)) if axis == 0 else ((1, count), (0, count - 1, 0, 0))
    place = b.value(f"{name}/{what}", SumPool(window, (1, 1), pads), [ones], none)
    table = np.zeros(place.type.dtype.levels, np.int64)
    table[1 : count + 1] = numbers
    dtype = IntType.holding(0, max(numbers))
    return b.value(f"{name}/{what}/numbers", Lookup(place.type.dtype, table[None], dtype), [place], none)


def _interpolation(b: Builder, node: TypedNode[ops.Interpolation], v: Value) -> Value:
    """(whole - w) * q[p] + w * q[p + 1] on the integers, along both axes; the divisions join the chain."""
    v, scale = realize(b, node, v), ONE
    v = b.widened(node.inputs[0], v, 0, 0)
    chain = v.chain
    for axis, line in enumerate((node.op.rows, node.op.columns)):
        size, name = v.type.shape[axis], f"{node.name}/{'rows' if axis == 0 else 'columns'}"
        picked = [_picked(b, f"{name}/{k}", v, axis, p) for k, p in enumerate((line.places, line.following(size)))]
        if not any(line.weights):
            v = picked[0]
            continue
        sides = []
        for k, weights in enumerate(([line.whole - w for w in line.weights], line.weights)):
            factor = of_places(b, f"{name}/{k}", picked[k], axis, weights)
            sides.append(b.value(f"{name}/{k}/weighted", Mul(), [picked[k], factor], Chain()))
        v = b.value(f"{name}/sum", Add(), sides, Chain())
        low, high = (line.whole * edge for edge in picked[0].reach)
        v = b.value(name, Requantize(IntType.holding(low, high)), [v], Chain(), (low, high))
        scale /= line.whole
    return Value(v.name, v.type, Chain((Affine((scale,), (ZERO,)), *chain.steps)), v.limits)


def _picked(b: Builder, name: str, v: Value, axis: int, places: tuple[int, ...]) -> Value:
    """Rows (axis 0) or columns (axis 1) in any order."""
    found = ops.runs(places, v.type.shape[axis])
    return side_by_side(b, name, [_run(b, f"{name}/{k}", v, axis, run) for k, run in enumerate(found)], axis)


def _stretch(b: Builder, node: TypedNode[ops.Stretch], v: Value) -> Value:
    """Of the convolution that reads it: it multiplies no zeros, but computes what each of them meets."""
    v, _ = centered(b, node.name, realize(b, node, v))
    return replace(v, factor=node.op.factor)


def stretched(b: Builder, name: str, v: Value) -> Value:
    """The value with the integers that stand for 0 between its own: pixels and zeros in turns."""
    if v.factor == (1, 1):
        return v
    (high, wide), (v, zero) = v.factor, centered(b, name, replace(v, factor=(1, 1)))
    v = b.widened(name, v, zero, zero)
    none = Requantize(v.type.dtype, multiplier=ints([0]), bias=ints([zero]))
    zeros = b.value(f"{name}/zeros", none, [v], v.chain)
    return woven(b, f"{name}/stretched", [[zeros if y or x else v for x in range(wide)] for y in range(high)])


def _depth_to_space(b: Builder, node: TypedNode[ops.DepthToSpace], v: Value) -> Value:
    """The channels of each place of a block, in turns."""
    (high, wide), channels = node.op.factor, v.type.channels
    block = high * wide
    v = realize(b, node, v)
    _common_scale(v, block)
    v, _ = centered(b, node.name, v)
    parts = []
    for place in range(block):
        pick = ops.Channels(tuple(range(place, channels, block)))
        parts.append(_channels(b, TypedNode(f"{node.name}/{place}", pick, node.inputs), v))
    return woven(b, node.name, [parts[k * wide : (k + 1) * wide] for k in range(high)])


def _common_scale(v: Value, group: int) -> tuple[Fraction, ...]:
    """The scale of every `group` channels, which must be one."""
    scale = spread(v.line().scale, v.type.channels)
    parts = [set(scale[k : k + group]) for k in range(0, len(scale), group)]
    if any(len(p) > 1 for p in parts):
        raise ModelError("its input channels have different scales; legal is one scale for those that are joined")
    found = tuple(p.pop() for p in parts)
    return found if len(set(found)) > 1 else found[:1]


def _blend(b: Builder, node: TypedNode[ops.Blend], v: Value) -> Value:
    """Whole weights in each channel; the division by their sum joins the chain."""
    v = realize(b, node, v)
    window = node.op.window
    weight = np.broadcast_to(window[None, :, :, None], (v.type.channels, *window.shape, 1))
    mean = Affine((Fraction(1, int(window.sum())),), (ZERO,))
    op = Conv2d(weight, IntType.holding(0, int(window.max())), groups=v.type.channels)
    return b.value(node.name, op, [v], Chain((mean, *v.chain.steps)))


def _sum_of_channels(b: Builder, node: TypedNode[ops.ChannelMean], v: Value) -> Value:
    """Weights of 1 for all channels; the division by their number joins the chain."""
    v = realize(b, node, v)
    channels, line = v.type.channels, v.line()
    (scale,) = _common_scale(v, channels)
    ones = np.ones((1, channels), np.int64)
    op: Op = Dense(ones, BIT) if len(v.type.shape) == 1 else Conv2d(ones[:, None, None, :], BIT)
    shift = sum(spread(line.shift, channels), ZERO)
    return b.value(node.name, op, [v], Chain((Affine((scale / channels,), (shift / channels,)),)))


def _maximum(b: Builder, node: TypedNode[ops.ChannelMax], v: Value) -> Value:
    """max(p, q) = q + max(p - q, 0), of the first and the last half of the channels, until one is left."""
    v = realize(b, node, v)
    line, t = v.line(), v.type.dtype
    if len({*line.scale}) > 1 or len({*line.shift}) > 1 or line.scale[0] < 0:
        raise ModelError("its input channels have different scales; legal is one scale above 0 for all")
    v, level = b.widened(node.inputs[0], v, 0, 1), 0
    t = v.type.dtype
    while (channels := v.type.channels) > 1:
        half, name = (channels + 1) // 2, f"{node.name}/{level}"
        first, last = np.eye(half, channels, dtype=np.int64), np.eye(half, channels, channels - half, dtype=np.int64)
        apart = _weighted(b, f"{name}/apart", v, first - last, IntType(2, True))
        rise = Requantize(IntType.holding(0, t.max - t.min))
        risen = b.value(f"{name}/risen", rise, [apart], Chain())
        total = b.value(f"{name}/sum", Add(), [_weighted(b, f"{name}/last", v, last, BIT), risen], Chain())
        done = half == 1
        v = b.value(node.name if done else f"{name}/maximum", Requantize(t), [total], v.chain, v.limits)
        level += 1
    return v


def _weighted(b: Builder, name: str, v: Value, rows: np.ndarray, dtype: IntType) -> Value:
    op: Op = Dense(rows, dtype) if len(v.type.shape) == 1 else Conv2d(rows[:, None, None, :], dtype)
    return b.value(name, op, [v], Chain())


HANDLERS: dict[type[ops.Op], Callable[..., Value]] = {
    ops.Blend: _blend,
    ops.ChannelMax: _maximum,
    ops.ChannelMean: _sum_of_channels,
    ops.Channels: _channels,
    ops.DepthToSpace: _depth_to_space,
    ops.Interpolation: _interpolation,
    ops.Pixels: _pixels,
    ops.Stack: _stack,
    ops.Stretch: _stretch,
}
