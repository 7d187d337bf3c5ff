"""Parameters and memory files of the modules that hold constants of a network.

Each function takes an operation, its input type and the number of lanes, and gives the parameters of the
module's instance and the memory files that it reads, by file name. Parameters are ints, bools or strings;
a string is a file's name, or a sized literal such as "64'h1f". Channel c is lane c % lanes of word
c // lanes of a pixel; lanes must divide the channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.errors import ModelError
from bitwright.hardware.modules import memory_file
from bitwright.network.lfsr import draws
from bitwright.network.ops import Lookup, Requantize, Rounding, Threshold
from bitwright.network.types import IntType, TensorType

__all__ = [
    "channel_add_files",
    "lfsr_jump",
    "lookup_files",
    "requantize_files",
    "requantize_lut_files",
    "threshold_files",
]

Parameters = dict[str, int | bool | str]
Files = dict[str, str]

DSP_MULTIPLIER_BITS = 18  # the narrower signed input of a Xilinx or ECP5 multiplier block
ROUNDINGS = tuple(Rounding)  # the module's parameter is the position


def _tiles(channels: int, lanes: int) -> int:
    if lanes < 1 or channels % lanes:
        raise ValueError(f"{lanes} lanes do not divide {channels} channels")
    return channels // lanes


def _literal(value: int, bits: int) -> str:
    return f"{bits}'h{value & ((1 << bits) - 1):x}"


def _signed_bits(*values: np.ndarray | int) -> int:
    """Bits of the narrowest two's complement number that holds every value."""
    low = min(int(np.min(v)) for v in values)
    high = max(int(np.max(v)) for v in values)
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


def _wire_type(dtype: IntType) -> IntType:
    """The type of the wire: a bipolar value w in {-1, +1} travels as (w + 1) / 2."""
    return IntType(1) if dtype.bipolar else dtype


def _all_alike(rows: np.ndarray) -> bool:
    return bool(np.all(rows == rows[:1]))


