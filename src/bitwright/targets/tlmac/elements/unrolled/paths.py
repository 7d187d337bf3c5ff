# SPDX-License-Identifier: Apache-2.0
"""Classes of the slow paths of an adder graph, by the levels between its registers."""

from __future__ import annotations

from collections import Counter

from bitwright.hardware.timing.classes import Carry, Path
from bitwright.targets.tlmac.elements.unrolled.emit import reads, stage
from bitwright.targets.tlmac.elements.unrolled.graph import Adder, Value
from bitwright.targets.tlmac.elements.unrolled.sums import Graph

Steps = tuple[int | Carry, ...]
AHEAD = 4  # positions of a chain that still wait when the lowest ones of the chain before it have been there for long


def graph_paths(graph: Graph, every: int) -> tuple[Path, ...]:
    """From the inputs or a register to the next one: the longest of every group of `every` levels."""
    steps: list[tuple[int, Steps]] = []  # of every value: the value that starts its slowest path, and what follows
    loads = Counter(operand for value in graph.values for operand in reads(value))
    found: dict[Steps, int] = {}
    for number, value in enumerate(graph.values):
        start = number
        before: Steps = ()
        for operand in reads(value):
            begins = graph.values[operand].source is None or stage(graph.values[operand], every) < stage(value, every)
            candidate: tuple[int, Steps] = (operand, ()) if begins else steps[operand]
            if start == number or _weight(candidate[1]) > _weight(before):
                start, before = candidate
        steps.append((start, (*before, *_own(value, bool(before)))))
        found[steps[-1][1]] = max(found.get(steps[-1][1], 1), loads[start])
    return tuple(Path("sums between registers", row, fanout) for row, fanout in found.items() if row)


def _own(value: Value, behind: bool) -> Steps:
    """What an adder or a table adds to a path; `behind` others of its level."""
    if not isinstance(value.source, Adder):
        return () if value.source is None else (6,)
    positions = min(value.carry, AHEAD) if behind else value.carry
    chain = (Carry(positions, full=len(value.source.operands) == 3),) if value.carry else (3,)
    return (5, *chain) if len(value.source.operands) == 3 else chain


def _weight(row: Steps) -> float:
    return sum(1 + step.positions / 16 if isinstance(step, Carry) else 1 for step in row)
