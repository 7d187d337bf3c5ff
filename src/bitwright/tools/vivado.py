# SPDX-License-Identifier: Apache-2.0
"""Vivado: scripts for it. It is not run from here, as it cannot be installed with pip."""

from __future__ import annotations

from dataclasses import dataclass

from bitwright.hardware.clock import DEFAULT_MHZ, assumed

DMA_BITS = 64  # width of the memory side of the streams; a power of two, as the DMA engine needs


@dataclass(frozen=True)
class Reports:
    """Options of the out-of-context run that measures a design: part, module, clock."""

    part: str
    top: str
    clock_mhz: float = DEFAULT_MHZ

    def __post_init__(self) -> None:
        assumed(self.clock_mhz)


@dataclass(frozen=True)
class Overlay:
    """Options of the block design: part, board, its processors, the wrapped module and its stream widths.

    weights_bits: of the stream s_axis_weights; 0 where there is none. memory: whether it has the AXI4 master m_axi.
    """

    part: str
    board: str
    board_files: str
    processor: str
    name: str
    in_bits: int
    out_bits: int
    weights_bits: int
    control: bool
    memory: bool = False
    clock_mhz: float = DEFAULT_MHZ
    dma_bits: int = DMA_BITS
    jobs: int = 4

    def __post_init__(self) -> None:
        assumed(self.clock_mhz)
