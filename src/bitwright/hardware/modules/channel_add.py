# SPDX-License-Identifier: Apache-2.0
"""Module `channel_add`: a bias for each channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.errors import ModelError
from bitwright.hardware.module import Module, by_lane, tiles_of
from bitwright.hardware.modules.control import pipe
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import Path, adder, table
from bitwright.network.types import IntType, TensorType


@dataclass(frozen=True, eq=False)
class ChannelAdd(Module):
    """Memories: the biases of each lane."""

    rtl: ClassVar[str] = "channel_add"
    in_bits: int
    in_signed: bool
    out_bits: int
    lanes: int
    tiles: int

    @classmethod
    def of(cls, bias: np.ndarray, in_type: TensorType, out_type: IntType, lanes: int) -> ChannelAdd:
        """For bias [C or 1]; `out_type` must hold every sum."""
        tiles = tiles_of(in_type.channels, lanes)
        if in_type.dtype.bipolar or out_type.bipolar:
            raise ModelError("a bias is not added to bipolar values")
        bias = np.broadcast_to(bias, (in_type.channels,))
        memories = by_lane("_l", [(bias, out_type.bits)], lanes)
        return cls(in_type.dtype.bits, in_type.dtype.signed, out_type.bits, lanes, tiles, memories=memories)

    @property
    def latency(self) -> int:
        return 2

    @property
    def cost(self) -> Resources:
        lane = Resources(lut=self.out_bits, ff=self.in_bits + self.out_bits, carry=math.ceil(self.out_bits / 4))
        return pipe(2, self.tiles) + lane * self.lanes + self.roms()

    @property
    def paths(self) -> tuple[Path, ...]:
        biases = table((self.tiles - 1).bit_length() or 1)
        return (Path("bias", adder(self.out_bits)), Path("memory of biases", biases, 4 * self.lanes))
