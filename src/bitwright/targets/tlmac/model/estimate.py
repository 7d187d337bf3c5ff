# SPDX-License-Identifier: Apache-2.0
"""The cost model's figures of planned units."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

from bitwright.targets.contract import Estimate, LayerEstimate
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.circuit.units import Circuit
from bitwright.targets.tlmac.elements.unrolled.element import EVERY, Unrolled
from bitwright.targets.tlmac.model import cost, timing
from bitwright.targets.tlmac.model.clock import ClockGoal, Ready, readies, unit_paths
from bitwright.targets.tlmac.threads import each


def estimate(circuit: Circuit, plans: tuple[UnitPlan, ...], jobs: int = 1, clock: ClockGoal | None = None) -> Estimate:
    """Resources and cycles of every unit; interval and latency of the whole circuit. `jobs` threads.

    clock: a goal against which every unit is judged.
    """
    layers = _clocked(circuit, plans, tuple(each(_layer, plans, jobs)), clock)
    return Estimate(layers, *timing.cycles(circuit, plans), overlap=True)


def revised(
    plan: TlmacPlan, units: tuple[UnitPlan, ...], cycles: tuple[int, int], clock: ClockGoal | None
) -> TlmacPlan:
    """The plan with some other units; `cycles` are the whole circuit's."""
    pairs = zip(plan.units, units, plan.estimate.layers, strict=True)
    layers = tuple(layer if new is old else _layer(new) for old, new, layer in pairs)
    layers = _clocked(plan.circuit, units, layers, clock)
    return replace(plan, units=units, estimate=Estimate(layers, *cycles, overlap=True))


def _clocked(
    circuit: Circuit, plans: tuple[UnitPlan, ...], layers: tuple[LayerEstimate, ...], clock: ClockGoal | None
) -> tuple[LayerEstimate, ...]:
    """The units with the clock that each can keep, where there is a goal."""
    if clock is None:
        return layers

    def judged(plan: UnitPlan, layer: LayerEstimate, ready: Ready) -> LayerEstimate:
        mhz, limit = clock.reached(unit_paths(plan, ready))
        told = {"clock_mhz": math.floor(10 * mhz) / 10, "clock_limit": limit} if limit else {}
        return replace(layer, details={**layer.details, **told})

    return tuple(map(judged, plans, layers, readies(circuit, plans)))


def _layer(plan: UnitPlan) -> LayerEstimate:
    components = cost.unit_cost(plan)
    details: dict[str, Any] = {"components": {name: asdict(c) for name, c in components.items()}}
    if plan.mac:
        details |= {
            "element": plan.mac.element.name,
            "taps": plan.mac.taps,
            "fold": asdict(plan.mac.fold),
            **_levels(plan.mac),
            "out_lanes": plan.mac.out_lanes,
            "candidates": plan.mac.candidates,
            "remark": plan.mac.remark,
        }
    fifos = [a + b for a, b in zip(plan.fifo_words, plan.behind_words, strict=False)]
    if any(fifos):
        details["fifo_words"] = fifos
    unit = plan.unit
    figures = cost.total(components), timing.unit_cycles(plan)
    return LayerEstimate(unit.name, unit.kind, *figures, unit.nodes, details)


def _levels(mac: MacPlan) -> dict[str, int]:
    """Levels of adders between registers, where they are not the usual ones."""
    element = mac.element
    if isinstance(element, Unrolled):
        return {"every": element.every} if element.every != EVERY else {}
    return {"every": mac.every} if mac.every != 1 else {}
