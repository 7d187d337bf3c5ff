"""FIFOs for units that keep each other waiting.

Every unit of a plan may be fast enough, and the circuit still slower: a neighbor delivers rows in bursts or needs them
so, and a fork goes on only as far as both branches let it. Words between the units even that out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bitwright.targets.tlmac import timing
from bitwright.targets.tlmac.estimate import estimate
from bitwright.targets.tlmac.library_cost import is_block
from bitwright.targets.tlmac.plan import TlmacPlan, UnitPlan

FACTORS = (1, 2, 4)  # what FIFOs are deepened by, once they fill the memory that they take
Fifo = tuple[int, int, str]  # number of a unit, number of its input, field of the unit's plan


def with_fifos(plan: TlmacPlan, goal: int) -> TlmacPlan | None:
    """The plan with deeper FIFOs where its interval needs them to be at most `goal`; None where they do not help."""
    places = [place for i, unit in enumerate(plan.units) for place in _places(i, unit)]
    for factor in FACTORS:

        def units(chosen: list[Fifo], factor: int = factor) -> tuple[UnitPlan, ...]:
            return tuple(_with(unit, [p for p in chosen if p[0] == i], factor) for i, unit in enumerate(plan.units))

        def reaches(chosen: list[Fifo], units: Callable = units) -> bool:
            return timing.cycles(plan.circuit, units(chosen))[0] <= goal

        if reaches(places):
            found = units(_needed(places, [], reaches))
            return replace(plan, units=found, estimate=estimate(plan.circuit, found))
    return None


def _places(number: int, plan: UnitPlan) -> list[Fifo]:
    """Where a unit can have FIFOs: in front of every input's conversion, and behind it."""
    found = []
    for k, lanes in enumerate(plan.in_lanes):
        found.append((number, k, "fifo_words"))
        if lanes != plan.lanes:
            found.append((number, k, "behind_words"))
    return found


def _with(plan: UnitPlan, chosen: list[Fifo], factor: int) -> UnitPlan:
    """The unit whose chosen FIFOs fill the memory that they take, times `factor`."""
    for _, port, name in chosen:
        words, t = list(getattr(plan, name)), plan.unit.input_types[port]
        width = (plan.in_lanes[port] if name == "fifo_words" else plan.lanes) * t.dtype.bits
        unit = 512 if is_block(width, words[port]) else 64 if words[port] > 32 else 32
        words[port] = -(-max(1, words[port]) // unit) * unit * factor
        plan = replace(plan, **{name: tuple(words)})
    return plan


def _needed(some: list[Fifo], others: list[Fifo], reaches: Callable[[list[Fifo]], bool]) -> list[Fifo]:
    """Of `some`, those that the goal needs beside the others, by halves."""
    if reaches(others):
        return []
    if len(some) == 1:
        return some
    half = len(some) // 2
    late = _needed(some[half:], others + some[:half], reaches)
    return _needed(some[:half], others + late, reaches) + late