def threshold_files(op: Threshold, in_type: TensorType, lanes: int, name: str) -> tuple[Parameters, Files]:
    """Module `threshold`. Thresholds that every x of every channel reaches go into the base."""
    tiles = _tiles(in_type.channels, lanes)
    if not np.all(np.abs(op.step) == (2 if op.dtype.bipolar else 1)):
        raise ModelError(f"Threshold steps are +1 or -1 (+2 or -2 for a bipolar output), not {op.step}")
    wire = _wire_type(in_type.dtype)
    levels = -(-(op.thresholds + 1) // 2) if in_type.dtype.bipolar else op.thresholds
    levels = np.clip(levels, wire.min, wire.max + 1)
    always = int((levels == wire.min).sum(1).min())
    levels = levels[:, always : levels.shape[1] - int((levels > wire.max).sum(1).min())]
    shared = _all_alike(levels)
    count_bits = max(1, levels.shape[1].bit_length())
    fill = np.full((len(levels), (1 << count_bits) - 1 - levels.shape[1]), wire.max + 1)
    levels = np.concatenate([levels, fill], axis=1) - 1
    wide = bool(levels.size) and int(levels.min()) < wire.min
    if wide or wire.signed:
        levels = levels + (1 << (wire.bits + wide - 1))  # offset binary
    channels = 1 if shared else in_type.channels
    levels = np.broadcast_to(levels[:channels], (channels, levels.shape[1]))
    base = np.broadcast_to(op.base + op.step * always, (in_type.channels,))
    falling = np.broadcast_to(op.step < 0, (in_type.channels,))
    uniform = _all_alike(base) and _all_alike(falling)
    parameters: Parameters = {
        "InBits": wire.bits,
        "OutBits": op.dtype.bits,
        "Lanes": lanes,
        "Tiles": tiles,
        "CountBits": count_bits,
        "InSigned": wire.signed,
        "Wide": wide,
        "Shared": shared,
        "Uniform": uniform,
        "Base": _literal(int(op.dtype.encode(base[0])) if uniform else 0, op.dtype.bits),
        "Falling": bool(falling[0]) if uniform else False,
        "File": name,
    }
    files = _search_files(levels, count_bits, 1 if shared else lanes, wire.bits + wide, name)
    if not uniform:
        words = op.dtype.encode(base) | (falling.astype(np.int64) << op.dtype.bits)
        for lane in range(lanes):
            files[f"{name}_b{lane:03d}.mem"] = memory_file(words[lane::lanes], op.dtype.bits + 1)
    return parameters, files


def _search_files(levels: np.ndarray, count_bits: int, lanes: int, width: int, name: str) -> Files:
    """One file a stage and lane of the binary search over levels [channels, 2**count_bits - 1]."""
    files = {}
    for stage in range(count_bits):
        span = 1 << (count_bits - stage)
        nodes = levels[:, span // 2 - 1 :: span]  # [channels, 2**stage]
        for lane in range(lanes):
            files[f"{name}_s{stage:02d}_l{lane:03d}.mem"] = memory_file(nodes[lane::lanes], width)
    return files


def lookup_files(op: Lookup, in_type: TensorType, lanes: int, name: str) -> tuple[Parameters, Files]:
    """Module `lookup`; the entries are ordered by the word on the wire."""
    tiles = _tiles(in_type.channels, lanes)
    values = op.domain.decode(np.arange(op.domain.levels))
    words = op.dtype.encode(op.table[:, op.domain.index(values)])
    shared = _all_alike(words)
    channels = 1 if shared else in_type.channels
    words = np.broadcast_to(words[:channels], (channels, words.shape[1]))
    file_lanes = 1 if shared else lanes
    files = {
        f"{name}_l{lane:03d}.mem": memory_file(words[lane::file_lanes], op.dtype.bits) for lane in range(file_lanes)
    }
    parameters: Parameters = {
        "InBits": op.domain.bits,
        "OutBits": op.dtype.bits,
        "Lanes": lanes,
        "Tiles": tiles,
        "Shared": shared,
        "File": name,
    }
    return parameters, files


def channel_add_files(
    bias: np.ndarray, in_type: TensorType, out_type: IntType, lanes: int, name: str
) -> tuple[Parameters, Files]:
    """Module `channel_add` for bias [C or 1]; `out_type` must hold every sum."""
    tiles = _tiles(in_type.channels, lanes)
    if in_type.dtype.bipolar or out_type.bipolar:
        raise ModelError("a bias is not added to bipolar values")
    bias = np.broadcast_to(bias, (in_type.channels,))
    files = {f"{name}_l{lane:03d}.mem": memory_file(bias[lane::lanes], out_type.bits) for lane in range(lanes)}
    parameters: Parameters = {
        "InBits": in_type.dtype.bits,
        "InSigned": in_type.dtype.signed,
        "OutBits": out_type.bits,
        "Lanes": lanes,
        "Tiles": tiles,
        "File": name,
    }
    return parameters, files


def requantize_files(op: Requantize, in_type: TensorType, lanes: int, name: str) -> tuple[Parameters, Files]:
    """Module `requantize`."""
    wire, scaling = _wire_type(in_type.dtype), _scaling(op, in_type)
    return _requantizer(op, in_type, scaling, scaling.products(wire), (wire.bits, wire.signed), lanes, name)


def requantize_lut_files(op: Requantize, in_type: TensorType, lanes: int, name: str) -> tuple[Parameters, Files]:
    """Module `requantize_lut`: the same result without multiplier blocks."""
    wire, scaling = _wire_type(in_type.dtype), _scaling(op, in_type)
    digits, products = booth_digits(scaling.mult), scaling.products(wire)
    bits = min(_signed_bits(products), wire.bits + (not wire.signed) + 2 * digits.shape[1])
    rest = replace(scaling, mult=np.ones_like(scaling.mult))
    parameters, files = _requantizer(op, in_type, rest, products, (bits, True), lanes, name)
    del parameters["MultBits"], parameters["Multiplier"]
    parameters |= {"InBits": wire.bits, "InSigned": wire.signed, "Rows": digits.shape[1], "ProductBits": bits}
    codes = (digits < 0) << 2 | (np.abs(digits) == 2) << 1 | (np.abs(digits) == 1)
    fields = [(codes[:, k], 3) for k in reversed(range(codes.shape[1]))]
    return parameters, files | _word_files(fields, lanes, f"{name}_m")


def booth_digits(values: np.ndarray) -> np.ndarray:
    """Digits -2..2 of values [C] in radix 4, [C, digits], the lowest first: value = sum of digit[k] * 4**k."""
    count = -(-_signed_bits(values) // 2)
    bits = (values[:, None] >> np.arange(2 * count)) & 1
    bits = np.concatenate([np.zeros_like(bits[:, :1]), bits], axis=1)
    return bits[:, 0:-1:2] + bits[:, 1::2] - 2 * bits[:, 2::2]


@dataclass(frozen=True)
class _Scaling:
    """y = round((x * mult + bias) * 2**lift / 2**shift), x as on the wire; mult, bias, lift [C]."""

    mult: np.ndarray
    bias: np.ndarray
    lift: np.ndarray
    shift: int

    def products(self, wire: IntType) -> np.ndarray:
        """Those of the least and the greatest x, [2, C]."""
        return np.stack([self.mult * wire.min, self.mult * wire.max])


def _scaling(op: Requantize, in_type: TensorType) -> _Scaling:
    """The operation on the words of the wire; narrow multipliers take in what the shifts differ by."""
    if not -(1 << 31) < op.zero_point < 1 << 31:
        raise ModelError(f"Requantize zero points lie within 31 bits, not {op.zero_point}")
    mult, bias, shift = (np.broadcast_to(v, (in_type.channels,)) for v in (op.multiplier, op.bias, op.shift))
    if in_type.dtype.bipolar:
        mult, bias = 2 * mult, bias - mult
    lift = shift.max() - shift
    if np.any(mult != 1) and op.rounding is not Rounding.STOCHASTIC:
        lifted = [int(m) << int(k) for m, k in zip(mult, lift, strict=True)]
        if _signed_bits(min(lifted), max(lifted)) <= DSP_MULTIPLIER_BITS and np.abs(bias).max() < 1 << 28:
            mult, bias, lift = mult << lift, bias << lift, np.zeros_like(lift)
    return _Scaling(mult, bias, lift, int(shift.max()))


def _requantizer(
    op: Requantize,
    in_type: TensorType,
    scaling: _Scaling,
    products: np.ndarray,
    word: tuple[int, bool],
    lanes: int,
    name: str,
) -> tuple[Parameters, Files]:
    """Module `requantize` on words of (bits, signed) that become at most these products."""
    tiles, (bits, signed) = _tiles(in_type.channels, lanes), word
    mult, bias, lift = scaling.mult, scaling.bias, scaling.lift
    mult_bits = _signed_bits(mult) if np.any(mult != 1) else 0
    bias_bits = _signed_bits(bias) if np.any(bias) else 0
    uniform = all(map(_all_alike, (mult, bias, lift)))
    parameters: Parameters = {
        "InBits": bits,
        "InSigned": signed,
        "OutBits": op.dtype.bits,
        "OutSigned": op.dtype.signed,
        "Lanes": lanes,
        "Tiles": tiles,
        "MultBits": mult_bits,
        "BiasBits": bias_bits,
        "Lift": int(lift.max()),
        "AccBits": max(_signed_bits(products, products + bias), bits + (not signed)),
        "Shift": scaling.shift,
        "ZeroPoint": op.zero_point,
        "Rounding": ROUNDINGS.index(op.rounding),
        "Uniform": uniform,
        "Multiplier": _literal(int(mult[0]) if uniform else 0, 64),
        "Bias": _literal(int(bias[0]) if uniform else 0, 64),
        "File": name,
    }
    if op.rounding is Rounding.STOCHASTIC:
        seeds = sum(int(seed) << 32 * lane for lane, seed in enumerate(draws(op.seed, lanes)))
        parameters |= {
            "FrameWords": in_type.pixels * tiles,
            "Seeds": _literal(seeds, 32 * lanes),
            "Jump": _literal(lfsr_jump(lanes), 1024),
        }
    fields = [(lift, int(lift.max()).bit_length()), (bias, bias_bits), (mult, mult_bits)]
    return parameters, {} if uniform else _word_files(fields, lanes, name)


def _word_files(fields: list[tuple[np.ndarray, int]], lanes: int, name: str) -> Files:
    """One memory a lane of words of these fields, (values [C], bits) each, the first in the highest bits."""
    width = sum(bits for _, bits in fields)
    return {
        f"{name}_l{lane:03d}.mem": memory_file(_pack([(v[lane::lanes], bits) for v, bits in fields]), width)
        for lane in range(lanes)
    }


def _pack(fields: list[tuple[np.ndarray, int]]) -> list[int]:
    """Words with the fields side by side, the first in the highest bits."""
    words = [0] * len(fields[0][0])
    for values, bits in fields:
        words = [word << bits | int(v) & ((1 << bits) - 1) for word, v in zip(words, values, strict=True)]
    return words


def lfsr_jump(count: int) -> int:
    """The 32 x 32 matrix over GF(2) that moves the generator on by `count` draws, for module lfsr32.

    Bit 32*i + j is the share of state bit j in new state bit i.
    """
    matrix = 0
    for j in range(32):
        column = int(draws(1 << j, count + 1)[count])
        for i in range(32):
            matrix |= (column >> i & 1) << (32 * i + j)
    return matrix
