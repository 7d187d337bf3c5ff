# SPDX-License-Identifier: Apache-2.0
"""Flip-flops beside block RAM and multipliers become the registers inside them, as vendors' tools do it.

Yosys leaves those of block RAM, and of the multipliers of some families, outside. A register goes into a block where
every bit in use has one flip-flop of its own, all of them with the block's clock, the same enable, and no reset but one
that the block has for it. A netlist computes the same in every cycle before and after.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwright.hardware.family import Embedded, Registers, Stage
from bitwright.hardware.timing.netlist import value

ZERO, ONE = "0", "1"
IDLE = (ZERO, "x")
Net = int | str  # of Yosys's JSON: a number or a constant
Pin = tuple[str, int]  # port and bit


@dataclass(frozen=True)
class Control:
    """What steers a flip-flop; inverted: it takes its input where `enable` is 0."""

    clock: Net
    enable: Net
    inverted: bool
    reset: Net


@dataclass
class Plan:
    """Flip-flops that fit into a block: rows[n] of stage n by the block's pin, ports[n] for the enable of stage n."""

    block: str
    kind: Embedded
    rows: list[dict[Pin, str]]
    controls: list[Control]
    ports: list[str] = field(default_factory=list)

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.kind.stages[len(self.rows) - 1]

    @property
    def keys(self) -> list[tuple[str, Net, bool]]:
        """What tells the enables of neighbouring blocks apart."""
        return [(self.kind.cells, control.enable, control.inverted) for control in self.controls]

    @property
    def flops(self) -> Iterator[str]:
        return (flop for row in self.rows for flop in row.values())


def pack(modules: Mapping[str, Any], registers: Registers) -> dict[str, Counter[str]]:
    """Pack the modules of a netlist of Yosys, in place; by module, how many cells of each type are more than before."""
    found = {name: _Module(module, registers).pack() for name, module in modules.items() if module["cells"]}
    return {name: changed for name, changed in found.items() if changed}


