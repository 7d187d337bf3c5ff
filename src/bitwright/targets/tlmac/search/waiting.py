# SPDX-License-Identifier: Apache-2.0
"""FIFOs for units that keep each other waiting.

Every unit of a plan may be fast enough, and the circuit still slower: a neighbor delivers rows in bursts or needs them
so, and a fork goes on only as far as both branches let it. Words between the units even that out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bitwright.hardware.memory import is_block
from bitwright.targets.tlmac.circuit.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.model import timing
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.targets.tlmac.model.estimate import revised
from bitwright.targets.tlmac.threads import each

FACTORS = (1, 2, 4)  # what FIFOs are deepened by, once they fill the memory that they take
Fifo = tuple[int, int, str]  # number of a unit, number of its input, field of the unit's plan


def with_fifos(plan: TlmacPlan, goal: int, jobs: int = 1, clock: ClockGoal | None = None) -> TlmacPlan | None:
    """The plan with deeper FIFOs where its interval needs them to be at most `goal`; None where they do not help.

    FIFOs are looked for by a short run, whose second frame may still be too good; what it finds is judged by the
    exact interval, as are all of them in the rare case that it was wrong. Where the deepest are not enough, none are.
    """
    places = [place for i, unit in enumerate(plan.units) for place in _places(i, unit)]
    trials = [_Trial(plan, goal, factor) for factor in FACTORS]
    if jobs > 1:  # at once what is mostly asked for
        each(lambda trial: trial.reaches(places, exact=True), (trials[0], trials[-1]), 2)
    if not trials[-1].reaches(places, exact=True):
        return None
    for trial in trials:
        if trial.reaches(places, exact=True):
            for exact in (False, True):
                chosen = needed(places, partial(trial.reaches, exact=exact))
                if trial.reaches(chosen, exact=True):
                    return revised(plan, trial.units(chosen), trial.cycles(chosen), clock)
    return None


@dataclass(eq=False)
class _Trial:
    """A plan with some FIFOs deepened by a factor, against a goal; remembers what has been tried."""

    plan: TlmacPlan
    goal: int
    factor: int
    known: dict[tuple[frozenset[Fifo], bool], tuple[int, int]] = field(default_factory=dict)

    def units(self, chosen: Sequence[Fifo]) -> tuple[UnitPlan, ...]:
        """The plan's units with the chosen FIFOs."""
        return tuple(_with(u, [p for p in chosen if p[0] == i], self.factor) for i, u in enumerate(self.plan.units))

    def cycles(self, chosen: Sequence[Fifo], exact: bool = True) -> tuple[int, int]:
        """Interval and latency with them; not exact: the interval of a short run."""
        key = frozenset(chosen), exact
        if key not in self.known:
            run = timing.cycles if exact else timing.first_cycles
            self.known[key] = run(self.plan.circuit, self.units(chosen))
        return self.known[key]

    def reaches(self, chosen: Sequence[Fifo], exact: bool) -> bool:
        """Whether the plan's interval is at most the goal with them."""
        return self.cycles(chosen, exact)[0] <= self.goal


def _places(number: int, plan: UnitPlan) -> list[Fifo]:
    """Where a unit can have FIFOs: in front of every input's conversion, and behind it."""
    found = []
    for k, lanes in enumerate(plan.in_lanes):
        found.append((number, k, "fifo_words"))
        if lanes != plan.port_lanes[k]:
            found.append((number, k, "behind_words"))
    return found


def _with(plan: UnitPlan, chosen: list[Fifo], factor: int) -> UnitPlan:
    """The unit whose chosen FIFOs fill the memory that they take, times `factor`."""
    for _, port, name in chosen:
        words, t = list(getattr(plan, name)), plan.unit.input_types[port]
        width = (plan.in_lanes if name == "fifo_words" else plan.port_lanes)[port] * t.dtype.bits
        unit = 512 if is_block(width, words[port]) else 64 if words[port] > 32 else 32
        words[port] = -(-max(1, words[port]) // unit) * unit * factor
        changed: dict[str, Any] = {name: tuple(words)}
        plan = replace(plan, **changed)
    return plan


def needed(some: Sequence[Fifo], reaches: Callable[[list[Fifo]], bool]) -> list[Fifo]:
    """Of `some`, which together reach the goal, those that it needs beside the earlier ones and the needed later ones.

    From the last one on, each is found by bisection: more FIFOs never make a circuit slower.
    """
    found: list[Fifo] = []
    count = len(some)
    while count and not reaches(found):
        low, high = 1, count  # the least number of the first ones that is enough
        while low < high:
            middle = (low + high) // 2
            if reaches([*some[:middle], *found]):
                high = middle
            else:
                low = middle + 1
        found.insert(0, some[high - 1])
        count = high - 1
    return found
