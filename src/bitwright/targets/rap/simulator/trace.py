# SPDX-License-Identifier: Apache-2.0
"""The pipeline and the array in the first cycles of a program, as text."""

from __future__ import annotations

import numpy as np

from bitwright.targets.rap.isa.assembler import disassemble
from bitwright.targets.rap.isa.fields import decode
from bitwright.targets.rap.isa.machine import Machine, Program
from bitwright.targets.rap.isa.operand import Instruction
from bitwright.targets.rap.isa.timing import STAGES
from bitwright.targets.rap.simulator.run import execute

_MULTIPLY = ("MAC", "MACL", "MAXL")


def trace(
    machine: Machine, program: Program, cycles: int, frames: np.ndarray | None = None, output_elements: int = 0
) -> str:
    """One line for each of the first `cycles` cycles. Without frames there is one of zeros.

    Which instruction is in which stage, by its index; what the elements do in the update stage; the instruction that is
    issued. A dot is an empty stage, behind the issue also one of an instruction that does not work on the elements.
    """
    names = [decode(int(word))[0] for word in program.code]
    fields = [decode(int(word))[1] for word in program.code]
    counts = {
        kind: [f["count"] for i, f in zip(names, fields, strict=True) if i.name == kind] for kind in ("IN", "OUT")
    }
    if frames is None:
        frames = np.zeros((1, max(1, sum(counts["IN"]))), np.int64)
    output_elements = output_elements or sum(counts["OUT"])
    done = execute(machine, program, frames, output_elements, trace=cycles)
    issued = {int(cycle): int(pc) for cycle, pc in done.trace if cycle}
    texts = [disassemble(program.code[i : i + 1]).split("\n")[0].strip() for i in range(len(program.code))]
    accumulators = [values.get("acc", 0) for values in fields]
    width = max(8, len(str(len(texts))))
    lines = [f"{'cycle':>7} " + " ".join(f"{stage:>{width}}" for stage in STAGES) + "  array        instruction"]
    for cycle in range(cycles):
        row = [_stage(issued, names, cycle - depth, depth) for depth in range(len(STAGES))]
        updating = issued.get(cycle - len(STAGES) + 1)
        array = "-"
        if updating is not None and names[updating].name in _MULTIPLY:
            array = f"c{accumulators[updating]}"
        text = texts[issued[cycle]] if cycle in issued else ""
        cells = " ".join(f"{cell:>{width}}" for cell in row)
        lines.append(f"{cycle:>7} {cells}  {array:<12} {text}".rstrip())
    return "\n".join(lines) + "\n"


def _stage(issued: dict[int, int], names: list[Instruction], cycle: int, depth: int) -> str:
    """What stands in a stage: the instruction issued `depth` cycles ago, if it goes that far."""
    if cycle not in issued:
        return "."
    instruction = issued[cycle]
    return str(instruction) if depth == 0 or names[instruction].group == "elements" else "."
