# SPDX-License-Identifier: Apache-2.0
"""External memory of a design."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

PAGE = 4096  # bytes, of which memories begin at multiples


@dataclass(frozen=True, eq=False)
class MemoryPort:
    """The AXI4 master `m_axi` with beats of `bits` bits, and what the design expects behind it.

    image: uint32 words that lie in its memory before the design runs; size: bytes that it uses, those included, from a
    multiple of 4,096 on. registers: the AXI4-Lite addresses of the low and the high half of that address, which are
    written before the program. latency, gap: of the ideal memory (`ExternalMemory`) that the estimate holds for, cycles
    to the first beat and from beat to beat.
    """

    bits: int
    image: np.ndarray
    size: int
    registers: tuple[int, int]
    latency: int
    gap: int

    @property
    def tdata_bits(self) -> int:
        """Bits of a beat."""
        return self.bits

    def placed(self, base: int) -> list[tuple[int, int]]:
        """The register writes, address and word, that tell the design where its memory begins."""
        return [*zip(self.registers, (base & 0xFFFFFFFF, base >> 32), strict=True)]

    def facts(self) -> dict[str, object]:
        """All but the image."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "image"}
