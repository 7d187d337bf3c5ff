# SPDX-License-Identifier: Apache-2.0
"""Classes of paths: what a module knows of its clock from its parameters alone, before there is a netlist.

A class stands for all paths of one kind between two registers, and for the slowest of them: what starts it, the
functions and carry chains that follow each other, what ends it, and the fan-out of its wires.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bitwright.hardware.family import Delays, NetDelay

REGISTER, BLOCK, BLOCK_REGISTER, MULTIPLIER = "register", "block RAM", "block RAM's register", "multiplier"  # starts
DATA, ENABLE, RESET, ADDRESS, WRITE = "data", "enable", "reset", "address", "write"  # ends
MIDDLE = 1  # among the low, middle and high model of wires
INNER = 3  # loads of a wire between two functions
LUT_INPUTS = 6


@dataclass(frozen=True)
class Carry:
    """A carry chain of so many positions, with a function of two inputs before each, or of more where `full`."""

    positions: int
    full: bool = False


@dataclass(frozen=True)
class Path:
    """One class. what: for people. steps: functions, by their number of inputs, and carry chains, in order.

    fanout: loads of the first wire; inner: of those between steps; reach: of the last one, 1 where a function stands
    beside its register.
    """

    what: str
    steps: tuple[int | Carry, ...] = ()
    fanout: int = 1
    reach: int = 1
    start: str = REGISTER
    end: str = DATA
    inner: int = INNER


@dataclass(frozen=True)
class Speed:
    """How fast the logic of a part is, by its family and grade."""

    delays: Delays
    grade: str

    def ns(self, path: Path) -> float:
        """Time of a class: clock to output, wires and functions in turn, and setup."""
        logic, nets = self.delays.logic, self.delays.nets[MIDDLE]
        found, loads = logic.launch[path.start], path.fanout
        block = nets.block * (path.start not in (REGISTER,))
        for step in self._apart(path.steps):
            found += _wire(nets, loads) + block + self._step(step)
            loads, block = path.inner, 0.0
        if path.end != DATA or path.reach > 1 or not path.steps:
            found += _wire(nets, max(path.reach, loads if not path.steps else 1)) + block
            found += nets.block * (path.end == ADDRESS)
        return (found + logic.setup[path.end]) * self.delays.grades[self.grade]

    def _apart(self, steps: tuple[int | Carry, ...]) -> Iterator[int | Carry]:
        """The steps without functions that the LUTs of the chain behind them take in."""
        for number, step in enumerate(steps):
            after = steps[number + 1] if number + 1 < len(steps) else 0
            taken = isinstance(after, Carry) and not after.full
            if not (taken and isinstance(step, int) and step <= self.delays.logic.joins):
                yield step

    def _step(self, step: int | Carry) -> float:
        logic = self.delays.logic
        if isinstance(step, Carry):
            first, along, last = logic.chain
            return first + along * max(0, step.positions - 2) + last
        return logic.functions[min(step, len(logic.functions)) - 1]

    def slowest(self, paths: Iterable[Path]) -> tuple[float, str]:
        """Ns of the slowest class and what it is; (0, "") of none."""
        return max(((self.ns(path), path.what) for path in paths), default=(0.0, ""))


def _wire(nets: NetDelay, loads: int) -> float:
    return nets.base + nets.slope * math.log2(1 + loads)


def wide(inputs: int) -> tuple[int, ...]:
    """Functions in turn that make one of so many inputs which LUTs can be put together for: ands, ors, compares."""
    found: list[int] = []
    while inputs > LUT_INPUTS:
        found.append(LUT_INPUTS)
        inputs = -(-inputs // LUT_INPUTS)
    return (*found, inputs) if inputs > 1 or not found else tuple(found)


def mux(inputs: int, more: int = 0) -> tuple[int, ...]:
    """A multiplexer of so many inputs, whose last function has `more` inputs besides."""
    found: list[int] = []
    while inputs > 4:
        found.append(LUT_INPUTS)
        inputs = -(-inputs // 4)
    pins = {1: 0, 2: 3, 3: 5, 4: 6}[inputs] + more
    if inputs == 1 and not more:
        return tuple(found)
    return (*found, pins) if pins <= LUT_INPUTS else (*found, pins - more, more + 1)


def table(address: int) -> tuple[int, ...]:
    """A memory in LUTs of so many bits of an address."""
    return (max(1, address),) if address <= 8 else (8, *mux(1 << min(address - 8, 8)))


def adder(bits: int) -> tuple[int | Carry, ...]:
    """A sum of so many bits, or a compare: a function where it is short."""
    return (max(1, 2 * bits),) if bits <= 2 else (Carry(bits),)
