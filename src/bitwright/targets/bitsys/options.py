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
        default="ultra96", metadata={"doc": "preset (ultra96, ultra96_planes, small) or path of a TOML file"}
    )
    batch: int = field(
        default=0,
        metadata={
            "doc": "frames computed together, 1 to 255; 0: a frame, or a row of the array each without convolutions"
        },
    )

    def __post_init__(self) -> None:
        if not isinstance(self.batch, int) or not 0 <= self.batch <= 255:
            raise OptionError(f"batch is {self.batch!r}; legal are 0 to 255")
        hardware.load(self.hardware)
