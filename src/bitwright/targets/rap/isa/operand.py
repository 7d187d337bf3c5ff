# SPDX-License-Identifier: Apache-2.0
"""What an instruction is: its name, its operands and where they lie in its word."""

from __future__ import annotations

from dataclasses import dataclass

OPCODE_BITS = 6


@dataclass(frozen=True)
class Field:
    """One operand, `bits` wide; kind int, uint, count (1 to 2**bits, stored less 1), a, b, c (register), target, enum.

    A field with a default is written name=value and may be left out.
    """

    name: str
    bits: int
    kind: str = "uint"
    default: int | None = None
    choices: tuple[tuple[str, int], ...] = ()
    doc: str = ""

    @property
    def low(self) -> int:
        """The least legal value."""
        return {"int": -(1 << (self.bits - 1)), "count": 1}.get(self.kind, 0)

    @property
    def high(self) -> int:
        """The greatest legal value."""
        if self.choices:
            return max(value for _, value in self.choices)
        return self.low + (1 << self.bits) - 1


@dataclass(frozen=True)
class Instruction:
    """One row of the table. `cycles` says how long the sequencer stays at it."""

    name: str
    opcode: int
    group: str
    fields: tuple[Field, ...]
    doc: str
    cycles: str = "1"

    def position(self, name: str) -> tuple[int, int]:
        """(lowest bit, bits) of a field."""
        low = OPCODE_BITS
        for f in self.fields:
            if f.name == name:
                return low, f.bits
            low += f.bits
        raise KeyError(name)
