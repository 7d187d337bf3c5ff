# SPDX-License-Identifier: Apache-2.0
"""A network as units: each a multiply-accumulate, window or join operation with all the elementwise ones behind it.

A unit becomes one module of the circuit. `Flatten` is nothing in a stream of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.network import IntType, Network, Node
from bitwright.network.affine import channels_of, folded, table
from bitwright.network.ops import Lookup, Op, Requantize, Threshold
from bitwright.network.ranges import intervals
from bitwright.network.stages import Elementwise, Rules, Stage, Staged, staged
from bitwright.targets.tlmac.layer import MacLayer, mac_layer

TURNS = ("concat", "weave")  # units that take words of one input and then of the other
RULES = Rules(stream=True, chain=1 << 20, argmax=True)


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
class Unit(Stage):
    """One module. Its elementwise operations, where it multiplies, start at the affine result
    scale * acc + constant  that `emit` folds in. channels: of the values that these operations read.
    """

    mac: MacLayer | None = None
    channels: tuple[int, ...] = ()

    @property
    def layer(self) -> MacLayer:
        """That of a multiply-accumulate unit."""
        assert self.mac is not None
        return self.mac

    @property
    def kind(self) -> str:
        return super().kind.lower() if self.node else "elementwise"


Circuit = Staged[Unit]


def streams_of(circuit: Circuit, value: str) -> list[tuple[int, int]]:
    """(unit, input) of all that take a value's words; a unit behind the last one stands for the network's outputs."""
    leaving = [(len(circuit.stages), k) for k, name in enumerate(circuit.outputs) if name == value]
    return [*circuit.readers(value), *leaving]


def build_circuit(network: Network) -> Circuit:
    """Cut the network into units."""
    reach = intervals(network)

    def unit(stage: Stage) -> Unit:
        mac = mac_layer(stage, reach[stage.inputs[0]]) if stage.window.multiplies else None
        channels = tuple(network.types[node.inputs[0]].channels for node in stage.chain)
        return Unit(**vars(stage), mac=mac, channels=channels)

    found = staged(network, RULES)
    return Circuit(network, tuple(map(unit, found.stages)), found.stored, found.types, found.outputs, found.argmaxes)


def posts(unit: Unit, acc: IntType | None = None, constant: np.ndarray | None = None, dsp: bool = True) -> list[Post]:
    """The unit's elementwise operations, on the words that really enter them; `dsp`: whether in DSP blocks.

    For a multiply-accumulate unit, `acc` is the type of its accumulators and the result is
    scale * acc + constant [O]: thresholds, biases and tables take that in, else a bias stage is put first.
    """
    found: list[Post] = []
    current = unit.main.dtype
    rest = list(zip(unit.chain, unit.channels, strict=True))
    if unit.mac is not None:
        assert acc is not None
        assert constant is not None
        found, current = _absorb(unit, rest, acc, constant, current)
    for node, channels in rest:
        op = node.op
        assert isinstance(op, Elementwise)
        if current.bipolar and not isinstance(op, Lookup):
            op = _as_lookup(op, current)
        found.append(Post(node.name, op, channels, current, op.dtype))
        current = op.dtype
    return [replace(post, dsp=dsp) for post in found]


def _absorb(
    unit: Unit, rest: list[tuple[Node, int]], acc: IntType, constant: np.ndarray, result: IntType
) -> tuple[list[Post], IntType]:
    """The first post of a multiply-accumulate unit, with scale and constant folded in."""
    scale, channels = unit.layer.code_scale, unit.layer.outputs
    if rest and (op := _folded(rest[0][0].op, acc, scale, constant)) is not None:
        return [Post(rest.pop(0)[0].name, op, channels, acc, op.dtype)], op.dtype
    if scale == 1 and not constant.any() and not result.signed:
        return [], acc
    # Sums modulo 2**result.bits are right, so no more bits of the accumulator need to enter.
    entering = IntType(min(acc.bits + scale - 1, result.bits))
    return [Post(f"{unit.name}.bias", None, channels, entering, result, constant, scale - 1)], result


def _folded(op: Op, acc: IntType, scale: int, constant: np.ndarray) -> Elementwise | None:
    """`op` on the accumulator itself, or None where it cannot take the constants in."""
    assert isinstance(op, Elementwise)
    if channels_of(op) not in (1, len(constant)):
        return None  # it stands behind a Flatten, with more channels than the layer
    if not isinstance(op, Lookup):
        return folded(op, scale, constant)
    return Lookup(acc, table(op, scale, constant, acc.values()[None, :]), op.dtype) if acc.bits <= 12 else None


def _as_lookup(op: Threshold | Requantize, domain: IntType) -> Lookup:
    """A Threshold or Requantize of a bipolar value as the table it is."""
    x = np.broadcast_to(domain.values()[:, None], (domain.levels, channels_of(op)))
    return Lookup(domain, op.evaluate(x).T, op.dtype)
