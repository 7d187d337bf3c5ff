# SPDX-License-Identifier: Apache-2.0
"""Which stages are computed together, in how many steps, and which values lie outside: what costs the least.

Segments follow each other. A value that outlasts its segment lies on chip or outside, as a whole and for all its life.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bitwright.targets.bitsys.external.segments import Segment, Steps, Ways
from bitwright.targets.bitsys.external.space import Buffer

LONGEST = 16  # stages of a segment
STATES = 16  # of what lies outside at a place between stages, that are followed


@dataclass(frozen=True, eq=False)
class _Found:
    """The least cost of all before a stage, and the last segment of that."""

    cost: int
    segment: Segment | None = None
    before: _Found | None = None


def _promising(states: dict[frozenset[str], _Found]) -> list[tuple[frozenset[str], _Found]]:
    """The states of the least cost, and that which leaves the most room."""
    cheap = sorted(states.items(), key=lambda item: item[1].cost)[:STATES]
    outside = max(states.items(), key=lambda item: len(item[0]), default=None)
    return cheap if outside is None or outside in cheap else [*cheap, outside]


class Search:
    """A search over the places between stages; what lies outside there is the state."""

    def __init__(self, ways: Ways, room: int) -> None:
        """room: words for everything on chip but input buffers."""
        self.ways, self.room = ways, room
        self.reached = 0
        self.refused = set[tuple[int, int, int, frozenset[str]]]()
        self._known: dict[tuple[int, int, frozenset[str]], Segment | None] = {}

    def run(self) -> list[Segment] | None:
        """The segments, or None where some stage, `reached`, finds no room."""
        n = len(self.ways.stages)
        best: list[dict[frozenset[str], _Found]] = [{} for _ in range(n + 1)]
        best[0][frozenset()] = _Found(0)
        for first in range(n):
            if best[first]:
                self.reached = first
            for state, found in _promising(best[first]):
                for after in range(first + 1, min(first + LONGEST, n) + 1):
                    if after > first + 1 and not (self.ways.joins(first) and self.ways.joins(after - 1)):
                        break
                    for out in self._left_outside(first, after):
                        segment = self._known_fitting(first, after, state | out)
                        if segment is None:
                            continue
                        cost = found.cost + self.ways.cost(segment)
                        key = frozenset(v for v in segment.outside if self.ways.last[v] >= after)
                        if key not in best[after] or cost < best[after][key].cost:
                            best[after][key] = _Found(cost, segment, found)
        return self._segments(min(best[n].values(), key=lambda f: f.cost)) if best[n] else None

    def _left_outside(self, first: int, after: int) -> Iterator[frozenset[str]]:
        """What a segment may leave outside: nothing, one value, or all."""
        left = self.ways.left(first, after)
        yield frozenset()
        for value in left:
            yield frozenset((value,))
        if len(left) > 1:
            yield frozenset(left)

    def whole(self, first: int, after: int, outside: AbstractSet[str]) -> int:
        """Words of the values that lie on chip as a whole while stages [first, after) run."""
        values = [s.value for k, s in enumerate(self.ways.stages[:after]) if self.ways.last[s.value] >= first]
        values = [v for v in values if self.ways.on_chip(v) and v not in outside]
        made = {s.value for s in self.ways.stages[first:after]}
        values = [v for v in values if v not in made or self.ways.last[v] >= after]
        return sum(self.ways.given.layout.values[v].words for v in values)

    def refuse(self, segment: Segment) -> None:
        """Do not propose a segment in so few steps again."""
        first, after = segment.first, segment.after
        moves = frozenset(self.ways.moves(first, after, segment.outside))
        self.refused.add((first, after, len(segment.steps), moves))
        self._known = {key: found for key, found in self._known.items() if key[:2] != (first, after)}

    def _known_fitting(self, first: int, after: int, outside: frozenset[str]) -> Segment | None:
        key = first, after, outside
        if key not in self._known:
            self._known[key] = self._fitting(*key)
        return self._known[key]

    def _fitting(self, first: int, after: int, outside: AbstractSet[str]) -> Segment | None:
        """The stages in the fewest steps that find room; None where none do, or where they need not be together."""
        room, ways = self.room - self.whole(first, after, outside), self.ways
        if room < 0:
            return None
        moves = frozenset(ways.moves(first, after, outside))

        def fits(made: Steps) -> bool:
            if (first, after, len(made.steps), moves) in self.refused:
                return False
            return taken(ways.buffers(Segment(first, after, made, outside))) <= room

        if after > first + 1 and not moves and fits(ways.banded(first, after, 1)):
            return None
        counts = ways.counts(first, after, bool(moves))
        if counts and fits(ways.banded(first, after, counts[-1])):
            count = counts[
                bisect(range(len(counts) - 1), False, key=lambda i: fits(ways.banded(first, after, counts[i])))
            ]
            return Segment(first, after, ways.banded(first, after, count), outside)
        tilings = ways.tilings(first, outside) if after == first + 1 else ()
        return next((Segment(first, after, made, outside) for made in tilings if fits(made)), None)

    @staticmethod
    def _segments(found: _Found) -> list[Segment]:
        segments = list[Segment]()
        at: _Found | None = found
        while at is not None and at.segment is not None:
            segments.insert(0, at.segment)
            at = at.before
        return segments


def taken(buffers: list[Buffer]) -> int:
    """The most words that buffers take at a time."""
    heads = sum(b.head for b in buffers)
    stages = {b.use[0] for b in buffers}
    return heads + max((sum(b.words - b.head for b in buffers if b.use[0] <= k <= b.use[1]) for k in stages), default=0)
