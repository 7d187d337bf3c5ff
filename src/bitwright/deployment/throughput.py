# SPDX-License-Identifier: Apache-2.0
"""Frames a second of a deployment, estimated: what the design computes, and what its link carries."""

from __future__ import annotations

from dataclasses import dataclass

from bitwright.targets.contract import Design
from bitwright.text import percent
from bitwright.tools.vivado import DMA_BITS

DMA_SHARE = 0.75  # of the bits that the memory side could move each cycle
LINE_SHARE = (
    1 / 1.2
)  # of the line's bytes that are data, both ways together; `tests/tools/test_serial_board.py` measures


@dataclass(frozen=True)
class Throughput:
    """Frames a second: computed, at the estimate's cycles a frame, and carried; the lower one is to be expected.

    assumption: what the link is assumed to carry, for people. in_bytes, out_bytes: of a frame; weights_bytes: of the
    weight stream, a frame. The host's own time comes on top: packing, Python, latency of USB.
    """

    design: float
    link: float
    in_bytes: int
    out_bytes: int
    weights_bytes: float
    assumption: str

    @property
    def frames(self) -> float:
        """What is to be expected."""
        return min(self.design, self.link)

    @property
    def text(self) -> str:
        """One sentence."""
        limit = "the design" if self.design <= self.link else "the link"
        both = f"the design computes {self.design:,.0f}, the link carries {self.link:,.0f} ({self.assumption})"
        return f"Estimated: {self.frames:,.0f} frames a second, limited by {limit}; {both}"

    def as_dict(self) -> dict[str, object]:
        """For `deploy.json`."""
        names = ("in_bytes", "out_bytes", "weights_bytes", "assumption")
        speeds = {"frames_per_second": self.frames, "of_the_design": self.design, "of_the_link": self.link}
        return {name: round(value, 1) for name, value in speeds.items()} | {n: getattr(self, n) for n in names}


def overlay_throughput(design: Design, clock_mhz: float) -> Throughput:
    """Behind DMA engines, one for each stream: DMA_SHARE of DMA_BITS a cycle, and a word of the stream at most."""
    cycles = 1e6 * clock_mhz
    weights = design.weights
    streams = [(design.input.words, design.input.tdata_bits, 1), (design.output.words, design.output.tdata_bits, 1)]
    if weights is not None and len(weights.words):
        streams.append((len(weights.words), weights.tdata_bits, weights.frames))
    needed = max(words / frames * max(1.0, bits / (DMA_SHARE * DMA_BITS)) for words, bits, frames in streams)
    rate = DMA_SHARE * DMA_BITS / 8 * clock_mhz
    assumption = f"{rate:,.0f} MB/s each way, {percent(DMA_SHARE, 0)} of {DMA_BITS} bits a cycle"
    return _throughput(design, cycles, cycles / needed, assumption)


def serial_throughput(design: Design, clock_mhz: float, baud: int) -> Throughput:
    """At a serial line, which carries a byte in ten bits, data each way in turn."""
    both = sum(side.words * side.tdata_bits // 8 for side in (design.input, design.output))
    assumption = f"{baud:,} baud, {percent(LINE_SHARE, 0)} of the bytes of a clean line are data"
    return _throughput(design, 1e6 * clock_mhz, LINE_SHARE * baud / 10 / both, assumption)


def _throughput(design: Design, cycles: float, link: float, assumption: str) -> Throughput:
    in_bytes, out_bytes = (side.words * side.tdata_bits // 8 for side in (design.input, design.output))
    weights = 0.0 if design.weights is None else design.weights.words.size * 4 / design.weights.frames
    return Throughput(cycles / design.estimate.interval_cycles, link, in_bytes, out_bytes, weights, assumption)
