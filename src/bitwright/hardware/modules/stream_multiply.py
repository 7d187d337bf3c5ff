# SPDX-License-Identifier: Apache-2.0
"""Module `stream_multiply` (operation Mul)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bitwright.hardware.module import Module, signed_bits
from bitwright.hardware.modules import multiply_pipe
from bitwright.hardware.modules.control import pipe
from bitwright.hardware.modules.requantize import trailing_zeros
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import Carry, Path, adder
from bitwright.network.types import IntType

BLOCK_BITS = 9  # of a product from which on it takes a multiplier block


@dataclass(frozen=True, eq=False)
class StreamMultiply(Module):
    """Products of the lanes of two streams, each less its zero."""

    rtl: ClassVar[str] = "stream_multiply"
    lanes: int
    out_bits: int
    a_bits: int
    a_signed: bool
    a_zero: int
    a_wide: int
    b_bits: int
    b_signed: bool
    b_zero: int
    b_wide: int

    @classmethod
    def of(cls, types: tuple[IntType, IntType], zeros: tuple[int, int], out: IntType, lanes: int) -> StreamMultiply:
        """For factors of these types, which are not bipolar; `out` must hold every product."""
        (a, b), wide = types, [signed_bits(t.min - z, t.max - z) for t, z in zip(types, zeros, strict=True)]
        return cls(lanes, out.bits, a.bits, a.signed, zeros[0], wide[0], b.bits, b.signed, zeros[1], wide[1])

    @property
    def latency(self) -> int:
        return multiply_pipe.latency(self.a_wide, self.b_wide)

    @property
    def cost(self) -> Resources:
        """Few bits are multiplied in LUTs, about as many as there are partial products; a block has its registers."""
        a, b = (
            wide - ((not signed and zero <= 0) or zero <= -(1 << bits - 1))  # a difference that is never negative
            for bits, signed, zero, wide in (
                (self.a_bits, self.a_signed, self.a_zero, self.a_wide),
                (self.b_bits, self.b_signed, self.b_zero, self.b_wide),
            )
        )
        lane = Resources()
        for zero, wide in ((self.a_zero, self.a_wide), (self.b_zero, self.b_wide)):
            if zero:
                bits = wide - trailing_zeros(zero)
                lane += Resources(lut=2 * bits // 3, carry=(bits > 2) * math.ceil(bits / 4))
        if self.out_bits >= BLOCK_BITS:
            lane += Resources(dsp=math.ceil(max(a, b) / 27) * math.ceil(min(a, b) / 18))
        else:
            share = 1.0 if min(a, b) <= 3 else 2.0 if self.a_signed and self.b_signed else 1.4
            lane += Resources(lut=round(share * a * b), ff=a + b + self.out_bits)
            lane += Resources(carry=(min(a, b) > 1) * math.ceil(self.out_bits / 4))
        return pipe(self.latency) + Resources(lut=1) + lane * self.lanes

    @property
    def paths(self) -> tuple[Path, ...]:
        """Differences from the zeros, and small products; large ones are in blocks with registers."""
        found = [Path("zero of a factor", adder(wide)) for wide in (self.a_wide, self.b_wide)]
        if self.out_bits < BLOCK_BITS:
            found.append(Path("product in LUTs", (6, Carry(self.out_bits), Carry(2)), 4))
        return tuple(found)
