# SPDX-License-Identifier: Apache-2.0
"""The slowest path of a routed design as its router tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from bitwright.hardware.family import Family
from bitwright.hardware.timing.analysis import register_name
from bitwright.hardware.timing.netlist import NO_NET, Cell, Netlist, pins
from bitwright.hardware.timing.paths import Point, Step, TimingPath, make_path, point


class Segment(Protocol):
    """A piece of a routed path: kind (clk-to-q, routing, logic, setup), ns, cell and pin where it ends."""

    @property
    def kind(self) -> str: ...
    @property
    def ns(self) -> float: ...
    @property
    def cell(self) -> str: ...
    @property
    def pin(self) -> str: ...


def routed_path(
    netlist: Netlist, segments: Sequence[Segment], family: Family, layers: Mapping[str, str]
) -> TimingPath | None:
    """The path of these segments, from a register to a register; None where there are none."""
    if not segments:
        return None
    cells = {cell.name: cell for cell in netlist.cells}
    fanout: dict[int, int] = {}
    for cell in netlist.cells:
        for _, _, net in pins(cell.ports, output=False):
            fanout[net] = fanout.get(net, 0) + 1

    def end(segment: Segment) -> Point:
        cell = _cell(cells, segment.cell)
        name = register_name(netlist, cell) if cell else segment.cell
        return point(netlist, name, cell.kind if cell else "", segment.pin, layers)

    def step(wire: Segment, ns: float) -> Step:
        cell = _cell(cells, wire.cell)
        net = next(iter(cell.ports.get(wire.pin, ("", (NO_NET,)))[1]), NO_NET) if cell else NO_NET
        return Step(cell.kind if cell else "", netlist.name(net), fanout.get(net, 1), wire.ns, ns)

    wires = [i for i, s in enumerate(segments) if s.kind == "routing"]
    after = [sum(s.ns for s in segments[i + 1 : j]) for i, j in zip(wires, [*wires[1:], len(segments)], strict=True)]
    steps = [step(segments[i], ns) for i, ns in zip(wires, after, strict=True)]
    launch = sum(s.ns for s in segments[: wires[0]])
    path = make_path(end(segments[0]), launch, steps[:-1], end(segments[-1]), steps[-1], family)
    return replace(path, routed_ns=path.ns, exact=True)


def _cell(cells: Mapping[str, Cell], name: str) -> Cell | None:
    """The netlist's cell of a name; the router appends parts to it."""
    return cells.get(name) or cells.get(name.partition("$")[0])
