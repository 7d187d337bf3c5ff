# SPDX-License-Identifier: Apache-2.0
"""Nodes of a network in the place of one node: how a lowering says an operation by others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.errors import ModelError
from bitwright.network.graph import MAX_NAME, Network, Node
from bitwright.network.ops import Add, Op, Requantize, Threshold
from bitwright.network.types import BIPOLAR, IntType, TensorType
from bitwright.text import unique

SUFFIX = 40  # characters that the name of a part may have more than its node's


@dataclass
class Parts:
    """The nodes in the place of one node."""

    node: Node
    network: Network
    nodes: list[Node]

    @property
    def source(self) -> TensorType:
        """The type of the node's first input."""
        return self.network.types[self.node.inputs[0]]

    def add(self, what: str, op: Op, *inputs: str) -> str:
        """A part of the node on the given values, else on what the node reads; its name."""
        name = unique(f"{self.node.name[: MAX_NAME - SUFFIX]}/{what}", self.network.types)
        self.nodes.append(Node(name, op, inputs or self.node.inputs, self.node.origin))
        return name

    def last(self, op: Op, *inputs: str) -> None:
        """The part that has the node's name."""
        self.nodes.append(replace(self.node, op=op, inputs=inputs or self.node.inputs))

    def finish(self, dtype: IntType, name: str) -> None:
        """The last part: numbers, of bipolar values 0 and 1, in the type of the node."""
        self.last(sign(1) if dtype.bipolar else Requantize(dtype), name)

    def summed(self, names: Sequence[str]) -> str:
        """The sum of values, in pairs."""
        while len(names) > 1:
            pairs = zip(names[::2], names[1::2], strict=False)
            names = [*(self.add(f"sum{len(self.nodes)}", Add(), *pair) for pair in pairs), *names[len(names) & ~1 :]]
        return names[0]


def sign(least: int) -> Threshold:
    """1 from `least` on, -1 below."""
    return Threshold(np.array([[least]]), BIPOLAR, np.array([-1]), np.array([2]))


def replaced(network: Network, change: Callable[[Parts], object]) -> Network:
    """The network with the parts that `change` makes in the place of nodes; itself where it makes none.

    A node stays whose parts pass 32 bits or the limits of a network.
    """
    made = {}
    for node in network.nodes:
        parts = Parts(node, network, [])
        change(parts)
        if parts.nodes:
            made[node.name] = parts.nodes
    try:
        return _spliced(network, made)
    except ModelError:
        for name, nodes in made.items():
            with contextlib.suppress(ModelError):
                network = _spliced(network, {name: nodes})
        return network


def _spliced(network: Network, made: Mapping[str, Sequence[Node]]) -> Network:
    """The network with other nodes in the place of some."""
    if not made:
        return network
    return replace(network, nodes=tuple(n for node in network.nodes for n in made.get(node.name, (node,))))
