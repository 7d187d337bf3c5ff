# SPDX-License-Identifier: Apache-2.0
"""The cost model's figures of planned units."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from bitwright.targets.contract import Estimate, LayerEstimate
from bitwright.targets.tlmac.circuit.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.circuit.units import Circuit
from bitwright.targets.tlmac.model import cost, timing
from bitwright.targets.tlmac.threads import each


def estimate(circuit: Circuit, plans: tuple[UnitPlan, ...], jobs: int = 1) -> Estimate:
    """Resources and cycles of every unit; interval and latency of the whole circuit. `jobs` threads."""
    return Estimate(tuple(each(_layer, plans, jobs)), *timing.cycles(circuit, plans), overlap=True)


def revised(plan: TlmacPlan, units: tuple[UnitPlan, ...], cycles: tuple[int, int]) -> TlmacPlan:
    """The plan with some other units; `cycles` are the whole circuit's."""
    pairs = zip(plan.units, units, plan.estimate.layers, strict=True)
    layers = tuple(layer if new is old else _layer(new) for old, new, layer in pairs)
    return replace(plan, units=units, estimate=Estimate(layers, *cycles, overlap=True))


def _layer(plan: UnitPlan) -> LayerEstimate:
    components = cost.unit_cost(plan)
    details: dict[str, Any] = {"components": {name: asdict(c) for name, c in components.items()}}
    if plan.mac:
        details |= {
            "element": plan.mac.element.name,
            "taps": plan.mac.taps,
            "fold": asdict(plan.mac.fold),
            "out_lanes": plan.mac.out_lanes,
            "candidates": plan.mac.candidates,
            "remark": plan.mac.remark,
        }
    unit = plan.unit
    figures = cost.total(components), timing.unit_cycles(plan)
    return LayerEstimate(unit.name, unit.kind, *figures, unit.nodes, details)
