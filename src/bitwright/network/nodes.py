# SPDX-License-Identifier: Apache-2.0
"""What all graphs of named nodes have in common: looking nodes up, by name and by what they read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Generic, Protocol, TypeVar

INPUT = "input"  # what the input is called where there is one: a value that no node makes
OUTPUT = "output"  # what the output is called where there is one


class Named(Protocol):
    """A node: its name, which is also the name of its value, and the values that it reads."""

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> tuple[str, ...]: ...


N = TypeVar("N", bound=Named)


class NodeGraph(Generic[N]):
    """Nodes in topological order between inputs, which are values that no node makes, and outputs, which are values."""

    nodes: tuple[N, ...]

    @property
    @abstractmethod
    def input_names(self) -> tuple[str, ...]:
        """The values that no node makes."""

    @property
    @abstractmethod
    def sinks(self) -> tuple[N, ...]:
        """A reader for every output, which is no node of the graph: its name is the output's, its input the value."""

    @cached_property
    def output_values(self) -> tuple[str, ...]:
        """The values that leave, in the order of the outputs."""
        return tuple(sink.inputs[0] for sink in self.sinks)

    @property
    def output_name(self) -> str:
        """The value that leaves, where it is one."""
        (value,) = self.output_values
        return value

    def node(self, name: str) -> N:
        """The node of that name; `KeyError` where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, N]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, tuple[N, ...]]:
        """For every value what reads it, in order: nodes, then sinks; a node that reads it twice stands twice."""
        found: dict[str, list[N]] = {name: [] for name in (*self.input_names, *self._by_name)}
        for node in (*self.nodes, *self.sinks):
            for name in node.inputs:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}


def needed(nodes: Sequence[N], outputs: Iterable[str]) -> tuple[N, ...]:
    """The nodes that some values depend on, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if node.name in wanted:
            kept.append(node)
            wanted |= set(node.inputs)
    return tuple(kept[::-1])
