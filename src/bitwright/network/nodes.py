# SPDX-License-Identifier: Apache-2.0
"""What all graphs of named nodes have in common: looking nodes up, by name and by what they read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Generic, Protocol, TypeVar

INPUT = "input"  # the value that no node makes


class Named(Protocol):
    """A node: its name, which is also the name of its value, and the values that it reads."""

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> tuple[str, ...]: ...


N = TypeVar("N", bound=Named)


class NodeGraph(Generic[N]):
    """Nodes in topological order; the last one is the output."""

    nodes: tuple[N, ...]

    @property
    def output_name(self) -> str:
        return self.nodes[-1].name

    def node(self, name: str) -> N:
        """The node of that name; `KeyError` where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, N]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, tuple[N, ...]]:
        """For every value the nodes that read it, in order; a node that reads it twice stands twice."""
        found: dict[str, list[N]] = {name: [] for name in (INPUT, *self._by_name)}
        for node in self.nodes:
            for name in node.inputs:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}


def needed(nodes: Sequence[N], output: str) -> tuple[N, ...]:
    """The nodes that a value depends on, in order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if node.name in wanted:
            kept.append(node)
            wanted |= set(node.inputs)
    return tuple(kept[::-1])
