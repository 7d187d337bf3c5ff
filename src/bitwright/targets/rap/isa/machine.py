# SPDX-License-Identifier: Apache-2.0
"""The parameters of one grid, the image of its memories, and what is loaded into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bitwright.errors import OptionError
from bitwright.targets.rap.isa.table import ADDRESS_BITS
from bitwright.targets.rap.isa.timing import PARAM_LANES

PARAM_BITS = 32 * PARAM_LANES  # of a parameter word: four thresholds, or multiplier, shift and bias of a channel
LIMITS = {"a_words": 1 << ADDRESS_BITS, "b_words": 1 << ADDRESS_BITS, "param_words": 1 << 16, "program_words": 1 << 16}
STREAM_BITS = 32  # of a word of each stream, whatever the network: one bitstream runs all
SIZES = (2, 4, 8)
A_REGISTERS, B_REGISTERS, ACCUMULATORS = 16, 8, 16


@dataclass(frozen=True)
class Machine:
    """Size of a grid: `size` x `size` elements, and words of its memories (16 bits in banks A and B)."""

    size: int = 4
    a_words: int = 16384  # of each of `size` banks
    b_words: int = 32768
    param_words: int = 4096
    program_words: int = 4096
    torus: bool = False
    external: bool = False  # whether there is an AXI4 master

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise OptionError(f"size is {self.size!r}; legal are 2, 4 and 8")
        for name, most in LIMITS.items():
            value = getattr(self, name)
            if not 2 <= value <= most:
                raise OptionError(f"{name} is {value!r}; legal are 2 to {most}")


@dataclass(frozen=True, eq=False)
class Program:
    """Instructions and memory contents, as they are loaded before the first frame.

    code: uint64 [n]. a, b: words by bank, each a list of (address, uint16 [n]). params: uint32 [n, 4], low
    part first. lines: source line of each instruction, where it came from text. memory: uint16, what lies in external
    memory; memory_bytes: how much of it is used.
    """

    code: np.ndarray
    a: Mapping[int, list[tuple[int, np.ndarray]]] = field(default_factory=dict)
    b: Mapping[int, list[tuple[int, np.ndarray]]] = field(default_factory=dict)
    params: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.uint32))
    lines: tuple[int, ...] = ()
    memory: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint16))
    memory_bytes: int = 0


def banks(machine: Machine, segments: Mapping[int, list[tuple[int, np.ndarray]]], words: int) -> np.ndarray:
    """All banks with the segments in place, uint16 [size, words]."""
    image = np.zeros((machine.size, words), np.uint16)
    for bank, parts in segments.items():
        for address, values in parts:
            image[bank, address : address + len(values)] = values
    return image
