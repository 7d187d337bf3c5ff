# SPDX-License-Identifier: Apache-2.0
"""The choice for the whole circuit at one goal: every layer's candidate, and limits on block RAM and DSP blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from bitwright.hardware.resources import Resources
from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.assemble import assemble
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.circuit.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.circuit.units import Circuit, Unit
from bitwright.targets.tlmac.model.clock import ClockGoal, mac_paths
from bitwright.targets.tlmac.options import TlmacOptions
from bitwright.targets.tlmac.refusal import OutOfReach
from bitwright.targets.tlmac.search import choice
from bitwright.targets.tlmac.search.limits import FREE_BRAM36, Alternative, Limits, alternative, alternatives, select
from bitwright.targets.tlmac.threads import each
from bitwright.targets.tlmac.wishes import wished

NOTHING = Resources()
NONE: Mapping[str, int] = MappingProxyType({})
ROUNDS = 5  # of a choice that is repeated for what it changes in other places


def plan_interval(
    circuit: Circuit,
    options: TlmacOptions,
    goal: int,
    limit: int = 0,
    reserve: Resources = NOTHING,
    own: Mapping[str, int] = NONE,
) -> TlmacPlan:
    """The cheapest plan that keeps the limits, with at most `goal` cycles a frame for every unit; or `OutOfReach`.

    Layers that cannot be that fast may take `limit` cycles where that is more. reserve: what is left of the limits.
    own: goals of layers, by name, in place of `goal`.
    """
    limits = Limits.of(options)
    layers = [unit for unit in circuit.stages if unit.mac]
    goals = {unit.name: (own.get(unit.name, goal), max(goal, limit)) for unit in layers}
    found = each(lambda u: _chosen(u, options, goals[u.name]), layers, options.threads)
    refused = [choice for choice in found if isinstance(choice, OutOfReach)]
    if refused:
        refused = [choice for choice in refused if choice.clock is None] or refused  # cycles come first
        clocks = [choice.clock for choice in refused if choice.clock is not None]
        problems = [p for choice in refused for p in choice.problems]
        raise OutOfReach(problems, max(c.interval for c in refused), clock=min(clocks, default=None))
    chosen = {u.name: choice for u, choice in zip(layers, found, strict=True) if not isinstance(choice, OutOfReach)}
    plan = assemble(circuit, options, goal, chosen)
    check_clock(plan, ClockGoal.of(options))
    if options.bram36 is None and limits.hold(plan.estimate.total + reserve):
        return plan
    return _within_limits(circuit, options, goals, (plan, chosen), limits, reserve)


def _within_limits(
    circuit: Circuit,
    options: TlmacOptions,
    goals: Mapping[str, tuple[int, ...]],
    start: tuple[TlmacPlan, dict[str, fold.Candidate]],
    limits: Limits,
    reserve: Resources,
) -> TlmacPlan:
    """The cheapest plan within the limits, from the one without and its candidates.

    What an alternative changes in other places (widths of streams, FIFOs) is known only of a whole plan, so the choice
    is repeated until the whole keeps the limits.
    """
    plan, chosen = start
    clock = ClockGoal.of(options)
    scarce = plan.estimate.total.bram36 + reserve.bram36 > limits.bram36
    if plan.estimate.total.lut > limits.lut:
        limits = replace(limits, bram_price=FREE_BRAM36)

    def considered(unit: UnitPlan) -> list[Alternative]:
        pool = _pool(unit.unit, options, goals[unit.unit.name], chosen[unit.unit.name], scarce) if unit.mac else ()
        found = alternatives(unit, pool, limits.bram_price)
        return found if clock is None else [option for option in found if _allowed(clock, unit, option)]

    units = each(considered, plan.units, options.threads)
    picks = [alternative(unit, chosen.get(unit.unit.name)) for unit in plan.units]
    for _ in range(ROUNDS):
        rest, before = plan.estimate.total + reserve - sum((pick.cost for pick in picks), NOTHING), picks
        picks = select(units, rest, limits)
        if picks == before:
            break
        by_name = {unit.unit.name: pick for unit, pick in zip(plan.units, picks, strict=True)}
        found = {name: _told(by_name[name].candidate or first, first) for name, first in chosen.items()}
        plan = assemble(circuit, options, plan.goal, found, {name for name, pick in by_name.items() if not pick.dsp})
        if limits.hold(plan.estimate.total + reserve):
            check_clock(plan, clock)
            return plan
    raise limits.refusal(plan.estimate.total + reserve)


def _pool(
    unit: Unit,
    options: TlmacOptions,
    goals: tuple[int, ...],
    chosen: fold.Candidate,
    scarce: bool,
) -> Iterator[fold.Candidate]:
    """What may take the place of a layer's candidate: the user's folding with other ROMs, or any."""
    yield chosen
    if unit.name in options.layers:
        yield from (_choose(unit, options, goals, price) for price in choice.BRAM_PRICES)
    else:
        reached = chosen.plan.frame_cycles
        goal = next(goal for goal in goals if reached <= goal)
        yield from choice.pool(unit, goal, options.elements, scarce, ClockGoal.of(options))


def _told(found: fold.Candidate, first: fold.Candidate) -> fold.Candidate:
    """A candidate whose plan tells what the layer's first one was compared with."""
    rows = first.plan.candidates
    if found.row not in rows:
        rows = (*rows, found.row)
    return replace(found, plan=replace(found.plan, candidates=rows, remark=first.plan.remark))


