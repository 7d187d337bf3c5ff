# SPDX-License-Identifier: Apache-2.0
"""From a network and its options to a plan: the goal that the user or the network sets, or why it is out of reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bitwright.hardware.clock import LOWEST_MHZ
from bitwright.network import Network
from bitwright.targets.contract import Problem, Refusal
from bitwright.targets.tlmac.assemble import pool_cycles
from bitwright.targets.tlmac.circuit.plan import TlmacPlan
from bitwright.targets.tlmac.circuit.units import Circuit, Unit, build_circuit
from bitwright.targets.tlmac.layer import MacLayer
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.targets.tlmac.options import FOLDED, TlmacOptions
from bitwright.targets.tlmac.refusal import OutOfReach
from bitwright.targets.tlmac.search import choice
from bitwright.targets.tlmac.search.latency import plan_latency
from bitwright.targets.tlmac.search.limits import KINDS, Limits
from bitwright.targets.tlmac.search.planner import NOTHING, ROUNDS, check_clock, plan_interval
from bitwright.targets.tlmac.search.waiting import with_fifos
from bitwright.targets.tlmac.wishes import check_names

DEFAULT_WORDS = 16  # without a goal, a frame takes about as long as its input at this many elements a word
NEAR = 20  # the nearest goal is found to a part of this size
CLOCK_NEAR = 50  # and the nearest clock
Attempt = Callable[[int], TlmacPlan]


def plan_network(network: Network, options: TlmacOptions) -> TlmacPlan | Refusal:
    """The plan that meets the goal, or why none does and the nearest goal that one meets.

    Raises `OptionError` where an option names a layer that the network does not have.
    """
    circuit = build_circuit(network)
    check_names(circuit, options.layers)
    try:
        return _planned(circuit, options)
    except OutOfReach as found:
        return Refusal(tuple(_told(circuit, options, found)))


def try_network(network: Network, options: TlmacOptions) -> TlmacPlan | None:
    """As `plan_network`, None for every refusal; what takes the time there is finding the nearest goal."""
    circuit = build_circuit(network)
    check_names(circuit, options.layers)
    try:
        return _planned(circuit, options)
    except OutOfReach:
        return None


def _planned(circuit: Circuit, options: TlmacOptions) -> TlmacPlan:
    if options.lut is not None:
        return _within(circuit, options)
    if options.latency is not None:
        return plan_latency(circuit, options, options.latency, options.interval or slowest(circuit))
    if options.interval is not None:
        return _keep(circuit, options, options.interval)
    goal = default_interval(circuit, options)
    try:
        return plan_interval(circuit, options, goal)
    except OutOfReach as found:
        if found.limits is None and found.clock is None:
            raise
    return _nearest(circuit, lambda slower: plan_interval(circuit, options, slower), goal + 1)


def _keep(circuit: Circuit, options: TlmacOptions, goal: int) -> TlmacPlan:
    """The plan whose whole circuit keeps the goal, though units wait for each other.

    First by deeper FIFOs, else by planning the units for a tighter goal. Foldings that the user chose are not judged.
    """
    tighter, reached, limits, reserve = goal, [], Limits.of(options), NOTHING
    clock = ClockGoal.of(options)
    for _ in range(ROUNDS):
        plan = plan_interval(circuit, options, tighter, goal, reserve)
        reached.append(plan.estimate.interval_cycles)
        found = plan if reached[-1] <= goal else with_fifos(plan, goal, options.threads, clock)
        if found is not None and limits.hold(found.estimate.total):
            check_clock(found, clock)
            return replace(found, goal=goal)
        if found is not None:  # the same goal again, with room for the FIFOs
            reserve = found.estimate.total - plan.estimate.total
        else:
            tighter = max(1, min(tighter - 1, tighter * goal // reached[-1]))
    if options.layers:
        return plan_interval(circuit, options, goal)
    rule = f"interval={goal} is out of reach: the fastest circuit found takes {min(reached)} cycles a frame"
    raise OutOfReach([Problem(None, rule, "")], min(reached))


def _within(circuit: Circuit, options: TlmacOptions) -> TlmacPlan:
    """The fastest plan of at most `options.lut` LUTs, by bisection over the interval."""
    low, high, lut = 1, slowest(circuit), options.lut
    assert lut is not None
    found = plan_interval(circuit, options, high)
    if found.estimate.total.lut > lut:
        need = math.ceil(found.estimate.total.lut)
        rule = f"lut={lut} is too small: the smallest circuit takes about {need} LUTs"
        raise OutOfReach([Problem(None, rule, f"lut of at least {need}")])
    while low < high - high // 200:  # to half a percent
        middle = int((low * high) ** 0.5)
        plan = _tried(lambda goal: plan_interval(circuit, options, goal), middle)
        if plan is not None and plan.estimate.total.lut <= lut:
            found, high = plan, middle
        else:
            low = middle + 1
    return found


def default_interval(circuit: Circuit, options: TlmacOptions) -> int:
    """The goal where the user sets none: about 64 multiplications a cycle in the busiest layer."""
    busiest = max((unit.mac.macs for unit in circuit.stages if unit.mac), default=0)
    least = shortest_interval(circuit, options, options.elements or FOLDED)
    return max(1, least, busiest // 64, sum(spec.type.size for spec in circuit.network.inputs) // DEFAULT_WORDS)


def shortest_interval(
    circuit: Circuit, options: TlmacOptions, elements: tuple[str, ...] | None, enough: int = 0
) -> int:
    """Cycles a frame of the layer that cannot be faster with these elements, None for the planner's choice.

    Layers that the user folds do not count; one without a circuit counts as 1. Below `enough` the answer may be too
    large: layers that folded elements make that fast are not unrolled for it.
    """
    layers = [unit.mac for unit in circuit.stages if unit.mac and unit.name not in options.layers]

    def cycles(layer: MacLayer) -> int:
        folded = choice.fastest(layer, FOLDED) if elements is None and enough else None
        return folded if folded is not None and folded <= enough else choice.fastest(layer, elements) or 1

    return max(map(cycles, layers), default=1)


def slowest(circuit: Circuit) -> int:
    """Cycles a frame that every unit keeps with the least hardware: more save nothing."""
    return max(1, *map(_serial, circuit.stages))


def _serial(unit: Unit) -> int:
    words = max(unit.type.size, *(t.size for t in unit.input_types), pool_cycles(unit, 1))
    return words if unit.mac is None else max(words, unit.mac.macs * unit.mac.in_bits)


def _tried(attempt: Attempt, goal: int) -> TlmacPlan | None:
    try:
        return attempt(goal)
    except OutOfReach:
        return None


def _nearest(circuit: Circuit, attempt: Attempt, least: int) -> TlmacPlan:
    """The plan of about the smallest goal from `least` on that is reached; `OutOfReach` where the slowest is not."""
    failed, end = least - 1, max(least, slowest(circuit))
    found, goal, trial = attempt(end), end, least
    while trial < goal:  # upwards, by doubling
        plan = _tried(attempt, trial)
        if plan is not None:
            found, goal = plan, trial
        else:
            failed, trial = trial, 2 * trial
    while goal - failed > max(1, goal // NEAR):
        middle = (failed + goal) // 2
        plan = _tried(attempt, middle)
        if plan is None:
            failed = middle
        else:
            found, goal = plan, middle
    return found


def _told(circuit: Circuit, options: TlmacOptions, found: OutOfReach) -> list[Problem]:
    """The problems, with the nearest goal that can be reached as what is legal."""
    if all(problem.legal for problem in found.problems):
        return list(found.problems)
    if found.clock is not None:
        legal = _slower_clock(circuit, options, found.clock)
        return [p if p.legal else Problem(p.node, p.rule, legal) for p in found.problems]
    if options.interval is not None:
        least = max(found.interval, options.interval + 1)
        try:
            slower = _nearest(circuit, lambda goal: _keep(circuit, options, goal), least)
        except OutOfReach as slowest_one:
            found = slowest_one
        else:
            at = "" if found.limits is None else f" at interval={options.interval}"
            legal = f"interval of at least {slower.goal}"
            return [p if p.legal else Problem(p.node, p.rule + at, legal) for p in found.problems]
    legal = _enough(circuit, options, found.limits or {})
    return [p if p.legal else Problem(p.node, p.rule, legal) for p in found.problems]


def _slower_clock(circuit: Circuit, options: TlmacOptions, bound: float) -> str:
    """About the fastest clock, in whole MHz, with which there is a plan; `bound`: MHz of what limits the goal."""
    kept, failed, trial = 0, math.ceil(options.clock or 0), math.floor(bound)
    while trial >= LOWEST_MHZ and failed - kept > max(1, kept // CLOCK_NEAR):
        try:
            plan = _planned(circuit, replace(options, clock=trial))
        except OutOfReach as found:
            if found.clock is None:
                return "a slower clock, or none"
            failed = trial
            trial = (kept + failed) // 2 if kept else min(math.floor(found.clock), trial - 1)
        else:
            kept = max(trial, math.floor(plan.estimate.clock.mhz if plan.estimate.clock else 0))
            trial = (kept + failed) // 2
    return f"clock of at most {kept}" if kept else "another device"


def _enough(circuit: Circuit, options: TlmacOptions, needs: Mapping[str, float]) -> str:
    """Limits with which there is a plan: what the user typed of them, or a larger device."""
    wider = options
    for _ in range(ROUNDS):
        typed: dict[str, Any] = {
            k: math.ceil(2 * n) / 2 for k, n in needs.items() if k != "lut" and k not in Limits.of(wider).own
        }
        if set(typed) != set(needs):
            return "a larger device"
        wider = replace(wider, **typed)
        try:
            _planned(circuit, wider)
        except OutOfReach as found:
            needs = found.limits or {}
            continue
        return ", ".join(
            f"{kind} of at least {getattr(wider, kind):.12g}"
            for kind in KINDS
            if getattr(wider, kind, None) != getattr(options, kind, None)
        )
    return "higher limits, or none"
