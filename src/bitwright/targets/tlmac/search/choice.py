# SPDX-License-Identifier: Apache-2.0
"""The choice among all elements for one layer, with bounds on the search for shared sums.

Folded elements are compared by `fold.best`. A layer that is unrolled takes whole windows, one a cycle, so it competes
where the goal leaves few cycles for a position. To know its cost is to search: the planner does so only for layers
of at most FREE_WEIGHTS weights (seconds) unless the user names the element, and only where a floor under its price,
by the number of signed digits, is below the best price so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from bitwright.hardware.resources import Resources
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.circuit.fold import Candidate
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.patch import Variant, variants
from bitwright.targets.tlmac.circuit.units import Unit
from bitwright.targets.tlmac.elements.unrolled.pairs import signed_digits
from bitwright.targets.tlmac.layer import Fold, MacLayer
from bitwright.targets.tlmac.model.clock import ClockGoal, mac_paths
from bitwright.targets.tlmac.model.cost import behind_cost, window_cost
from bitwright.targets.tlmac.options import FOLDED, UNROLLED

FREE_WEIGHTS = 16384
BRAM_PRICES = (1, fold.LUTS_PER_BRAM36, 10_000)  # LUTs: as good as free, the usual, and as good as unaffordable
FLOOR_LUTS = 0.2  # of a signed digit, for every bit of its input; matrices without structure take 0.35 to 0.75


def choose(
    unit: Unit, goal: int, elements: tuple[str, ...] | None, bram_price: float, clock: ClockGoal | None = None
) -> Candidate | None:
    """The cheapest candidate of at most `goal` cycles a frame; None where no element is fast enough.

    elements: None for the planner's choice. clock: one that it must keep. The price of an unrolled layer includes what
    the stages after it cost more, since all its outputs leave in one word.
    """
    folded = _folded(elements)
    allowed = _allowed(unit, clock)
    best = fold.best(unit.layer, goal, folded, bram_price, clock=clock, allowed=allowed) if folded else None
    if elements is not None and UNROLLED not in elements:
        return best
    if not _free(unit.layer, elements):
        remark = f"{unit.layer.weight.size:,} weights; beyond {FREE_WEIGHTS:,} only where the option elements names it"
        return _remarked(best, f"unrolled: not considered, {remark}")
    return _with_unrolled(unit, goal, bram_price, best, clock)


def pool(
    unit: Unit, goal: int, elements: tuple[str, ...] | None, scarce: bool, clock: ClockGoal | None = None
) -> Iterator[Candidate]:
    """Candidates of at most `goal` cycles a frame among which a choice under limits is made.

    All foldings, with their ROMs in LUTs or block RAM as prices between free and unaffordable have it; and where block
    RAM is `scarce`, what is best then: it may be unrolled.
    """
    yield from fold.options(unit.layer, goal, _folded(elements), BRAM_PRICES, clock=clock)
    found = choose(unit, goal, elements, BRAM_PRICES[-1], clock) if scarce else None
    if found is not None:
        yield found


def fastest_clock(
    unit: Unit, goal: int, elements: tuple[str, ...] | None, clock: ClockGoal
) -> tuple[float, str] | None:
    """MHz of the candidate of at most `goal` cycles with the fastest clock, and what limits it; None without one."""
    found = [option.plan for option in fold.options(unit.layer, goal, _folded(elements))]
    if elements is None or UNROLLED in elements:
        wholes = _wholes(unit.layer, goal, BRAM_PRICES[0]) if _free(unit.layer, elements) else ()
        found += [plan for _, variant, whole in wholes if (plan := fold.fitting(variant, whole, UNROLLED))]
    reached = (clock.reached(mac_paths(way)) for plan in found for way in fold.ways(plan))
    return max(reached, default=None)


def fastest(layer: MacLayer, elements: tuple[str, ...] | None) -> int | None:
    """Cycles a frame of the fastest circuit of a layer; None where none of the elements fits it."""
    return fold.fastest(layer, elements or (*FOLDED, *[UNROLLED] * _free(layer, elements)))


def _free(layer: MacLayer, elements: tuple[str, ...] | None) -> bool:
    return elements is not None or layer.weight.size <= FREE_WEIGHTS


def _remarked(found: Candidate | None, remark: str) -> Candidate | None:
    return found and replace(found, plan=replace(found.plan, remark=remark))


def _with_unrolled(
    unit: Unit, goal: int, bram_price: float, best: Candidate | None, clock: ClockGoal | None
) -> Candidate | None:
    """The best folded candidate or a cheaper unrolled one; its plan tells of all."""
    wholes = sorted(_wholes(unit.layer, goal, bram_price), key=lambda entry: entry[0])
    if not wholes:
        return _remarked(best, "unrolled: not considered, no word within the goal holds all inputs of a position")
    rows = list(best.plan.candidates) if best else []
    behind = _behind(unit, best.plan, bram_price) if best else 0
    found, remark = best, ""
    for floor, variant, whole in wholes:
        if found is not None and floor >= found.price:
            remark = f"unrolled: {variant.name} not considered, its price is at least {floor:,.0f}"
            break
        option = fold.candidate(variant, whole, UNROLLED, bram_price, clock)
        if option is None:
            why = "its sums are too wide" if clock is None else f"it does not keep {clock}"
            remark = f"unrolled: {variant.name} not considered, {why}"
            continue
        option = replace(option, price=option.price + _behind(unit, option.plan, bram_price) - behind)
        rows.append(option.row)
        if (found is None or option.price < found.price) and _allowed(unit, clock)(option.plan):
            found = option
    rows.sort(key=lambda row: row["price"])
    if found is None:
        return None
    return replace(found, plan=replace(found.plan, candidates=tuple(rows), remark=remark))


def _wholes(layer: MacLayer, goal: int, bram_price: float) -> Iterator[tuple[float, Variant, Fold]]:
    """The ways to unroll a layer, each with a floor under its price."""
    for variant in variants(layer):
        inner = variant.layer
        whole = Fold(inner.group_channels, inner.group_outputs, inner.groups, 1, inner.in_bits)
        plan = fold.mapped(variant, whole, UNROLLED, bram_price)
        if plan is not None and plan.frame_cycles <= goal:
            yield floor_price(plan, bram_price), variant, whole


def floor_price(plan: MacPlan, bram_price: float) -> float:
    """Less than an unrolled layer costs, without its sums: by the signed digits of outputs that differ."""
    outputs = np.unique(plan.layer.weight.reshape(plan.layer.outputs, -1), axis=0)
    digits = np.count_nonzero(signed_digits(outputs))
    return fold.price(window_cost(plan) + Resources(lut=FLOOR_LUTS * digits * plan.layer.in_bits), bram_price)


def _allowed(unit: Unit, clock: ClockGoal | None) -> Callable[[MacPlan], bool]:
    """Whether a core keeps the clock with the stages behind it."""
    return lambda plan: clock is None or clock.allows(unit, plan, plan.out_lanes)


def _behind(unit: Unit, plan: MacPlan, bram_price: float) -> float:
    """Price of the elementwise stages behind a layer."""
    return fold.price(behind_cost(unit, plan, plan.out_lanes), bram_price)


def _folded(elements: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(name for name in elements or FOLDED if name != UNROLLED)