class _Module:
    """One module while it is packed."""

    def __init__(self, module: dict[str, Any], registers: Registers) -> None:
        self.cells: dict[str, Any] = module["cells"]
        self.module, self.registers, self.flop = module, registers, registers.flop
        self.changed: Counter[str] = Counter()
        self.readers: Counter[Net] = Counter()
        self.flops: dict[str, Control] = {}
        self.by_data: dict[Net, str] = {}
        self.by_output: dict[Net, str] = {}
        self.inverted: dict[Net, Net] = {}
        self.taken: dict[tuple[str, Net, bool], str] = {}  # ports of shared enables
        self.next_net = 0
        types = {cell["type"] for cell in self.cells.values()}
        kinds = {name: [k for k in registers.embedded if re.fullmatch(k.cells, name)] for name in types}
        self.blocks = [(n, k) for n, cell in self.cells.items() for k in kinds[cell["type"]] if _suits(cell, k)]
        self.groups = Counter((name, kind.group) for name, kind in self.blocks)

    def pack(self) -> Counter[str]:
        if self.blocks:
            self._survey()
            self._apply(self._steered(list(self._behind())))
            self._apply(self._agreeing(self._steered(self._agreeing(list(self._before())))))
        return self.changed

    def _survey(self) -> None:
        named = re.compile(self.flop.cells)
        for name, cell in self.cells.items():
            self.readers.update(_nets(cell, "input"))
            if named.fullmatch(cell["type"]) and (control := self._control(cell)):
                self.flops[name] = control
                self.by_data[_bit(cell, self.flop.data)] = name
                self.by_output[_bit(cell, self.flop.output)] = name
        ports = self.module["ports"].values()
        self.readers.update(bit for port in ports if port["direction"] != "input" for bit in port["bits"])
        bits = (bit for cell in self.cells.values() for bit in _nets(cell))
        given = (bit for port in ports for bit in port["bits"])
        self.next_net = 1 + max(bit for some in (bits, given) for bit in some if isinstance(bit, int))

    def _control(self, cell: Any) -> Control | None:
        flop = self.flop
        if not _has(cell, flop.fits) or "keep" in cell["attributes"]:
            return None
        sense = value(cell["parameters"].get(flop.sense, ""))
        enable = ONE if sense == ONE else _bit(cell, flop.enable, ONE)
        reset = _bit(cell, flop.reset, ZERO)
        return Control(_bit(cell, flop.clock), enable, sense == "INV", ZERO if reset in IDLE else reset)

    def _behind(self) -> Iterator[Plan]:
        """Flip-flops that could be the registers behind blocks, in as many stages as there are."""
        for name, kind in self.blocks:
            nets = {pin: net for pin, net in _pins(self.cells[name], kind, "output") if self.readers[net]}
            rows: list[dict[Pin, str]] = []
            while nets and len(rows) < len(kind.stages) and all(self.readers[net] == 1 for net in nets.values()):
                row = {pin: self.by_data.get(net, "") for pin, net in nets.items()}
                if not all(row.values()):
                    break
                rows.append(row)
                nets = {pin: self._output(flop) for pin, flop in row.items()}
            plans = (self._plan(name, kind, rows[:n]) for n in range(len(rows), 0, -1))
            yield from [plan for plan in plans if plan][:1]

    def _before(self) -> Iterator[Plan]:
        """Flip-flops that could be the registers in front of blocks; bits may be constantly 0."""
        for name, kind in self.blocks:
            pins = _pins(self.cells[name], kind, "input")
            row = {pin: self.by_output.get(net, "") for pin, net in pins if net not in IDLE}
            if row and all(row.values()) and (plan := self._plan(name, kind, [row])):
                yield plan

    def _output(self, flop: str) -> Net:
        return _bit(self.cells[flop], self.flop.output)

    def _plan(self, block: str, kind: Embedded, rows: list[dict[Pin, str]]) -> Plan | None:
        """The plan, if the flip-flops of each row agree with each other, with the block, and with their stage."""
        steered = [{self.flops[flop] for flop in row.values()} for row in rows]
        clocks = {control.clock for row in steered for control in row} | {_bit(self.cells[block], kind.clock)} - {""}
        if len(clocks) > 1 or any(len(row) > 1 for row in steered):
            return None
        plan = Plan(block, kind, rows, [next(iter(row)) for row in steered])
        fits = all(c.reset == ZERO or stage.reset for c, stage in zip(plan.controls, plan.stages, strict=True))
        return plan if fits else None

    def _agreeing(self, plans: list[Plan]) -> list[Plan]:
        """Those whose flip-flops drive nothing but registers of blocks, where all of their group do."""
        while True:
            fed = Counter(flop for plan in plans for flop in plan.flops)
            only = [p for p in plans if all(self.readers[self._output(flop)] == fed[flop] for flop in p.flops)]
            groups = Counter((plan.block, plan.kind.group) for plan in only)
            kept = [p for p in only if not p.kind.group or groups[p.block, p.kind.group] == self._wanted(p)]
            if len(kept) == len(plans):
                return kept
            plans = kept

    def _wanted(self, plan: Plan) -> int:
        return self.groups[plan.block, plan.kind.group]

    def _steered(self, plans: list[Plan]) -> list[Plan]:
        """Those that find ports for their enables; the choosiest and most frequent enables get shared ports first."""
        shared = Counter(
            (stage.enable, key) for p in plans if p.kind.shared for stage, key in zip(p.stages, p.keys, strict=True)
        )
        for (ports, key), _ in sorted(shared.items(), key=lambda item: (len(item[0][0]), -item[1])):
            used = {port for (cells, *_), port in self.taken.items() if cells == key[0]}
            free = [port for port in ports if port not in used]
            if key not in self.taken and free:
                self.taken[key] = free[0]
        for p in plans:
            own = [self.taken.get(key, "") for key in p.keys]
            p.ports = own if p.kind.shared else [stage.enable[0] for stage in p.stages]
        return [p for p in plans if all(port in s.enable for port, s in zip(p.ports, p.stages, strict=True))]

    def _apply(self, plans: list[Plan]) -> None:
        for plan in plans:
            cell = self.cells[plan.block]
            for (port, bit), flop in plan.rows[-1].items():
                behind = cell["port_directions"][port] == "output"
                beyond = _bit(self.cells[flop], self.flop.output if behind else self.flop.data)
                cell["connections"][port][bit] = beyond
            self._wire(cell, plan.kind.clock, plan.controls[0].clock)
            for stage, control, enable in zip(plan.stages, plan.controls, plan.ports, strict=True):
                cell["parameters"].update(stage.settings)
                if stage.choice:
                    cell["parameters"][stage.choice] = enable
                resets = {stage.reset: control.reset} if stage.reset else {}
                pins: dict[str, Net] = {enable: self._enable(control), **resets, **stage.ties}
                for port, net in pins.items():
                    self._wire(cell, port, net)
        for name in {flop for plan in plans for flop in plan.flops}:
            cell = self.cells.pop(name)
            self.changed[cell["type"]] -= 1
            self.readers.subtract(_nets(cell, "input"))
            self.by_output.pop(_bit(cell, self.flop.output))
            self.by_data.pop(_bit(cell, self.flop.data), None)  # of one of those with the same input

    def _wire(self, cell: Any, port: str, net: Net) -> None:
        self.readers.subtract(cell["connections"].get(port, ()))
        self.readers.update([net])
        cell["connections"][port], cell["port_directions"][port] = [net], "input"

    def _enable(self, control: Control) -> Net:
        """The net that is 1 where a flip-flop takes a value."""
        if not control.inverted:
            return control.enable
        if control.enable not in self.inverted:
            made = self.registers.inverter
            assert made is not None
            self.inverted[control.enable] = out = self.next_net
            pins: dict[str, Net] = {made.input: control.enable, made.output: out, **made.ties}
            self.cells[f"$packing$inverter${out}"] = {
                "hide_name": 1,
                "type": made.cell,
                "parameters": dict(made.parameters),
                "attributes": {},
                "port_directions": {port: "output" if port == made.output else "input" for port in pins},
                "connections": {port: [net] for port, net in pins.items()},
            }
            self.readers.update([control.enable])
            self.changed[made.cell] += 1
            self.next_net += 1
        return self.inverted[control.enable]


