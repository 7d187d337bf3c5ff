# SPDX-License-Identifier: Apache-2.0
"""Options of the bitsys target."""

from __future__ import annotations

from dataclasses import dataclass, field

from bitwright.errors import OptionError
from bitwright.targets.bitsys import hardware


@dataclass(frozen=True)
class BitsysOptions:
    """Options of target bitsys."""

    hardware: str = field(
        default="ultra96",
        metadata={"doc": f"preset ({', '.join(hardware.presets())}) or path of a TOML file"},
    )
    batch: int = field(
        default=0,
        metadata={
            "doc": "frames computed together, 1 to 255; 0: a frame, or a row of the array each without convolutions"
        },
    )

    memory_latency: int = field(
        default=100,
        metadata={"doc": "cycles to the first beat of external memory in estimates and simulations"},
    )
    memory_gap: int = field(default=1, metadata={"doc": "cycles from beat to beat of it, 8 bytes each"})

    def __post_init__(self) -> None:
        if not isinstance(self.batch, int) or not 0 <= self.batch <= 255:
            raise OptionError(f"batch is {self.batch!r}; legal are 0 to 255")
        for name, most in (("memory_latency", 10_000), ("memory_gap", 100)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise OptionError(f"{name} is {value!r}; legal are 1 to {most}")
        hardware.load(self.hardware)
