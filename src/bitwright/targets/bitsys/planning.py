# SPDX-License-Identifier: Apache-2.0
"""The plan of a network on the array: stages, places in memory, descriptors and costs; and the design made of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from bitwright.hardware.memory_port import MemoryPort
from bitwright.hardware.resources import Resources
from bitwright.network import IntType, Network
from bitwright.network.lowering import (
    concats_by_products,
    flatten_by_products,
    flatten_first,
    lower_lookups,
    lowered,
    pads_apart,
    pads_by_sums,
    products_by_squares,
    split_thresholds,
    weaves_by_sums,
)
from bitwright.network.ops import Add, Conv2d, Dense, Pool
from bitwright.network.stages import Rules, Stage, Staged, staged
from bitwright.targets.bitsys import hardware, lowering, program, storage
from bitwright.targets.bitsys.check import MOST_THRESHOLDS, STORED_BITS, TABLE_BITS, fits, too_heavy, too_wide, unsuited
from bitwright.targets.bitsys.emit import INPUT_BITS, OUTPUT_BITS, TOP, WEIGHT_BITS, files
from bitwright.targets.bitsys.external import network as external
from bitwright.targets.bitsys.external.items import traffic
from bitwright.targets.bitsys.external.planner import Planned
from bitwright.targets.bitsys.external.program import Image, follow, image
from bitwright.targets.bitsys.external.program import writes as outside_writes
from bitwright.targets.bitsys.external.timing import EXTERNAL_FETCH, Times
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.model import cost, cycles, timeline
from bitwright.targets.bitsys.model.cycles import LayerTiming
from bitwright.targets.bitsys.options import BitsysOptions
from bitwright.targets.bitsys.program import Program
from bitwright.targets.bitsys.registers import address, control_registers
from bitwright.targets.bitsys.storage import Layout
from bitwright.targets.bitsys.weights import stream_words
from bitwright.targets.contract import (
    Design,
    Estimate,
    FrameSpec,
    LayerEstimate,
    Problem,
    Refusal,
    StreamSpec,
    SynthesisUnit,
    WeightStream,
    traced,
)
from bitwright.text import unique
from bitwright.tools.model import to_words

INPUT_LANES = 8
RULES = Rules(absorbing=(Conv2d, Dense, Pool, Add), widest=STORED_BITS, apart=True)


@dataclass(frozen=True, eq=False)
class BitsysPlan:
    """Stages, their places in memory and their descriptors."""

    network: Network
    options: BitsysOptions
    hardware: Hardware
    staged: Staged[Stage]
    layout: Layout
    program: Program
    estimate: Estimate
    outside: Outside | None


@dataclass(frozen=True, eq=False)
class Outside:
    """What goes to and from external memory, and what lies there."""

    planned: Planned
    image: Image


@dataclass(frozen=True, eq=False)
class _Lowered:
    """A network on a hardware configuration: stages, places, program, external memory."""

    staged: Staged[Stage]
    layout: Layout
    program: Program
    outside: Outside | None = None


def _batches(batch: int, staged: Staged[Stage], machine: Hardware) -> tuple[int, ...]:
    """Frames that may be computed together, the most wanted first.

    Rows of the array are pixels; a network of dense layers alone fills them with frames, as many as there is room for.
    """
    if batch:
        return (batch,)
    dense = all(s.main.pixels == 1 for s in staged.stages if s.window.multiplies)
    dense = dense and not any(part.rows > 1 for s in staged.stages for part in lowering.parts(s))
    return tuple(machine.rows >> k for k in range(machine.rows.bit_length())) if dense else (1,)


def _has_room(staged: Staged[Stage], places: Layout, machine: Hardware) -> bool:
    return places.words <= machine.act_words and places.output_groups <= machine.output_groups


def pads_are_planes(dtype: IntType, value: int) -> bool:
    """Whether all bits of the padding value are alike; those of a bipolar one are where it is stored as a bit."""
    return dtype.bipolar or value in (0, -1 if dtype.signed else dtype.max)


def _simpler(network: Network, machine: Hardware) -> Network:
    """The network without what the hardware has no layer for, and with Thresholds and tables that are not too long."""
    fill = 64 if machine.planes else 8  # channels of a Concat's first value that fill words
    return lowered(
        network,
        flatten_first,
        weaves_by_sums,
        partial(pads_apart, legal=pads_are_planes if machine.planes else lambda dtype, value: True),
        pads_by_sums,
        products_by_squares,
        partial(lower_lookups, table_bits=TABLE_BITS, steps=MOST_THRESHOLDS),
        partial(split_thresholds, most=MOST_THRESHOLDS),
        partial(concats_by_products, aligned=lambda channels: channels % fill == 0),
        flatten_by_products,
    )


@lru_cache(maxsize=1)  # `plan` follows `check`: the network is lowered once for both
def _lower(network: Network, machine: Hardware, batch: int) -> _Lowered | Refusal:
    simple = _simpler(network, machine)
    found = _staged(simple, machine, batch)
    return found if isinstance(found, _Lowered) else Refusal(traced(found, simple))


def _staged(network: Network, machine: Hardware, batch: int) -> _Lowered | list[Problem]:
    found = unsuited(network)
    if found:
        return found
    cut = staged(network, RULES)
    found = too_wide(cut, machine)
    if found:
        return found
    for frames in _batches(batch, cut, machine):
        places = storage.layout(cut, machine, frames)
        if _has_room(cut, places, machine):
            break
    if machine.external:
        return _outside(cut, places, machine)
    found = too_heavy(cut, places, machine)
    if found:
        return found
    made = program.place(lowering.layers(cut, places, machine), machine)
    return fits(machine, cut, places, made) or _Lowered(cut, places, made)


def _outside(cut: Staged[Stage], places: Layout, machine: Hardware) -> _Lowered | list[Problem]:
    """A network on hardware with external memory."""
    planned = external.lower(cut, places, machine, _has_room(cut, places, machine))
    if isinstance(planned, list):
        return planned
    made = image(planned)
    found = external.too_large(made, machine)
    return list(found) or _Lowered(planned.staged, planned.layout, external.listed(planned), Outside(planned, made))


def problems(network: Network, options: BitsysOptions) -> list[Problem]:
    """All reasons to refuse the network; the memories are checked where its operations can run at all."""
    found = _lower(network, hardware.load(options.hardware), options.batch)
    return list(found.problems) if isinstance(found, Refusal) else []


def make_plan(network: Network, options: BitsysOptions) -> BitsysPlan | Refusal:
    """Stages, memory layout, descriptors, and what they cost; or the problems."""
    machine = hardware.load(options.hardware)
    found = _lower(network, machine, options.batch)
    if isinstance(found, Refusal):
        return found
    estimate = _estimate(machine, found, options)
    shape = found.staged, found.layout, found.program
    return BitsysPlan(network, options, machine, *shape, estimate, found.outside)


def emit_design(name: str, plan: BitsysPlan) -> Design:
    """The hardware's files, which no network changes, and the network's program; `name`: of the target."""
    registers = control_registers(plan.hardware.external).values()
    shared, types = plan.estimate.shared, plan.network.types
    assert shared is not None
    return Design(
        target=name,
        network=plan.network,
        top=TOP,
        files=files(plan.hardware),
        input=FrameSpec(tuple(StreamSpec(spec.type, INPUT_LANES, INPUT_BITS) for spec in plan.network.inputs)),
        output=FrameSpec(tuple(StreamSpec(types[name], 1, OUTPUT_BITS) for name in plan.network.output_values)),
        units=(SynthesisUnit(shared.name, TOP, row=0),),
        estimate=plan.estimate,
        options=dataclasses.asdict(plan.options),
        program=_writes(plan),
        weights=_weight_stream(plan),
        memory=_memory(plan),
        counters={r.name: address("control", 0) + r.offset for r in registers if r.access == "r"},
        batch=plan.layout.batch,
        parameters=_facts(plan),
    )


def _writes(plan: BitsysPlan) -> np.ndarray:
    """The register writes."""
    if plan.outside is not None:
        return outside_writes(plan.outside.planned, plan.outside.image)
    return program.writes(plan.program, plan.staged, plan.layout, plan.hardware)


def _memory(plan: BitsysPlan) -> MemoryPort | None:
    """External memory, where the hardware has it."""
    if plan.outside is None:
        return None
    return external.port(plan.outside.image, plan.hardware, plan.options.memory_latency, plan.options.memory_gap)


def _weight_stream(plan: BitsysPlan) -> WeightStream | None:
    """What the weight stream carries, where the hardware has one."""
    if not plan.hardware.weight_stream:
        return None
    words = stream_words(plan.program.layers, plan.program.packets, plan.hardware)
    return WeightStream(to_words(words, WEIGHT_BITS), plan.layout.batch)


def _estimate(machine: Hardware, found: _Lowered, options: BitsysOptions) -> Estimate:
    """Cycles by layer and resources of the whole hardware, which all layers share.

    Cycles of a layer count from when its weights, and room for its results, are there.
    """
    layers, batch = found.program.layers, found.layout.batch
    timings = [cycles.layer_timing(layer.fields, machine) for layer in layers]
    whole = unique("accelerator", {layer.name for layer in layers})
    rows = []
    more = 0 if found.outside is None else EXTERNAL_FETCH
    for name, group in _rows(layers, found.outside is not None):
        taken = sum(timings[k].cycles + more for k in group)
        active = sum(cycles.array_cycles(layers[k].fields, machine) for k in group)
        own = {"cycles_batch": taken, "array_cycles": active, "array_utilization": active / taken}
        stage = layers[group[0]].stage
        rows.append(LayerEstimate(name, stage.kind, Resources(), math.ceil(taken / batch), stage.nodes, own))
    ends, details = _accelerator(machine, found, timings), {}
    if found.outside is None:
        interval, latency = timeline.interval_and_latency(ends)
    else:
        followed = _followed(found.outside, machine, options, timings, ends)
        interval, latency = followed.interval_and_latency(ends)
        details = followed.waits()
    shared = LayerEstimate(whole, TOP, cost.resources(machine), sum(row.cycles for row in rows), (), details)
    return Estimate(tuple(rows), interval, latency, overlap=False, shared=shared)


def _rows(layers: Sequence[lowering.Layer], tiles: bool) -> list[tuple[str, list[int]]]:
    """Names and numbers of the layers of each row: one, or all tiles of one."""
    if not tiles:
        return [(layer.name, [k]) for k, layer in enumerate(layers)]
    found: dict[str, list[int]] = {}
    for k, layer in enumerate(layers):
        found.setdefault(layer.name, []).append(k)
    return list(found.items())


def _followed(
    outside: Outside,
    machine: Hardware,
    options: BitsysOptions,
    timings: Sequence[LayerTiming],
    ends: timeline.Accelerator,
) -> Times:
    memory = machine.layers, options.memory_latency, options.memory_gap
    return follow(outside.planned, outside.image, timings, ends, memory)


def times(plan: BitsysPlan) -> Times:
    """The times of some batches with external memory."""
    assert plan.outside is not None
    timings = [cycles.layer_timing(layer.fields, plan.hardware) for layer in plan.program.layers]
    return _followed(plan.outside, plan.hardware, plan.options, timings, accelerator(plan))


def accelerator(plan: BitsysPlan) -> timeline.Accelerator:
    """What the times of a plan's batches depend on."""
    timings = [cycles.layer_timing(layer.fields, plan.hardware) for layer in plan.program.layers]
    return _accelerator(plan.hardware, _Lowered(plan.staged, plan.layout, plan.program), timings)


