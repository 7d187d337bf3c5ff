# SPDX-License-Identifier: Apache-2.0
"""What software sees of the processor behind AXI4-Lite: registers, memories, counters, by one table each."""

from __future__ import annotations

from dataclasses import dataclass

ADDRESS_BITS = 8  # of the slave


@dataclass(frozen=True)
class Register:
    """A 32-bit register at a byte address; access is "rw", "r" or "w"."""

    name: str
    address: int
    access: str
    doc: str


MEMORIES = ("program", "parameters", "banks A", "banks B")
CONTROL = Register("control", 0x00, "rw", "write 1: start; read: bit 0 running")
SELECT = Register(
    "select", 0x04, "w", f"memory to load: bits 1..0 {', '.join(MEMORIES)}; bits 6..4 bank of banks A and B"
)
ADDRESS = Register("address", 0x08, "w", "word address")
DATA = Register("data", 0x0C, "w", "two words an instruction, four a parameter word, else two 16-bit words each")
ERRORS = Register(
    "errors",
    0x10,
    "r",
    "bit 0: data or a start was written while the processor ran, and was ignored; bit 1: external memory answered with "
    "an error; an accepted start clears both",
)
MEMORY_LOW = Register("memory_low", 0x14, "w", "address of external memory, a multiple of 4,096: bits 31..0")
MEMORY_HIGH = Register("memory_high", 0x18, "w", "bits 39..32 of it")
REGISTERS = (CONTROL, SELECT, ADDRESS, DATA, ERRORS, MEMORY_LOW, MEMORY_HIGH)
COUNTER_BASE = 0x40
COUNTERS = (
    "cycles", "stalls", "instructions", "operations", "a_reads", "b_reads", "writes", "param_reads",
    "input_words", "output_words",
)  # fmt: skip


def table() -> str:
    """The table of the documentation, in Markdown."""
    lines = ["| byte address | register | access | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.address:#04x} | {r.name} | {r.access} | {r.doc} |" for r in REGISTERS]
    counters = ", ".join(name.replace("_", " ") for name in COUNTERS)
    return "\n".join([*lines, f"| {COUNTER_BASE:#04x} + 4 i | counters | r | {counters} |"]) + "\n"
