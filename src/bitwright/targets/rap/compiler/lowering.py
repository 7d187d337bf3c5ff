# SPDX-License-Identifier: Apache-2.0
"""Lookups as thresholds: y = t[0] + (rises up to x) - (falls up to x), each rise and fall by one a threshold."""

from __future__ import annotations

import dataclasses
from collections.abc import Container

import numpy as np

from bitwright.network import Network
from bitwright.network.graph import Node
from bitwright.network.ops import Add, Lookup, Op, Requantize, Threshold
from bitwright.network.types import IntType
from bitwright.text import unique


def lower(network: Network) -> Network:
    """The same function without Lookup; the network itself where it has none."""
    if not any(isinstance(node.op, Lookup) for node in network.nodes):
        return network
    nodes: list[Node] = []
    for node in network.nodes:
        nodes += _thresholds(node, network.types) if isinstance(node.op, Lookup) else [node]
    return dataclasses.replace(network, nodes=tuple(nodes))


def origin(network: Network, name: str) -> str:
    """The node of the network before `lower` that a node behind it comes from."""
    before = name.rpartition("/")[0]
    return before if name not in network.types and before in network.types else name


def lookup_steps(op: Lookup) -> int:
    """Thresholds of the longer one of the two staircases that a table becomes."""
    jumps = np.diff(op.table, axis=1)
    return int(max(np.maximum(jumps, 0).sum(axis=1).max(), np.maximum(-jumps, 0).sum(axis=1).max()))


def _thresholds(node: Node, taken: Container[str]) -> list[Node]:
    """One or two Threshold nodes, their sum, and the type of the table where theirs is another."""

    def part(kind: str, op: Op, inputs: tuple[str, ...]) -> Node:
        return Node(unique(f"{node.name}/{kind}", taken), op, inputs)

    op: Lookup = node.op  # type: ignore[assignment]
    jumps, base = np.diff(op.table, axis=1), op.table[:, 0]
    falls, rises = bool((jumps < 0).any()), bool((jumps > 0).any())
    if not (falls and rises):
        only = _staircase(op, np.abs(jumps), -1 if falls else 1, base)
        if op.dtype.contains(np.array([only.dtype.min, only.dtype.max])):
            return [Node(node.name, dataclasses.replace(only, dtype=op.dtype), node.inputs)]
        last = part("steps", only, node.inputs)
        nodes = [last]
    else:
        up, down = _staircase(op, np.maximum(jumps, 0), 1, base), _staircase(op, np.maximum(-jumps, 0), -1, 0 * base)
        nodes = [part("rises", up, node.inputs), part("falls", down, node.inputs)]
        last = part("sum", Add(), (nodes[0].name, nodes[1].name))
        nodes.append(last)
    return [*nodes, Node(node.name, Requantize(op.dtype), (last.name,))]


def _staircase(op: Lookup, jumps: np.ndarray, step: int, base: np.ndarray) -> Threshold:
    """base + step * (jumps up to x); channels with fewer jumps have thresholds that no input reaches."""
    values = op.domain.values()
    rows = [np.repeat(values[1:], row) for row in jumps]
    length = max(1, *(len(row) for row in rows))
    never = int(values[-1]) + 1
    thresholds = np.array([np.pad(row, (0, length - len(row)), constant_values=never) for row in rows])
    ends = np.concatenate([base, base + step * length])
    return Threshold(thresholds, IntType.holding(int(ends.min()), int(ends.max())), base, np.full(len(base), step))
