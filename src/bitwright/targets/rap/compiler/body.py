# SPDX-License-Identifier: Apache-2.0
"""The inner loop of a layer: operations on a block of accumulators, each with the loads that it needs.

A block has `pixels` neighboring output columns and `words` accumulators a pixel. With reuse the body runs over all taps
of a kernel row and an input column is loaded once for all taps that need it (cyclic reuse in the registers); with
passing, columns that the neighbor's strip holds come from the neighbor's registers (systolic passing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bitwright.targets.rap.isa.machine import A_REGISTERS


@dataclass(frozen=True)
class Step:
    """One operation: accumulator and A register, and what it loads before: an A register from `source`, a word of B."""

    acc: int
    a: int
    source: str = "none"
    load: int = 0
    passed: int = 0
    load_b: bool = False


@dataclass(frozen=True)
class Body:
    """Steps of one pass, and the words that a row and a column of the grid load in it.

    taps: the kernel columns in their order. phases, columns: stream A loads `columns` input columns, `stride` apart,
    for each of `phases` first columns 0, 1, ...; first: the first of all, relative to the block's first column - pad.
    """

    steps: tuple[Step, ...]
    taps: tuple[int, ...]
    phases: int
    columns: int
    first: int

    @property
    def loads_b(self) -> int:
        return sum(step.load_b for step in self.steps)


def single(pixels: int, words: int, weights: bool = True) -> Body:
    """Body of one tap: every pixel's column is loaded once and used for all its accumulators."""
    steps = []
    for j in range(words):
        for i in range(pixels):
            source = "bus" if j == 0 else "none"
            steps.append(Step(i * words + j, i, source, i if j == 0 else 0, load_b=weights and i == 0))
    return Body(tuple(steps), (0,), 1, pixels, 0)


def streaming(pixels: int, words: int, source: str, weights: bool) -> Body:
    """Body of separate lanes: every accumulator takes a word of its own; `columns` run first, then the words."""
    steps = [Step(i * words + j, 0, source, 0, load_b=weights and i == 0) for j in range(words) for i in range(pixels)]
    return Body(tuple(steps), (0,), 1, pixels, 0)


def cyclic(pixels: int, words: int, kernel: int, stride: int, weights: bool = True) -> Body | None:
    """Body of a kernel row with reuse of the columns; None where the registers do not hold them all."""
    phases = min(stride, kernel)
    columns = pixels - 1 + -(-kernel // stride)
    if phases * columns > A_REGISTERS:
        return None
    order = [phase + i * stride for phase in range(phases) for i in range(columns)]
    taps = tuple(sorted(range(kernel), key=lambda k: (k % stride, k)))
    steps = _steps(_Builder(order, {}), (pixels, words, stride), taps, weights)
    return None if steps is None else Body(steps, taps, phases, columns, 0)


def passing(pixels: int, words: int, kernel: int, stride: int, pad: int, weights: bool = True) -> Body | None:
    """Body of a kernel row for a block that is the whole strip: halo columns come from the neighbors.

    None where the registers do not hold all columns or the halo is wider than a strip.
    """
    own = pixels * stride
    last = (pixels - 1) * stride + kernel - 1 - pad
    halo = [*range(-pad, 0), *range(own, last + 1)]
    phases = min(stride, kernel + pad)
    if not halo or pad > own or last - own >= own or phases < stride or own + len(halo) > A_REGISTERS:
        return None
    order = [phase + i * stride for phase in range(stride) for i in range(pixels)]
    sources = {column: (own, "north") if column < 0 else (-own, "south") for column in halo}
    taps = tuple(sorted(range(kernel), key=lambda k: _when(k - pad, pixels, stride, order)))
    order = [column + pad for column in order]
    sources = {column + pad: (column + shift + pad, side) for column, (shift, side) in sources.items()}
    steps = _steps(_Builder(order, sources), (pixels, words, stride), taps, weights)
    return None if steps is None else Body(steps, taps, stride, pixels, pad)


def _when(tap: int, pixels: int, stride: int, order: list[int]) -> tuple[int, int]:
    """Order of the taps: those whose columns are the strip's own come first, in the order of the loads."""
    columns = [tap + i * stride for i in range(pixels)]
    outside = sum(c not in order for c in columns)
    return outside, order.index(columns[0]) if columns[0] in order else len(order)


@dataclass
class _Builder:
    """Steps so far, which register holds which column, and what stream A delivers next.

    Columns are relative to the block's first - pad.
    """

    waiting: list[int]
    sources: Mapping[int, tuple[int, str]]
    registers: dict[int, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    last_load: int = -1

    def add(self, acc: int, column: int, load_b: bool) -> bool:
        """One more operation, with the load of its column where it is new; whether that is possible."""
        step = Step(acc, self.registers.get(column, len(self.registers)), load_b=load_b)
        if column not in self.registers:
            origin, source = self.sources.get(column, (column, "bus"))
            if source == "bus" and not self.skip_to(column):
                return False
            if source != "bus" and origin not in self.registers:
                return False
            register = self.registers[column] = len(self.registers)
            passed = 0 if source == "bus" else self.registers[origin]
            step = Step(acc, register, source, register, passed, load_b)
            self.last_load = len(self.steps)
        self.steps.append(step)
        return True

    def skip_to(self, column: int | None) -> bool:
        """Load columns that no tap needs, up to `column` or the end, beside steps that load nothing themselves."""
        while self.waiting and self.waiting[0] != column:
            if self.last_load + 1 >= len(self.steps):
                return False
            self.last_load += 1
            register = self.registers[self.waiting.pop(0)] = len(self.registers)
            self.steps[self.last_load] = replace(self.steps[self.last_load], source="bus", load=register)
        return not self.waiting if column is None else bool(self.waiting and self.waiting.pop(0) == column)


def _steps(
    builder: _Builder, block: tuple[int, int, int], taps: tuple[int, ...], weights: bool
) -> tuple[Step, ...] | None:
    """Steps of a block (pixels, words, stride) in the order taps, words, pixels, or None; the builder loads columns."""
    pixels, words, stride = block
    for tap in taps:
        for j in range(words):
            for i in range(pixels):
                if not builder.add(i * words + j, tap + i * stride, weights and i == 0):
                    return None
    if not builder.skip_to(None) or len(builder.registers) > A_REGISTERS:
        return None
    return tuple(builder.steps)
