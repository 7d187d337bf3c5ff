# SPDX-License-Identifier: Apache-2.0
"""The instruction set as one table: decoder, assembler, disassembler, simulator and manual all read it.

An instruction is a 64-bit word: the opcode in bits 5..0, then its fields from bit 6 upwards in the order of the table.
"""

from __future__ import annotations

from bitwright.targets.rap.isa.operand import OPCODE_BITS, Instruction
from bitwright.targets.rap.isa.table import TABLE

BY_NAME = {instruction.name: instruction for instruction in TABLE}
BY_OPCODE = {instruction.opcode: instruction for instruction in TABLE}


class EncodingError(ValueError):
    """What no instruction can say: the rule that it breaks, and what would be legal."""

    def __init__(self, rule: str, legal: str) -> None:
        super().__init__(f"{rule}; legal are {legal}")
        self.rule = rule
        self.legal = legal


def encode(name: str, **values: int) -> int:
    """The 64-bit word of an instruction from its field values; what is left out has its default."""
    instruction = BY_NAME[name]
    word, low = instruction.opcode, OPCODE_BITS
    for f in instruction.fields:
        value = values.pop(f.name, f.default)
        if value is None or not f.low <= value <= f.high:
            raise EncodingError(f"{name} {f.name} = {value}", f"{f.low} to {f.high}")
        stored = value - 1 if f.kind == "count" else value & ((1 << f.bits) - 1)
        word |= stored << low
        low += f.bits
    if values:
        raise ValueError(f"{name} has no field {', '.join(values)}")
    return word


def decode(word: int) -> tuple[Instruction, dict[str, int]]:
    """Instruction and field values of a 64-bit word; `ValueError` where the opcode is unknown."""
    instruction = BY_OPCODE.get(word & ((1 << OPCODE_BITS) - 1))
    if instruction is None:
        raise ValueError(f"opcode {word & ((1 << OPCODE_BITS) - 1)} is unknown")
    values, low = {}, OPCODE_BITS
    for f in instruction.fields:
        stored = (word >> low) & ((1 << f.bits) - 1)
        if f.kind == "count":
            stored += 1
        elif f.kind == "int":
            stored -= (stored >> (f.bits - 1)) << f.bits
        values[f.name] = stored
        low += f.bits
    return instruction, values
