# SPDX-License-Identifier: Apache-2.0
"""From a candidate for every layer to a plan: lanes of streams, FIFOs in front of joins, the estimate."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from bitwright.hardware.modules.window import Window
from bitwright.network.ops import MaxPool, SumPool
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.circuit.joins import fifo_pixels
from bitwright.targets.tlmac.circuit.patch import ROWS
from bitwright.targets.tlmac.circuit.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.circuit.stages import leaves_apart
from bitwright.targets.tlmac.circuit.units import Circuit, Unit, posts
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.targets.tlmac.model.estimate import estimate
from bitwright.targets.tlmac.model.timing import fixed_latency
from bitwright.targets.tlmac.options import TlmacOptions


def assemble(
    circuit: Circuit,
    options: TlmacOptions,
    goal: int,
    chosen: dict[str, fold.Candidate],
    in_luts: Set[str] = frozenset(),
) -> TlmacPlan:
    """The plan of these candidates by layer; the units `in_luts` rescale without DSP blocks."""
    units: dict[str, UnitPlan] = {}
    lanes = {unit.name: _lanes(unit, chosen, goal) for unit in circuit.stages}
    by_rows = {name for name, found in chosen.items() if any(patch.module == ROWS for patch in found.plan.patches)}
    depths = fifo_pixels(circuit, by_rows)
    sources = circuit.network.input_names
    apart: set[str] = set()  # values whose words come at most every second cycle
    delay = dict.fromkeys(sources, 0)  # register stages on the longest way to a value
    produced = {name: lanes[circuit.stages[circuit.readers(name)[0][0]].name] for name in sources}
    for unit in circuit.stages:
        reads = lanes[unit.name]
        wanted = [lanes[circuit.stages[i].name] for i, _ in circuit.readers(unit.value)]
        out, mac = reads, None
        if unit.mac:
            mac = chosen[unit.name].plan
            mac = replace(mac, out_lanes=fold.out_lanes(mac.fold, mac.layer, wanted[0] if wanted else 1))
            out = mac.out_lanes
        elif unit.kind == "argmax":
            out = 1
        dsp = unit.name not in in_luts
        after = posts(unit, mac.acc_type if mac else None, mac.constant if mac else None, dsp)
        inputs = tuple(produced[value] for value in unit.inputs)
        late = max(delay[value] for value in unit.inputs)
        words = tuple(
            # what branches in step need, and what the later one's pipeline delays at full speed
            -(-pixels * t.size // (stream * n)) + -(-(late - delay[value]) * t.size // (n * goal))
            for (pixels, stream), t, n, value in zip(
                depths.get(unit.name, ()), unit.input_types, inputs, unit.inputs, strict=False
            )
        )
        fifos = words or (0,) * len(inputs)
        rare = frozenset(k for k, value in enumerate(unit.inputs) if value in apart)
        found = UnitPlan(unit, inputs, reads, out, tuple(after), mac, fifos, (0,) * len(inputs), rare)
        units[unit.name] = found
        apart |= {unit.value} if leaves_apart(found) else set()
        produced[unit.value] = out
        delay[unit.value] = late + fixed_latency(found)
    plans = tuple(units.values())
    figures = estimate(circuit, plans, options.threads, ClockGoal.of(options))
    return TlmacPlan(circuit.network, circuit, plans, figures, options.chosen, goal)


def _lanes(unit: Unit, chosen: dict[str, fold.Candidate], goal: int) -> int:
    """Lanes of a unit's words: as folded, or the fewest that reach the goal."""
    if unit.mac:
        return chosen[unit.name].plan.in_lanes
    channels = [unit.main.channels] if unit.kind == "mul" else [t.channels for t in unit.input_types]
    common = [d for d in fold.divisors(min(channels)) if all(c % d == 0 for c in channels)]
    words = max(unit.type.size, *(t.size for t in unit.input_types))
    return next((d for d in common if max(words // d, pool_cycles(unit, d)) <= goal), common[-1])


def pool_cycles(unit: Unit, lanes: int) -> int:
    """Cycles a frame of a pool's window reader on words of `lanes` channels; 0 for other units."""
    op = unit.op
    if not isinstance(op, MaxPool | SumPool):
        return 0
    height, width, channels = unit.input_types[0].shape
    chunks = channels // lanes
    return Window(1, height, width, chunks, op.kernel, op.stride, op.pads, op.dilation, chunks).interval_cycles