def _accelerator(machine: Hardware, found: _Lowered, timings: Sequence[LayerTiming]) -> timeline.Accelerator:
    """What the times of batches depend on."""
    packets = {packet.layer: packet for packet in found.program.packets}
    steps = []
    for k, (layer, timing) in enumerate(zip(found.program.layers, timings, strict=True)):
        flags = [bool(layer.fields[name]) for name in ("to_output", "release_input")]
        packet = packets.get(k)
        stream = (packet.lines * machine.line_words, packet.ahead) if packet else ()
        steps.append(timeline.Step(timing, *flags, *stream))
    places, cut = found.layout, found.staged
    sources = [places.values[name].type for name in places.inputs]
    received = tuple(timeline.Ends(t.pixels, t.channels) for t in sources)
    results = [cut.types[name] for name in cut.outputs]
    sent = tuple(
        timeline.Ends(t.pixels, t.channels + int(argmax)) for t, argmax in zip(results, cut.argmaxes, strict=True)
    )
    return timeline.Accelerator(steps, places.batch, received, machine.planes, sent)


def _facts(plan: BitsysPlan) -> dict[str, Any]:
    machine = plan.hardware
    arrays = [stage for stage in plan.staged.stages if stage.window.multiplies]
    macs = sum(stage.window.weights[0].size * stage.main.size for stage in arrays)
    usage = plan.program.usage
    memory: dict[str, Any] = {}
    if plan.outside is not None:
        read, written = traffic(plan.outside.planned.repeated)
        memory = {"memory_bytes": plan.outside.image.size, "records": plan.outside.image.records}
        memory |= {"bytes_read": read, "bytes_written": written, "maps_outside": len(plan.outside.planned.maps)}
    return {
        "hardware": dataclasses.asdict(machine),
        "batch": plan.layout.batch,
        "macs_per_frame": macs,
        "activation_words": plan.layout.words,
        "weight_lines": usage.weight_lines,
        "param_groups": usage.param_groups,
        "table_entries": usage.table_entries,
        "stream_words": usage.stream_words,
        **memory,
    }
