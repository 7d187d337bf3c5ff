"""The cost model's figures of planned units."""

from __future__ import annotations

from dataclasses import asdict

from bitwright.targets.contract import Estimate, LayerEstimate
from bitwright.targets.tlmac import cost, timing
from bitwright.targets.tlmac.plan import UnitPlan
from bitwright.targets.tlmac.stages import readers
from bitwright.targets.tlmac.units import Circuit


def unit_cycles(plan: UnitPlan) -> int:
    """Cycles a frame of a unit, its streams included, where no neighbor keeps it waiting."""
    cycles = [t.size // n for t, n in zip(plan.unit.input_types, plan.in_lanes, strict=True)]
    cycles += [t.size // plan.lanes for t in plan.unit.input_types] + [plan.unit.type.size // plan.out_lanes]
    if plan.mac is not None:
        cycles += [plan.mac.cycles, plan.mac.window.interval_cycles, plan.mac.patch_cycles]
    else:
        cycles += [window.interval_cycles for window in readers(plan)]
    return max(cycles)


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
        layers.append(LayerEstimate(plan.unit.name, plan.unit.kind, cost.total(components), unit_cycles(plan), details))
    return Estimate(tuple(layers), *timing.cycles(circuit, plans))
