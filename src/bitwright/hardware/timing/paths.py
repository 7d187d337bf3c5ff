# SPDX-License-Identifier: Apache-2.0
"""A timing path for people: where it starts and ends, what it takes, and what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitwright.hardware.family import Family
from bitwright.hardware.timing.netlist import Netlist, holders

HIGH_FANOUT = 64
LONG_CARRY = 4  # cells of a carry chain
MANY_LEVELS = 6
SLOW_LAUNCH = 4  # times a flip-flop's: what no register drives
MANY_WIRES = 0.7  # share of wires from which placement is what counts
CONTROL = re.compile(r"CE|R|S|LSR|CLR|PRE|EN\w*|WE\w*|CE[AB]")
INPUT, OUTPUT = "input", "output"  # kinds of cells beyond the netlist


@dataclass(frozen=True)
class Step:
    """The wire to a cell's input, and the way through it. net: the wire's name, fanout: its inputs."""

    cell: str
    net: str
    fanout: int
    net_ns: float
    cell_ns: float


@dataclass(frozen=True)
class Point:
    """One end of a path: register or port by name, kind of cell, pin, instance and its module, unit of the design."""

    name: str
    cell: str
    pin: str
    instance: str
    module: str
    layer: str


@dataclass(frozen=True)
class TimingPath:
    """A path from one clock edge to the next. levels: cells between its ends.

    logic_ns counts cells, launch and setup time, net_ns wires. hint: what to change. fanout: the highest on the way.
    routed_ns: what the slowest way to this end takes after routing, where it is routed; the rest is estimated, but for
    the slowest path of all (`exact`), which is the router's own.
    """

    ns: float
    logic_ns: float
    net_ns: float
    levels: int
    fanout: int
    start: Point
    end: Point
    cells: Mapping[str, int]
    hint: str
    routed_ns: float | None = None
    exact: bool = False

    @property
    def mhz(self) -> float:
        return 1e3 / self.ns

    @property
    def net_share(self) -> float:
        """Of wires in its time."""
        return self.net_ns / self.ns


def point(netlist: Netlist, name: str, cell: str, pin: str, layers: Mapping[str, str]) -> Point:
    """A register, memory or port by its name; layers: name of a unit by its module, "" names that of the top."""
    paths = holders(netlist, name)
    inside = (layers[module] for path in paths if (module := netlist.scopes[path]) in layers)
    instance = paths[0] if paths else ""
    module = netlist.scopes.get(instance, "")
    return Point(name, cell, pin, instance, module, next(inside, layers.get("", "")))


def make_path(
    start: Point, launch_ns: float, steps: Sequence[Step], end: Point, last: Step, family: Family
) -> TimingPath:
    """A path of its parts; last: the wire to the end, with the setup time."""
    wires = [*steps, last]
    counted: dict[str, int] = {}
    for step in steps:
        counted[step.cell] = counted.get(step.cell, 0) + 1
    logic = launch_ns + sum(step.cell_ns for step in wires)
    net = sum(step.net_ns for step in wires)
    fanout = max(step.fanout for step in wires)
    return TimingPath(
        ns=logic + net,
        logic_ns=logic,
        net_ns=net,
        levels=len(steps),
        fanout=fanout,
        start=start,
        end=end,
        cells=counted,
        hint=_hint(start, launch_ns, wires, end, family),
    )


def _hint(start: Point, launch_ns: float, wires: Sequence[Step], end: Point, family: Family) -> str:
    """What most likely helps, the largest part first."""
    steps, total = wires[:-1], launch_ns + sum(step.cell_ns + step.net_ns for step in wires)
    kinds, slow = family.cells, launch_ns > SLOW_LAUNCH * family.delays.register[0]
    memory = re.compile(f"{kinds.bram18}|{kinds.bram36 or kinds.bram18}")
    found = []
    if memory.fullmatch(start.cell) and slow:
        found.append("the block RAM has no output register: use it, one cycle more")
    if any(re.fullmatch(kinds.dsp, cell) for cell in (start.cell, end.cell, *(step.cell for step in steps))):
        inner = [step for step in steps if re.fullmatch(kinds.dsp, step.cell)]
        if inner or slow or wires[-1].cell_ns > 0.2 * total:
            found.append("the multiplier works between registers that are not its own: use its input and output ones")
    carry = [step for step in steps if re.fullmatch(kinds.carry, step.cell)]
    if len(carry) >= LONG_CARRY:
        found.append(f"a carry chain of {len(carry)} cells: split the sum or the compare")
    widest = max(wires, key=lambda step: step.fanout)
    if widest.fanout >= HIGH_FANOUT:
        name = f" of {widest.net}" if widest.net else ""
        found.append(f"fan-out of {widest.fanout}{name}: copy the register, or register what it selects")
    if start.layer != end.layer and start.layer and end.layer:
        found.append(f"it leaves {start.layer} for {end.layer}: register the handshake between them")
    if CONTROL.fullmatch(end.pin) and len(steps) >= 3:
        found.append("it decides an enable or a reset in the same cycle: register the decision")
    if len(steps) - len(carry) >= MANY_LEVELS:
        found.append(f"{len(steps) - len(carry)} levels of logic: add a register stage")
    if start.cell == INPUT or end.cell == OUTPUT:
        found.append("it goes through a port without a register")
    if not found and sum(step.net_ns for step in wires) > MANY_WIRES * total:
        found.append("wires take most of it: fewer and nearer loads")
    return "; ".join(found[:2]) or "add a register stage"
