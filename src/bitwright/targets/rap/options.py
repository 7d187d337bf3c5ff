# SPDX-License-Identifier: Apache-2.0
"""Options of the rap target."""

from __future__ import annotations

from dataclasses import dataclass, field

from bitwright.errors import OptionError
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.isa.table import LANE_BITS


@dataclass(frozen=True)
class RapOptions:
    """The grid and its memories, and how the compiler uses them; see each field's `doc`."""

    size: int = field(default=4, metadata={"doc": "rows and columns of the grid: 2, 4 or 8"})
    a_words: int = field(default=16384, metadata={"doc": "16-bit words of each bank of feature maps"})
    b_words: int = field(default=32768, metadata={"doc": "16-bit words of each bank of weights"})
    param_words: int = field(default=4096, metadata={"doc": "128-bit words of the parameter memory"})
    program_words: int = field(default=4096, metadata={"doc": "instructions of the program memory"})
    torus: bool = field(default=False, metadata={"doc": "whether the links join opposite edges of the grid"})
    m_axi: int = field(default=0, metadata={"doc": "bits of the AXI4 master for external memory: 64, or 0 for none"})
    memory_mib: int = field(default=64, metadata={"doc": "MiB of external memory that a network may use"})
    memory_latency: int = field(
        default=100,
        metadata={"doc": "cycles to the first beat of external memory in estimates and simulations"},
    )
    memory_gap: int = field(default=1, metadata={"doc": "cycles from beat to beat of it, 8 bytes each"})
    lane_bits: int = field(default=4, metadata={"doc": "least bits of a lane: 4, 8 or 16; 16 packs nothing"})
    reuse: bool = field(default=True, metadata={"doc": "whether registers and neighbors reuse what is loaded"})

    def __post_init__(self) -> None:
        if self.lane_bits not in LANE_BITS:
            raise OptionError(f"lane_bits is {self.lane_bits!r}; legal are 4, 8 and 16")
        for name in ("torus", "reuse"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is {getattr(self, name)!r}; legal are true and false")
        if self.m_axi not in (0, 64) or isinstance(self.m_axi, bool):
            raise OptionError(f"m_axi is {self.m_axi!r}; legal are 0 and 64")
        for name, most in (("memory_latency", 10_000), ("memory_gap", 100), ("memory_mib", 1024)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise OptionError(f"{name} is {value!r}; legal are 1 to {most}")
        _ = self.machine

    @property
    def machine(self) -> Machine:
        """The grid."""
        words = (self.a_words, self.b_words, self.param_words, self.program_words)
        return Machine(self.size, *words, torus=self.torus, external=self.m_axi > 0)
