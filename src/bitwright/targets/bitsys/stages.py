# SPDX-License-Identifier: Apache-2.0
"""The network as the hardware runs it: stages of one array or vector operation and what follows on its sums."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.network import Network, TensorType
from bitwright.network.graph import INPUT, Node
from bitwright.network.ops import (
    Add,
    ArgMax,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    MaxPool,
    Op,
    Requantize,
    Rounding,
    SumPool,
    Threshold,
)
from bitwright.targets.contract import Problem

POST = (Threshold, Requantize, Lookup)
KNOWN = (*POST, Conv2d, Dense, MaxPool, SumPool, Add, Flatten, ArgMax)


@dataclass(frozen=True)
class Stage:
    """One layer descriptor: `op` on the sources, then `post` on its sums, giving the value `name`.

    op is Conv2d (Dense too, as a convolution over the whole image), MaxPool, SumPool, Add, or None for a
    copy. source: the type that the hardware sees, (H, W, C); a vector is (1, 1, C). nodes: the network's nodes that
    it computes.
    """

    name: str
    op: Op | None
    sources: tuple[str, ...]
    source: TensorType
    result: TensorType
    post: Op | None
    nodes: tuple[str, ...] = ()

    @property
    def is_array(self) -> bool:
        return isinstance(self.op, Conv2d)

    @property
    def conv(self) -> Conv2d:
        """The operation of an array stage."""
        assert isinstance(self.op, Conv2d)
        return self.op


@dataclass(frozen=True)
class Staged:
    """All stages in order, the types of the stored values, and whether the output is an index of the greatest."""

    stages: tuple[Stage, ...]
    types: dict[str, TensorType]
    argmax: bool


def image(t: TensorType) -> TensorType:
    """The type as (H, W, C)."""
    return t if len(t.shape) == 3 else TensorType((1, 1, *t.shape), t.dtype)


def as_convolution(op: Dense, source: TensorType) -> Conv2d:
    """A dense layer over a flattened (H, W, C) value: one window of the size of the image."""
    h, w, c = source.shape
    return Conv2d(op.weight.reshape(-1, h, w, c), op.weight_type, bias=op.bias)


def problems(network: Network) -> list[Problem]:
    """What no configuration of the hardware can run, node by node."""
    nodes, types = _flat_first(network)
    readers = {name: [n for n in nodes if name in n.inputs] for name in types}
    found = []
    for node in nodes:
        reason = _unsupported(node, readers[node.name], node is nodes[-1])
        found += [Problem(node.name, *reason)] if reason else []
    return found


def _unsupported(node: Node, readers: list[Node], last: bool) -> tuple[str, str] | None:
    """(rule, what is legal) where no configuration runs the node."""
    op = node.op
    if not isinstance(op, KNOWN):
        return f"{type(op).__name__} is not supported", "Conv2d, Dense, pooling, Add and what follows on them"
    if isinstance(op, ArgMax) and not last:
        return "ArgMax stands before the output", "ArgMax as the last node"
    if isinstance(op, Flatten) and any(not isinstance(n.op, Dense) for n in readers):
        return "a flattened value is read by another node than Dense", "Flatten before Dense, or as the last node"
    if isinstance(op, (Conv2d, Dense)) and op.weight_type.bits > 8:
        return f"weights have {op.weight_type.bits} bits", "at most 8 bits"
    if isinstance(op, Threshold) and op.thresholds.shape[1] > 255:
        return f"{op.thresholds.shape[1]} thresholds a channel", "at most 255"
    if isinstance(op, Lookup) and op.domain.bits > 8:
        return f"a table over {op.domain}", "inputs of at most 8 bits"
    if isinstance(op, Requantize):
        return _unscalable(op)
    return None


def _unscalable(op: Requantize) -> tuple[str, str] | None:
    """(rule, what is legal) of a Requantize that no configuration computes."""
    if op.rounding is Rounding.STOCHASTIC:
        return "tiles are not computed in the order of the random draws", "floor, half_up, half_even, half_away"
    for name, bits in (("multiplier", 31), ("bias", 57)):
        most = max(abs(int(v)) for v in (getattr(op, name).min(), getattr(op, name).max()))
        if most >> bits:
            return f"a {name} is {most}", f"less than 2^{bits}"
    return None


def stage(network: Network) -> Staged:
    """Fuse each operation with what follows on its sums; `problems` must be empty.

    A network that only reorders or compares its input gets a copy of it as its one stage.
    """
    nodes, types = _flat_first(network)
    argmax = isinstance(nodes[-1].op, ArgMax) if nodes else False
    nodes = nodes[:-1] if argmax else nodes
    users: dict[str, list[Node]] = {name: [] for name in types}
    for node in nodes:
        for name in node.inputs:
            users[name].append(node)
    alias: dict[str, str] = {}
    stages: list[Stage] = []
    fused: set[str] = set()
    for node in nodes:
        if node.name in fused:
            continue
        sources = tuple(alias.get(n, n) for n in node.inputs)
        if isinstance(node.op, Flatten):
            alias[node.name] = sources[0]
            continue
        source = image(types[sources[0]])
        op: Op | None = as_convolution(node.op, source) if isinstance(node.op, Dense) else node.op
        post, last = None, node
        if isinstance(op, POST):
            op, post = None, node.op
        elif len(users[node.name]) == 1 and isinstance(users[node.name][0].op, POST):
            last = users[node.name][0]
            post = last.op
            fused.add(last.name)
        computed = tuple(dict.fromkeys((node.name, last.name)))
        stages.append(Stage(last.name, op, sources, source, image(types[last.name]), post, computed))
    if not stages:
        whole = image(types[INPUT])
        stages.append(Stage(network.output_name, None, (INPUT,), whole, whole, None))
        types[network.output_name] = whole
    stored = {s: image(types[s]) for s in (INPUT, *(stage.name for stage in stages))}
    return Staged(tuple(stages), stored, argmax)


def _flat_first(network: Network) -> tuple[list[Node], dict[str, TensorType]]:
    """Nodes and types, with Flatten moved before what acts on all channels alike, up to the input.

    A stream of pixels is its own flattening, so the input is then one pixel of H * W * C channels. A Flatten of one
    pixel is left out, and so is one that the output alone reads: the hardware sees no difference.
    """
    types = dict(network.types)
    nodes = _without_idle(network)
    while True:
        k = next((k for k, n in enumerate(nodes) if isinstance(n.op, Flatten) and _movable(nodes, types, n)), None)
        if k is None:
            return nodes, types
        flat = nodes[k]
        (before,) = flat.inputs
        nodes.pop(k)
        if before == INPUT:
            types[INPUT] = types[flat.name]
            nodes = [replace(n, inputs=tuple(INPUT if i == flat.name else i for i in n.inputs)) for n in nodes]
            continue
        j = next(j for j, n in enumerate(nodes) if n.name == before)
        # The names change places: the value before the Flatten keeps its name behind it.
        elementwise = nodes[j]
        source = types[elementwise.inputs[0]]
        size = TensorType((source.size,), source.dtype)
        types[before] = types[flat.name]
        types[flat.name] = size
        nodes[j] = replace(elementwise, inputs=(flat.name,))
        nodes.insert(j, replace(flat, inputs=elementwise.inputs))
        nodes = [
            n
            if n.name in (before, flat.name)
            else replace(n, inputs=tuple(before if i == flat.name else i for i in n.inputs))
            for n in nodes
        ]


def _without_idle(network: Network) -> list[Node]:
    """The nodes without each Flatten of one pixel, and without one at the end."""
    same: dict[str, str] = {}
    kept = []
    for node in network.nodes:
        inputs = tuple(same.get(name, name) for name in node.inputs)
        idle = network.types[node.inputs[0]].pixels == 1 or node is network.nodes[-1]
        if isinstance(node.op, Flatten) and idle:
            same[node.name] = inputs[0]
        else:
            kept.append(replace(node, inputs=inputs))
    return kept


def _movable(nodes: list[Node], types: dict[str, TensorType], flat: Node) -> bool:
    """Whether only nodes that treat all elements alike lie between the input image and a Flatten."""
    (before,) = flat.inputs
    readers = [n for n in nodes if before in n.inputs]
    if len(readers) != 1:
        return False
    if before == INPUT:
        return len(types[INPUT].shape) == 3
    node = next(n for n in nodes if n.name == before)
    arrays = {
        Threshold: ("thresholds", "base", "step"),
        Requantize: ("multiplier", "shift", "bias"),
        Lookup: ("table",),
    }
    names = arrays.get(type(node.op))
    alike = names is not None and all(getattr(node.op, name).shape[0] == 1 for name in names)
    return alike and _movable(nodes, types, node)


def constant(conv: Conv2d) -> np.ndarray:
    """The bias of each output channel, int64 [O]."""
    return np.zeros(conv.weight.shape[0], np.int64) if conv.bias is None else conv.bias
