# SPDX-License-Identifier: Apache-2.0
"""What lowering carries along: integer values with their chains, and the integer nodes made so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bitwright.errors import ModelError
from bitwright.models.exact.chain import Affine, Chain, Step
from bitwright.models.graph import FloatGraph, FloatNode
from bitwright.models.lowering.alignment import Alignment
from bitwright.network.graph import Node
from bitwright.network.inputs import InputSpec
from bitwright.network.ops import Op, Requantize
from bitwright.network.types import IntType, TensorType
from bitwright.text import unique


@dataclass(frozen=True, eq=False)
class Value:
    """real = chain(integer value `name`), of that type. An empty name is the model's unquantized input `source`.

    `limits` are those of the integers where they are narrower than the type's, as behind a narrow quantizer.
    `alignment` tells how near an inexact sum comes. `end`: the function that an output has, and the quantizer behind
    it, as fields of `OutputSpec`. `factor`: zeros stand between the integers, which are every so many rows and columns.
    """

    name: str
    type: TensorType
    chain: Chain
    limits: tuple[int, int] | None = None
    alignment: Alignment | None = None
    source: str = ""
    end: Mapping[str, Any] | None = None
    factor: tuple[int, int] = (1, 1)

    @property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest integer."""
        return self.limits or (self.type.dtype.min, self.type.dtype.max)

    def then(self, *steps: Step) -> Value:
        return replace(self, chain=self.chain.then(*steps))

    def line(self) -> Affine:
        """The chain as an affine function; `ModelError` where it is none."""
        found = self.chain.affine()
        if found is None:
            raise ModelError("reads an activation without a quantizer behind it; insert one")
        return found


class Builder:
    """The network under construction. Equal operations on the same inputs are made once."""

    def __init__(
        self, graph: FloatGraph, multiplier_bits: int | None, notes: list[str], align_bits: int | None = None
    ) -> None:
        self.graph = graph
        self.multiplier_bits = multiplier_bits
        self.notes = notes
        self.align_bits = align_bits
        self.nodes: list[Node] = []
        self.types: dict[str, TensorType] = {}
        self.inputs: dict[str, InputSpec] = {}
        self.inexact: dict[str, tuple[str, list[bool]]] = {}  # note, and whether each reader is exact all the same

    def start(self, spec: InputSpec) -> None:
        """Take `spec` as an input of the network."""
        self.inputs[spec.name] = spec
        self.types[spec.name] = spec.type

    def value(
        self,
        name: str,
        op: Op,
        inputs: Sequence[Value],
        chain: Chain,
        limits: tuple[int, int] | None = None,
    ) -> Value:
        """Append a node and give its integer value a chain."""
        names = tuple(v.name for v in inputs)
        for node in self.nodes:
            if node.inputs == names and node.op == op:
                return Value(node.name, self.types[node.name], chain, limits)
        inferred = op.infer(*(self.types[n] for n in names))
        new = Node(unique(name, self.types), op, names)
        self.nodes.append(new)
        self.types[new.name] = inferred
        return Value(new.name, inferred, chain, limits)

    def widened(self, name: str, v: Value, low: int, high: int) -> Value:
        """The same integers in a type that holds [low, high] too."""
        if v.type.dtype.contains(low) and v.type.dtype.contains(high):
            return v
        dtype = IntType.holding(min(low, v.type.dtype.min), max(high, v.type.dtype.max))
        return self.value(f"{name}/wide", Requantize(dtype), [v], v.chain, v.limits)

    def note(self, node: FloatNode, text: str) -> None:
        self.notes.append(f"{node.kind} {node.name!r}: {text}")
