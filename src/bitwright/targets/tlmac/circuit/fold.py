# SPDX-License-Identifier: Apache-2.0
"""The planner: for every layer the folding and the element that reach a goal with the least logic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from bitwright.hardware import memory as memory_cost
from bitwright.hardware.resources import Resources
from bitwright.network.types import MAX_BITS
from bitwright.targets.tlmac.circuit.mac import MacPlan, map_layer
from bitwright.targets.tlmac.circuit.patch import Variant, variants
from bitwright.targets.tlmac.elements.direct import ADDRESS_BITS
from bitwright.targets.tlmac.elements.element import Element
from bitwright.targets.tlmac.elements.unrolled.element import MOST_LEVELS, Unrolled
from bitwright.targets.tlmac.layer import Fold, MacLayer
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.targets.tlmac.model.cost import mac_cost, total

LUTS_PER_BRAM36 = 330  # the exchange rate of block RAM against logic on the supported parts
LUTS_PER_FF = 0.05  # breaks ties: registers are plentiful
MAX_GROUP = 6


def price(cost: Resources, bram_price: float = LUTS_PER_BRAM36) -> float:
    """What the planner minimizes: LUTs, with block RAM and registers at their exchange rates."""
    return cost.lut + bram_price * cost.bram36 + LUTS_PER_FF * cost.ff


def divisors(n: int) -> list[int]:
    """All divisors, ascending."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return small + [n // d for d in reversed(small) if d * d != n]


@dataclass(frozen=True)
class Candidate:
    """One way to build a layer, priced."""

    plan: MacPlan
    cost: Resources
    price: float

    @property
    def row(self) -> dict[str, Any]:
        """For reports: what it is, its cycles, its price, and where its LUTs go."""
        parts = {name: part.lut for name, part in mac_cost(self.plan).items() if part.lut}
        return {
            "element": self.plan.element.name,
            "taps": self.plan.taps,
            "fold": asdict(self.plan.fold),
            "cycles": self.plan.cycles,
            "price": round(self.price, 1),
            "lut": self.cost.lut,
            "bram36": self.cost.bram36,
            "lut_of": parts,
        }