def _bit(cell: Any, port: str, absent: Net = "") -> Net:
    """The net of a port of one bit."""
    return next(iter(cell["connections"].get(port, ())), absent)


def _nets(cell: Any, way: str = "") -> Iterator[Net]:
    """The nets of a cell's inputs (and of what is both), or of all its ports."""
    for port, bits in cell["connections"].items():
        if not way or cell["port_directions"].get(port) != "output":
            yield from bits


def _pins(cell: Any, kind: Embedded, way: str) -> Iterator[tuple[Pin, Net]]:
    """Pins and nets of the word that a register holds, if its ports are of that direction."""
    for port, bits in cell["connections"].items():
        if cell["port_directions"].get(port) == way and re.fullmatch(kind.data, port):
            yield from (((port, i), net) for i, net in enumerate(bits))


def _has(cell: Any, fits: Mapping[str, str]) -> bool:
    """Whether the cell's parameters have the values; one that is not set is empty."""
    for name, wanted in fits.items():
        found = [value(str(v)) for n, v in cell["parameters"].items() if re.fullmatch(name, n)] or [""]
        if not all(re.fullmatch(wanted, text) for text in found):
            return False
    return True


def _suits(cell: Any, kind: Embedded) -> bool:
    idle = (net for port in kind.idle for net in cell["connections"].get(port, ()))
    return _has(cell, kind.fits) and all(net in IDLE for net in idle)
