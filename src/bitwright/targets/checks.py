# SPDX-License-Identifier: Apache-2.0
"""What targets that store images refuse alike, and reasons by the names of the network that the user has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from bitwright.network import Network
from bitwright.network.lowering import MOST_MOVED, is_view
from bitwright.network.ops import ArgMax, Flatten, Op
from bitwright.network.stages import last_node
from bitwright.targets.contract import Problem


def unstaged(network: Network, known: tuple[type[Op], ...]) -> list[Problem]:
    """Nodes of unknown operations, and those that no stage computes where values are stored as images.

    The network is the lowered one.
    """
    found, legal = [], ", ".join(op.__name__ for op in known)
    for node in network.nodes:
        size = network.types[node.name].size
        if not isinstance(node.op, known):
            found.append(Problem(node.name, f"{type(node.op).__name__} has no mapping", legal))
        elif isinstance(node.op, ArgMax) and node is not last_node(network):
            found.append(Problem(node.name, "ArgMax stands before the output", "ArgMax as the last node"))
        elif isinstance(node.op, Flatten) and not is_view(network, node):
            rule = f"it puts {size} elements in another order"
            found.append(Problem(node.name, rule, f"at most {MOST_MOVED}, or Flatten before Dense or at the end"))
    return found


def traced(problems: Iterable[Problem], network: Network) -> tuple[Problem, ...]:
    """The problems of a lowered network by the nodes that its own come from, each once."""
    names = {node.name: node.origin for node in network.nodes}
    named = (p if p.node is None else dataclasses.replace(p, node=names.get(p.node, p.node)) for p in problems)
    return tuple(dict.fromkeys(named))
