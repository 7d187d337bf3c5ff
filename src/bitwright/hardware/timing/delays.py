# SPDX-License-Identifier: Apache-2.0
"""The delays of a family's cells, read from its table.

A row is a pattern of cell types, conditions on parameters, and arcs:

    RAMB36E1 DOA_REG=0  >DOADO=2.454  ADDRARDADDR>=.566
    CARRY4              S[0]>O=.223/.400/.523/.582

`from>to=ns` delays a signal, `>to=ns` launches one at the clock, `from>=ns` is a setup time. Names are regular
expressions for ports or, as PORT[bit], for single bits; several delays belong to the bits 0, 1, ... of the port `to`,
and "-" stands for no arc. `{ABC}` in both names makes one arc for each letter. A condition NAME=VALUE holds if a
parameter of such a name has such a value; one that the netlist does not set is empty. All rows that match apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

Pin = tuple[str, int]  # port and bit
NO_BIT = -1


@dataclass(frozen=True)
class CellDelays:
    """Arcs of one kind of cell with given parameters and ports, in ns.

    through: (input, output, delay). launch: delay from the clock by output. setup: time before the clock by input.
    """

    through: tuple[tuple[Pin, Pin, float], ...]
    launch: Mapping[Pin, float]
    setup: Mapping[Pin, float]

    @property
    def known(self) -> bool:
        """Whether the table has anything for it."""
        return bool(self.through or self.launch or self.setup)


@dataclass(frozen=True)
class _Arc:
    source: str  # "" for the clock
    sink: str  # "" for a setup time
    bit: int  # of the sink, NO_BIT for all
    ns: float


@dataclass(frozen=True)
class _Row:
    cells: re.Pattern[str]
    conditions: tuple[tuple[str, str], ...]
    arcs: tuple[_Arc, ...]

    def applies(self, parameters: Mapping[str, str]) -> bool:
        return all(
            any(re.fullmatch(value, found) for found in _values(name, parameters)) for name, value in self.conditions
        )


@dataclass(frozen=True)
class _Wire:
    alone: bool
    source: str
    sink: str
    ns: float


class Table:
    """A family's delays, ready for questions; answers are remembered."""

    def __init__(self, cells: str, direct: str) -> None:
        self._rows = tuple(_row(line.split()) for line in cells.splitlines() if line.strip())
        self._direct = tuple(_wire(line.split()) for line in direct.splitlines() if line.strip())
        self._by_kind: dict[str, tuple[tuple[_Row, ...], tuple[str, ...]]] = {}
        self._cells: dict[object, CellDelays] = {}
        self._wires: dict[tuple[str, str], tuple[bool, float] | None] = {}

    def cell(self, kind: str, parameters: Mapping[str, str], ports: Mapping[str, tuple[str, int]]) -> CellDelays:
        """Delays of a cell; ports: direction and width by name."""
        if kind not in self._by_kind:
            rows = tuple(row for row in self._rows if row.cells.fullmatch(kind))
            self._by_kind[kind] = rows, tuple(name for row in rows for name, _ in row.conditions)
        rows, patterns = self._by_kind[kind]
        relevant = {n: v for n, v in parameters.items() if patterns and any(re.fullmatch(p, n) for p in patterns)}
        key = kind, tuple(relevant.items()), tuple(ports.items())
        if key not in self._cells:
            self._cells[key] = _resolve([row for row in rows if row.applies(relevant)], ports)
        return self._cells[key]

    def wire(self, driver: str, sink: str) -> tuple[bool, float] | None:
        """Whether a direct wire from CELL.PORT to CELL.PORT needs a driver of it alone, and its ns; None for others."""
        key = driver, sink
        if key not in self._wires:
            fits = (w for w in self._direct if re.fullmatch(w.source, driver) and re.fullmatch(w.sink, sink))
            self._wires[key] = next(((w.alone, w.ns) for w in fits), None)
        return self._wires[key]


@cache
def table(cells: str, direct: str) -> Table:
    """The table of a family's texts, see `family.Delays`; `ValueError` for an arc that has no delay."""
    return Table(cells, direct)


def _row(words: list[str]) -> _Row:
    conditions = tuple((name, value) for w in words[1:] if ">" not in w for name, _, value in [w.partition("=")])
    arcs = tuple(arc for word in words[1:] if ">" in word for arc in _arcs(word))
    return _Row(re.compile(words[0]), conditions, arcs)


def _arcs(word: str) -> Iterator[_Arc]:
    names, equals, delays = word.rpartition("=")
    if not equals:
        raise ValueError(f"the arc {word!r} has no delay")
    letters = re.search(r"\{(\w+)\}", names)
    for letter in letters[1] if letters else " ":
        source, _, sink = re.sub(r"\{\w+\}", letter, names).partition(">")
        values = delays.split("/")
        for bit, ns in enumerate(values):
            if ns != "-":
                yield _Arc(source, sink, bit if len(values) > 1 else NO_BIT, float(ns))


def _wire(words: list[str]) -> _Wire:
    names, _, ns = words[-1].rpartition("=")
    ends = []
    for end in names.split(">"):
        cell, _, port = end.partition(".")
        ends.append(rf"({cell})\.({port})")
    return _Wire(words[0] == "alone", ends[0], ends[1], float(ns))


def _values(pattern: str, parameters: Mapping[str, str]) -> list[str]:
    return [value for name, value in parameters.items() if re.fullmatch(pattern, name)] or [""]


def _resolve(rows: list[_Row], ports: Mapping[str, tuple[str, int]]) -> CellDelays:
    through: dict[tuple[Pin, Pin], float] = {}
    launch: dict[Pin, float] = {}
    setup: dict[Pin, float] = {}
    for arc in (arc for row in rows for arc in row.arcs):
        sources = _pins(arc.source, ports, lambda way: way != "output") if arc.source else []
        sinks = _pins(arc.sink, ports, lambda way: way == "output", arc.bit) if arc.sink else []
        if not arc.source:
            launch |= {pin: max(arc.ns, launch.get(pin, 0.0)) for pin in sinks}
        elif not arc.sink:
            setup |= {pin: max(arc.ns, setup.get(pin, 0.0)) for pin in sources}
        else:
            through |= {(a, b): max(arc.ns, through.get((a, b), 0.0)) for a in sources for b in sinks}
    return CellDelays(tuple((a, b, ns) for (a, b), ns in through.items()), launch, setup)


def _pins(name: str, ports: Mapping[str, tuple[str, int]], way: Callable[[str], bool], bit: int = NO_BIT) -> list[Pin]:
    found = []
    for port, (direction, width) in ports.items():
        if way(direction):
            whole = re.fullmatch(name, port)
            bits = [i for i in range(width) if whole or name == f"{port}[{i}]"]
            found += [(port, i) for i in bits if bit in (NO_BIT, i)]
    return found
