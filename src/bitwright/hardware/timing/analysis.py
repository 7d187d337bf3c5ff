# SPDX-License-Identifier: Apache-2.0
"""Static timing of a mapped netlist before placement: the clock that it can reach, and its slowest paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bitwright.hardware.family import Family
from bitwright.hardware.timing.graph import NO_ARC, PORT, UNREACHED, Graph, arrivals, build
from bitwright.hardware.timing.netlist import Cell, Netlist
from bitwright.hardware.timing.paths import INPUT, OUTPUT, Point, Step, TimingPath, make_path, point

WORST = 10
STARTS = ("register", INPUT)
MIDDLE = 1  # among the low, middle and high model of wires
Arrivals = Mapping[tuple[str, str], float]  # ns by cell and pin
_INDEX = re.compile(r"\d+")


@dataclass(frozen=True)
class Range:
    """An estimate with what it may be at least and at most."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True)
class Timing:
    """Of one netlist, estimated. fmax_mhz: of all paths; inside_mhz: of those between registers alone, None where there
    are none. slowest: ns from and to registers and ports. paths: the worst, one of each pair of names.

    loops: wires of combinational loops, whose paths are left out. unknown: cells without delays, by kind.
    """

    fmax_mhz: Range | None
    inside_mhz: Range | None
    slowest: Mapping[str, float]
    paths: tuple[TimingPath, ...]
    loops: tuple[str, ...]
    unknown: Mapping[str, int]


def analyze(
    netlist: Netlist,
    family: Family,
    grade: str,
    layers: Mapping[str, str] | None = None,
    worst: int = WORST,
    routed: Arrivals | None = None,
) -> Timing:
    """Timing of a netlist of the family's cells at a speed grade.

    A path begins at a register, a memory or an input and ends at a register, a memory or an output; beyond a port lies
    a register. layers: names of the design's units by their modules; "" names the whole. worst: how many paths.
    routed: ns to the pins of cells after routing, where they are known; then the worst paths are those to the ends that
    are reached last there, traced by the estimate.
    """
    graph = build(netlist, family)
    factor = family.delays.grades[grade]
    sweeps = [[_Sweep(graph, graph.wires(nets), start) for start in STARTS] for nets in family.delays.nets]
    slowest = [
        {f"{sweep.source} to {end}": ns * factor for sweep in pair for end, ns in sweep.slowest.items()}
        for pair in sweeps
    ]
    return Timing(
        fmax_mhz=_mhz([max(found.values(), default=0.0) for found in slowest]),
        inside_mhz=_mhz([found.get("register to register", 0.0) for found in slowest]),
        slowest=slowest[MIDDLE],
        paths=_worst(sweeps[MIDDLE], _Setting(family, factor, layers or {}), worst, routed),
        loops=tuple(sorted({netlist.name(net) for net in graph.cut})),
        unknown=graph.unknown,
    )


def _mhz(periods: list[float]) -> Range | None:
    return Range(*(1e3 / ns for ns in periods)) if all(periods) else None


class _Sweep:
    """Arrivals from the registers or from the inputs, and how late they are at each end."""

    def __init__(self, graph: Graph, wires: np.ndarray, source: str) -> None:
        self.graph, self.wires, self.source = graph, wires, source
        starts = (graph.start_cell == PORT) == (source == INPUT)
        self.arrival, self.by, self.start = arrivals(graph, wires, starts)
        nets = np.array([pin.net for pin in graph.pins], np.int64)[graph.end_pin]
        at = self.arrival[nets]
        self.late = np.where(at == UNREACHED, 0.0, at + wires[graph.end_pin] + graph.end_ns)

    @property
    def slowest(self) -> dict[str, float]:
        """Ns to the slowest register and output, where there are any."""
        out = np.array([self.graph.pins[p].cell == PORT for p in self.graph.end_pin], bool)
        found = {"register": self.late[~out], OUTPUT: self.late[out]}
        return {name: float(ns.max()) for name, ns in found.items() if ns.size and ns.max() > 0}


@dataclass(frozen=True)
class _Setting:
    """Where delays belong: family, factor of the speed grade, names of layers by module."""

    family: Family
    factor: float
    layers: Mapping[str, str]


