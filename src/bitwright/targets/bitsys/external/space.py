# SPDX-License-Identifier: Apache-2.0
"""Places on chip: of what is loaded again and again, and of activations."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bitwright.targets.bitsys.external.items import Span, Transfer, load

TRIES = 512  # of ends for what lies on chip as a whole
SHUFFLES = 64  # of a segment's own buffers


class Ring:
    """A memory on chip whose contents follow each other, from its first word on again where the next does not fit."""

    def __init__(self, kind: str, size: int, unit: int) -> None:
        """size: lines, groups or entries, of `unit` words of 64 bits each."""
        self.kind, self.size, self.unit = kind, size, unit
        self.at = 0
        self.held: dict[str, tuple[int, int]] = {}

    def place(self, name: str, count: int, step: int = 1) -> tuple[int, list[Transfer]]:
        """Where something of so many lines begins, a multiple of `step`; the load, if it is not there."""
        if name in self.held:
            return self.held[name][0], []
        first = -(-self.at // step) * step
        if first + count > self.size:
            first = 0
        gone = [n for n, (low, own) in self.held.items() if low < first + count and first < low + own]
        for n in gone:
            del self.held[n]
        self.held[name] = first, count
        self.at = first + count
        return first, [load(self.kind, name, count * self.unit, first * self.unit)]

    def make_room(self, count: int) -> None:
        """Begin from the first word again where so many, one behind the other, would not fit behind what came last."""
        if self.at + count > self.size >= count:
            self.at = 0

    def span(self, name: str) -> Span:
        """Where it lies."""
        first, count = self.held[name]
        return Span(self.kind, first * self.unit, count * self.unit)


@dataclass(frozen=True)
class Buffer:
    """Words of the activations: all while stages `use` run, the first `head` of them while stages `life` do.

    Both are first and last stage; `life` has all of `use`.
    """

    value: str
    words: int
    life: tuple[int, int]
    head: int
    use: tuple[int, int]

    def blocks(self) -> list[tuple[int, int, tuple[int, int]]]:
        """(first word, word behind the last, stages) of its parts."""
        found = [(0, self.head, self.life), (self.head, self.words, self.use)]
        return [block for block in found if block[0] < block[1]]


Block = tuple[int, int, tuple[int, int]]  # first word, word behind the last, first and last stage


class Arrangement:
    """Places of all values: those on chip as a whole at the lower or the upper end of what is free, others between.

    Goes back to another end where a segment finds no room; `far` is the farthest that did not.
    """

    def __init__(self, whole: Sequence[Sequence[Buffer]], inner: Sequence[Sequence[Buffer]], ends: tuple[int, int]):
        """whole, inner: what begins in each segment, and what only that one has; ends: first word, word behind all."""
        self.whole, self.inner, self.ends = whole, inner, ends
        self.far, self.left = 0, TRIES
        self.found: list[tuple[list[int], list[int]]] = []

    def run(self, k: int = 0, live: Sequence[Block] = ()) -> bool:
        """Find places from segment k on; live: blocks of values that came before."""
        if k == len(self.whole):
            return True
        self.far = max(self.far, k)
        for high in range(1 << len(self.whole[k])):
            self.left -= 1
            if self.left < 0:
                return False
            bases, blocks = list[int](), list(live)
            for i, buffer in enumerate(self.whole[k]):
                base = _place(buffer, blocks, self.ends, bool(high >> i & 1))
                if base is None:
                    break
                bases.append(base)
                blocks.append((base, base + buffer.words, buffer.life))
            else:
                own = self._between(self.inner[k], blocks)
                if own is not None:
                    self.found.append((bases, own))
                    if self.run(k + 1, blocks):
                        return True
                    self.found.pop()
        return False

    def _between(self, buffers: Sequence[Buffer], blocks: Sequence[Block]) -> list[int] | None:
        """Places of a segment's own buffers: large ones first, and low; then in any order, at either end."""
        rng = random.Random(0)
        order, high = sorted(range(len(buffers)), key=lambda i: -buffers[i].words), [False] * len(buffers)
        for _ in range(SHUFFLES):
            found, taken = [0] * len(buffers), list(blocks)
            for i in order:
                base = _place(buffers[i], taken, self.ends, high[i])
                if base is None:
                    break
                found[i] = base
                taken += [(base + low, base + after, life) for low, after, life in buffers[i].blocks()]
            else:
                return found
            rng.shuffle(order)
            high = [rng.random() < 0.5 for _ in buffers]
        return None


def _place(buffer: Buffer, taken: Sequence[Block], ends: tuple[int, int], high: bool) -> int | None:
    """The lowest, or the highest, first word where a buffer meets none of the blocks; None where there is none."""
    near = [
        (low, after, p)
        for low, after, life in buffer.blocks()
        for p in taken
        if p[2][0] <= life[1] and life[0] <= p[2][1]
    ]
    tried = {p[0] - after for _, after, p in near} if high else {p[1] - low for low, _, p in near}
    tried.add(ends[1] - buffer.words if high else ends[0])
    for base in sorted(tried, reverse=high):
        inside = ends[0] <= base <= ends[1] - buffer.words
        if inside and all(base + after <= p[0] or p[1] <= base + low for low, after, p in near):
            return base
    return None
