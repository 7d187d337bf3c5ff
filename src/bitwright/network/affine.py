# SPDX-License-Identifier: Apache-2.0
"""Elementwise operations on v in place of x = scale * v + constant: what a layer's sums leave over, folded in exactly.

A product without its bias, weights and activations that enter as other codes, values that are stored as bits: all make
sums v that stand for scale * v + constant, per channel.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.errors import ModelError
from bitwright.network.ops import Lookup, Requantize, Threshold
from bitwright.network.types import Ints

FAR = 1 << 40  # a threshold beyond it is like one there: values have at most 32 bits


def parameters(op: Threshold | Requantize | Lookup) -> tuple[str, ...]:
    """Names of the operation's fields that may differ from channel to channel."""
    if isinstance(op, Threshold):
        return "thresholds", "base", "step"
    return ("multiplier", "bias", "shift") if isinstance(op, Requantize) else ("table",)


def channels_of(op: Threshold | Requantize | Lookup) -> int:
    """For how many channels the operation says what it does; 1 where it treats all alike."""
    return max(len(getattr(op, name)) for name in parameters(op))


def folded(op: Threshold | Requantize, scale: int, constant: Ints) -> Threshold | Requantize:
    """The operation on v; constant [C]. Thresholds become ceil((T - constant) / scale).

    Raises `ModelError` where a Requantize's bias would pass 62 bits.
    """
    if isinstance(op, Threshold):
        t = np.clip(op.thresholds, -FAR, FAR)
        return replace(op, thresholds=-((constant[:, None] - t) // scale))
    reach = int(np.abs(op.multiplier).max()) * int(np.abs(constant).max()) + int(np.abs(op.bias).max())
    if reach >= 1 << 62:
        raise ModelError("a Requantize of a sum and its constant passes 62 bits")
    return replace(op, multiplier=op.multiplier * scale, bias=op.bias + op.multiplier * constant)


def table(op: Lookup, scale: int, constant: Ints, v: Ints) -> Ints:
    """Results for the numbers v [C or 1, N], int64 [C, N]; what is outside the domain counts as its nearest end."""
    x = np.clip(scale * v + constant[:, None], op.domain.min, op.domain.max)
    results = np.broadcast_to(op.table, (len(constant), op.table.shape[1]))
    return np.take_along_axis(results, op.domain.index(x), axis=1)