def _chosen(unit: Unit, options: TlmacOptions, goals: tuple[int, ...]) -> fold.Candidate | OutOfReach:
    try:
        return _choose(unit, options, goals)
    except OutOfReach as found:
        return found


def _choose(
    unit: Unit,
    options: TlmacOptions,
    goals: tuple[int, ...],
    bram_price: float = fold.LUTS_PER_BRAM36,
) -> fold.Candidate:
    """The user's folding of a layer, or the cheapest one that reaches the first of the goals that one can reach."""
    clock = ClockGoal.of(options)
    for goal in dict.fromkeys(goals):
        if unit.name in options.layers:
            found = wished(unit.layer, options.layers[unit.name], bram_price, clock)
        else:
            found = choice.choose(unit, goal, options.elements, bram_price, clock)
        if found is not None:
            return found
    if clock is not None:
        refuse_clock(unit, options, goals[-1], clock)
    least = choice.fastest(unit.layer, options.elements)
    if least is None:
        raise OutOfReach([no_element(unit.name, options)])
    rule = f"cannot reach interval={goals[-1]}: its fastest circuit takes {least} cycles a frame"
    raise OutOfReach([Problem(unit.name, rule, "")], least)


def refuse_clock(unit: Unit, options: TlmacOptions, goal: int, clock: ClockGoal) -> None:
    """Raise `OutOfReach` where a layer has circuits, but none that keeps the clock."""
    if unit.name in options.layers:
        found = wished(unit.layer, options.layers[unit.name])
        best = max((clock.reached(mac_paths(way)) for way in fold.ways(found.plan)), default=None) if found else None
    else:
        best = choice.fastest_clock(unit, goal, options.elements, clock)
    if best is not None:
        raise OutOfReach([clock.problem(unit.name, best)], clock=best[0])


def _allowed(clock: ClockGoal, unit: UnitPlan, option: Alternative) -> bool:
    mac = option.candidate.plan if option.candidate else None
    return clock.allows(unit.unit, mac, mac.out_lanes if mac else unit.out_lanes, option.dsp)


def check_clock(plan: TlmacPlan, clock: ClockGoal | None) -> None:
    """Raise `OutOfReach` where units of a plan do not keep the clock."""
    if clock is None:
        return
    units = [unit for unit in plan.estimate.layers if "clock_mhz" in unit.details]
    reached = {unit.name: (unit.details["clock_mhz"], unit.details["clock_limit"]) for unit in units}
    slow = {name: found for name, found in reached.items() if found[0] < clock.mhz}
    if slow:
        raise OutOfReach([clock.problem(*entry) for entry in slow.items()], clock=min(slow.values())[0])


def no_element(layer: str, options: TlmacOptions) -> Problem:
    """That no element which the user allows fits a layer."""
    return Problem(
        layer, f"has no circuit of elements {', '.join(options.elements or ())}", "gates, which fit every layer"
    )
