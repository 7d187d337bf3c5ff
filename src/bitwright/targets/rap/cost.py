# SPDX-License-Identifier: Apache-2.0
"""Cost model: cycles of a program, exactly, and resources of a grid, from its memories and fitted constants."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from bitwright.hardware import calibration
from bitwright.hardware.memory import is_block, ram
from bitwright.hardware.resources import Resources
from bitwright.targets.contract import Estimate, LayerEstimate
from bitwright.targets.rap.compiler.codegen import Code
from bitwright.targets.rap.compiler.mapping import LayerPlan, memory_words, schedule
from bitwright.targets.rap.compiler.outside import Outside
from bitwright.targets.rap.compiler.storage import Storage
from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.fields import decode
from bitwright.targets.rap.isa.machine import PARAM_BITS, Machine
from bitwright.targets.rap.isa.table import INTO, NEED_BITS, STREAMS, WORD_BITS
from bitwright.targets.rap.isa.transfers import (
    QUEUED,
    STORE_ENDS,
    WAIT_ENDS,
    WAIT_FIRST,
    line_beats,
    load_cycles,
    store_cycles,
    unit_beats,
)
from bitwright.targets.rap.options import RapOptions
from bitwright.text import unique

_CONFIG = ("WIDTH", "MASK", "PAD")
_IDLE = ("POST", "LIMIT", "IN", "OUT", "WAIT", "WAITM", "STM")
_FIRST_OUTPUT = STREAMS.index("O0")
CONSTANTS = Path(__file__).with_name("cost.toml")
SLICES = ((1024, 0), (2048, 9), (4096, 4), (8192, 2))  # up to how many words: bits of a slice, 0: all of the word


def estimate(plans: Sequence[LayerPlan], code: Code, machine: Machine, sent: Sequence[Storage]) -> Estimate:
    """Busy cycles of every section of the program and the grid's resources, which no single layer owns.

    sent: the values that leave, in their order.
    """
    received = len(code.marks) - len(plans) - len(sent)
    sections = section_cycles([*[None] * received, *plans, *sent], code, machine)
    own = {plan.layer.name for plan in plans}
    grid = unique("processor", own)
    shared = LayerEstimate(grid, "grid", resources(machine), 0, details={"size": machine.size})
    layers = []
    kinds = ["input"] * received + [plan.layer.kind for plan in plans] + ["output"] * len(sent)
    marks = [text for _, text in code.marks]
    ends: list[str] = []
    for text in (*marks[:received], *marks[len(marks) - len(sent) :]):
        ends.append(unique(text, own.union(ends)))
    names = [*ends[:received], *(plan.layer.name for plan in plans), *ends[received:]]
    none: list[tuple[str, ...]] = [()]
    nodes = none * received + [plan.layer.nodes for plan in plans] + none * len(sent)
    empty: list[dict[str, object]] = [{}]
    details = empty * received + [_details(plan) for plan in plans] + empty * len(sent)
    for name, kind, busy, computed, facts in zip(names, kinds, sections, nodes, details, strict=True):
        layers.append(LayerEstimate(name, kind, Resources(), busy, computed, facts))
    interval = sum(sections)
    return Estimate(tuple(layers), interval, interval - timing.JUMP, overlap=False, shared=shared)


def _details(plan: LayerPlan) -> dict[str, object]:
    a, b, written = memory_words(plan)
    slots = plan.machine.size**2 * schedule(plan)[0]
    used = plan.rows * plan.cols * plan.inner * len(plan.body.steps) * plan.tiles
    return {
        "lane_bits": plan.source[0].bits,
        "pixels": plan.pixels,
        "accumulators_a_pixel": plan.words,
        "kernel_rows_reused": plan.rowwise,
        "tiles": plan.tiles,
        "a_reads": a,
        "b_reads": b,
        "writes": written,
        "utilization": round(used / slots, 4),
    }


def estimate_outside(outside: Outside, options: RapOptions) -> Estimate:
    """Cycles of the sections of a program with external memory, added up by whose they are, transfers included."""
    machine = options.machine
    own = [section.plan or section.sent for section in outside.sections]
    cycles = section_cycles(own, outside.code, machine, (options.memory_latency, options.memory_gap))
    layers = []
    for name in dict.fromkeys(section.owner for section in outside.sections):
        mine = [(s, c) for s, c in zip(outside.sections, cycles, strict=True) if s.owner == name]
        plans = [s.plan for s, _ in mine if s.plan]
        nodes, details = (plans[0].layer.nodes, _joined(plans)) if plans else ((), {})
        layers.append(LayerEstimate(name, mine[0][0].kind, Resources(), sum(c for _, c in mine), nodes, details))
    grid = unique("processor", {layer.name for layer in layers})
    facts = {"size": machine.size, "bytes_read": outside.moved[0], "bytes_written": outside.moved[1]}
    shared = LayerEstimate(grid, "grid", resources(machine), 0, details=facts)
    interval = sum(cycles)
    return Estimate(tuple(layers), interval, interval - timing.JUMP, overlap=False, shared=shared)


def _joined(plans: Sequence[LayerPlan]) -> dict[str, object]:
    """The details of a layer in bands: those of its first band, but what adds up."""
    found, words = _details(plans[0]), [memory_words(plan) for plan in plans]
    sums = zip(("a_reads", "b_reads", "writes"), map(sum, zip(*words, strict=True)), strict=True)
    return found | dict(sums) | {"tiles": sum(plan.tiles for plan in plans), "bands": len(plans)}


def section_cycles(
    parts: Sequence[LayerPlan | Storage | None], code: Code, machine: Machine, memory: tuple[int, int] = (100, 1)
) -> list[int]:
    """Cycles of the sections of a program from one frame to the next, as `Code.marks` names them.

    parts: of each section the layer that it computes, or the value that it sends. memory: latency and gap.
    """
    starts = [index for index, _ in code.marks] + [len(code.program.code)]
    now, idle, loaded, ends = 0, 0, 0, [0]
    for part, (begin, end) in zip(parts, itertools.pairwise(starts), strict=True):
        for word in code.program.code[begin:end]:
            instruction, values = decode(int(word))
            name = instruction.name
            if name in ("LOOP", "MAC", "MACL", "MAXL", "DRAIN"):
                assert isinstance(part, LayerPlan)
                busy, rest = schedule(part)
                now, idle = now + busy, now + busy + rest + timing.POST_DEPTH
                break
            if name in _IDLE or values.get("stream", 0) >= _FIRST_OUTPUT or values.get("into") == INTO["a"]:
                now = max(now, idle)
            if name == "LDM":
                beats = values["count"] * unit_beats(machine.size, values["into"])
                loaded = max(now + QUEUED, loaded) + load_cycles(beats, *memory) + 1
            if name == "WAITM":
                now = max(now + WAIT_FIRST, loaded) + WAIT_ENDS
            elif name == "STM":
                now += store_cycles(values["count"], line_beats(machine.size), *memory) + STORE_ENDS
            else:
                now += _instruction(name, values, part)
        ends.append(now)
    return [after - before for before, after in itertools.pairwise(ends)]


def _instruction(name: str, values: Mapping[str, int], sent: LayerPlan | Storage | None) -> int:
    """Cycles of an instruction outside the loops; an OUT sends a value."""
    if name in _CONFIG:
        return timing.CONFIG
    if name == "JUMP":
        return timing.JUMP
    if name == "IN":
        return timing.IN_START + values["count"] + timing.IN_BEAT * -(-values["count"] // values["lanes"])
    if name == "OUT":
        assert isinstance(sent, Storage)
        elements = values["count"] // values["channels"] if values["argmax"] else values["count"]
        places = timing.OUT_PLACE * elements * values["argmax"]
        reads = timing.OUT_WORD * sent.image_words + values["count"]
        return timing.OUT_START + reads + places + timing.OUT_BEAT * -(-elements // values["lanes"])
    return 1


def counts(machine: Machine, *, dsp: bool = True) -> dict[str, float]:
    """How often each constant counts: elements, rows with their slots and banks, and the rest.

    dsp: whether the multipliers are DSP blocks.
    """
    kind = "DSP" if dsp else "LUT"
    return {f"element, {kind}": machine.size**2, f"row, {kind}": machine.size, "core": 1}


def slices(width: int, depth: int) -> list[tuple[int, int]]:
    """Width and depth of the memories in rap_memory, each no larger than one block of 16 kbit at this depth."""
    unit = next((bits for words, bits in SLICES if depth <= words), 1) or width
    return [(min(unit, width - first), depth) for first in range(0, width, unit)]


def memories(machine: Machine) -> Resources:
    """Banks, program and parameters."""
    size, lines = machine.size, max(2, -(-machine.a_words // machine.size))
    shapes = [(16, lines)] * size**2 + [(16, machine.b_words)] * size
    shapes += slices(WORD_BITS + NEED_BITS, machine.program_words) + slices(PARAM_BITS, machine.param_words)
    return sum((ram(*shape, is_block(*shape)) for shape in shapes), Resources())


def resources(machine: Machine, *, dsp: bool = True) -> Resources:
    """Logic and memory of a grid on a part with LUT6, with the constants of cost.toml.

    `python -m bitwright.targets.rap.calibrate` writes them. dsp: whether the multipliers are DSP blocks.
    """
    return calibration.load(CONSTANTS).cost(counts(machine, dsp=dsp)) + memories(machine)
