# SPDX-License-Identifier: Apache-2.0
"""What a model takes to store: parameters of a float graph and of an integer network, in bits."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from bitwright.models.graph import FloatGraph
from bitwright.network import Network
from bitwright.network.ops import Conv2d, Dense, Op
from bitwright.network.types import IntType

FLOAT_BITS = 32


def op_bits(op: Op) -> int:
    """Bits of an operation's parameters: weights in their type, others in the narrowest type that holds them all.

    Arrays whose elements are all one value, as the multiplier of a power-of-two scale, count once.
    """
    total = 0
    for f in fields(op):
        value = getattr(op, f.name)
        if not isinstance(value, np.ndarray):
            continue
        if f.name == "weight" and isinstance(op, (Conv2d, Dense)):
            total += value.size * op.weight_type.bits
        else:
            count = 1 if np.all(value == value.flat[0]) else value.size
            total += count * value_bits(value)
    return total


def value_bits(value: np.ndarray) -> int:
    """Bits of the narrowest integer type that holds every element; beyond 32 bits too."""
    low, high = int(value.min()), int(value.max())
    if low >= -(1 << 31) and high < 1 << 31:
        return IntType.holding(low, high).bits
    return max(abs(low), abs(high)).bit_length() + 1


def network_bits(network: Network) -> int:
    """Bits of all parameters of an integer network."""
    return sum(op_bits(node.op) for node in network.nodes)


def weight_bits(network: Network) -> int:
    """Bits of the weights alone."""
    ops = (node.op for node in network.nodes)
    return sum(op.weight.size * op.weight_type.bits for op in ops if isinstance(op, (Conv2d, Dense)))


def graph_bits(graph: FloatGraph) -> int:
    """Bits of all float32 parameters of a float graph."""
    return FLOAT_BITS * sum(array.size for node in graph.nodes for array in node.op.arrays().values())
