# SPDX-License-Identifier: Apache-2.0
"""What a module of the library is to Python: typed parameters, memories as integers, latency and cost.

The class of a module lies in the file beside its `.sv` file and is the one place that knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np

from bitwright.hardware.memory import rom_contents
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import memory_file
from bitwright.hardware.timing.classes import Path

NOTHING = Resources()


@dataclass(frozen=True, eq=False)
class Memory:
    """Contents of a memory: words [depth] of `width` bits, two's complement."""

    words: np.ndarray
    width: int

    @property
    def text(self) -> str:
        """$readmemh text: a word a line, word 0 first."""
        return memory_file(self.words, self.width)

    @property
    def cost(self) -> Resources:
        """Module rom with these contents."""
        return rom_contents(self.words, self.width)

    def field(self, low: int, bits: int) -> np.ndarray:
        """Bits low to low + bits - 1 of every word, as non-negative numbers."""
        return self.words >> low & ((1 << bits) - 1)


@dataclass(frozen=True, eq=False)
class Module:
    """A module with its parameters: every field in snake_case is the RTL's parameter in UpperCamelCase.

    A field that is a module is a part of it, with parameters of its own. `memories` are what it reads, by the end of
    their files' names. A subclass sets `rtl` to the module's name and has
    `latency` (cycles from a word that enters to the word that leaves with it) and `cost`.
    """

    rtl: ClassVar[str]
    memories: Mapping[str, Memory] = field(default_factory=dict, kw_only=True)

    def parameters(self, file: str = "") -> dict[str, object]:
        """Parameters of an instance; `file` is how the names of its memory files begin."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "memories"}
        own = {name: value for name, value in own.items() if value is not None and not isinstance(value, Module)}
        found = {"".join(word.capitalize() for word in name.split("_")): value for name, value in own.items()}
        return found | ({"File": file} if file else {})

    def files(self, file: str) -> dict[str, str]:
        """Texts of the memory files by name."""
        return {f"{file}{end}.mem": memory.text for end, memory in self.memories.items()}

    def roms(self, start: str = "") -> Resources:
        """Cost of the memories whose names begin so."""
        return sum((memory.cost for end, memory in self.memories.items() if end.startswith(start)), NOTHING)

    @property
    def latency(self) -> int:
        """Register stages."""
        raise NotImplementedError

    @property
    def cost(self) -> Resources:
        """Cells, as Yosys maps the module for a Xilinx part."""
        raise NotImplementedError

    @property
    def paths(self) -> tuple[Path, ...]:
        """Classes of its slow paths, but for those of the enables that `control.pipe_paths` has."""
        raise NotImplementedError


def tiles_of(channels: int, lanes: int) -> int:
    """Words a pixel."""
    if lanes < 1 or channels % lanes:
        raise ValueError(f"{lanes} lanes do not divide {channels} channels")
    return channels // lanes


def signed_bits(*values: np.ndarray | int) -> int:
    """Bits of the narrowest two's complement number that holds every value."""
    low = min(int(np.min(v)) for v in values)
    high = max(int(np.max(v)) for v in values)
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


def all_alike(rows: np.ndarray) -> bool:
    """Whether every row is the first one."""
    return bool(np.all(rows == rows[:1]))


def by_lane(start: str, fields: list[tuple[np.ndarray, int]], lanes: int) -> dict[str, Memory]:
    """One memory a lane of words of these fields, (values [C], bits) each, the first in the highest bits."""
    width = sum(bits for _, bits in fields)
    found = {}
    for lane in range(lanes):
        words = [0] * len(fields[0][0][lane::lanes])
        for values, bits in fields:
            own = values[lane::lanes]
            words = [word << bits | int(v) & ((1 << bits) - 1) for word, v in zip(words, own, strict=True)]
        found[f"{start}{lane:03d}"] = Memory(np.array(words, dtype=object), width)
    return found
