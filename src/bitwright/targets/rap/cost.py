# SPDX-License-Identifier: Apache-2.0
"""Cost model: cycles of a program, exactly, and resources of a grid, from what its parts took when synthesized."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from bitwright.hardware.resources import Resources
from bitwright.targets.contract import Estimate, LayerEstimate, StreamSpec
from bitwright.targets.rap.compiler.codegen import Code
from bitwright.targets.rap.compiler.mapping import Plan, memory_words, schedule
from bitwright.targets.rap.compiler.storage import Storage
from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.fields import decode
from bitwright.targets.rap.isa.machine import PARAM_BITS, Machine
from bitwright.targets.rap.isa.table import STREAMS
from bitwright.text import unique

_CONFIG = ("WIDTH", "MASK", "PAD", "SHAPE")
_FIRST_OUTPUT = STREAMS.index("O0")
# Synthesized by Yosys 0.70 for UltraScale+: an element alone, and at sizes 2 and 4 what is left without the elements;
# what grows with the rows is a row's. By whether multipliers are DSP blocks.
_ELEMENT = {True: Resources(lut=1373, ff=172, carry=58, dsp=4), False: Resources(lut=2314, ff=172, carry=77)}
_ROW = {True: Resources(lut=1675, ff=636, carry=131, dsp=5), False: Resources(lut=4061, ff=636, carry=120)}
_CORE = Resources(lut=5309, ff=4997, carry=403)
_SHAPES = {1: 32768, 2: 16384, 4: 8192, 9: 4096, 18: 2048, 36: 1024, 72: 512}  # words of a BRAM36 by width


def estimate(
    plans: Sequence[Plan], code: Code, machine: Machine, spec_in: StreamSpec, spec_out: StreamSpec, output: Storage
) -> Estimate:
    """Busy cycles of every section of the program and the grid's resources, which no single layer owns."""
    sections = section_cycles(plans, code, spec_in, spec_out, output)
    own = {plan.layer.name for plan in plans}
    grid = unique("processor", own)
    shared = LayerEstimate(grid, "grid", resources(machine), 0, details={"size": machine.size})
    layers = []
    kinds = ["input", *(plan.layer.kind for plan in plans), "output"]
    names = ["input", *(plan.layer.name for plan in plans), unique("output", own)]
    nodes: list[tuple[str, ...]] = [(), *(plan.layer.nodes for plan in plans), ()]
    details: list[dict[str, object]] = [{}, *(_details(plan) for plan in plans), {}]
    for name, kind, busy, computed, facts in zip(names, kinds, sections, nodes, details, strict=True):
        layers.append(LayerEstimate(name, kind, Resources(), busy, computed, facts))
    interval = sum(sections)
    return Estimate(tuple(layers), interval, interval - timing.BRANCH, overlap=False, shared=shared)


def _details(plan: Plan) -> dict[str, object]:
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


def section_cycles(
    plans: Sequence[Plan], code: Code, spec_in: StreamSpec, spec_out: StreamSpec, output: Storage
) -> list[int]:
    """Cycles of the sections of a program from one frame to the next, as `Code.marks` names them."""
    starts = [index for index, _ in code.marks] + [len(code.program.code)]
    now, idle, ends = 0, 0, [0]
    for number, (begin, end) in enumerate(itertools.pairwise(starts)):
        for word in code.program.code[begin:end]:
            instruction, values = decode(int(word))
            if instruction.name in ("LOOP", "MAC", "MACL", "MAXL", "DRAIN"):
                busy, rest = schedule(plans[number - 1])
                now, idle = now + busy, now + busy + rest + timing.POST_DEPTH
                break
            if instruction.name in ("POST", "LIMIT", "IN", "OUT") or values.get("stream", 0) >= _FIRST_OUTPUT:
                now = max(now, idle)
            now += _instruction(instruction.name, values, spec_in, spec_out, output)
        ends.append(now)
    return [after - before for before, after in itertools.pairwise(ends)]


def _instruction(
    name: str, values: Mapping[str, int], spec_in: StreamSpec, spec_out: StreamSpec, output: Storage
) -> int:
    """Cycles of an instruction outside the loops."""
    if name in _CONFIG:
        return timing.CONFIG
    if name == "JUMP":
        return timing.BRANCH
    if name == "IN":
        return timing.IN_START + spec_in.type.size + timing.IN_BEAT * spec_in.words
    if name == "OUT":
        words = output.shape[0] * output.shape[1] * output.pixel_words
        places = timing.OUT_PLACE * spec_out.type.size * values["argmax"]
        reads = timing.OUT_WORD * words + values["count"]
        return timing.OUT_START + reads + places + timing.OUT_BEAT * spec_out.words
    return 1


def resources(machine: Machine, *, dsp: bool = True) -> Resources:
    """Logic and memory of a grid on LUT6 devices: elements, rows and the rest, as they were synthesized.

    dsp: whether the multipliers are DSP blocks.
    """
    n = machine.size
    logic = _ELEMENT[dsp] * (n * n) + _ROW[dsp] * n + _CORE
    memories = [(16, machine.a_words)] * n + [(16, machine.b_words)] * n
    memories += [(64, machine.program_words), (PARAM_BITS, machine.param_words)]
    return logic + Resources(bram36=sum(_block_rams(width, depth) for width, depth in memories))


def _block_rams(width: int, depth: int) -> float:
    """BRAM36 of a memory, in the shape that takes the fewest; small memories are LUT RAM."""
    if depth <= 64 or width * depth <= 4096:
        return 0.0
    return min(math.ceil(width / w) * math.ceil(depth / words) for w, words in _SHAPES.items())
