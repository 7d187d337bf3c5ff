# SPDX-License-Identifier: Apache-2.0
"""A goal of latency, from a frame's first word to its last result.

Every layer has cycles of its own, so that together they take the least hardware.
The cycles of layers that wait for whole frames add up, and hardware falls with a layer's cycles, faster for large
layers than for small ones. At a price p of a cycle in LUTs each layer takes the folding with the least

    LUTs + p * cycles

and p is the lowest with which the circuit, by its exact model of events, keeps the goal. Then each layer is slowed
down by a step, those first that save most, as long as the goal is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.assemble import assemble
from bitwright.targets.tlmac.circuit.fold import LUTS_PER_BRAM36, Candidate
from bitwright.targets.tlmac.circuit.plan import TlmacPlan
from bitwright.targets.tlmac.circuit.units import Circuit, Unit
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.targets.tlmac.options import TlmacOptions
from bitwright.targets.tlmac.refusal import OutOfReach
from bitwright.targets.tlmac.search import choice
from bitwright.targets.tlmac.search.limits import Limits
from bitwright.targets.tlmac.search.planner import NOTHING, ROUNDS, check_clock, no_element, plan_interval, refuse_clock
from bitwright.targets.tlmac.search.waiting import with_fifos
from bitwright.targets.tlmac.threads import each
from bitwright.targets.tlmac.wishes import wished

FINER = 1.2  # foldings of a layer are looked for at goals that differ by this factor
LEAST_SHARE = 16  # no layer is made faster than this part of an even share of the goal
PRICES = (2.0 ** np.arange(-10, 21, 0.25)).tolist()  # LUTs a cycle
OTHERS = (1, 2, 4, 8)  # how many times faster units without weights are than the slowest layer


def plan_latency(circuit: Circuit, options: TlmacOptions, latency: int, interval: int) -> TlmacPlan:
    """The plan with the least hardware whose results are there after at most `latency` cycles; else `OutOfReach`.

    interval: what a frame may take at most.
    """
    layers = [unit for unit in circuit.stages if unit.mac]
    goal = min(interval, latency)
    floor = max(1, latency // (LEAST_SHARE * max(1, len(layers))))
    ladders = each(lambda unit: _ladder(unit, options, goal, floor), layers, options.threads)
    search = _Search(circuit, options, {u.name: ladder for u, ladder in zip(layers, ladders, strict=True)})
    aim, reached = latency, []
    for _ in range(ROUNDS):
        found = search.cheapest(aim)
        if found is None:
            break
        plan = _limited(circuit, options, interval, found)
        reached.append(plan.estimate.latency_cycles)
        if reached[-1] <= latency:
            return plan
        aim = min(aim - 1, aim * latency // reached[-1])
    least = min([*reached, search.fastest()])
    rule = f"latency={latency} is out of reach: the fastest circuit found takes {least} cycles to its last result"
    raise OutOfReach([Problem(None, rule, f"latency of at least {least}")], least)


def _ladder(unit: Unit, options: TlmacOptions, goal: int, floor: int) -> list[Candidate]:
    """Foldings of a layer of at most `goal` cycles, the slowest and cheapest first; the fastest where none is so fast.

    Only the user's where there is one. `OutOfReach` where the layer has none that the options allow.
    """
    clock, rungs = ClockGoal.of(options), list[Candidate]()
    if unit.name in options.layers:
        found = wished(unit.layer, options.layers[unit.name], clock=clock)
        rungs = [found] if found else []
    else:
        least = choice.fastest(unit.layer, options.elements)
        if least is None:
            raise OutOfReach([no_element(unit.name, options)])
        goal = max(goal, least)
        while goal >= floor or not rungs:
            found = choice.choose(unit, goal, options.elements, LUTS_PER_BRAM36, clock)
            if found is None:
                break
            if not rungs or found.plan.frame_cycles < rungs[-1].plan.frame_cycles:
                rungs.append(found)
            goal = int(min(goal, found.plan.frame_cycles) / FINER)
    if not rungs and clock is not None:
        refuse_clock(unit, options, goal, clock)
    return rungs


def _limited(circuit: Circuit, options: TlmacOptions, interval: int, found: TlmacPlan) -> TlmacPlan:
    """That plan within the limits of the options and the interval, though units wait for each other."""
    own = {p.unit.name: p.mac.frame_cycles for p in found.units if p.mac}
    plan = plan_interval(circuit, options, found.goal, max(own.values(), default=1), NOTHING, own)
    if plan.estimate.interval_cycles <= interval:
        return plan
    clock = ClockGoal.of(options)
    deeper = with_fifos(plan, interval, options.threads, clock)
    if deeper is None or not Limits.of(options).hold(deeper.estimate.total):
        rule = (
            f"interval={interval} is out of reach at that latency: frames take {plan.estimate.interval_cycles} cycles"
        )
        raise OutOfReach([Problem(None, rule, "a longer interval, or a shorter latency")], interval + 1)
    check_clock(deeper, clock)
    return deeper


@dataclass(eq=False)
class _Search:
    """Plans by the rung of every layer and the cycles of the units between them."""

    circuit: Circuit
    options: TlmacOptions
    ladders: Mapping[str, Sequence[Candidate]]
    known: dict[tuple[int, tuple[int, ...]], TlmacPlan] = field(default_factory=dict)

    def plan(self, faster: int, rungs: tuple[int, ...]) -> TlmacPlan:
        """The plan of these rungs; other units are `faster` than the slowest layer by that factor."""
        if (faster, rungs) not in self.known:
            chosen = {name: ladder[k] for (name, ladder), k in zip(self.ladders.items(), rungs, strict=True)}
            goal = max((found.plan.frame_cycles for found in chosen.values()), default=1)
            self.known[faster, rungs] = assemble(self.circuit, self.options, max(1, goal // faster), chosen)
        return self.known[faster, rungs]

    def at(self, price: float) -> tuple[int, ...]:
        """The best rungs at a price."""
        costs = ([c.price + price * c.plan.frame_cycles for c in ladder] for ladder in self.ladders.values())
        return tuple(int(np.argmin(cost)) for cost in costs)

    def fastest(self) -> int:
        """Cycles of the fastest plan."""
        rungs = tuple(len(ladder) - 1 for ladder in self.ladders.values())
        return min(self.plan(faster, rungs).estimate.latency_cycles for faster in OTHERS)

    def cheapest(self, latency: int) -> TlmacPlan | None:
        """The plan of the fewest LUTs that keeps the goal, of those that prices lead to."""
        alone = all(unit.mac for unit in self.circuit.stages)
        found = [self.priced(latency, faster) for faster in (OTHERS[:1] if alone else OTHERS)]
        return min((plan for plan in found if plan), key=lambda plan: plan.estimate.total.lut, default=None)

    def priced(self, latency: int, faster: int) -> TlmacPlan | None:
        """By bisection over the price, then by slowing layers down."""

        def keeps(rungs: tuple[int, ...]) -> bool:
            return self.plan(faster, rungs).estimate.latency_cycles <= latency

        first = bisect_left(PRICES, True, key=lambda price: keeps(self.at(price)))
        if first == len(PRICES):
            return None
        best = self.at(PRICES[first])
        slower = True
        while slower:
            slower = False
            for rung in sorted(self.slower(best), key=self.price):
                if self.price(rung) < self.price(best) and keeps(rung):
                    best, slower = rung, True
                    break
        return self.plan(faster, best)

    def slower(self, rungs: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The rungs with one layer a step slower."""
        return [(*rungs[:i], k - 1, *rungs[i + 1 :]) for i, k in enumerate(rungs) if k]

    def price(self, rungs: tuple[int, ...]) -> float:
        """LUTs of the layers."""
        return sum(ladder[k].price for ladder, k in zip(self.ladders.values(), rungs, strict=True))
