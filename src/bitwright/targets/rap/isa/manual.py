# SPDX-License-Identifier: Apache-2.0
"""The manual of the instruction set, written from the table: docs/targets/rap-isa.md."""

from __future__ import annotations

from bitwright.targets.rap.isa.machine import A_REGISTERS, ACCUMULATORS, B_REGISTERS
from bitwright.targets.rap.isa.operand import OPCODE_BITS, Field, Instruction
from bitwright.targets.rap.isa.table import LEVELS, STREAMS, TABLE

_GROUPS = {
    "control": "Control",
    "streams": "Address streams",
    "elements": "Operations of the elements",
    "results": "Results",
    "frames": "Frames",
}
_INTRODUCTION = f"""# Instructions of the array processor

This page is written by `python -m bitwright.targets.rap.isa.manual` from the table that the decoder, the assembler, the
disassembler and the simulator use. [rap.md](rap.md) explains the machine.

An instruction is a 64-bit word: the opcode in bits {OPCODE_BITS - 1} to 0, then its operands from bit {OPCODE_BITS}
upwards in the order given here. A *count* is stored less one. Operands with a default are written `name=value`.
Every element has registers `a0` to `a{A_REGISTERS - 1}` and `b0` to `b{B_REGISTERS - 1}` of 16 bits and accumulators
`c0` to `c{ACCUMULATORS - 1}` of 32 bits, one for each lane, twice: while one half is summed up, a slot reads the other.
Memory that a slot, `ST` or `IN` writes may be read behind a `WAIT`; within one loop of `DRAIN`s it may not be read.
"""


def manual() -> str:
    """The page, in Markdown."""
    levels = ", ".join(f"{name} {LEVELS[name]}" for name in STREAMS)
    parts = [_INTRODUCTION + f"Loops of the address streams: {levels}.\n"]
    for group, title in _GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_section(i) for i in TABLE if i.group == group]
    return "\n".join(parts)


def _section(instruction: Instruction) -> str:
    operands = ", ".join(f.name if f.default is None else f"[{f.name}]" for f in instruction.fields)
    lines = [f"### {instruction.name} {operands}".rstrip(), "", instruction.doc, ""]
    lines.append(f"Opcode {instruction.opcode}. Cycles: {instruction.cycles}.")
    lines.append("")
    if instruction.fields:
        lines += ["| operand | bits | legal | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(instruction, f) for f in instruction.fields]
        lines.append("")
    return "\n".join(lines)


def _row(instruction: Instruction, f: Field) -> str:
    low, bits = instruction.position(f.name)
    if f.choices:
        legal = ", ".join(f"{name} ({value})" for name, value in f.choices)
    else:
        prefix = f.kind if f.kind in ("a", "b", "c") else ""
        legal = f"{prefix}{f.low} to {prefix}{f.high}"
    default = "" if f.default is None else f"; default {f.default}"
    return f"| {f.name} | {low + bits - 1}..{low} | {legal}{default} | {f.doc} |"


if __name__ == "__main__":
    print(manual(), end="")
