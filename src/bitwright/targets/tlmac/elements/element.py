# SPDX-License-Identifier: Apache-2.0
"""What a processing element is: the lookup that turns activation digits into numbers to be summed.

For every step and output, the sum of the element's leaves is  sum(w * digit) - offset,  never negative.
Offsets are the same for every input, because the sequence of steps is fixed; the layer folds their sum
into its bias. Elements differ in where the weights are: `direct` (tables and ROMs), `shared`, and `unrolled_element`
(wires).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bitwright.hardware.memory import BANK, block_geometry, index_bits, is_block, rom, rom_latency
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import instance, memory_file, pack_words
from bitwright.hardware.timing.classes import ADDRESS, BLOCK_REGISTER, REGISTER, Path, mux, table

LUT_WORDS, MOST_LOADS = 64, 1024  # words of a LUT; LUTs that one address may lead to
COLUMNS, MOST_COLUMNS = 16, 1024  # of a ROM that share an address; beyond, synthesis takes ROMs apart by themselves


@dataclass(frozen=True)
class Leaf:
    """A leaf of an output's adder tree: bundle `array` of lane group `lane` (block * lane_groups + q)."""

    lane: int
    array: int


@dataclass(frozen=True, eq=False)
class Rom:
    """A memory read at the step's address: codes [depth, columns], each of `bits` bits; column 0 lowest."""

    name: str
    codes: np.ndarray = field(repr=False)
    bits: int


class Element(Protocol):
    """A mapped element: tables, wires and memories of one layer.

    name: as in the option `elements`; kind: without sign sharing in it.
    leaves: for every parallel output its leaves; leaf_counts: how many outputs have how many. offsets [O]:
    sum of the offsets of all steps of an output. word_peak, output_peak: greatest sum of the leaves of one
    step, and of all steps, of an output. rom_shapes: (width, depth) of its ROMs by name.
    latency: cycles from registered digits to registered leaves. uses_step: whether it reads `step`.
    reads_signed: whether signed activations are to come as they are, in place of offset binary.
    """

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def leaf_bits(self) -> int: ...

    @property
    def leaves(self) -> tuple[tuple[Leaf, ...], ...]: ...

    @property
    def leaf_counts(self) -> dict[int, int]: ...

    @property
    def offsets(self) -> np.ndarray: ...

    @property
    def word_peak(self) -> int: ...

    @property
    def output_peak(self) -> int: ...

    @property
    def rom_shapes(self) -> dict[str, tuple[int, int]]: ...

    @property
    def latency(self) -> int: ...

    @property
    def uses_step(self) -> bool: ...

    @property
    def reads_signed(self) -> bool: ...

    def roms(self, styles: dict[str, int]) -> tuple[Rom, ...]:
        """Memories that the element reads, as `emit` names them."""

    def cost(self, styles: dict[str, int]) -> dict[str, Resources]:
        """Resources of tables, multiplexers and ROMs, each apart; styles of the ROMs by name, as in `emit`."""

    def paths(self, styles: dict[str, int]) -> tuple[Path, ...]:
        """Classes of its slow paths, from `digits`, `step` and `addr` to the leaves."""

    def waits(self, styles: dict[str, int]) -> int:
        """Cycles by which `digits` and `step` come later, as what goes with them is not read in one cycle."""

    def emit(self, prefix: str, styles: dict[str, int]) -> str:
        """Wiring from `digits` (all lanes), `step` (with the digits), `early` (the step a cycle after `addr`), `addr`
        and `en` to `leaf_<lane>` bundles."""


def rom_instance(name: str, width: int, depth: int, prefix: str, style: int, data: str, address: str = "addr") -> str:
    """Instance of prim/rom that follows the step address; of block RAM, or deep, with an output register."""
    latency = rom_latency(width, depth, style)
    parameters = {"Width": width, "Depth": depth, "File": f"{prefix}_{name}.mem", "Style": style, "Latency": latency}
    ports = {"clk_i": "clk_i", "re_i": "en", "addr_i": address, "oe_i": "en", "data_o": data}
    return instance("rom", f"i_{name}", parameters, ports)


def spread(width: int, depth: int, style: int) -> bool:
    """Whether the columns of a ROM are so many that every few of them follow an address register of their own."""
    loads = width * math.ceil(depth / LUT_WORDS)
    return not is_block(width, depth, style) and loads > MOST_LOADS and width <= MOST_COLUMNS


def rom_cost(width: int, depth: int, style: int) -> Resources:
    """What `rom_instance` costs, with contents of no regularity."""
    return rom(width, depth, style, rom_latency(width, depth, style))


def rom_start(width: int, depth: int, style: int) -> str:
    """What starts the paths from the ROM's output."""
    block = is_block(width, depth, style)
    return BLOCK_REGISTER if block and block_geometry(width, depth, False).stacked == 1 else REGISTER


def rom_paths(name: str, width: int, depth: int, style: int, columns: int | None = None) -> tuple[Path, ...]:
    """Classes of the paths to the ROM's output; columns: how many of them share an address, if not all."""
    if not is_block(width, depth, style):
        banks = -(-depth // BANK) if rom_latency(width, depth, style) > 1 else 1
        loads = banks * (columns or width)
        found = [Path(f"ROM {name} in LUTs", table(index_bits(depth if banks == 1 else BANK)), loads)]
        if banks > 1:
            found.append(Path(f"banks of ROM {name}", mux(banks), columns or width))
        if columns:
            found.append(Path(f"address of ROM {name}", (), -(-width // columns)))
        return tuple(found)
    block = block_geometry(width, depth, False)
    loads = math.ceil(2 * block.bram36)
    address = Path(f"address of ROM {name}", (), loads, loads, end=ADDRESS)
    if block.stacked == 1:
        return (address,)
    return (address, Path(f"ROM {name} behind a multiplexer", mux(block.stacked), width, start="block RAM"))


def rom_file(rom: Rom) -> str:
    """The text of the ROM's memory file."""
    return memory_file(np.array(pack_words(rom.codes, rom.bits), object), rom.codes.shape[1] * rom.bits)
