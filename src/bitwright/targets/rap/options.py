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
    lane_bits: int = field(default=4, metadata={"doc": "least bits of a lane: 4, 8 or 16; 16 packs nothing"})
    reuse: bool = field(default=True, metadata={"doc": "whether registers and neighbors reuse what is loaded"})

    def __post_init__(self) -> None:
        if self.lane_bits not in LANE_BITS:
            raise OptionError(f"lane_bits is {self.lane_bits!r}; legal are 4, 8 and 16")
        for name in ("torus", "reuse"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is {getattr(self, name)!r}; legal are true and false")
        _ = self.machine

    @property
    def machine(self) -> Machine:
        """The grid."""
        words = (self.a_words, self.b_words, self.param_words, self.program_words)
        return Machine(self.size, *words, torus=self.torus)
