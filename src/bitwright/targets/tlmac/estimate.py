"""The cost model's figures of planned units."""

from __future__ import annotations

from dataclasses import asdict

from bitwright.targets.contract import Estimate, LayerEstimate
from bitwright.targets.tlmac import cost, timing
from bitwright.targets.tlmac.plan import UnitPlan
from bitwright.targets.tlmac.units import Circuit


def estimate(circuit: Circuit, plans: tuple[UnitPlan, ...]) -> Estimate:
    """Resources and cycles of every unit; interval and latency of the whole circuit."""
    layers = []
    for plan in plans:
        components = cost.unit_cost(plan)
        details = {"components": {name: asdict(c) for name, c in components.items()}}
        if plan.mac:
            details |= {
                "element": plan.mac.element.kind,
                "fold": asdict(plan.mac.fold),
                "out_lanes": plan.mac.out_lanes,
                "candidates": plan.mac.candidates,
            }
        cycles = timing.unit_cycles(plan)
        layers.append(LayerEstimate(plan.unit.name, plan.unit.kind, cost.total(components), cycles, details))
    return Estimate(tuple(layers), *timing.cycles(circuit, plans))
