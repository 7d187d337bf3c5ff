# SPDX-License-Identifier: Apache-2.0
"""Text of SystemVerilog: the one printer of modules, ports, streams, instances and memory files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

SPDX = "// SPDX-License-Identifier: Apache-2.0"  # first line of every file of RTL that is copied into users' designs


@dataclass(frozen=True)
class Sized:
    """A constant of `bits` bits, two's complement."""

    value: int
    bits: int

    def __str__(self) -> str:
        return f"{self.bits}'h{self.value & ((1 << self.bits) - 1):x}"


@dataclass(frozen=True)
class SizedRows:
    """Constants of `bits` bits side by side, each row on a line; the first of the first row in the lowest bits."""

    rows: tuple[tuple[int, ...], ...]
    bits: int

    def __str__(self) -> str:
        lines = (", ".join(literal(value, self.bits) for value in reversed(row)) for row in reversed(self.rows))
        return "{\n          " + ",\n          ".join(lines) + "\n      }"


def literal(value: int, width: int) -> str:
    """Sized hexadecimal constant, as text."""
    return str(Sized(value, width))


def instance(module: str, name: str, parameters: Mapping[str, object], ports: Mapping[str, str]) -> str:
    """One instance; parameter values are numbers, strings, `Sized` or `SizedRows` constants."""
    values = ",\n".join(f"      .{key}({_value(value)})" for key, value in parameters.items())
    pins = ",\n".join(f"      .{key}({value})" for key, value in ports.items())
    chosen = f" #(\n{values}\n  )" if parameters else ""
    return f"  {module}{chosen} {name} (\n{pins}\n  );\n"


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Sized | SizedRows):
        return str(value)
    return str(int(value))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Port:
    """A port of a module; one of one bit is no vector, unless it is said to be."""

    name: str
    output: bool = False
    bits: int = 1
    vector: bool = False

    @property
    def declaration(self) -> str:
        """`input logic [7:0] name`."""
        return self.of_kind("logic")

    def of_kind(self, net: str) -> str:
        """The declaration as `logic`, or as `wire`, which plain Verilog takes."""
        size = f"[{self.bits - 1}:0] " if self.bits > 1 or self.vector else ""
        return f"{'output' if self.output else 'input '} {net} {size}{self.name}"


CLOCK_PORTS = (Port("clk_i"), Port("rst_i"))
CLOCK = {port.name: port.name for port in CLOCK_PORTS}


def module(
    name: str,
    ports: Iterable[Port],
    body: str,
    remarks: Iterable[str] = (),
    *,
    net: str = "logic",
    attributes: Mapping[str, str] | None = None,
) -> str:
    """One module; `remarks` are the lines of the comment above it, safe text; `attributes` are of ports, by name."""
    head = "".join(f"// {line}".rstrip() + "\n" for line in remarks)
    before = {port: f"    {text}\n" for port, text in (attributes or {}).items()}
    declared = ",\n".join(f"{before.get(port.name, '')}    {port.of_kind(net)}" for port in ports)
    return f"{head}module {name} (\n{declared}\n);\n{body}endmodule\n"


def wired(ports: Iterable[Port]) -> dict[str, str]:
    """Pins of an instance that meet signals of the same names."""
    return {port.name: port.name for port in ports}


def wire(name: str, bits: int) -> str:
    """The declaration of a signal that is a vector, of one bit, too."""
    return f"  logic [{bits - 1}:0] {name};\n"


@dataclass(frozen=True)
class Stream:
    """A valid/ready stream inside a module: its signals, or expressions in their place, and the bits of a word."""

    data: str
    valid: str
    ready: str
    width: int

    @classmethod
    def named(cls, name: str, width: int) -> Stream:
        """Signals `<name>_data`, `<name>_valid`, `<name>_ready`."""
        return cls(f"{name}_data", f"{name}_valid", f"{name}_ready", width)

    def declare(self) -> str:
        return wire(self.data, self.width) + f"  logic {self.valid}, {self.ready};\n"

    def carrying(self, data: str, width: int) -> Stream:
        """Other data in the same cycles: valid and ready are those of this stream."""
        return Stream(data, self.valid, self.ready, width)

    def part(self, low: int, bits: int) -> str:
        """Bits low to low + bits - 1 of a word."""
        return f"{self.data}[{low}+:{bits}]"

    def sink(self, prefix: str = "s") -> dict[str, str]:
        """Ports of a module that consumes the stream."""
        return dict(zip(_names(prefix, False), (self.data, self.valid, self.ready), strict=True))

    def source(self, prefix: str = "m") -> dict[str, str]:
        """Ports of a module that produces the stream."""
        return dict(zip(_names(prefix, True), (self.data, self.valid, self.ready), strict=True))


def _names(prefix: str, output: bool) -> tuple[str, str, str]:
    way, back = ("o", "i") if output else ("i", "o")
    return f"{prefix}_data_{way}", f"{prefix}_valid_{way}", f"{prefix}_ready_{back}"


def stream_ports(prefix: str, width: int, output: bool) -> tuple[Port, ...]:
    """Ports of a module that consumes a stream, or produces it."""
    data, valid, ready = _names(prefix, output)
    return Port(data, output, width, vector=True), Port(valid, output), Port(ready, not output)


def stream_of(prefix: str, width: int, output: bool) -> Stream:
    """The stream that a module sees at such ports."""
    return Stream(*_names(prefix, output), width)


def connect(source: Stream, target: Stream) -> str:
    """Wires from one stream to another of equal width: a module that changes nothing."""
    pairs = (target.data, source.data), (target.valid, source.valid), (source.ready, target.ready)
    return "".join(f"  assign {left} = {right};\n" for left, right in pairs)


def concat(parts: list[str]) -> str:
    """Verilog concatenation with parts[0] in the lowest bits."""
    return "{" + ", ".join(reversed(parts)) + "}" if len(parts) > 1 else parts[0]


def pack_words(fields: np.ndarray, bits: int) -> list[int]:
    """Rows of non-negative fields [N, F], each of `bits` bits, as one integer a row; field 0 in the lowest bits."""
    if fields.shape[1] == 0:
        return [0] * len(fields)
    planes = (fields[:, :, None] >> np.arange(bits)) & 1
    packed = np.packbits(planes.reshape(len(fields), -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def memory_file(values: np.ndarray, width: int) -> str:
    """$readmemh text: one word of `width` bits a line, two's complement, word 0 first."""
    mask = (1 << width) - 1
    digits = (width + 3) // 4
    return "".join(f"{int(value) & mask:0{digits}x}\n" for value in np.ravel(np.asarray(values, dtype=object)))
