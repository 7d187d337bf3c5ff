# SPDX-License-Identifier: Apache-2.0
"""Text of SystemVerilog instances: the generator writes wiring, parameters and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
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


def literal(value: int, width: int) -> str:
    """Sized hexadecimal constant, as text."""
    return str(Sized(value, width))


def instance(module: str, name: str, parameters: Mapping[str, object], ports: Mapping[str, str]) -> str:
    """One instance; parameter values are numbers, strings or `Sized` constants."""
    lines = [f"  {module} #(" if parameters else f"  {module}"]
    lines.append(",\n".join(f"      .{key}({_value(value)})" for key, value in parameters.items()))
    lines.append(f"  ) {name} (" if parameters else f"  {name} (")
    lines.append(",\n".join(f"      .{key}({value})" for key, value in ports.items()))
    lines.append("  );")
    return "\n".join(line for line in lines if line) + "\n"


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Sized):
        return str(value)
    return str(int(value))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Stream:
    """A valid/ready stream inside a module: signals `<name>_data`, `<name>_valid`, `<name>_ready`."""

    name: str
    width: int

    def declare(self) -> str:
        return f"  logic [{self.width - 1}:0] {self.name}_data;\n  logic {self.name}_valid, {self.name}_ready;\n"

    def sink(self, prefix: str = "s") -> dict[str, str]:
        """Ports of a module that consumes the stream."""
        n = self.name
        return {f"{prefix}_data_i": f"{n}_data", f"{prefix}_valid_i": f"{n}_valid", f"{prefix}_ready_o": f"{n}_ready"}

    def source(self, prefix: str = "m") -> dict[str, str]:
        """Ports of a module that produces the stream."""
        n = self.name
        return {f"{prefix}_data_o": f"{n}_data", f"{prefix}_valid_o": f"{n}_valid", f"{prefix}_ready_i": f"{n}_ready"}


CLOCK = {"clk_i": "clk_i", "rst_i": "rst_i"}


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
