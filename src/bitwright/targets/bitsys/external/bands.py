# SPDX-License-Identifier: Apache-2.0
"""Stages that run together, band by band, so that what lies between them never leaves the chip.

Every row is computed once: rows of a band that the windows of the next one read, too, are kept on chip.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from bitwright.network.stages import Stage
from bitwright.targets.bitsys.external import tiles

Rows = tuple[int, int]  # [first, after)


@dataclass(frozen=True)
class Band:
    """computed: rows of the grid of each stage, and the rows of each value that lie on chip then, by its name."""

    computed: tuple[Rows, ...]
    held: dict[str, Rows]


class Chain:
    """Some stages, one behind the other."""

    def __init__(
        self, stages: Sequence[Stage], ends: Sequence[int], rows: Callable[[Stage, int, int, int], Rows]
    ) -> None:
        """ends: rows of the first stage after which alone a band may end; none: all. rows: `tiles.rows`, or a cache."""
        self.stages, self.ends, self.rows = stages, ends, rows
        self.heights = [tiles.grid(stage)[0] for stage in stages]

    @cached_property
    def made(self) -> dict[str, int]:
        """The values that the stages make: which stage does."""
        return {stage.value: i for i, stage in enumerate(self.stages)}

    @cached_property
    def readers(self) -> dict[str, list[tuple[int, int]]]:
        """(stage, input) pairs that read a value."""
        found: dict[str, list[tuple[int, int]]] = {}
        for i, stage in enumerate(self.stages):
            for k, name in enumerate(stage.inputs):
                found.setdefault(name, []).append((i, k))
        return found

    def counts(self, least: int) -> list[int]:
        """Numbers of bands to try, `least` at least where there are so many rows: each has another number of rows."""
        h = self.heights[-1]
        rows = dict.fromkeys(math.ceil(h / count) for count in range(min(least, h), h + 1))
        return [math.ceil(h / r) for r in rows]

    def bands(self, count: int) -> list[Band]:
        """What so many bands compute and hold. The last one computes all that is left."""
        ends = [self._ends(t, count) for t in range(count)]
        for before, end in pairwise(ends):
            end[:] = [max(pair) for pair in zip(before, end, strict=True)]
        computed = [
            tuple(zip(before, end, strict=True))
            for before, end in zip([[0] * len(self.stages), *ends], ends, strict=False)
        ]
        held: list[dict[str, Rows]] = [{} for _ in computed]
        for value in dict.fromkeys((*self.readers, *self.made)):
            for t, rows in enumerate(self._held(value, computed)):
                held[t][value] = rows
        return [Band(rows, own) for rows, own in zip(computed, held, strict=True)]

    def _ends(self, t: int, count: int) -> list[int]:
        """The row behind the last one of band t, stage by stage."""
        found, need = [0] * len(self.stages), dict[str, int]()
        for i in range(len(self.stages) - 1, -1, -1):
            stage, h = self.stages[i], self.heights[i]
            end = math.ceil((t + 1) * h / count)
            if stage.value in need:
                end = math.ceil(need[stage.value] / tiles.scale(stage)[0])
            elif i == len(self.stages) - 1:
                end = (t + 1) * h // count
            if i == 0 and self.ends:
                end = self.ends[min(bisect_left(self.ends, end), len(self.ends) - 1)]
            found[i] = end = h if t == count - 1 else min(end, h)
            for k, name in enumerate(stage.inputs):
                need[name] = max(need.get(name, 0), self.rows(stage, k, 0, end)[1])
        return found

    def _held(self, value: str, computed: Sequence[tuple[Rows, ...]]) -> list[Rows]:
        """Band by band the rows of a value that its readers need; of one that is made here, also of later ones."""
        needs = [
            [self.rows(self.stages[i], k, *rows[i]) for i, k in self.readers.get(value, ()) if rows[i][0] < rows[i][1]]
            for rows in computed
        ]
        needs = [[(low, high) for low, high in own if low < high] for own in needs]
        if value not in self.made:
            return [(min(low for low, _ in own), max(high for _, high in own)) if own else (0, 0) for own in needs]
        i = self.made[value]
        scale = tiles.scale(self.stages[i])[0]
        made = [(rows[i][0] * scale, rows[i][1] * scale) for rows in computed]
        found, later = list[Rows](), made[-1][1]
        for own, (first, after) in zip(reversed(needs), reversed(made), strict=True):
            later = min([later, *(low for low, _ in own)])
            found.insert(0, (min(later, first), after))
        return found

    def carried(self, value: str, bands: Sequence[Band]) -> list[Rows]:
        """Rows of a value that is made here which a band leaves to the next, band by band; none behind the last."""
        held = [band.held[value] for band in bands]
        return [(after[0], own[1]) for own, after in pairwise(held)]
