# SPDX-License-Identifier: Apache-2.0
"""The tables of instructions, stages and registers as a SystemVerilog package, rap_pkg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bitwright.hardware.text import SPDX
from bitwright.targets.rap.isa import registers, timing
from bitwright.targets.rap.isa.fields import BY_NAME
from bitwright.targets.rap.isa.machine import A_REGISTERS, ACCUMULATORS, B_REGISTERS, PARAM_BITS
from bitwright.targets.rap.isa.operand import OPCODE_BITS, Field
from bitwright.targets.rap.isa.table import (
    ADDRESS_BITS,
    ENUMS,
    LEVELS,
    LOOP_DEPTH,
    NEED_BITS,
    STREAMS,
    TABLE,
    WORD_BITS,
)

_STAGES = ("dispatch", "position", "read", "output", "turn", "load", "operands", "execute", "update")
_CYCLES = (
    "ALU", "GET", "GET_WRITE", "CONFIG", "DRAIN_READ", "DRAIN_FIRST", "WRITE", "POST_DEPTH", "STORE", "IN_TAIL",
    "OUT_WORD", "OUT_BEAT",
)  # fmt: skip
_SIZES = {
    "AddressBits": ADDRESS_BITS,
    "LoopDepth": LOOP_DEPTH,
    "ParamBits": PARAM_BITS,
    "CodeBits": WORD_BITS + NEED_BITS,
    "ARegisters": A_REGISTERS,
    "BRegisters": B_REGISTERS,
    "Accumulators": ACCUMULATORS,
    "RegisterBits": registers.ADDRESS_BITS,
    "CounterBase": registers.COUNTER_BASE,
    "Counters": len(registers.COUNTERS),
}
_KEYWORDS = {"end": "last"}  # fields whose names are words of SystemVerilog


def package() -> str:
    """The text of rap_pkg.sv. Structs have their first field in the lowest bits, as instructions do."""
    lines = [
        SPDX,
        "// Instructions, stages and registers, made from their tables; rap_types.svh is written by hand.",
    ]
    lines += ["package rap_pkg;", *_constants(), *_enums(), *_operands(), *_streams(), *_events()]
    return "\n".join([*lines, '  `include "rap_types.svh"', "endpackage"]) + "\n"


def _constants() -> Iterator[str]:
    numbers = {f"Stage{_camel(name)}": timing.STAGES.index(name) for name in _STAGES}
    numbers |= {f"Cycles{_camel(name)}": getattr(timing, name) for name in _CYCLES}
    yield from (f"  localparam int unsigned {name} = {value};" for name, value in (numbers | _SIZES).items())
    levels = ", ".join(f"32'd{LEVELS[name]}" for name in reversed(STREAMS))
    yield f"  localparam logic [{32 * len(STREAMS) - 1}:0] Levels = {{{levels}}};  // 32 bits for each stream, A lowest"
    bits = registers.ADDRESS_BITS
    for r in registers.REGISTERS:
        yield f"  localparam logic [{bits - 1}:0] Reg{_camel(r.name)} = {bits}'d{r.address};"


def _enums() -> Iterator[str]:
    yield from _enum("op", "Op", {i.name: i.opcode for i in TABLE}, OPCODE_BITS)
    yield from _enum("memory", "Memory", {name: i for i, name in enumerate(registers.MEMORIES)})
    for name, choices in ENUMS.items():
        yield from _enum(name, _camel(name), choices)


def _enum(name: str, prefix: str, choices: Mapping[str, int], bits: int = 0) -> Iterator[str]:
    bits = bits or _bits(choices)
    yield f"  typedef enum logic [{bits - 1}:0] {{"
    names = [key if key.isupper() else _camel(key) for key in choices]
    yield ",\n".join(f"    {prefix}{n} = {bits}'d{v}" for n, v in zip(names, choices.values(), strict=True))
    yield f"  }} {name}_e;"


def _operands() -> Iterator[str]:
    """A struct of operands, named after the first instruction that has them, and how many bits they are.

    Instructions that have the first operands of another one are read as that.
    """
    layouts = {i: tuple((f.name, f.bits) for f in i.fields) for i in TABLE}
    for n, (instruction, own) in enumerate(layouts.items()):
        longer = (other for other in layouts.values() if len(other) > len(own) and other[: len(own)] == own)
        if own not in list(layouts.values())[:n] and not any(longer):
            yield from _struct(instruction.name, instruction.fields)
            bits = sum(f.bits for f in instruction.fields)
            yield f"  localparam int unsigned Bits{_camel(instruction.name)} = {bits};"
    operands = f"    logic [{WORD_BITS - OPCODE_BITS - 1}:0] operands;"
    yield from ("  typedef struct packed {", operands, "    op_e op;", "  } instr_t;")


def _streams() -> Iterator[str]:
    """Where a stream stands, and the image that it runs through: operands of STREAM and SHAPE without the stream."""
    addr = Field("addr", ADDRESS_BITS + 1)  # as the step of LEVEL
    yield from _struct("position", (addr, *BY_NAME["STREAM"].fields[2:]))
    yield from _struct("image", BY_NAME["SHAPE"].fields[1:])


def _struct(name: str, fields: Sequence[Field]) -> Iterator[str]:
    yield "  typedef struct packed {"
    yield from (f"    {_type(f)} {_KEYWORDS.get(f.name, f.name)};" for f in reversed(fields))
    yield f"  }} {name.lower()}_t;"


def _events() -> Iterator[str]:
    """What the counters add in a cycle, the first counter in the lowest bits."""
    yield "  typedef struct packed {"
    yield from (f"    logic [7:0] {name};" for name in reversed(registers.COUNTERS))
    yield "  } events_t;"


def _type(f: Field) -> str:
    for name, choices in ENUMS.items():
        if f.choices == tuple(choices.items()):
            return f"{name}_e"
    sign = "signed " if f.kind == "int" else ""
    return f"logic {sign}[{f.bits - 1}:0]" if f.bits > 1 else "logic"


def _bits(choices: Mapping[str, int]) -> int:
    return max(choices.values()).bit_length()


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace(" ", "_").split("_"))
