# SPDX-License-Identifier: Apache-2.0
"""Module `requantize_lut` (operation Requantize without multiplier blocks)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bitwright.hardware.module import Memory, Module, by_lane, signed_bits
from bitwright.hardware.modules.control import pipe
from bitwright.hardware.modules.requantize import RequantizeModule, Scaling
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import Carry, Path, table
from bitwright.network.ops import Requantize
from bitwright.network.types import TensorType


@dataclass(frozen=True, eq=False)
class RequantizeLut(Module):
    """A multiplication by digits in radix 4 before a requantizer of the products.

    Memories: those of the requantizer, and "_m" with the digits of each lane, three bits each.
    """

    rtl: ClassVar[str] = "requantize_lut"
    in_bits: int
    in_signed: bool
    rows: int
    product_bits: int
    rest: RequantizeModule

    @classmethod
    def of(cls, op: Requantize, in_type: TensorType, lanes: int) -> RequantizeLut:
        """For words of `lanes` channels; the same result as that of module `requantize`."""
        wire, scaling = in_type.dtype.wire, Scaling.of(op, in_type)
        digits, products = booth_digits(scaling.mult), scaling.products(wire)
        bits = min(signed_bits(products), wire.bits + (not wire.signed) + 2 * digits.shape[1])
        once = replace(scaling, mult=np.ones_like(scaling.mult))
        rest = RequantizeModule.scaled(op, in_type, once, products, (bits, True), lanes)
        codes = (digits < 0) << 2 | (np.abs(digits) == 2) << 1 | (np.abs(digits) == 1)
        rows = [(codes[:, k], 3) for k in reversed(range(codes.shape[1]))]
        memories = dict(rest.memories) | by_lane("_m_l", rows, lanes)
        return cls(wire.bits, wire.signed, digits.shape[1], bits, rest, memories=memories)

    def parameters(self, file: str = "") -> dict[str, object]:
        rest = self.rest.parameters(file)
        return {
            name: value for name, value in rest.items() if name not in ("MultBits", "Multiplier")
        } | super().parameters()

    @property
    def latency(self) -> int:
        return self.rest.latency + 1 + -(-self.rows // 2)

    @property
    def cost(self) -> Resources:
        return self._multiply() + self.rest.cost

    @property
    def paths(self) -> tuple[Path, ...]:
        """Two rows of digits a stage, and the requantizer."""
        digits = table((self.rest.tiles - 1).bit_length() or 1)
        rows = (Carry(self.in_bits + 2), Carry(4)) if self.rows > 1 else (Carry(self.in_bits + 2),)
        own = (Path("product in LUTs", rows, self.in_bits), Path("memory of digits", digits, 4 * self.rest.lanes))
        return (*own, *self.rest.paths)

    def _multiply(self) -> Resources:
        """Module channel_multiply."""
        rows, bits = self.rows, self.in_bits + (not self.in_signed)
        stages = [k for k in range(rows) if k % 2 or k == rows - 1]  # the rows with registers behind them
        words = _digit_words(self.memories)
        found = pipe(1 + len(stages), self.rest.tiles if len(words) > 1 else 1)
        if len(words) > 1:
            ff = sum(bits + 2 * (k + 1) + (bits + 3 * (rows - k - 1)) * (k + 1 < rows) for k in stages)
            lane = Resources(lut=rows * (bits + 2), ff=self.in_bits + ff, carry=rows * math.ceil((bits + 2) / 8))
            return found + self.roms("_m") + lane * self.rest.lanes
        # one constant: rows of digit 0 vanish, and the first of the others has nothing to add to
        (word,) = words
        used = [k for k in range(rows) if word >> 3 * k & 7] or [0]
        ff = sum(bits + 2 * (k + 1 - used[0]) + bits * (k < used[-1]) for k in stages if k >= used[0])
        adders = len(used) - 1
        lane = Resources(adders * (bits + 2), self.in_bits + ff, adders * math.ceil((bits + 2) / 8))
        return found + lane * self.rest.lanes


def _digit_words(memories: Mapping[str, Memory]) -> set[int]:
    return {int(word) for end, memory in memories.items() if end.startswith("_m") for word in memory.words}


def booth_digits(values: np.ndarray) -> np.ndarray:
    """Digits -2..2 of values [C] in radix 4, [C, digits], the lowest first: value = sum of digit[k] * 4**k."""
    count = -(-signed_bits(values) // 2)
    bits = (values[:, None] >> np.arange(2 * count)) & 1
    bits = np.concatenate([np.zeros_like(bits[:, :1]), bits], axis=1)
    digits: np.ndarray = bits[:, 0:-1:2] + bits[:, 1::2] - 2 * bits[:, 2::2]
    return digits
