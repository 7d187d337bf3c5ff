# SPDX-License-Identifier: Apache-2.0
"""Segments of a network: stages that are computed together, in steps; what these hold on chip, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from bitwright.network.stages import Stage
from bitwright.targets.bitsys.array import depthwise
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.external.bands import Chain
from bitwright.targets.bitsys.external.emission import Given
from bitwright.targets.bitsys.external.feed import Feed
from bitwright.targets.bitsys.external.space import Buffer
from bitwright.targets.bitsys.external.tiles import Rectangle
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.model.cycles import array_cycles
from bitwright.targets.bitsys.storage import Stored

LAYER = 40  # cycles between layers, about
WORTH = 3  # words that need not move for each cycle that layers take more
PLACES = 2  # on chip of what is loaded or stored in several steps
FEWEST = 4  # steps of a segment with loads or stores, so that these overlap its layers, where there are so many rows


@dataclass(frozen=True)
class Step:
    """computed: tiles of each stage. held: the rectangle of each value that lies on chip then.

    kept: of the values that the stages make, rows that lie there from the step before on.
    """

    computed: tuple[tuple[Rectangle, ...], ...]
    held: Mapping[str, Rectangle]
    kept: Mapping[str, int]


class Steps:
    """Steps one behind the other, and what they come to for each value on chip.

    words: of a place that holds it in every step. head: of these, the most that lie there from one step to the next.
    moved: those of all steps. copied: cycles of the copies to where a place begins.
    """

    def __init__(self, steps: Sequence[Step], values: Mapping[str, Stored], places: int = PLACES) -> None:
        """places: of what is loaded or stored in several steps."""
        self.steps, self.places = steps, 1 if len(steps) == 1 else places
        self.more: tuple[int, int] | None = None
        names = steps[0].held
        self.words, self.head, self.moved, self.copied = (dict.fromkeys(names, 0) for _ in range(4))
        for step, after in zip(steps, [*steps[1:], None], strict=True):
            for v, r in step.held.items():
                words, row = r.rows * r.columns * values[v].pitch, r.columns * values[v].pitch
                self.words[v] = max(self.words[v], words)
                self.moved[v] += words
                kept = after.kept.get(v, 0) if after else 0
                self.head[v] = max(self.head[v], kept * row)
                self.copied[v] += kept * row + LAYER if 0 < kept < r.rows else 0


@dataclass(frozen=True, eq=False)
class Segment:
    """Stages [first, after) and their steps. outside: the values of the network that lie in external memory."""

    first: int
    after: int
    made: Steps
    outside: AbstractSet[str]

    @property
    def steps(self) -> Sequence[Step]:
        return self.made.steps


class Ways:
    """How stages of a network can be computed together, what that takes and what it costs."""

    def __init__(self, given: Given, feed: Feed | None) -> None:
        """feed: of an input that comes in by parts."""
        self.given, self.feed = given, feed
        self.stages = given.staged.stages
        self.first = {stage.value: k for k, stage in enumerate(self.stages)}
        self.last = {s.value: max((i for i, _ in given.staged.readers(s.value)), default=-1) for s in self.stages}
        self._rows = cache(tiles.rows)
        self._steps: dict[tuple[int, int, int], Steps] = {}

    def on_chip(self, value: str) -> bool:
        """Whether a value takes words of the activations, besides the input buffers."""
        stored = self.given.layout.values.get(value)
        return stored is not None and not stored.fed

    def read(self, first: int, after: int) -> list[str]:
        """What stages [first, after) read of what others make."""
        made = {stage.value for stage in self.stages[first:after]}
        names = dict.fromkeys(name for stage in self.stages[first:after] for name in stage.inputs)
        return [name for name in names if name not in made and self.on_chip(name)]

    def left(self, first: int, after: int) -> list[str]:
        """What stages [first, after) leave to later ones."""
        names = [stage.value for stage in self.stages[first:after]]
        return [name for name in names if self.on_chip(name) and self.last[name] >= after]

    def in_parts(self, stage: Stage) -> bool:
        """Whether results go to an output buffer that is too small for all of them."""
        layout = self.given.layout
        return stage.value in layout.leaving and layout.output_groups > self.given.hardware.output_groups

    def joins(self, k: int) -> bool:
        """Whether a stage can be computed by bands, together with others."""
        return not tiles.is_whole(self.stages[k]) and not self.in_parts(self.stages[k])

    def moves(self, first: int, after: int, outside: AbstractSet[str]) -> list[str]:
        """What stages [first, after) load or store."""
        return [v for v in (*self.read(first, after), *self.left(first, after)) if v in outside]

    def counts(self, first: int, after: int, moves: bool) -> list[int]:
        """The numbers of bands in which stages may be computed, none where they cannot."""
        if not self.joins(first):
            return []
        least = FEWEST if moves else 1 if after == first + 1 else 2
        return self._chain(first, after).counts(least) if least > 1 else [1]

    def banded(self, first: int, after: int, count: int) -> Steps:
        """Stages in so many bands."""
        if (first, after, count) not in self._steps:
            steps = self._bands(self._chain(first, after), first, count)
            self._steps[first, after, count] = Steps(steps, self.given.layout.values)
        return self._steps[first, after, count]

    def _chain(self, first: int, after: int) -> Chain:
        return Chain(self.stages[first:after], self.feed.ends if self.feed and first == 0 else (), self._rows)

    def _bands(self, chain: Chain, first: int, count: int) -> list[Step]:
        found, bands = list[Step](), chain.bands(count)
        carried = {value: chain.carried(value, bands) for value in chain.made if self.on_chip(value)}
        for t, band in enumerate(bands):
            computed = []
            for i, (stage, rows) in enumerate(zip(chain.stages, band.computed, strict=True)):
                tile = Rectangle(*rows, 0, tiles.grid(stage)[1])
                own = [tile] if tile.rows else []
                computed.append(tuple(self._parts(tile) if self.feed and first + i == 0 else own))
            held = {v: Rectangle(*rows, 0, self._shape(v)[1]) for v, rows in band.held.items() if self.on_chip(v)}
            kept = {v: rows[t - 1][1] - rows[t - 1][0] for v, rows in carried.items() if t}
            found.append(Step(tuple(computed), held, kept))
        return found

    def _shape(self, value: str) -> tuple[int, ...]:
        return self.given.layout.values[value].type.shape

    def _parts(self, tile: Rectangle) -> Iterator[Rectangle]:
        """What the first stage computes, in the parts in which the input comes in."""
        assert self.feed is not None
        for top, bottom in pairwise([0, *self.feed.ends]):
            if tile.top <= top < tile.bottom:
                columns = self.feed.columns if self.feed.kept is None else tile.columns
                for left in range(0, tile.columns, columns):
                    yield Rectangle(top, bottom, left, left + columns)

    def tilings(self, k: int, outside: AbstractSet[str]) -> Iterator[Steps]:
        """The ways to compute a stage by itself, tile by tile, which bands do not have."""
        stage = self.stages[k]
        h, w = tiles.grid(stage)
        values = [v for v in dict.fromkeys((*stage.inputs, stage.value)) if self.on_chip(v)]
        whole = tiles.is_whole(stage) or not (self.moves(k, k + 1, outside) or self.in_parts(stage))
        for rows, columns in [(h, w)] if whole else tiles.sizes(h, w):
            chosen = tiles.cut(stage, rows, columns)
            narrow = columns < w and not outside >= set(values)
            if not narrow and self._leaves(stage, chosen) and (columns < w or not self.joins(k)):
                steps = [Step(((tile,),), {v: _needed(stage, v, tile) for v in values}, {}) for tile in chosen]
                yield Steps(steps, self.given.layout.values)
                if rows * columns == 1:
                    yield Steps(steps, self.given.layout.values, 1)

    def _leaves(self, stage: Stage, chosen: Sequence[Rectangle]) -> bool:
        """Whether what leaves does so in the order of its pixels, in equal parts that the output buffer holds."""
        if stage.value not in self.given.layout.leaving:
            return True
        parts = [tiles.result(stage, tile) for tile in chosen]
        width = stage.type.shape[1]
        if not self.in_parts(stage):
            return all(r.columns == width for r in parts)
        sizes = {r.rows * r.columns for r in parts}
        if len(sizes) > 1 or any(r.columns < width and r.rows > 1 for r in parts):
            return False
        return sizes.pop() * math.ceil(stage.type.channels / 8) <= self.given.hardware.output_groups

    def buffers(self, segment: Segment) -> list[Buffer]:
        """What a segment takes of the activations, besides the values that lie there as a whole."""
        first, after, made = segment.first, segment.after, segment.made
        life, found = (first, after - 1), list[Buffer]()
        outside = self.moves(first, after, segment.outside)
        for value, words in made.words.items():
            head = made.head[value]
            if value in outside:
                count = 1 if head else made.places
                found += [Buffer(value, words, life, words, life)] * count
            elif first <= self.first[value] and self.last[value] < after:
                found.append(Buffer(value, words, life, head, (self.first[value], self.last[value])))
        return found

    def cost(self, segment: Segment) -> int:
        """Words that a segment moves besides what any plan does, and the cycles that its steps take more, in words."""
        first, after, made = segment.first, segment.after, segment.made
        read, inner = self.read(first, after), {b.value for b in self.buffers(segment)}
        words = 0
        for value in self.moves(first, after, segment.outside):
            words += made.moved[value] if value in read else self.given.layout.values[value].words
        cycles = words // len(made.steps) + sum(cycles for value, cycles in made.copied.items() if value in inner)
        if made.more is None:
            made.more = self._more(segment)
        return words + made.more[0] + WORTH * (cycles + made.more[1])

    def _more(self, segment: Segment) -> tuple[int, int]:
        """Words of weights that its steps load, and about the cycles that their layers take, more than one would."""
        lines = cycles = 0
        for k in range(segment.first, segment.after):
            tiled = [tile for step in segment.steps for tile in step.computed[k - segment.first]]
            pieces = [piece for work in self.given.work[k] for _, piece in work.pieces]
            lines += sum(channel_parts.size("weights", piece) for piece in pieces)
            cycles += sum(_more(piece.layer.fields, tiled, self.given.hardware) for piece in pieces)
        again = len(segment.steps) - 1 if lines > self.given.hardware.weight_lines else 0
        return again * lines * self.given.hardware.line_words, cycles


def _more(fields: Mapping[str, int], tiled: Sequence[Rectangle], hardware: Hardware) -> int:
    """About the cycles that a layer takes more in tiles than as a whole."""
    found = (len(tiled) - 1) * (LAYER + depthwise.again(fields, hardware))
    if not fields.get("vector") and not fields.get("depthwise"):
        each = array_cycles(fields, hardware) // fields["tiles_m"]
        found += each * (sum(math.ceil(r.rows * r.columns / hardware.rows) for r in tiled) - fields["tiles_m"])
    return found


def _needed(stage: Stage, value: str, tile: Rectangle) -> Rectangle:
    """The rectangle of a value that a tile of a stage reads or makes."""
    if value == stage.value:
        return tiles.result(stage, tile)
    found = [tiles.needed(stage, i, tile) for i, name in enumerate(stage.inputs) if name == value]
    return max(found, key=lambda r: r.rows * r.columns)
