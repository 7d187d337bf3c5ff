# SPDX-License-Identifier: Apache-2.0
"""Passes: Network to Network, each keeping `evaluate` of the output for every input.

`PASSES` is the whole pipeline, top to bottom; `simplify` runs it. Targets compile what it yields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bitwright.errors import ModelError
from bitwright.network.affine import folded
from bitwright.network.graph import Network, Node
from bitwright.network.ops import Conv2d, Op, Pad, Product, Requantize, Rounding, Threshold, Weave
from bitwright.network.selections import fold_selections


def simplify(network: Network) -> Network:
    """The network after every pass of `PASSES`."""
    for run in PASSES:
        network = run(network)
    return network


def _rebuilt(network: Network, ops: Mapping[str, Op | None], renamed: Mapping[str, str]) -> Network:
    """The network with some operations replaced (None: left out) and the readers of some values redirected."""

    def final(name: str) -> str:
        while name in renamed:
            name = renamed[name]
        return name

    nodes = []
    for node in network.nodes:
        op = ops.get(node.name, node.op)
        if op is not None:
            nodes.append(Node(node.name, op, tuple(final(name) for name in node.inputs)))
    outputs = tuple(replace(spec, value=final(spec.value)) for spec in network.outputs)
    return replace(network, nodes=tuple(nodes), outputs=outputs)


def remove_trivial(network: Network) -> Network:
    """Leave out nodes that hand on their input as it is: identity steps, 1x1 pools, empty pads, flat Flattens."""
    trivial = {n.name: n.inputs[0] for n in network.nodes if n.op.is_trivial(network.types[n.inputs[0]])}
    for name in network.output_values:
        if name in trivial and (len(network.outputs) > 1 or len(trivial) == len(network.nodes)):
            del trivial[name]
    return _rebuilt(network, dict.fromkeys(trivial), trivial) if trivial else network


def merge_equal(network: Network) -> Network:
    """Compute nodes with equal operations on equal inputs once."""
    renamed: dict[str, str] = {}
    kept: list[Node] = []
    for node in network.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        twin = next((k for k in kept if k.inputs == inputs and k.op == node.op), None)
        if twin is not None and node.name not in network.output_values:
            renamed[node.name] = twin.name
        else:
            kept.append(Node(node.name, node.op, inputs))
    return _rebuilt(network, dict.fromkeys(renamed), renamed) if renamed else network


def fold_pads(network: Network) -> Network:
    """Move a Pad into the Conv2d nodes that read it, where all its readers pad with its value or not at all."""
    ops: dict[str, Op | None] = {}
    renamed: dict[str, str] = {}
    for node in network.nodes:
        readers = network.consumers[node.name]
        if isinstance(node.op, Pad) and readers and all(_with_pad(r.op, node.op) for r in readers):
            ops[node.name] = None
            renamed[node.name] = node.inputs[0]
            for reader in readers:
                ops[reader.name] = _with_pad(reader.op, node.op)
    return _rebuilt(network, ops, renamed) if renamed else network


def _with_pad(op: Op, pad: Pad) -> Conv2d | None:
    """The convolution that pads by itself, where it pads with the same value or not at all."""
    if not isinstance(op, Conv2d) or (any(op.pads) and op.pad_value != pad.value):
        return None
    top, left, bottom, right = (a + b for a, b in zip(op.pads, pad.pads, strict=True))
    return replace(op, pads=(top, left, bottom, right), pad_value=pad.value)


def fold_biases(network: Network) -> Network:
    """Move the bias of a Conv2d or Dense into the Thresholds or Requantizes that read it.

    x + bias >= T as x >= T - bias; (x + bias) * m + b as x * m + (b + bias * m).
    """
    for node in network.nodes:
        readers = network.consumers[node.name]
        if not isinstance(node.op, Product) or node.op.bias is None or not readers:
            continue
        steps = {r.name: r.op for r in readers if isinstance(r.op, (Threshold, Requantize))}
        if len(steps) < len({r.name for r in readers}):
            continue
        try:
            ops: dict[str, Op | None] = {name: folded(op, 1, node.op.bias) for name, op in steps.items()}
            network = _rebuilt(network, ops | {node.name: replace(node.op, bias=None)}, {})
        except ModelError:
            continue  # the product without its bias, or the new Requantize, passes the widths of its type
    return network


def flip_falling(network: Network) -> Network:
    """Make falling Threshold channels rise by negating the weights that feed them.

    base - s * #{k: x >= T[k]}  =  (base - s*K) + s * #{k: -x >= 1 - T[k]}. Done where the Threshold is
    the only reader of a Conv2d or Dense and the weight type holds the negated weights.
    """
    ops: dict[str, Op | None] = {}
    for node in network.nodes:
        producer = next((n for n in network.nodes if n.name == node.inputs[0]), None)
        if not isinstance(node.op, Threshold) or producer is None or not isinstance(producer.op, Product):
            continue
        if len(network.consumers[producer.name]) != 1:
            continue
        channels = len(producer.op.weight)
        flip = (np.broadcast_to(node.op.step, channels) < 0) & _negatable(producer.op)
        if flip.any():
            ops[producer.name] = _negated(producer.op, flip)
            ops[node.name] = _risen(node.op, flip)
    if not ops:
        return network
    try:
        return _rebuilt(network, ops, {})
    except ModelError:  # a negated sum may need one bit more than the 32 there are
        return network


def _negatable(op: Product) -> npt.NDArray[np.bool_]:
    """Which output channels' weights stay in their type when negated, bool [O]."""
    flat = op.weight.reshape(len(op.weight), -1)
    low, high = op.weight_type.min, op.weight_type.max
    return np.asarray((-flat.min(axis=1) <= high) & (-flat.max(axis=1) >= low))


