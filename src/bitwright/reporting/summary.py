# SPDX-License-Identifier: Apache-2.0
"""Everything that is known of a design as one dictionary with stable names."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from bitwright.design.io import estimate_dict, plain
from bitwright.design.results import all_runs
from bitwright.devices import find_device
from bitwright.hardware.clock import DEFAULT_MHZ, Clock, reached
from bitwright.hardware.resources import Resources
from bitwright.network.ops import Conv2d, Dense
from bitwright.reporting.layers import NOTHING, layer_facts
from bitwright.targets.contract import Design

RESOURCES = tuple(f.name for f in dataclasses.fields(Resources))
TITLES = {"lut": "LUT", "ff": "FF", "carry": "carry", "bram36": "BRAM36", "dsp": "DSP"}  # as pages call them


def summary(design: Design, *, simulation: Any = None, synthesis: Any = None) -> dict[str, Any]:
    """The facts of the network, the design, its estimate and, where given, its simulation and synthesis.

    `layers` sets each unit's estimate beside what synthesis measured of it; a figure that is not known is
    None. `comparable` says whether both count the same kind of cells. Estimated figures come from the
    target's cost model, measured ones from the tools in `tools`.
    """
    simulated, synthesized = _as_dict(simulation), _as_dict(synthesis)
    tools = [f"bitwright {version('bitwright')}"]
    tools += [simulated["tool"]] if simulated else []
    tools += list(synthesized["tools"]) if synthesized else []
    return {
        "tools": tools,
        "network": _network(design),
        "design": {
            "target": design.target,
            "top": design.top,
            "digest": design.digest,
            "options": plain(design.options),
            "input_lanes": [spec.lanes for spec in design.input.tensors],
            "output_lanes": [spec.lanes for spec in design.output.tensors],
            "parameters": plain(design.parameters),
            "device": design.device,
        },
        "estimate": plain(estimate_dict(design.estimate)) | {"utilization": _shares(design)},
        "layers": _layers(design, synthesized, _activations(simulated)),
        "comparable": any(unit.get("estimate") for unit in (synthesized or {}).get("units", ())),
        "simulation": simulated,
        "synthesis": synthesized,
        "performance": _performance(design, simulated, synthesized),
    }


def part(found: Mapping[str, Any]) -> str:
    """What the design of a summary was synthesized for, else what it was planned for; "" for nothing."""
    name: str = found["synthesis"]["device"]["name"] if found["synthesis"] else found["design"]["device"]
    return name


def _as_dict(result: Any) -> dict[str, Any] | None:
    """A result as its dictionary, in the types of JSON."""
    if result is None:
        return None
    found: dict[str, Any] = plain(result if isinstance(result, Mapping) else result.as_dict())
    return found


def _shares(design: Design) -> dict[str, float]:
    """Estimated shares of the part that the design was planned for; empty where it was for none."""
    return find_device(design.device).estimated_utilization(design.estimate.total) if design.device else {}


def _network(design: Design) -> dict[str, Any]:
    network = design.network
    products = [n.op for n in network.nodes if isinstance(n.op, (Conv2d, Dense))]
    return {
        "name": network.name,
        "source": network.source,
        "digest": network.digest,
        "inputs": {spec.name: str(spec.type) for spec in network.inputs},
        "outputs": {spec.name: str(network.types[spec.value]) for spec in network.outputs},
        "operations": dict(sorted(Counter(type(n.op).__name__ for n in network.nodes).items())),
        "weights": sum(op.weight.size for op in products),
        "weight_bytes": sum(op.weight.size * op.weight_type.bits for op in products) / 8,
    }


def _activations(simulated: dict[str, Any] | None) -> Mapping[str, Any]:
    """Histograms of the values of nodes, of the last run on data; `ValueError` where they are none."""
    runs = all_runs(simulated) if simulated else []
    found: Mapping[str, Any] = next((run["activations"] for run in runs if run.get("activations")), {})
    for name, one in found.items():
        counts, ends = one["counts"], (one["low"], one["high"])
        if not all(isinstance(n, int) and n >= 0 for n in counts) or not all(isinstance(v, int) for v in ends):
            raise ValueError(f"the histogram of {name!r} is damaged")
    return found


def _layers(design: Design, synthesized: dict[str, Any] | None, seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each unit's estimate and measurement, all copies together."""
    measured: dict[int, Resources] = {}
    others = []
    for unit in synthesized["units"] if synthesized else []:
        all_copies = Resources(*(unit["copies"] * unit["resources"][name] for name in RESOURCES))
        if unit["row"] is None:
            others.append(_layer(unit["name"], "", None, None, all_copies) | dict(NOTHING))
        elif unit["row"] not in range(len(design.estimate.rows)):
            raise ValueError(f"unit {unit['name']!r} has row {unit['row']!r}")
        else:
            measured[unit["row"]] = measured.get(unit["row"], Resources()) + all_copies
    rows = []
    for i, row in enumerate(design.estimate.rows):
        found = _layer(row.name, row.kind, row.cycles, row.resources, measured.get(i))
        rows.append(found | layer_facts(design, row, seen))
    return rows + others


def _layer(
    name: str, kind: str, cycles: int | None, estimated: Resources | None, measured: Resources | None
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "cycles": cycles,
        "estimated": None if estimated is None else dataclasses.asdict(estimated),
        "measured": None if measured is None else dataclasses.asdict(measured),
    }


def _performance(
    design: Design, simulated: dict[str, Any] | None, synthesized: dict[str, Any] | None
) -> dict[str, Any]:
    """Latency and interval, simulated where known, else estimated; frames a second and the clock they rest on.

    The clock is the routed one where there is one, else the estimated one, else the default, which is assumed.
    """
    latency, interval = design.estimate.latency_cycles, design.estimate.interval_cycles
    source = "estimated"
    if simulated:
        source = "simulated"
        latency, interval = simulated["latency_cycles"], simulated["interval_cycles"] or interval
    clock = reached(synthesized) or Clock(DEFAULT_MHZ)
    return {
        "source": source,
        "latency_cycles": latency,
        "interval_cycles": interval,
        "clock_mhz": clock.mhz,
        "clock_basis": clock.basis,
        "frames_per_second": clock.frames_per_second(interval),
        "latency_us": clock.microseconds(latency),
    }
