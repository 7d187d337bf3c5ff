# SPDX-License-Identifier: Apache-2.0
"""The table of instructions as constants for the hardware."""

from __future__ import annotations

from bitwright.hardware.text import SPDX
from bitwright.targets.rap.isa.table import OPCODE_BITS, TABLE


def header() -> str:
    """Text of rap_isa.svh: Op<NAME>, and Lsb<NAME>_<field> and Bits<NAME>_<field> of every operand."""
    lines = [SPDX, "// Opcodes and fields of the instructions, generated from the table of instructions."]
    for instruction in TABLE:
        name = instruction.name
        lines.append(f"localparam logic [{OPCODE_BITS - 1}:0] Op{name} = {OPCODE_BITS}'d{instruction.opcode};")
        for f in instruction.fields:
            low, bits = instruction.position(f.name)
            lines.append(f"localparam int Lsb{name}_{f.name} = {low};")
            lines.append(f"localparam int Bits{name}_{f.name} = {bits};")
    return "\n".join(lines) + "\n"
