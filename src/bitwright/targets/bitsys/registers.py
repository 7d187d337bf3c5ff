# SPDX-License-Identifier: Apache-2.0
"""Registers, memory map, layer descriptors and settings of tensors, all from registers.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bitwright.hardware.text import SPDX

SOURCE = Path(__file__).with_name("registers.toml")
LAYER_WORDS = 28  # of the 32 words that each descriptor takes
WORDS = {"layer": LAYER_WORDS, "input": 3, "output": 3}  # of the entries of regions that have fields
REGION_SHIFT = 21
ADDRESS_BITS = 24
NUMBERS = ("zero_point", "clamp_low", "clamp_high")
DISTANCES = ("step_x", "step_y", "step_f", "tap_x", "tap_y")


@dataclass(frozen=True)
class Field:
    """Bits of a layer descriptor, or of what is laid out like one."""

    name: str
    word: int
    low: int
    bits: int
    doc: str

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest value: numbers are signed, distances wrap, all else counts from 0."""
        if self.name in NUMBERS:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return -(1 << (self.bits - 1)) if self.name in DISTANCES else 0, (1 << self.bits) - 1


@dataclass(frozen=True)
class Register:
    """A 32-bit control register; access is "rw" or "r"."""

    name: str
    offset: int
    access: str
    doc: str


@cache
def _source() -> dict[str, Any]:
    return tomllib.loads(SOURCE.read_text())


@cache
def fields(kind: str) -> dict[str, Field]:
    """All fields by name of a "layer" descriptor, or of the settings of an "input" or an "output"."""
    return {name: Field(name, *values) for name, values in _source()[kind].items()}


@cache
def packet_fields() -> dict[str, Field]:
    """All fields of the word that begins a packet of weights, by name."""
    return {name: Field(name, 0, *values) for name, values in _source()["packet"].items()}


@cache
def record_fields(kind: str) -> dict[str, Field]:
    """All fields by name of the word that begins a "record" in external memory, or of the rest of a "transfer"."""
    return {name: Field(name, 0, *values) for name, values in _source()[kind].items()}


@cache
def control_registers(external: bool = False) -> dict[str, Register]:
    """All control registers by name, with those of external memory where there is one."""
    found = {name: Register(name, *values) for name, values in _source()["control"].items()}
    more = _source()["external"].items() if external else ()
    return found | {name: Register(name, *values) for name, values in more}


def address(region: str, word: int) -> int:
    """Byte address of a 32-bit word of a region."""
    return int(_source()["regions"][region][0]) << REGION_SHIFT | 4 * word


def address_of(byte: int) -> tuple[str, int]:
    """Region and number of the 32-bit word at a byte address: what `address` was made of."""
    names = {number: name for name, (number, _) in _source()["regions"].items()}
    return names[byte >> REGION_SHIFT], byte % (1 << REGION_SHIFT) // 4


def encode(kind: str, values: Mapping[str, int]) -> list[int]:
    """The words of a descriptor or of settings; fields that are not given are 0.

    kind: as in `fields`. `ValueError` where a value does not fit its field.
    """
    words = [0] * WORDS[kind]
    for name, value in values.items():
        f = fields(kind)[name]
        words[f.word] |= _encode(f, value)
    return words


def decode(kind: str, words: Mapping[int, int]) -> dict[str, int]:
    """The values of all fields, from the words by their number; words that are missing are 0."""
    found = {}
    for name, f in fields(kind).items():
        value = words.get(f.word, 0) >> f.low & ((1 << f.bits) - 1)
        found[name] = value - (1 << f.bits) if value > f.limits[1] else value
    return found


def encode_packet(values: Mapping[str, int]) -> int:
    """The word that begins a packet of weights; `ValueError` where a value does not fit its field."""
    return sum(_encode(packet_fields()[name], value) for name, value in values.items())


def encode_record(kind: str, values: Mapping[str, int]) -> int:
    """The bits of `record_fields(kind)`; `ValueError` where a value does not fit its field."""
    return sum(_encode(record_fields(kind)[name], value) for name, value in values.items())


