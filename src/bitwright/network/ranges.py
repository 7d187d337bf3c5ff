"""Intervals of every value of a network, per channel: what the exactness proofs rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.network import ops
from bitwright.network.graph import INPUT, Network


@dataclass(frozen=True, eq=False)
class Interval:
    """Every element of channel c lies in [low[c], high[c]]; both int64 [C].

    reach bounds the absolute value of every partial sum by which a value is computed, in any order.
    """

    low: np.ndarray
    high: np.ndarray
    reach: int

    @staticmethod
    def of(low: np.ndarray, high: np.ndarray, reach: int = 0) -> Interval:
        """The interval whose reach covers its own ends at least."""
        low, high = np.asarray(low, np.int64), np.asarray(high, np.int64)
        return Interval(low, high, max(int(reach), int(-low.min()), int(high.max()), 0))


def intervals(network: Network) -> dict[str, Interval]:
    """The interval of every value, "input" included, found by interval arithmetic."""
    t = network.input.type
    found = {INPUT: Interval.of(np.full(t.channels, t.dtype.min), np.full(t.channels, t.dtype.max))}
    for node in network.nodes:
        inputs = [found[name] for name in node.inputs]
        shape = network.types[node.inputs[0]].shape
        found[node.name] = _RULES[type(node.op)](node.op, shape, *inputs)
    return found


def product_reach(op: ops.Conv2d | ops.Dense, x: Interval) -> np.ndarray:
    """sum |weight| * max |x| + |bias| for each output channel, int64 [O]."""
    magnitude = np.maximum(np.abs(x.low), np.abs(x.high))
    if isinstance(op, ops.Conv2d) and any(op.pads):
        magnitude = np.maximum(magnitude, abs(op.pad_value))
    total = _weigh(np.abs(op.weight), magnitude, getattr(op, "groups", 1))
    return total if op.bias is None else total + np.abs(op.bias)


def _weigh(weight: np.ndarray, x: np.ndarray, groups: int) -> np.ndarray:
    """sum of weight * x over everything but the output channel; x [C]."""
    taps = weight.reshape(weight.shape[0], -1, weight.shape[-1]).sum(axis=1)  # [O, C/groups]
    taps = taps.reshape(groups, -1, taps.shape[-1])
    return np.einsum("goc,gc->go", taps, x.reshape(groups, -1)).reshape(-1)


def _product(op: ops.Conv2d | ops.Dense, _shape: tuple[int, ...], x: Interval) -> Interval:
    low, high = x.low, x.high
    if isinstance(op, ops.Conv2d) and any(op.pads):
        low, high = np.minimum(low, op.pad_value), np.maximum(high, op.pad_value)
    positive, negative = np.maximum(op.weight, 0), np.minimum(op.weight, 0)
    groups = getattr(op, "groups", 1)
    bias = 0 if op.bias is None else op.bias
    return Interval.of(
        _weigh(positive, low, groups) + _weigh(negative, high, groups) + bias,
        _weigh(positive, high, groups) + _weigh(negative, low, groups) + bias,
        int(product_reach(op, x).max()),
    )


def _monotone(op: ops.Threshold | ops.Requantize, _shape: tuple[int, ...], x: Interval) -> Interval:
    ends = np.stack([x.low, x.high])
    if isinstance(op, ops.Requantize) and op.rounding is ops.Rounding.STOCHASTIC:
        floor = replace(op, rounding=ops.Rounding.FLOOR)
        above = replace(floor, bias=op.bias + (np.int64(1) << op.shift) - 1)
        ends = np.concatenate([floor.evaluate(ends), above.evaluate(ends)])
    else:
        ends = op.evaluate(ends)
    return Interval.of(ends.min(axis=0), ends.max(axis=0))


def _lookup(op: ops.Lookup, shape: tuple[int, ...], _x: Interval) -> Interval:
    return Interval.of(
        np.broadcast_to(op.table.min(axis=1), shape[-1]), np.broadcast_to(op.table.max(axis=1), shape[-1])
    )


def _add(_op: ops.Add, _shape: tuple[int, ...], a: Interval, b: Interval) -> Interval:
    return Interval.of(a.low + b.low, a.high + b.high, a.reach + b.reach)


def _concat(_op: ops.Concat, _shape: tuple[int, ...], a: Interval, b: Interval) -> Interval:
    return Interval.of(np.concatenate([a.low, b.low]), np.concatenate([a.high, b.high]))


def _sum_pool(op: ops.SumPool, _shape: tuple[int, ...], x: Interval) -> Interval:
    taps = op.kernel[0] * op.kernel[1]
    low, high = x.low, x.high
    if any(op.pads):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    return Interval.of(taps * low, taps * high, taps * x.reach)


def _pad(op: ops.Pad, _shape: tuple[int, ...], x: Interval) -> Interval:
    return Interval.of(np.minimum(x.low, op.value), np.maximum(x.high, op.value))


def _flatten(_op: ops.Flatten, shape: tuple[int, ...], x: Interval) -> Interval:
    pixels = int(np.prod(shape[:-1]))
    return Interval.of(np.tile(x.low, pixels), np.tile(x.high, pixels))


def _arg_max(_op: ops.ArgMax, shape: tuple[int, ...], _x: Interval) -> Interval:
    return Interval.of(np.zeros(1), np.full(1, shape[-1] - 1))


def _same(_op: ops.Op, _shape: tuple[int, ...], x: Interval) -> Interval:
    return Interval.of(x.low, x.high)


_RULES = {
    ops.Conv2d: _product,
    ops.Dense: _product,
    ops.Threshold: _monotone,
    ops.Requantize: _monotone,
    ops.Lookup: _lookup,
    ops.Add: _add,
    ops.Concat: _concat,
    ops.MaxPool: _same,
    ops.SumPool: _sum_pool,
    ops.Pad: _pad,
    ops.Resize: _same,
    ops.Flatten: _flatten,
    ops.ArgMax: _arg_max,
}
