# SPDX-License-Identifier: Apache-2.0
"""Decisions for a whole network: what every unit is, how wide its streams are, how deep its FIFOs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitwright.hardware.modules.converters import Converter, converter
from bitwright.network import IntType, Network
from bitwright.targets.contract import Estimate
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.units import Circuit, Post, Unit


@dataclass(frozen=True, eq=False)
class UnitPlan:
    """A unit with its folding.

    in_lanes: lanes of its input streams as they arrive; lanes: of the main operation's words;
    out_lanes: of the main operation's result and of the output stream.
    fifo_words: depth of the FIFO of each input, 0 where there is none; behind_words: of one behind its conversion.
    apart: the inputs whose words are produced at most every second cycle.
    """

    unit: Unit
    in_lanes: tuple[int, ...]
    lanes: int
    out_lanes: int
    posts: tuple[Post, ...]
    mac: MacPlan | None = None
    fifo_words: tuple[int, ...] = (0,)
    behind_words: tuple[int, ...] = (0,)
    apart: frozenset[int] = frozenset()

    @property
    def port_lanes(self) -> tuple[int, ...]:
        """Lanes of the words of each input as the main operation takes them: one where a channel is for all."""
        channels = self.unit.main.channels
        narrow = [self.unit.kind == "mul" and t.channels == 1 < channels for t in self.unit.input_types]
        return tuple(1 if one else self.lanes for one in narrow)

    def converter(self, port: int) -> Converter | None:
        """The module that makes an input's words the main operation's, where they differ."""
        lanes, wanted = self.in_lanes[port], self.port_lanes[port]
        if lanes == wanted:
            return None
        return converter(self.unit.input_types[port], lanes, wanted, port in self.apart)

    @property
    def main_type(self) -> IntType:
        """Type of the words that leave the main operation; unsigned accumulators of a multiply-accumulate unit."""
        return self.unit.main.dtype if self.mac is None else self.mac.acc_type


@dataclass(frozen=True)
class Ends:
    """The streams of a circuit: lanes of the words of every input and output, and how many words a frame has."""

    in_lanes: tuple[int, ...]
    in_words: tuple[int, ...]
    out_lanes: tuple[int, ...]
    out_words: tuple[int, ...]

    @staticmethod
    def of(circuit: Circuit, plans: Sequence[UnitPlan]) -> Ends:
        """An input has the lanes of its first reader."""
        first = {spec: circuit.readers(spec.name)[0] for spec in circuit.network.inputs}
        ins = {spec: plans[unit].in_lanes[port] for spec, (unit, port) in first.items()}
        made = {plan.unit.value: plan for plan in plans}
        outs = [made[value] for value in circuit.outputs]
        return Ends(
            tuple(ins.values()),
            tuple(spec.type.size // lanes for spec, lanes in ins.items()),
            tuple(plan.out_lanes for plan in outs),
            tuple(plan.unit.type.size // plan.out_lanes for plan in outs),
        )


@dataclass(frozen=True, eq=False)
class TlmacPlan:
    """All decisions; `emit` only writes them down. options: the user's; goal: cycles a frame that it was made for."""

    network: Network
    circuit: Circuit
    units: tuple[UnitPlan, ...]
    estimate: Estimate
    options: dict[str, object]
    goal: int
