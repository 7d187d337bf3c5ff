# SPDX-License-Identifier: Apache-2.0
"""Selections, which are convolutions that only pick channels, moved into convolutions that compute or read them.

What makes a value computes only the channels that are picked of it, in their order: one node for each selection, which
must be all that reads the value and pick no channel twice. A selection that stays goes into the weights of the
convolutions that read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bitwright.network.affine import channels_of, parameters
from bitwright.network.graph import Network, Node
from bitwright.network.ops import Conv2d, Lookup, Op, Requantize, Rounding, Threshold
from bitwright.network.types import Ints, IntType

BIT = IntType(1)


def fold_selections(network: Network) -> Network:
    """The network with fewer selections, or none."""
    while (found := _step(network)) is not None:
        network = found
    return network


def picked(op: Op) -> Ints | None:
    """The channels that an operation picks, where that is all it does."""
    if not isinstance(op, Conv2d) or op.kernel != (1, 1) or op.stride != (1, 1) or any(op.pads) or op.groups != 1:
        return None
    rows = op.weight[:, 0, 0]
    if op.bias is not None or op.weight_type != BIT or not np.all(rows.sum(axis=1) == 1):
        return None
    return np.asarray(rows.argmax(axis=1))


def _step(network: Network) -> Network | None:
    """The network with one selection less or nearer to its source; None where none moves."""
    for node in network.nodes:
        channels = picked(node.op)
        if channels is None or network.types[node.inputs[0]].dtype.bipolar:
            continue
        found = _upward(network, node.inputs[0]) or _downward(network, node, channels)
        if found is not None:
            return found
    return None


def _upward(network: Network, name: str) -> Network | None:
    """All selections of a value done before what makes it."""
    readers = network.consumers[name]
    picks = [picked(reader.op) for reader in readers]
    if name in network.input_names or any(p is None for p in picks):
        return None
    chosen = np.concatenate([p for p in picks if p is not None])
    made = network.node(name)
    if len(set(chosen.tolist())) < len(chosen):
        return None
    parts = [_part(network, made, reader, p) for reader, p in zip(readers, picks, strict=True) if p is not None]
    if not all(parts):
        return None
    nodes: list[Node] = []
    replaced = {reader.name for reader in readers}
    for node in network.nodes:
        if node is made:
            nodes += [new for part in parts for new in part]
        elif node.name not in replaced:
            nodes.append(node)
    return replace(network, nodes=tuple(nodes))


def _part(network: Network, made: Node, reader: Node, channels: Ints) -> Sequence[Node]:
    """What makes the channels that one selection picks of a value; nothing where they are not made one by one."""
    op = made.op
    if isinstance(op, Conv2d) and op.groups == 1 and picked(op) is None:
        bias = None if op.bias is None else op.bias[channels]
        return [Node(reader.name, replace(op, weight=op.weight[channels], bias=bias), made.inputs)]
    stochastic = isinstance(op, Requantize) and op.rounding is Rounding.STOCHASTIC
    source = made.inputs[0]
    if not isinstance(op, Threshold | Requantize | Lookup) or stochastic or network.types[source].dtype.bipolar:
        return []
    if len(network.types[source].shape) != 3:
        return []
    before = f"{reader.name}/before"
    if before in network.types:
        return []
    fields = {name: getattr(op, name) for name in parameters(op)} if channels_of(op) > 1 else {}
    own = {name: value[channels] if len(value) > 1 else value for name, value in fields.items()}
    return [
        Node(before, reader.op, (source,)),
        Node(reader.name, replace(op, **own), (before,)),
    ]


def _downward(network: Network, node: Node, channels: Ints) -> Network | None:
    """A selection in the weights of the convolutions that read it."""
    readers = network.consumers[node.name]
    if not readers or len(set(channels.tolist())) < len(channels):
        return None
    if not all(isinstance(r.op, Conv2d) and r.op.groups == 1 and r.op.weight_type.contains(0) for r in readers):
        return None
    whole = network.types[node.inputs[0]].channels
    nodes = []
    for other in network.nodes:
        if other in readers and isinstance(other.op, Conv2d):
            weight = np.zeros((*other.op.weight.shape[:3], whole), np.int64)
            weight[..., channels] = other.op.weight
            other = replace(other, op=replace(other.op, weight=weight), inputs=node.inputs)
        if other is not node:
            nodes.append(other)
    return replace(network, nodes=tuple(nodes))
