# SPDX-License-Identifier: Apache-2.0
"""A network as units: each a multiply-accumulate, window or join operation with the elementwise ones behind it.

A unit becomes one module of the circuit. `Flatten` is nothing in a stream of pixels: its value is an alias.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bitwright.network import INPUT, IntType, Network, Node, TensorType
from bitwright.network.ops import Conv2d, Dense, Flatten, Lookup, Op, Requantize, Threshold
from bitwright.network.ranges import intervals
from bitwright.targets.tlmac.layer import MacLayer, mac_layer

Elementwise = Threshold | Requantize | Lookup
MAC = (Conv2d, Dense)


@dataclass(frozen=True, eq=False)
class Post:
    """An elementwise operation in a unit: what it computes, over how many channels, on which words.

    `input` is the type of the words that enter, after `shift` zeros are put below them; `output` of those
    that leave. Without an operation, `bias` [channels] is added.
    """

    name: str
    op: Elementwise | None
    channels: int
    input: IntType
    output: IntType
    bias: np.ndarray | None = None
    shift: int = 0
    dsp: bool = True


@dataclass(frozen=True, eq=False)
class Unit:
    """One module: `node` is its main operation (None: only elementwise ones), `value` the name of its result.

    inputs: names of the values it reads, each the name of a unit's value or "input". `posts` of a
    multiply-accumulate unit start at the affine result  scale * acc + constant  that `emit` folds in.
    """

    name: str
    kind: str
    node: Node | None
    inputs: tuple[str, ...]
    value: str
    input_types: tuple[TensorType, ...]
    type: TensorType
    chain: tuple[Node, ...] = ()
    mac: MacLayer | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The network's nodes that it computes."""
        main = () if self.node is None else (self.node.name,)
        return (*main, *(node.name for node in self.chain))

    @property
    def layer(self) -> MacLayer:
        """That of a multiply-accumulate unit."""
        assert self.mac is not None
        return self.mac

    @property
    def op(self) -> Op | None:
        """The main operation."""
        return self.node.op if self.node else None


@dataclass(frozen=True, eq=False)
class Circuit:
    """All units of a network in topological order."""

    network: Network
    units: tuple[Unit, ...]
    aliases: dict[str, str] = field(repr=False)

    def readers(self, value: str) -> list[tuple[int, int]]:
        """(unit, input) pairs that read a value."""
        return [(i, k) for i, unit in enumerate(self.units) for k, v in enumerate(unit.inputs) if v == value]

    def unit(self, value: str) -> Unit:
        """The unit that produces a value."""
        return next(unit for unit in self.units if unit.value == value)

    @property
    def output(self) -> str:
        """Name of the value that leaves the circuit."""
        return self.aliases[self.network.output_name]


def build_circuit(network: Network) -> Circuit:
    """Cut the network into units."""
    units: list[Unit] = []
    aliases = {INPUT: INPUT}
    reach = intervals(network)
    done: set[str] = set()
    for node in network.nodes:
        if node.name in done:
            continue
        if isinstance(node.op, Flatten):
            aliases[node.name] = aliases[node.inputs[0]]
            continue
        chain = [] if not isinstance(node.op, Elementwise) else [node]
        last = _follow(network, node, chain)
        done.update(n.name for n in (*chain, *last.flat))
        for name in (node.name, *(n.name for n in chain), *(n.name for n in last.flat)):
            aliases[name] = last.value
        main = None if isinstance(node.op, Elementwise) else node
        units.append(
            Unit(
                name=node.name,
                kind=type(node.op).__name__.lower() if main else "elementwise",
                node=main,
                inputs=tuple(aliases[n] for n in node.inputs),
                value=last.value,
                input_types=tuple(network.types[n] for n in node.inputs),
                type=network.types[last.value],
                chain=tuple(chain),
                mac=mac_layer(network, node, reach[node.inputs[0]]) if isinstance(node.op, MAC) else None,
            )
        )
    if aliases[network.output_name] == INPUT:  # nothing but Flatten: a wire is a unit, too
        units.append(_wire(network))
        aliases[network.output_name] = network.output_name
    return Circuit(network, tuple(units), aliases)


def _wire(network: Network) -> Unit:
    """The unit of a network whose output is its input, flattened."""
    name = network.output_name
    return Unit(name, "elementwise", None, (INPUT,), name, (network.input.type,), network.output_type)