def _negated(op: Product, flip: npt.NDArray[np.bool_]) -> Op:
    sign = np.where(flip, -1, 1)
    weight = op.weight * sign.reshape(-1, *(1,) * (op.weight.ndim - 1))
    return replace(op, weight=weight, bias=None if op.bias is None else op.bias * sign)


def _risen(op: Threshold, flip: npt.NDArray[np.bool_]) -> Op:
    channels, count = len(flip), op.thresholds.shape[1]
    thresholds = np.broadcast_to(op.thresholds, (channels, count))
    base, step = (np.broadcast_to(a, channels) for a in (op.base, op.step))
    return replace(
        op,
        thresholds=np.where(flip[:, None], 1 - thresholds[:, ::-1], thresholds),
        base=np.where(flip, base + step * count, base),
        step=np.where(flip, -step, step),
    )


def steps_first(network: Network) -> Network:
    """Elementwise operations that narrow pixels which only change places, done before: fewer bits wait for their turn.

    Pixels take turns in a Weave, and a convolution with one weight of 1 in every channel picks some.
    """
    while (found := _step_first(network)) is not None:
        network = found
    return network


def _step_first(network: Network) -> Network | None:
    for move in network.nodes:
        readers = network.consumers[move.name]
        if not _moves_pixels(network, move) or not all(_narrows(network, move, reader) for reader in readers):
            continue
        names = {r.name: [f"{r.name}/{part}" for part in ("first", "second")[: move.op.arity]] for r in readers}
        if not network.types.keys().isdisjoint(name for own in names.values() for name in own):
            continue
        changed: dict[str, list[Node]] = {move.name: []}
        for reader in readers:
            pairs = zip(names[reader.name], move.inputs, strict=True)
            steps = [Node(part, reader.op, (source,), reader.origin) for part, source in pairs]
            changed[reader.name] = [*steps, replace(reader, op=move.op, inputs=tuple(names[reader.name]))]
        return replace(network, nodes=tuple(new for node in network.nodes for new in changed.get(node.name, [node])))
    return None


def _moves_pixels(network: Network, node: Node) -> bool:
    op = node.op
    if not isinstance(op, Conv2d):
        return isinstance(op, Weave)
    flat, source = op.weight.reshape(len(op.weight), -1), network.types[node.inputs[0]]
    plain = op.bias is None and not any(op.pads) and op.groups == len(flat) == source.channels
    one = bool(np.all((flat != 0).sum(1) == 1) and flat.min() >= 0 and flat.max() == 1)
    return plain and one and source.dtype == network.types[node.name].dtype


def _narrows(network: Network, move: Node, reader: Node) -> bool:
    """Whether the reader makes fewer bits of all pixels alike."""
    op = reader.op
    random = isinstance(op, Requantize) and op.rounding is Rounding.STOCHASTIC
    return isinstance(op, Threshold | Requantize) and not random and op.dtype.bits < network.types[move.name].dtype.bits


PASSES: tuple[Callable[[Network], Network], ...] = (
    remove_trivial,
    fold_pads,
    merge_equal,
    fold_selections,
    steps_first,
    fold_biases,
    flip_falling,
)
