# SPDX-License-Identifier: Apache-2.0
"""A netlist as arrays, and the longest paths through it.

Nodes are nets. An arc leads from an input's net through a cell to an output's net; it takes the wire to that input and
the cell. A wire's delay depends on its fan-out alone, unless it is a direct one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from bitwright.hardware.family import Family, NetDelay
from bitwright.hardware.timing.delays import table
from bitwright.hardware.timing.netlist import NO_NET, Cell, Netlist, pins, widths
from bitwright.jit import njit

UNREACHED = -1.0
PORT = -1  # in place of a cell: beyond the netlist
NO_ARC = -1


@dataclass(frozen=True)
class Pin:
    """An input of a cell, or with `cell` PORT an output of the netlist."""

    cell: int
    port: str
    net: int


@dataclass(frozen=True, eq=False)
class Graph:
    """arcs [A]: source and target net, delay of the cell in ns, pin. ends [E]: pin and setup time. starts [S]: net,
    delay after the clock, cell. pins [P]: fan-out, whether at a block, ns of a direct wire or NaN. cut: nets of loops.
    """

    netlist: Netlist
    pins: tuple[Pin, ...]
    fanout: np.ndarray
    block: np.ndarray
    direct: np.ndarray
    arc_source: np.ndarray
    arc_target: np.ndarray
    arc_ns: np.ndarray
    arc_pin: np.ndarray
    end_pin: np.ndarray
    end_ns: np.ndarray
    start_net: np.ndarray
    start_ns: np.ndarray
    start_cell: np.ndarray
    cut: tuple[int, ...]
    unknown: Mapping[str, int]

    def wires(self, model: NetDelay) -> np.ndarray:
        """Delay of the wire to each pin, in ns [P]."""
        modelled = model.base + model.slope * np.log2(1 + self.fanout) + model.block * self.block
        return np.where(np.isnan(self.direct), modelled, self.direct)


class _Builder:
    """Collects the arrays of a graph."""

    def __init__(self, netlist: Netlist, family: Family) -> None:
        self.netlist, self.delays = netlist, table(family.delays.cells, family.delays.direct)
        blocks = (family.cells.bram18, family.cells.bram36, family.cells.dsp)
        self.blocks = re.compile("|".join(b for b in blocks if b))
        self.fanout: Counter[int] = Counter()
        self.driver: dict[int, tuple[str, bool]] = {}
        self.pins: list[Pin] = []
        self.features: list[tuple[float, bool, float]] = []
        self.arcs: list[tuple[int, int, float, int]] = []
        self.ends: list[tuple[int, float]] = []
        self.starts: list[tuple[int, float, int]] = []
        self.unknown: Counter[str] = Counter()

    def build(self, register: tuple[float, float]) -> None:
        block = [bool(self.blocks.fullmatch(cell.kind)) for cell in self.netlist.cells]
        for cell, hard in zip(self.netlist.cells, block, strict=True):
            self.fanout.update(net for _, _, net in pins(cell.ports, output=False))
            self.driver |= {net: (f"{cell.kind}.{port}", hard) for port, _, net in pins(cell.ports, output=True)}
        for way, nets in self.netlist.ports.values():
            if way == "output":
                self.fanout.update(net for net in nets if net != NO_NET)
        for i, hard in enumerate(block):
            self._cell(i, hard, register)
        for port, (way, nets) in self.netlist.ports.items():
            for net in nets:
                if net != NO_NET and way == "output":
                    self.ends.append((self._pin(PORT, port, net, "", False), register[1]))
                elif net != NO_NET:
                    self.starts.append((net, register[0], PORT))

    def _cell(self, i: int, hard: bool, register: tuple[float, float]) -> None:
        cell = self.netlist.cells[i]
        known = self.delays.cell(cell.kind, cell.parameters, widths(cell))
        own: dict[tuple[str, int], int] = {}
        outputs = {(port, bit): net for port, bit, net in pins(cell.ports, output=True)}
        inputs = {(port, bit): net for port, bit, net in pins(cell.ports, output=False)}
        launch, setup = known.launch, known.setup
        if not known.known:
            self.unknown[cell.kind] += 1
            launch, setup = dict.fromkeys(outputs, register[0]), dict.fromkeys(inputs, register[1])
        through = [
            (a, b, ns) for a, b, ns in known.through if a in inputs and b in outputs and _follows(cell, b[0], a[0])
        ]
        used = {a for a, _, _ in through} | (setup.keys() & inputs.keys())
        for key in sorted(used):
            own[key] = self._pin(i, key[0], inputs[key], cell.kind, hard)
        self.arcs += [(inputs[a], outputs[b], ns, own[a]) for a, b, ns in through]
        self.ends += [(own[key], setup[key]) for key in sorted(setup.keys() & inputs.keys())]
        self.starts += [(outputs[key], launch[key], i) for key in sorted(launch.keys() & outputs.keys())]

    def _pin(self, cell: int, port: str, net: int, kind: str, hard: bool) -> int:
        driver, from_block = self.driver.get(net, ("", False))
        wire = self.delays.wire(driver, f"{kind}.{port}")
        fanout = self.fanout[net]
        direct = wire[1] if wire and (fanout == 1 or not wire[0]) else np.nan
        self.pins.append(Pin(cell, port, net))
        self.features.append((fanout, hard or from_block, direct))
        return len(self.pins) - 1


def _follows(cell: Cell, output: str, port: str) -> bool:
    """Whether an output follows an input: O5 of a pair of look-up tables may not, by its contents; all else does.

    In a ternary adder that output goes to the next pair, so that an arc that is none would make a ripple of its chain.
    """
    if cell.kind != "LUT6_2" or output != "O5" or "INIT" not in cell.parameters:
        return True
    return _depends(int(cell.parameters["INIT"]), int(port[1:]))


@cache
def _depends(init: int, bit: int) -> bool:
    """Whether a table of 32 entries, the lowest bits, depends on a bit of its address."""
    return any((init >> v ^ init >> (v ^ 1 << bit)) & 1 for v in range(32))


def build(netlist: Netlist, family: Family) -> Graph:
    """The graph of a netlist; arcs that close loops are left out, their nets told."""
    made = _Builder(netlist, family)
    made.build(family.delays.register)
    features = np.array(made.features, float).reshape(-1, 3)
    arcs = np.array(made.arcs, float).reshape(-1, 4)
    source, target = arcs[:, 0].astype(np.int64), arcs[:, 1].astype(np.int64)
    keep, cut = _without_loops(source, target, max(netlist.nets, 1))
    order = np.flatnonzero(keep)[np.argsort(source[keep], kind="stable")]
    ends = np.array(made.ends, float).reshape(-1, 2)
    starts = np.array(made.starts, float).reshape(-1, 3)
    return Graph(
        netlist=netlist,
        pins=tuple(made.pins),
        fanout=features[:, 0],
        block=features[:, 1],
        direct=features[:, 2],
        arc_source=source[order],
        arc_target=target[order],
        arc_ns=arcs[order, 2],
        arc_pin=arcs[order, 3].astype(np.int64),
        end_pin=ends[:, 0].astype(np.int64),
        end_ns=ends[:, 1],
        start_net=starts[:, 0].astype(np.int64),
        start_ns=starts[:, 1],
        start_cell=starts[:, 2].astype(np.int64),
        cut=cut,
        unknown=dict(made.unknown),
    )


def _without_loops(source: np.ndarray, target: np.ndarray, nets: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """Which arcs lie on no loop, and the nets of those that do."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(source)), (source, target)), shape=(nets, nets))
    _, group = connected_components(links, directed=True, connection="strong")
    looped = group[source] == group[target]
    return ~looped, tuple(int(net) for net in np.unique(source[looped]))