@dataclass(frozen=True)
class _Chain:
    value: str
    flat: tuple[Node, ...]


def _follow(network: Network, node: Node, chain: list[Node]) -> _Chain:
    """Collect the elementwise nodes that alone read the value before them; Flatten among them is passed."""
    value, flat = node.name, []
    while len(readers := network.consumers[value]) == 1:
        (reader,) = readers
        if isinstance(reader.op, Flatten):
            flat.append(reader)
        elif isinstance(reader.op, Elementwise):
            chain.append(reader)
        else:
            break
        value = reader.name
    return _Chain(value, tuple(flat))


def posts(
    network: Network, unit: Unit, acc: IntType | None = None, constant: np.ndarray | None = None, dsp: bool = True
) -> list[Post]:
    """The unit's elementwise operations, on the words that really enter them; `dsp`: whether in DSP blocks.

    For a multiply-accumulate unit, `acc` is the type of its accumulators and the result is
    scale * acc + constant [O]: thresholds, biases and tables take that in, else a bias stage is put first.
    """
    found: list[Post] = []
    current = network.types[unit.node.name].dtype if unit.node else unit.input_types[0].dtype
    rest = list(unit.chain)
    if unit.mac is not None:
        assert acc is not None
        assert constant is not None
        found, current = _absorb(unit, rest, acc, constant, current)
    for node in rest:
        channels = network.types[node.inputs[0]].channels
        op = node.op
        assert isinstance(op, Elementwise)
        if current.bipolar and not isinstance(op, Lookup):
            op = _as_lookup(op, current)
        found.append(Post(node.name, op, channels, current, op.dtype))
        current = op.dtype
    return [replace(post, dsp=dsp) for post in found]


def _absorb(
    unit: Unit, rest: list[Node], acc: IntType, constant: np.ndarray, result: IntType
) -> tuple[list[Post], IntType]:
    """The first post of a multiply-accumulate unit, with scale and constant folded in."""
    scale, channels = unit.layer.code_scale, unit.layer.outputs
    if rest and (op := _folded(rest[0].op, acc, scale, constant, result, channels)) is not None:
        return [Post(rest.pop(0).name, op, channels, acc, op.dtype)], op.dtype
    if scale == 1 and not constant.any() and not result.signed:
        return [], acc
    # Sums modulo 2**result.bits are right, so no more bits of the accumulator need to enter.
    entering = IntType(min(acc.bits + scale - 1, result.bits))
    return [Post(f"{unit.name}.bias", None, channels, entering, result, constant, scale - 1)], result


def _folded(
    op: Op, acc: IntType, scale: int, constant: np.ndarray, result: IntType, channels: int
) -> Elementwise | None:
    """`op` on the accumulator itself, or None where it cannot take the constants in."""
    if isinstance(op, Threshold):
        if op.thresholds.shape[1] and max(map(len, (op.thresholds, op.base, op.step))) not in (1, channels):
            return None  # it stands behind a Flatten, with more channels than the layer
        t = np.broadcast_to(op.thresholds, (channels, op.thresholds.shape[1]))
        return Threshold(-((constant[:, None] - t) // scale), op.dtype, op.base, op.step)
    if isinstance(op, Requantize):
        if max(map(len, (op.multiplier, op.bias, op.shift))) not in (1, channels):
            return None
        bias = op.bias + op.multiplier * constant
        return Requantize(op.dtype, op.multiplier * scale, op.shift, bias, op.zero_point, op.rounding, op.seed)
    if isinstance(op, Lookup) and acc.bits <= 12 and len(op.table) in (1, channels):
        x = np.clip(scale * acc.values()[None, :] + constant[:, None], result.min, result.max)
        table = np.broadcast_to(op.table, (channels, op.table.shape[1]))
        return Lookup(acc, np.take_along_axis(table, result.index(x), axis=1), op.dtype)
    return None


def _as_lookup(op: Threshold | Requantize, domain: IntType) -> Lookup:
    """A Threshold or Requantize of a bipolar value as the table it is."""
    names = ("thresholds", "base", "step") if isinstance(op, Threshold) else ("multiplier", "bias", "shift")
    channels = max(len(getattr(op, name)) for name in names)
    x = np.broadcast_to(domain.values()[:, None], (domain.levels, channels))
    return Lookup(domain, op.evaluate(x).T, op.dtype)
