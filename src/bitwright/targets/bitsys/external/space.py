# SPDX-License-Identifier: Apache-2.0
"""Places on chip: of what is loaded again and again, and of activations."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.targets.bitsys.external.items import Span, Transfer, load


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

    def span(self, name: str) -> Span:
        """Where it lies."""
        first, count = self.held[name]
        return Span(self.kind, first * self.unit, count * self.unit)


class Space:
    """The activation memory: maps that stay until their last reader, and tiles of a stage."""

    def __init__(self, size: int, start: int) -> None:
        self.size, self.start = size, start
        self.live: list[tuple[int, int, int, str]] = []  # first word, word after the last, last reader, value

    def expire(self, stage: int) -> None:
        """Forget what no stage from this one on reads."""
        self.live = sorted(entry for entry in self.live if entry[2] >= stage)

    def gaps(self) -> list[tuple[int, int]]:
        """Free ranges: first word, word after the last."""
        found, at = [], self.start
        for first, after, _, _ in sorted(self.live):
            if first > at:
                found.append((at, first))
            at = max(at, after)
        return [*found, (at, self.size)] if at < self.size else found

    def places(self, sizes: Sequence[int]) -> list[int] | None:
        """First words of ranges of these sizes, the largest placed first; None where they find no room."""
        gaps, found = self.gaps(), [0] * len(sizes)
        for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
            fits = [i for i, (low, high) in enumerate(gaps) if high - low >= sizes[k]]
            if not fits:
                return None
            low, high = gaps[fits[0]]
            found[k] = low
            gaps[fits[0]] = (low + sizes[k], high)
        return found

    def keep(self, first: int, words: int, last: int, value: str) -> None:
        self.live.append((first, first + words, last, value))
