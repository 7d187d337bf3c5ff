# SPDX-License-Identifier: Apache-2.0
"""Resources of memories and of the multiplexers behind them, as Yosys builds them of LUT6, LUT RAM and block RAM."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from bitwright.hardware.resources import Resources

BLOCK_BITS = 4096  # memories beyond this (and 64 words) are block RAM
BANK = 128  # words of a ROM in logic that one cycle reads
SHALLOW = 16  # words of a ROM that may have equal columns by chance
# Ways to use a block RAM: BRAM36, price, bits of an address, widths (each halves the words), in Yosys's order.
BLOCK_WIDTHS = (1, 2, 4, 9, 18, 36, 72)
BLOCK_MODES = ((0.5, 129, 14, 5), (1.0, 257, 15, 6), (0.5, 129, 14, 6), (1.0, 257, 15, 7))


def index_bits(count: int) -> int:
    """Bits that number `count` things, at least 1."""
    return max(1, (count - 1).bit_length())


def mux(inputs: int) -> int:
    """LUTs of a multiplexer, a bit; `select` knows those numbers of inputs that take one more."""
    return math.ceil((inputs - 1) / 3)


@cache
def select(inputs: int) -> tuple[int, int]:
    """A multiplexer behind a binary number, a bit: its LUTs, and the pins that the last one leaves free.

    Four inputs are one LUT. A pair that is left over enters the next stage, where it joins one more input in a LUT.
    """
    luts, pair = 0, False  # the last input is a pair
    while inputs > 4:
        full, left = divmod(inputs, 4)
        luts += full + (left == 3) + (pair and left != 1)
        inputs, pair = full + (left > 0), pair if left == 1 else left == 2 and not pair
    apart = pair and inputs > 2
    pins = {1: 0, 2: 3, 3: 5, 4: 6}[inputs] + 2 * (pair and not apart)
    return luts + (inputs > 1) + apart, 6 - pins


@dataclass(frozen=True)
class Geometry:
    """Block RAM of a memory: `bram36` blocks that stand for `stacked` ranges of addresses; `price` as of Yosys."""

    price: float
    bram36: float
    stacked: int


@cache
def block_geometry(width: int, depth: int, written: bool) -> Geometry:
    """What Yosys (memory_libmap) makes of a memory; halves are BRAM18.

    Every range of addresses has words of `width` bits (of whole bytes of 9 where they are written), and the words of
    all ranges lie side by side in as few blocks as hold them. Cheapest are few blocks and few ranges, for those are
    read through multiplexers, half a unit an input and bit, and each is enabled by itself, half a unit.
    """
    modes = []
    for bram36, price, address, count in BLOCK_MODES:
        found = []
        for log2, unit in enumerate(BLOCK_WIDTHS[:count]):
            stacked = math.ceil(depth / (1 << (address - log2)))
            byte = min(9, unit) if written else 1
            blocks = math.ceil(stacked * math.ceil(width / byte) * byte / unit)
            around = (stacked - 1) * width + stacked * (written and stacked > 1)
            found.append(Geometry(price * blocks + around / 2, bram36 * blocks, stacked))
        modes.append(min(found, key=lambda geometry: geometry.price))
    return min(modes, key=lambda geometry: geometry.price)


def block_ram(width: int, depth: int, written: bool = False) -> Resources:
    """A memory in block RAM, with the multiplexer behind stacked blocks, its address, and write enables."""
    found = block_geometry(width, depth, written)
    if found.stacked == 1:
        return Resources(bram36=found.bram36)
    luts = select(found.stacked)[0] * width + found.stacked * written
    return Resources(lut=luts, ff=index_bits(found.stacked), bram36=found.bram36)


def is_block(width: int, depth: int, style: int = 0) -> bool:
    """Whether prim/rom and prim/ram_sdp choose block RAM."""
    return style == 1 or (style == 0 and depth > 64 and width * depth > BLOCK_BITS)


def rom_latency(width: int, depth: int, style: int = 0) -> int:
    """Cycles of a ROM that has an output register where it is block RAM or deep."""
    return 1 + (is_block(width, depth, style) or depth > BANK)


def rom(width: int, depth: int, style: int = 0, latency: int = 1) -> Resources:
    """Module rom with contents of no regularity."""
    if is_block(width, depth, style):
        return block_ram(width, depth) + output_register(width, depth, False, latency)
    if depth == 1:
        return Resources()
    columns = distinct_columns(width, depth)
    return Resources(lut=rom_luts(depth) * columns, ff=columns * latency) + _banks(columns, depth, latency)


def _banks(columns: int, depth: int, latency: int) -> Resources:
    """What a ROM in logic of latency 2 has that one of a single bank has not: registers, and the choice among them."""
    banks = math.ceil(depth / BANK)
    if latency != 2 or banks == 1:
        return Resources()
    choice = mux(banks) - mux(math.ceil(depth / 256))  # MUXF8 makes it of 256 words for free where there are no banks
    return Resources(lut=choice * columns, ff=(banks - 1) * columns + index_bits(banks))


def output_register(width: int, depth: int, written: bool, latency: int) -> Resources:
    """Flip-flops of a block RAM of this latency: its own output registers cost nothing, but behind a multiplexer."""
    stacked = block_geometry(width, depth, written).stacked > 1
    return Resources(ff=width * stacked * (latency - 1))


def distinct_columns(width: int, depth: int) -> int:
    """Columns of a ROM in logic that are neither equal nor constant, by expectation: shallow ones have few."""
    if depth > SHALLOW:
        return width
    kinds = 1 << depth
    return round((kinds - 2) * (1 - (1 - 1 / kinds) ** width))


def rom_luts(depth: int) -> int:
    """LUTs of one bit of a ROM in logic; MUXF7 and MUXF8 join two or four LUTs, not three, for free."""
    blocks = math.ceil(depth / 64)
    return 4 if blocks == 3 else blocks + mux(math.ceil(blocks / 4))


def rom_contents(words: np.ndarray, width: int, style: int = 0, latency: int = 1) -> Resources:
    """Module rom with these words: constant columns vanish, equal ones are one, simple ones take fewer LUTs."""
    depth = len(words)
    if is_block(width, depth, style):
        return rom(width, depth, style, latency)
    columns = {((words >> bit) & 1).astype(np.uint8).tobytes() for bit in range(width)}
    luts = [column_luts(np.frombuffer(column, np.uint8)) for column in columns]
    varying = sum(bool(np.ptp(np.frombuffer(column, np.uint8))) for column in columns)
    return Resources(lut=sum(luts), ff=varying * latency) + _banks(varying, depth, latency)


def column_luts(column: np.ndarray) -> int:
    """LUTs of one column of a ROM: a function of the address bits that it depends on."""
    bits = index_bits(len(column))
    full = np.resize(column, 1 << bits)
    full[len(column) :] = column[: (1 << bits) - len(column)]
    shape = full.reshape((2,) * bits)
    support = [axis for axis in range(bits) if np.any(shape != np.flip(shape, axis))]
    if len(support) <= 1:
        return int(column[0]) * len(support)  # the bit itself is free, its complement an inverter
    if len(support) <= 6:
        return 1
    reduced = shape[tuple(slice(None) if axis in support else 0 for axis in range(bits))].reshape(-1, 64)
    if len(support) == bits:
        reduced = reduced[: math.ceil(len(column) / 64)]  # what lies beyond is undefined
    blocks = {block.tobytes() for block in reduced if np.ptp(block)}
    return max(1, len(blocks) + (len(blocks) == 3)) + mux(math.ceil(len(reduced) / 4))


def lut_ram(width: int, depth: int) -> int:
    """LUTs of a simple dual-port memory in LUT RAM, its read multiplexer included."""
    # RAM32M16 holds 14 bits and RAM64M8 7 bits a word, in 8 LUTs.
    blocks = math.ceil(depth / 64)
    cells = math.ceil(width / (14 if depth <= 32 else 7)) * 8
    return blocks * cells + mux(blocks) * width + (blocks > 1) * blocks


def ram(width: int, depth: int, block: bool, latency: int = 1, late: bool = False) -> Resources:
    """Module ram_sdp, in block RAM or in LUTs, with its registers."""
    if block:
        return block_ram(width, depth, written=True) + output_register(width, depth, True, latency)
    found = Resources(lut=lut_ram(width, depth), ff=width * latency)
    banks = math.ceil(depth / 64)
    if (latency == 1 and not late) or banks == 1:
        return found
    return found + Resources(ff=width * (banks - 1) + index_bits(banks))