def _encode(f: Field, value: int) -> int:
    """The value's bits at their place in the field's word."""
    low, high = f.limits
    if not low <= value <= high:
        raise ValueError(f"{f.name} = {value} does not fit {f.bits} bits")
    return (value & ((1 << f.bits) - 1)) << f.low


def header() -> str:
    """The text of rtl/bitsys_registers.svh."""
    lines = [
        SPDX,
        "// Memory map, control registers and layer descriptor. Made from registers.toml by registers.py; included in",
        "// modules, which read a field of a descriptor as layer_i[FName +: WName], one of a packet's head as",
        "// [PName +: BName], one of a record as [RName +: RNameBits], one of a transfer as [TName +: TNameBits].",
        f"localparam int unsigned LayerWords = {LAYER_WORDS};",
        f"localparam int unsigned AddressBits = {ADDRESS_BITS};",
        f"localparam int unsigned RegionShift = {REGION_SHIFT};",
    ]
    for name, (number, _) in _source()["regions"].items():
        lines.append(f"localparam logic [2:0] Region{_camel(name)} = 3'd{number};")
    for r in control_registers(external=True).values():
        lines.append(f"localparam logic [7:0] Reg{_camel(r.name)} = 8'd{r.offset};")
    for name, external in (("RegHighest", False), ("RegHighestExternal", True)):
        highest = max(r.offset for r in control_registers(external).values())
        lines.append(f"localparam logic [7:0] {name} = 8'd{highest};")
    for f in fields("layer").values():
        lines.append(f"localparam int unsigned F{_camel(f.name)} = {32 * f.word + f.low};")
        lines.append(f"localparam int unsigned W{_camel(f.name)} = {f.bits};")
    for f in packet_fields().values():
        lines.append(f"localparam int unsigned P{_camel(f.name)} = {f.low};")
        lines.append(f"localparam int unsigned B{_camel(f.name)} = {f.bits};")
    for letter, kind in (("R", "record"), ("T", "transfer")):
        for f in record_fields(kind).values():
            lines.append(f"localparam int unsigned {letter}{_camel(f.name)} = {f.low};")
            lines.append(f"localparam int unsigned {letter}{_camel(f.name)}Bits = {f.bits};")
    return "\n".join(lines) + "\n"


def tables() -> str:
    """The tables of the documentation, in Markdown."""
    lines = ["| region | number | contents |", "| --- | --- | --- |"]
    lines += [f"| {name} | {number} | {doc} |" for name, (number, doc) in _source()["regions"].items()]
    lines += ["", "| register | offset | access | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.name} | {r.offset:#04x} | {r.access} | {r.doc} |" for r in control_registers().values()]
    lines += ["", "| register with external memory | offset | access | meaning |", "| --- | --- | --- | --- |"]
    more = [r for name, r in control_registers(external=True).items() if name not in control_registers()]
    lines += [f"| {r.name} | {r.offset:#04x} | {r.access} | {r.doc} |" for r in more]
    for kind, title in (("input", "of an input"), ("output", "of an output"), ("layer", "field")):
        lines += ["", f"| {title} | word | bits | meaning |", "| --- | --- | --- | --- |"]
        for f in fields(kind).values():
            place = f"{f.low + f.bits - 1}..{f.low}" if f.bits > 1 else str(f.low)
            lines.append(f"| {f.name} | {f.word} | {place} | {f.doc} |")
    lines += ["", "| head of a packet of weights | bits | meaning |", "| --- | --- | --- |"]
    lines += [f"| {f.name} | {f.low + f.bits - 1}..{f.low} | {f.doc} |" for f in packet_fields().values()]
    for kind, title in (("record", "first word of a record"), ("transfer", "rest of a transfer's record")):
        lines += ["", f"| {title} | bits | meaning |", "| --- | --- | --- |"]
        lines += [f"| {f.name} | {f.low + f.bits - 1}..{f.low} | {f.doc} |" for f in record_fields(kind).values()]
    return "\n".join(lines) + "\n"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