def _worst(sweeps: list[_Sweep], setting: _Setting, worst: int, routed: Arrivals | None) -> tuple[TimingPath, ...]:
    """The slowest paths, one to each pin of each register, memory or port, whatever its bit."""
    late = np.concatenate([sweep.late for sweep in sweeps])
    order = (
        late if routed is None else np.where(late > 0, np.concatenate([_routed(s, setting, routed) for s in sweeps]), 0)
    )
    seen: set[tuple[str, str]] = set()
    found: list[TimingPath] = []
    for i in np.argsort(-order, kind="stable"):
        sweep, end = sweeps[i // len(sweeps[0].late)], int(i % len(sweeps[0].late))
        if order[i] <= 0 or len(found) == worst:
            break
        key = _end_key(sweep.graph, int(sweep.graph.end_pin[end]))
        if key not in seen:
            seen.add(key)
            path = _trace(sweep, end, setting)
            found.append(path if routed is None else replace(path, routed_ns=float(order[i])))
    return tuple(found)


def _routed(sweep: _Sweep, setting: _Setting, routed: Arrivals) -> np.ndarray:
    """Ns to each end after routing, with its setup time; 0 where it is not known [E]."""
    graph, late = sweep.graph, np.zeros(len(sweep.late))
    for end, pin in enumerate(graph.end_pin):
        found = graph.pins[pin]
        if found.cell != PORT:
            ns = routed.get((graph.netlist.cells[found.cell].name, found.port), 0.0)
            late[end] = ns + setting.factor * graph.end_ns[end] if ns else 0.0
    return late


def _end_key(graph: Graph, pin: int) -> tuple[str, str]:
    found = graph.pins[pin]
    name = register_name(graph.netlist, graph.netlist.cells[found.cell]) if found.cell != PORT else OUTPUT
    return _INDEX.sub("", name), _INDEX.sub("", found.port)


def _trace(sweep: _Sweep, end: int, setting: _Setting) -> TimingPath:
    graph, factor, layers = sweep.graph, setting.factor, setting.layers
    netlist, pin = graph.netlist, int(graph.end_pin[end])
    net, steps = graph.pins[pin].net, []
    while (arc := int(sweep.by[net])) != NO_ARC:
        at = int(graph.arc_pin[arc])
        steps.append(_step(sweep, at, float(graph.arc_ns[arc]), factor))
        net = graph.pins[at].net
    start = int(sweep.start[net])
    first, last = int(graph.start_cell[start]), graph.pins[pin].cell
    begin = _point(netlist, netlist.cells[first], "", net, layers) if first != PORT else _port(netlist, net, layers)
    port = graph.pins[pin].port
    finish = _point(netlist, netlist.cells[last], port, None, layers) if last != PORT else _out(netlist, port, layers)
    final = _step(sweep, pin, float(graph.end_ns[end]), factor)
    return make_path(begin, float(graph.start_ns[start]) * factor, steps[::-1], finish, final, setting.family)


def _step(sweep: _Sweep, pin: int, ns: float, factor: float) -> Step:
    graph, found = sweep.graph, sweep.graph.pins[pin]
    kind = graph.netlist.cells[found.cell].kind if found.cell != PORT else OUTPUT
    fanout = int(graph.fanout[pin])
    return Step(kind, graph.netlist.name(found.net), fanout, float(sweep.wires[pin]) * factor, ns * factor)


def _point(netlist: Netlist, cell: Cell, pin: str, net: int | None, layers: Mapping[str, str]) -> Point:
    return point(netlist, register_name(netlist, cell, net), cell.kind, pin, layers)


def _port(netlist: Netlist, net: int, layers: Mapping[str, str]) -> Point:
    port = next(name for name, (way, nets) in netlist.ports.items() if way != "output" and net in nets)
    return Point(port, INPUT, "", "", "", layers.get("", ""))


def _out(netlist: Netlist, port: str, layers: Mapping[str, str]) -> Point:
    return Point(port, OUTPUT, "", "", "", layers.get("", ""))


def register_name(netlist: Netlist, cell: Cell, net: int | None = None) -> str:
    """The name that the source gives what a cell holds: that of its output, else its own."""
    outputs = [n for way, nets in cell.ports.values() if way == "output" for n in nets] if net is None else [net]
    named = max((netlist.names[n] for n in outputs if n in netlist.names), default=(0, ""))
    return named[1] or cell.name
