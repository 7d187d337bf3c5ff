# SPDX-License-Identifier: Apache-2.0
"""Module `requantize` (operation Requantize)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bitwright.errors import ModelError
from bitwright.hardware.module import NOTHING, Memory, Module, all_alike, by_lane, signed_bits, tiles_of
from bitwright.hardware.modules.control import counter, pipe
from bitwright.hardware.modules.rounding import ROUNDINGS, lfsr, lfsr_jump, round_up, saturate
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import Sized
from bitwright.hardware.timing.classes import MULTIPLIER, Carry, Path, adder, mux, table, wide
from bitwright.network.lfsr import draws
from bitwright.network.ops import Requantize, Rounding
from bitwright.network.types import IntType, TensorType

DSP_MULTIPLIER_BITS = 18  # the narrower signed input of a multiplier block, of any family


@dataclass(frozen=True)
class Scaling:
    """y = round((x * mult + bias) * 2**lift / 2**shift), x as on the wire; mult, bias, lift [C]."""

    mult: np.ndarray
    bias: np.ndarray
    lift: np.ndarray
    shift: int

    @classmethod
    def of(cls, op: Requantize, in_type: TensorType) -> Scaling:
        """The operation on the words of the wire; narrow multipliers take in what the shifts differ by."""
        if not -(1 << 31) < op.zero_point < 1 << 31:
            raise ModelError(f"Requantize zero points lie within 31 bits, not {op.zero_point}")
        mult, bias, shift = (np.broadcast_to(v, (in_type.channels,)) for v in (op.multiplier, op.bias, op.shift))
        if in_type.dtype.bipolar:
            mult, bias = 2 * mult, bias - mult
        lift = shift.max() - shift
        if np.any(mult != 1) and op.rounding is not Rounding.STOCHASTIC:
            lifted = [int(m) << int(k) for m, k in zip(mult, lift, strict=True)]
            if signed_bits(min(lifted), max(lifted)) <= DSP_MULTIPLIER_BITS and np.abs(bias).max() < 1 << 28:
                mult, bias, lift = mult << lift, bias << lift, np.zeros_like(lift)
        return cls(mult, bias, lift, int(shift.max()))

    def products(self, wire: IntType) -> np.ndarray:
        """Those of the least and the greatest x, [2, C]."""
        return np.stack([self.mult * wire.min, self.mult * wire.max])


@dataclass(frozen=True, eq=False)
class RequantizeModule(Module):
    """Memories, where not uniform: {lift, bias, multiplier} of each lane."""

    rtl: ClassVar[str] = "requantize"
    in_bits: int
    in_signed: bool
    out_bits: int
    out_signed: bool
    lanes: int
    tiles: int
    mult_bits: int
    bias_bits: int
    lift: int
    acc_bits: int
    shift: int
    zero_point: int
    rounding: int
    uniform: bool
    multiplier: Sized
    bias: Sized
    frame_words: int | None = None
    seeds: Sized | None = None
    jump: Sized | None = None

    @classmethod
    def of(cls, op: Requantize, in_type: TensorType, lanes: int) -> RequantizeModule:
        """For words of `lanes` channels."""
        wire, scaling = in_type.dtype.wire, Scaling.of(op, in_type)
        return cls.scaled(op, in_type, scaling, scaling.products(wire), (wire.bits, wire.signed), lanes)

    @classmethod
    def scaled(
        cls,
        op: Requantize,
        in_type: TensorType,
        scaling: Scaling,
        products: np.ndarray,
        word: tuple[int, bool],
        lanes: int,
    ) -> RequantizeModule:
        """On words of (bits, signed) that become at most these products."""
        bits, signed = word
        mult, bias, lift = scaling.mult, scaling.bias, scaling.lift
        mult_bits = signed_bits(mult) if np.any(mult != 1) else 0
        bias_bits = signed_bits(bias) if np.any(bias) else 0
        uniform = all(map(all_alike, (mult, bias, lift)))
        tiles = tiles_of(in_type.channels, lanes)
        memories: dict[str, Memory] = {}
        if not uniform:
            memories = by_lane(
                "_l", [(lift, int(lift.max()).bit_length()), (bias, bias_bits), (mult, mult_bits)], lanes
            )
        return cls(
            memories=memories,
            in_bits=bits,
            in_signed=signed,
            out_bits=op.dtype.bits,
            out_signed=op.dtype.signed,
            lanes=lanes,
            tiles=tiles,
            mult_bits=mult_bits,
            bias_bits=bias_bits,
            lift=int(lift.max()),
            acc_bits=max(signed_bits(products, products + bias), bits + (not signed)),
            shift=scaling.shift,
            zero_point=op.zero_point,
            rounding=ROUNDINGS.index(op.rounding),
            uniform=uniform,
            multiplier=Sized(int(mult[0]) if uniform else 0, 64),
            bias=Sized(int(bias[0]) if uniform else 0, 64),
            **(_stochastic(op, in_type.pixels * tiles, lanes) if op.rounding is Rounding.STOCHASTIC else {}),
        )

    @property
    def latency(self) -> int:
        return 3 + (self.mult_bits > 0) + (self.bias_bits > 0) + (self.lift > 0)

    @property
    def cost(self) -> Resources:
        """A multiplier becomes DSP blocks, but a constant power of two is wiring."""
        found = pipe(self.latency)
        if self.jump is not None and self.frame_words is not None:
            found += counter(self.frame_words) + lfsr(self.jump.value) * self.lanes
        if not self.uniform:  # a constant module reads no tile
            lift, above = self.lift.bit_length(), self.mult_bits + self.bias_bits
            found += counter(self.tiles) + self.roms()
            for memory in self.memories.values():
                if self.mult_bits:  # bias and lift wait for the product, the lift for the sum, too
                    found += Resources(ff=_kinds(memory.field(self.mult_bits, self.bias_bits + lift)))
                if self.bias_bits:
                    found += Resources(ff=_kinds(memory.field(above, lift)))
                if self.lift:
                    found += _lift_cost(memory.field(above, lift), self.acc_bits)
        return found + self._lane() * self.lanes

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its stages: product of several blocks, bias, lift, rounding, clamp."""
        found = []
        if self.mult_bits > DSP_MULTIPLIER_BITS:
            found.append(Path("product of several blocks", (Carry(self.acc_bits),), start=MULTIPLIER))
        if self.bias_bits:
            found.append(Path("bias", adder(self.acc_bits)))
        if self.lift:
            found.append(Path("lift", mux(self.lift + 1), 2 * self.acc_bits))
        whole = self.acc_bits + self.lift - self.shift
        rounds = wide(self.shift) if self.rounding and self.shift > 1 else ()
        if rounds or self.zero_point:
            found.append(Path("rounding", (*rounds, *adder(max(1, whole) + 2)), 2))
        found.append(Path("clamp", (*wide(max(1, whole + 2 - self.out_bits)), 3), self.out_bits))
        if not self.uniform:
            found.append(Path("memory of factors", table((self.tiles - 1).bit_length() or 1), 4 * self.lanes))
        return tuple(found)

    def _lane(self) -> Resources:
        """Registers of all stages but the lift, multiplier and bias; rounding and what is behind it."""
        factor = 0
        if self.uniform:
            factor = self.multiplier.value & ((1 << 64) - 1) if self.mult_bits else 1
        zeros = trailing_zeros(factor)  # low bits of the product that are constants
        positive = not self.in_signed and not self.bias_bits and 0 < factor < 1 << 63
        acc = self.acc_bits - positive
        found = Resources(ff=self.in_bits)
        if self.mult_bits:
            wired = factor and factor & (factor - 1) == 0
            # the other bits of the product repeat its sign
            product = min(acc, self.in_bits + (not self.in_signed) + self.mult_bits)
            blocks = 0 if wired else math.ceil(self.mult_bits / DSP_MULTIPLIER_BITS)
            # one block takes in the registers before and behind it
            found = Resources() if blocks == 1 else found + Resources(ff=product - zeros)
            found += Resources(dsp=blocks)
        if self.bias_bits:
            bias = (self.bias.value if self.uniform else -1) & ((1 << acc) - 1)
            carry, zeros = math.ceil((acc - trailing_zeros(bias)) / 4), min(zeros, trailing_zeros(bias))
            found += Resources(lut=bias.bit_count(), ff=acc - zeros, carry=carry)
        return found + self._rounded(acc + self.lift, zeros, positive)

    def _rounded(self, acc: int, zeros: int, positive: bool) -> Resources:
        """Rounding, zero point and clamp of a number of `acc` bits whose lowest `zeros` are 0."""
        shift, zero_point, out = self.shift, self.zero_point, self.out_bits
        fraction = max(0, shift - zeros) * (self.rounding > 0)
        low = max(0, zeros - shift) * (not zero_point)  # constant bits of the result
        bits = max(1, acc - shift)
        found = Resources()
        if zero_point:
            found += Resources(lut=(zero_point & ((1 << bits) - 1)).bit_count())
            bits, positive = max(bits + positive, abs(zero_point).bit_length() + 1), False
        if fraction:
            found += round_up(fraction, self.rounding) + Resources(carry=math.ceil((bits + 2) / 4))
        elif zero_point:
            found += Resources(carry=math.ceil((bits + 1 - trailing_zeros(zero_point)) / 4))
        bits += bool(fraction or zero_point)
        limits = saturate(bits, out, self.out_signed, positive)
        kept = min(out, bits - low) if limits is None else out
        return found + (limits or NOTHING) + Resources(ff=bits - low + kept)


def _stochastic(op: Requantize, frame_words: int, lanes: int) -> dict[str, Any]:
    """Parameters of the generators of random bits."""
    seeds = sum(int(seed) << 32 * lane for lane, seed in enumerate(draws(op.seed, lanes)))
    return {"frame_words": frame_words, "seeds": Sized(seeds, 32 * lanes), "jump": Sized(lfsr_jump(lanes), 1024)}


def _kinds(words: np.ndarray) -> int:
    """Columns of bits that are no constants and differ from each other: their delays are registers."""
    width = int(words.max()).bit_length()
    columns = {tuple((words >> bit & 1).tolist()) for bit in range(width)}
    return sum(len(set(column)) > 1 for column in columns)


def _lift_cost(lifts: np.ndarray, bits: int) -> Resources:
    """Shifter of a lane of `bits` bits, to the left: a LUT a bit for two bits of the lift.

    Of the bits above the greatest lift, which repeat the sign, there is one.
    """
    wide = bits + int(lifts.max())
    return Resources(lut=wide * math.ceil(_kinds(lifts) / 2), ff=wide)


def trailing_zeros(value: int) -> int:
    """Zeros below the lowest 1 of a number, 0 of 0."""
    return (value & -value).bit_length() - 1 if value else 0
