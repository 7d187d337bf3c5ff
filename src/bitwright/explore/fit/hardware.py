# SPDX-License-Identifier: Apache-2.0
"""Designs for networks, and what the widths of layers cost on each target: the tasks of `fit` that plan hardware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bitwright import api
from bitwright.errors import ModelError
from bitwright.explore.costs import (
    Cost,
    LayerCosts,
    Pair,
    PairCost,
    pair_cost,
    pair_network,
    quick,
    uniform_like,
)
from bitwright.explore.finalists import kept_network
from bitwright.explore.study import Start
from bitwright.explore.tasks import Pool, Result, run_tasks
from bitwright.quantization.digests import digest
from bitwright.quantization.placement import Widths
from bitwright.quantization.ptq import Prepared
from bitwright.targets.goals import Goals, designs

Given = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Wish:
    """One network for one target: near which interval the fastest design is looked for, how near, and how many more."""

    network: str
    target: str
    hint: int = 0
    slower: int = 0
    near: float = 0.03


def designs_of(goals: Goals, given: Given, wish: Wish) -> Result:
    """The designs of one network on one target, or why the target refuses it; one task of `fit`."""
    try:
        found = designs(
            kept_network(wish.network),
            wish.target,
            given.get(wish.target, {}),
            goals,
            hint=wish.hint,
            slower=wish.slower,
            near=wish.near,
        )
    except ModelError as error:
        return {"designs": [], "refusal": str(error)}
    rows: list[dict[str, Any]] = []
    for options, plan in found:
        estimate = plan.estimate
        rows.append(
            {
                "options": options,
                "interval_cycles": estimate.interval_cycles,
                "latency_cycles": estimate.latency_cycles,
                "resources": {name: float(value) for name, value in asdict(estimate.total).items()},
                "overlap": estimate.overlap,
            }
        )
    return {"designs": rows, "refusal": ""}


def all_designs(goals: Goals, given: Given, wishes: Sequence[Wish], pool: Pool) -> list[Result]:
    """`designs_of` for every wish, side by side; what is known already comes from the cache."""
    programs = {wish.target: api.program_digest(wish.target) for wish in wishes}
    keys = [digest("designs", goals, given.get(wish.target, {}), wish, programs[wish.target]) for wish in wishes]
    return run_tasks(designs_of, (goals, given), [(wish,) for wish in wishes], keys, pool, "designs")


def prices(given: Given, wide: Mapping[str, Result]) -> dict[str, Cost]:
    """What each target charges for widths: LUTs of a pipeline at the pace of its widest network, else cycles.

    wide: designs of the widest network by target; targets that refuse it have no price.
    """
    found = {}
    for name, result in wide.items():
        if result["designs"]:
            first = result["designs"][0]
            options = {key: v for key, v in first["options"].items() if key not in ("device", "fill")}
            found[name] = Cost("lut" if first["overlap"] else "cycles", name, {**options, **given.get(name, {})})
    return found


def priced(prepared: Prepared, widths: Widths, costs: Mapping[str, Cost], chosen: Mapping[str, Pair]) -> Result:
    """What the layers of one network cost on every target, None where it refuses; one task of `fit`."""
    network = pair_network(prepared, widths, chosen)
    found: dict[str, Any] = {}
    for name, cost in costs.items():
        try:
            found[name] = asdict(pair_cost(network, cost, list(chosen)))
        except ModelError:
            found[name] = None
    return {"prices": found}


def crossed(pairs: Mapping[str, tuple[Pair, ...]]) -> list[dict[str, Pair]]:
    """Of `uniform_like` those with the widest activations, or the widest weights: what the others cost follows."""
    every = {p for legal in pairs.values() for p in legal}
    w, a = max(w for w, _ in every), max(a for _, a in every)
    chosen = {name: tuple(p for p in legal if p[0] == w or p[1] == a) or legal for name, legal in pairs.items()}
    return uniform_like(chosen)


def completed(costs: LayerCosts, pairs: Mapping[str, tuple[Pair, ...]]) -> LayerCosts:
    """With the pairs between: cost(w, a) = cost(w, A) cost(W, a) / cost(W, A), A and W the widest of the layer."""
    table = {}
    for name, legal in pairs.items():
        known = costs.table[name]
        top = max(w for w, _ in legal), max(a for _, a in legal)
        table[name] = {
            (w, a): known[w, a] if (w, a) in known else known[w, top[1]] * known[top[0], a] / max(known[top], 1e-9)
            for w, a in legal
        }
    return replace(costs, table=table)


def all_costs(start: Start, costs: Mapping[str, Cost], pool: Pool) -> dict[str, LayerCosts]:
    """Costs of every pair of widths by target; without the targets that refuse some of those that are priced."""
    if not costs:
        return {}
    alone, settings = quick(start.prepared), crossed(start.pairs)
    programs = [api.program_digest(name) for name in costs]
    key = digest("prices", alone.graph, alone.options, alone.x, start.widths, costs, programs)
    keys = [digest(key, chosen) for chosen in settings]
    tasks = [(chosen,) for chosen in settings]
    results = run_tasks(priced, (alone, start.widths, costs), tasks, keys, pool, "prices")
    found = {}
    for name in costs:
        rows = [result["prices"][name] for result in results]
        if all(row is not None for row in rows):
            priced_rows = [(chosen, PairCost(**row)) for chosen, row in zip(settings, rows, strict=True)]
            found[name] = completed(LayerCosts.of(priced_rows), start.pairs)
    return found