@njit
def _sweep(
    first: np.ndarray, target: np.ndarray, delay: np.ndarray, waiting: np.ndarray, arrival: np.ndarray, by: np.ndarray
) -> None:
    """Latest arrivals in topological order; arcs of net n are first[n] to first[n + 1]; by: the arc that decides."""
    nets = arrival.size
    queue = np.empty(nets, np.int64)
    head, tail = 0, 0
    for net in range(nets):
        if waiting[net] == 0:
            queue[tail] = net
            tail += 1
    while head < tail:
        net = queue[head]
        head += 1
        for arc in range(first[net], first[net + 1]):
            to = target[arc]
            if arrival[net] >= 0 and arrival[net] + delay[arc] > arrival[to]:
                arrival[to] = arrival[net] + delay[arc]
                by[to] = arc
            waiting[to] -= 1
            if waiting[to] == 0:
                queue[tail] = to
                tail += 1


def arrivals(graph: Graph, wires: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latest arrival at each net in ns, UNREACHED where none comes; the arc that decides, or NO_ARC; the start.

    starts: which of the graph's starts launch. All arrays [nets].
    """
    nets = graph.netlist.nets
    arrival, by = np.full(nets, UNREACHED), np.full(nets, NO_ARC, np.int64)
    start = np.full(nets, NO_ARC, np.int64)
    for i in np.flatnonzero(starts):
        net = graph.start_net[i]
        if graph.start_ns[i] > arrival[net]:
            arrival[net], start[net] = graph.start_ns[i], i
    first = np.searchsorted(graph.arc_source, np.arange(nets + 1))
    waiting = np.bincount(graph.arc_target, minlength=nets).astype(np.int64)
    _sweep(first, graph.arc_target, graph.arc_ns + wires[graph.arc_pin], waiting, arrival, by)
    return arrival, by, start