def folds(layer: MacLayer, taps: int = 1) -> Iterator[Fold]:
    """Parallelisms of a layer (group and digit 1): lanes, outputs, and blocks for grouped convolutions.

    `taps` channels belong together in a word.
    """
    for lanes in divisors(layer.group_channels // taps):
        for outputs in divisors(layer.group_outputs):
            yield Fold(lanes * taps, outputs)
    if layer.groups > 1:
        for blocks in divisors(layer.groups)[1:]:
            yield Fold(layer.group_channels, layer.group_outputs, blocks)


def addressings(layer: MacLayer, lanes: int) -> Iterator[tuple[int, int]]:
    """(group, digit) of one table address; at last whole activations, even where those are wider."""
    for digit in range(1, min(layer.in_bits, ADDRESS_BITS) + 1):
        if digit > 1 and -(-layer.in_bits // digit) == -(-layer.in_bits // (digit - 1)):
            continue  # as many passes as with shorter digits
        for group in range(1, min(lanes, MAX_GROUP, ADDRESS_BITS // digit) + 1):
            yield group, digit
    if layer.in_bits > ADDRESS_BITS:
        yield 1, layer.in_bits


def rom_styles(element: Element, bram_price: float) -> dict[str, int]:
    """For every ROM the cheaper of block RAM (1) and LUTs (2)."""
    return {
        name: min((2, 1), key=lambda style: price(memory_cost.rom(*shape, style), bram_price))
        for name, shape in element.rom_shapes.items()
    }


def out_lanes(fold: Fold, layer: MacLayer, reader_lanes: int) -> int:
    """Fewest lanes a word in which a tile leaves before the next one ends; such that need no repacking first."""
    enough = [d for d in divisors(fold.parallel) if fold.parallel // d <= fold.tile_cycles(layer)]
    fitting = [d for d in enough if d % reader_lanes == 0 or reader_lanes % d == 0]
    return (fitting or enough)[0]


def mapped(variant: Variant, fold: Fold, kind: str, bram_price: float = LUTS_PER_BRAM36) -> MacPlan | None:
    """The plan of one folding and element, None where they do not fit together."""
    layer = variant.layer
    element = map_layer(layer, fold, kind)
    if element is None:
        return None
    styles = rom_styles(element, bram_price)
    return MacPlan(layer, fold, element, out_lanes(fold, layer, 1), styles, variant.name, variant.patches)


def fitting(variant: Variant, fold: Fold, kind: str, bram_price: float = LUTS_PER_BRAM36) -> MacPlan | None:
    """As `mapped`, and None where the accumulators are too wide; that of an unrolled layer takes its search."""
    plan = mapped(variant, fold, kind, bram_price)
    return plan if plan is not None and plan.acc_bits <= MAX_BITS else None


def candidate(
    variant: Variant,
    fold: Fold,
    kind: str,
    bram_price: float = LUTS_PER_BRAM36,
    clock: ClockGoal | None = None,
    every: int | None = None,
) -> Candidate | None:
    """The priced plan of one folding and element, None where they do not fit together or do not keep the clock.

    every: levels of adders between registers, where the user says so.
    """
    return next(candidates(variant, fold, kind, (bram_price,), clock, every), None)


def candidates(
    variant: Variant,
    fold: Fold,
    kind: str,
    bram_prices: Sequence[float],
    clock: ClockGoal | None = None,
    every: int | None = None,
) -> Iterator[Candidate]:
    """The priced plans of one folding and element that differ in where their ROMs lie, as the prices have it.

    With a clock, the cheapest ones that keep it, in where their ROMs lie and their registers stand.
    """
    plan = fitting(variant, fold, kind, bram_prices[0])
    seen: list[tuple[dict[str, int], int]] = []
    if plan is None:
        return
    if every is not None:
        plan = with_levels(plan, every)
    elif clock:
        plan = clock.with_trees(plan)
    kept = [way for way in ways(plan, every is None) if clock.keeps(way)] if clock else []
    if clock and not kept:
        return
    for bram_price in bram_prices:
        if clock:
            found = min(kept, key=lambda way: price(total(mac_cost(way)), bram_price))
        else:
            found = replace(plan, rom_styles=rom_styles(plan.element, bram_price))
        key = found.rom_styles, found.element.latency
        if key not in seen:
            seen.append(key)
            cost = total(mac_cost(found))
            yield Candidate(found, cost, price(cost, bram_price))


def with_levels(plan: MacPlan, every: int) -> MacPlan:
    """The plan with so many levels of its graph, where it is unrolled, or of its adder trees between registers."""
    element = plan.element
    if isinstance(element, Unrolled):
        return replace(plan, element=replace(element, every=every))
    return replace(plan, every=every)


def ways(plan: MacPlan, levels: bool = True) -> Iterator[MacPlan]:
    """The plan with its ROMs in LUTs and block RAM; unrolled, with any number of `levels` between registers."""
    names = list(plan.element.rom_shapes)
    if levels and isinstance(plan.element, Unrolled):
        plans = [with_levels(plan, every) for every in range(1, MOST_LEVELS + 1)]
    else:
        plans = [plan]
    for own in plans:
        for styles in product((2, 1), repeat=len(names)):
            yield replace(own, rom_styles=dict(zip(names, styles, strict=True)))


def best(
    layer: MacLayer,
    goal: int,
    elements: tuple[str, ...],
    bram_price: float = LUTS_PER_BRAM36,
    limit: int = 12,
    clock: ClockGoal | None = None,
    allowed: Callable[[MacPlan], bool] = lambda plan: True,
) -> Candidate | None:
    """The cheapest candidate of at most `goal` cycles a frame that keeps the clock and is allowed; None without one.

    Of every variant, only the `limit` parallelisms with the fewest multiplications a cycle are looked into
    for every addressing: more parallel ones only cost more. The plan remembers the cheapest candidate of every
    element and arrangement of taps.
    """
    chosen: Candidate | None = None
    compared: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
    for option in options(layer, goal, elements, (bram_price,), limit, clock):
        key = (option.plan.element.name, option.plan.taps)
        if key not in compared or option.price < compared[key][0]:
            compared[key] = option.price, option.row
        if (chosen is None or option.price < chosen.price) and allowed(option.plan):
            chosen = option
    if chosen is None:
        return None
    rows = tuple(row for _, row in sorted(compared.values(), key=lambda entry: entry[0]))
    return replace(chosen, plan=replace(chosen.plan, candidates=rows))


def options(
    layer: MacLayer,
    goal: int,
    elements: tuple[str, ...],
    bram_prices: Sequence[float] = (LUTS_PER_BRAM36,),
    limit: int = 12,
    clock: ClockGoal | None = None,
) -> Iterator[Candidate]:
    """All candidates that `best` compares, with their ROMs as each of the prices has it.

    Where none of them fits, those of the least parallel folding that does.
    """
    none = True
    for variant in variants(layer):
        for folded in _folded(variant, goal, limit):
            for option in _built(variant, folded, goal, elements, bram_prices, clock):
                none = False
                yield option
    if none:
        yield from _first(layer, goal, elements, bram_prices, clock)


def _folded(variant: Variant, goal: float, limit: int | None) -> Iterator[Fold]:
    """Foldings of at most `goal` cycles: of every number of digits the `limit` least parallel ones."""
    layer = variant.layer
    for digits in sorted({-(-layer.in_bits // d) for _, d in addressings(layer, 1)}):
        fast = [f for f in folds(layer, variant.taps) if f.cycles(layer) * digits // layer.in_bits <= goal]
        fast.sort(key=lambda f: (f.word_lanes * f.outputs, f.word_lanes))
        for fold in fast[:limit]:
            for group, digit in addressings(layer, fold.lanes):
                folded = replace(fold, group=group, digit=digit)
                if folded.digits(layer) == digits and folded.cycles(layer) <= goal:
                    yield folded


def _built(
    variant: Variant,
    folded: Fold,
    goal: int,
    elements: tuple[str, ...],
    bram_prices: Sequence[float],
    clock: ClockGoal | None,
) -> Iterator[Candidate]:
    for kind in elements:
        for option in candidates(variant, folded, kind, bram_prices, clock):
            if option.plan.patch_cycles <= goal:
                yield option


def _first(
    layer: MacLayer, goal: int, elements: tuple[str, ...], bram_prices: Sequence[float], clock: ClockGoal | None
) -> Iterator[Candidate]:
    """The candidates of one folding, the least parallel one that fits."""
    pairs = [(variant, folded) for variant in variants(layer) for folded in _folded(variant, goal, None)]
    pairs.sort(key=lambda pair: (pair[1].word_lanes * pair[1].outputs, pair[1].word_lanes))
    for variant, folded in pairs:
        found = list(_built(variant, folded, goal, elements, bram_prices, clock))
        if found:
            yield from found
            return


def builds(layer: MacLayer, elements: tuple[str, ...]) -> bool:
    """Whether some folding with one of the elements fits the layer."""
    ways = ((variant, folded) for variant in variants(layer) for folded in _folded(variant, math.inf, None))
    return any(fitting(*way, kind) is not None for way in ways for kind in elements)


def fastest(layer: MacLayer, elements: tuple[str, ...]) -> int | None:
    """Cycles a frame of the fastest circuit of a layer; None where none of the elements fits it."""
    found = []
    for variant in variants(layer):
        inner = variant.layer
        pairs = [
            replace(parallel, group=group, digit=digit)
            for parallel in folds(inner, variant.taps)
            for group, digit in addressings(inner, parallel.lanes)
        ]
        for folded in sorted(pairs, key=lambda f: f.cycles(inner)):
            plan = next(filter(None, (fitting(variant, folded, kind) for kind in elements)), None)
            if plan:
                found.append(max(folded.cycles(inner), plan.patch_cycles))
                break
    return min(found, default=None)
