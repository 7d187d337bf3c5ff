# SPDX-License-Identifier: Apache-2.0
"""A network's layers, loads and stores: which maps stay on chip, what runs together, places of everything.

What `search` finds is refused where it finds no place in fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bitwright.network.stages import Stage, Staged
from bitwright.targets.bitsys import lowering, storage
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.external.emission import ACTIVATIONS, COPIES, Emission, Given, Held, Work
from bitwright.targets.bitsys.external.feed import Feed, feed
from bitwright.targets.bitsys.external.items import Item, Run
from bitwright.targets.bitsys.external.search import Search
from bitwright.targets.bitsys.external.segments import Segment, Step, Ways
from bitwright.targets.bitsys.external.space import Arrangement, Buffer
from bitwright.targets.bitsys.external.tiles import Rectangle
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.storage import Layout

SHARE = 4  # of the activations the two input buffers of a whole input take a quarter at most
AHEAD = 3  # parts of layers of which the weight memory holds all lines, where it does not hold those of all layers


@dataclass(frozen=True, eq=False)
class Planned:
    """Items that run once and those that run for every frame; what is loaded, uint64 words by name; words of every map.

    staged, layout: with the copy of an input that comes in by bands. input_pixels, output_pixels: of what comes in, and
    leaves, in parts; 0 where it does so as a whole. pieces: the parts that layers have.
    """

    staged: Staged[Stage]
    layout: Layout
    once: list[Item]
    repeated: list[Item]
    payload: Mapping[str, np.ndarray]
    maps: Mapping[str, int]
    input_pixels: int
    output_pixels: int
    pieces: Sequence[channel_parts.Part]


class NoRoom(Exception):
    """A stage that finds no room."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.name)
        self.stage = stage


def plan(staged: Staged[Stage], layout: Layout, hardware: Hardware, whole: bool) -> Planned:
    """The plan; whole: everything fits on chip as `layout` says. `NoRoom` where a stage has no room even alone."""
    wide = 2 * layout.input_words > hardware.act_words // SHARE
    if whole or not wide or len(staged.network.input_names) > 1:
        return Planner(staged, layout, hardware, whole, None).run()
    fed, found = feed(staged, hardware)
    places = storage.layout(fed, hardware, 1)
    (name,) = places.inputs
    source = replace(places.values[name], base=(found.kept or 0) * found.columns * places.values[name].pitch)
    places = replace(places, values={**places.values, name: source}, input_words=found.words(source))
    return Planner(fed, places, hardware, False, found).run()


class Planner:
    """Attempts, each without what found no place in those before."""

    def __init__(
        self, staged: Staged[Stage], layout: Layout, hardware: Hardware, whole: bool, fed: Feed | None
    ) -> None:
        """layout: of `staged`; its places count where it is whole. fed: how the input comes in by parts."""
        self.hardware, self.payload = hardware, dict[str, np.ndarray]()
        made = lowering.layers(staged, layout, hardware)
        all_fit = sum(len(layer.weights) for layer in made) <= hardware.weight_lines
        self.lines = hardware.weight_lines // (1 if all_fit else AHEAD)
        work = [
            self._work(k, [layer for layer in made if layer.stage is stage]) for k, stage in enumerate(staged.stages)
        ]
        copies = lowering.copied(COPIES, 8, (0, 0), False, hardware)
        self.given = Given(staged, layout, hardware, whole, work, self._pieces(COPIES, copies)[0])
        self.feed = fed

    def _work(self, k: int, made: Sequence[Layer]) -> list[Work]:
        """The layers of a stage in parts of their channels."""
        return [Work(layer.part, self._pieces(f"{k}.{i}", layer)) for i, layer in enumerate(made)]

    def _pieces(self, name: str, layer: Layer) -> tuple[tuple[str, channel_parts.Part], ...]:
        """The parts of a layer; notes what they load."""
        found = []
        for j, piece in enumerate(channel_parts.parts(layer, self.lines, self.hardware)):
            for kind, words in channel_parts.words(piece, self.hardware).items():
                self.payload[f"{kind} {name}.{j}"] = words
            found.append((f"{name}.{j}", piece))
        return tuple(found)

    def run(self) -> Planned:
        """The plan."""
        given, ways = self.given, Ways(self.given, self.feed)
        if given.whole:
            whole = [Segment(k, k + 1, ways.banded(k, k + 1, 1), set()) for k in range(len(ways.stages))]
            return _Attempt(ways).run(whole, self.payload)
        search = Search(ways, self.hardware.act_words - 2 * given.layout.input_words)
        while segments := search.run():
            attempt = _Attempt(ways)
            far = attempt.place(segments)
            if far is None:
                return attempt.run(segments, self.payload)
            search.refuse(segments[far])
        raise NoRoom(ways.stages[search.reached])


class _Attempt(Emission):
    """The segments at their places."""

    def __init__(self, ways: Ways) -> None:
        super().__init__(ways.given)
        self.ways, self.feed = ways, ways.feed
        self.inner: list[dict[str, list[int]]] = []
        self.fed: list[int] = []  # items before which a part of the input is taken, or behind the last of which it goes

    def place(self, segments: Sequence[Segment]) -> int | None:
        """Give everything that lies on chip its place; the segment that finds none, or None."""
        ends = {k: s.after - 1 for s in segments for k in range(s.first, s.after)}
        outside = {v for s in segments for v in self.ways.moves(s.first, s.after, s.outside)}
        whole = []
        for s in segments:
            own = []
            for value in self.ways.left(s.first, s.after):
                words, life = self.values[value].words, (s.first, ends[self.ways.last[value]])
                own += [Buffer(value, words, life, words, life)] if value not in outside else []
            whole.append(own)
        inner = [self.ways.buffers(s) for s in segments]
        arrangement = Arrangement(whole, inner, (2 * self.given.layout.input_words, self.hardware.act_words))
        if not arrangement.run():
            return arrangement.far
        for places, buffers, own in zip(arrangement.found, whole, inner, strict=True):
            for buffer, base in zip(buffers, places[0], strict=True):
                self.values[buffer.value] = replace(self.values[buffer.value], base=base)
            found = dict[str, list[int]]()
            for buffer, base in zip(own, places[1], strict=True):
                found.setdefault(buffer.value, []).append(base)
            self.inner.append(found)
        return None

    def run(self, segments: Sequence[Segment], payload: Mapping[str, np.ndarray]) -> Planned:
        """The plan; payload: what is loaded."""
        given = self.given
        last = self.staged.stages[-1]
        final = tiles.result(last, segments[-1].steps[0].computed[-1][0])
        self.output_pixels = final.rows * final.columns if self.ways.in_parts(last) else 0
        pieces = [piece for works in given.work for work in works for piece in work.pieces]
        if any(any(step.kept.values()) for s in segments for step in s.steps) or (self.feed and self.feed.kept):
            pieces.append(given.copies)
        self._preload(pieces)
        for s, places in zip(segments, self.inner or [{}] * len(segments), strict=True):
            self._segment(s, places)
        self._flags()
        outside = dict.fromkeys(v for s in segments for v in self.ways.moves(s.first, s.after, s.outside))
        layout = replace(given.layout, values=self.values)
        maps = {v: self.values[v].words for v in outside}
        pixels = self.feed.pixels if self.feed else 0, self.output_pixels
        return Planned(
            self.staged, layout, self.once, self.items, payload, maps, *pixels, [piece for _, piece in pieces]
        )

    def _preload(self, pieces: Sequence[tuple[str, channel_parts.Part]]) -> None:
        """What fits as a whole, memory by memory, is loaded once."""
        for kind, ring in self.rings.items():
            sizes = {name: channel_parts.size(kind, part) for name, part in pieces}
            steps = {name: channel_parts.step(kind, part) for name, part in pieces}
            if 0 < sum(sizes.values()) <= ring.size:
                for name in sorted(sizes, key=lambda name: -steps[name]):
                    if sizes[name]:
                        self.once += ring.place(f"{kind} {name}", sizes[name], steps[name])[1]

    def _segment(self, s: Segment, inner: Mapping[str, list[int]]) -> None:
        """All steps of a segment; inner: places of what does not lie on chip as a whole."""
        moves = set(self.ways.moves(s.first, s.after, s.outside))
        loaded = moves & set(self.ways.read(s.first, s.after))
        if len(s.steps) > 1:
            pieces = [piece for works in self.given.work[s.first : s.after] for w in works for _, piece in w.pieces]
            for kind, ring in self.rings.items():
                ring.make_room(sum(channel_parts.size(kind, piece) for piece in pieces))
        for t, step in enumerate(s.steps):
            places = dict(self._places(step, {v: own[t % len(own)] for v, own in inner.items()}))
            missing = set(loaded)
            for k, computed in enumerate(step.computed, s.first):
                stage = self.staged.stages[k]
                for value in dict.fromkeys(stage.inputs):
                    if computed and value in missing:
                        self.move(ACTIVATIONS, value, step.held[value], places[value].base)
                        missing.remove(value)
                for tile in computed:
                    if self.feed and k == 0:
                        self._part(stage, tile, places, self.feed)
                    else:
                        self.tile(k, stage, tile, places)
                    if stage.value in moves:
                        r = tiles.result(stage, tile)
                        self.move("store", stage.value, r, places[stage.value].word(r, self.values[stage.value]))
                if t + 1 < len(s.steps):
                    self._carry(s, k, s.steps[t + 1], {v: places[v] for v in inner})

    def _part(self, stage: Stage, tile: Rectangle, places: Mapping[str, Held], fed: Feed) -> None:
        """The first stage's tile for a part of the input, and rows of it that the next part needs, in front of that."""
        name = stage.inputs[0]
        source = self.values[name]
        self.fed.append(len(self.items))
        if fed.kept is None:
            self.tile(0, stage, tile, {**places, name: Held(tile, source.base)})
            return
        k, row = fed.ends.index(tile.bottom), fed.columns * source.pitch
        part = Rectangle(k * fed.rows, (k + 1) * fed.rows, 0, fed.columns)
        self.tile(0, stage, tile, {**places, name: Held(part, source.base)})
        if fed.kept and k + 1 < len(fed.ends):
            self.carry(name, fed.kept * row, fed.rows * row, (k + 1) % 2 * self.given.layout.input_words)

    def _places(self, step: Step, inner: Mapping[str, int]) -> Iterator[tuple[str, Held]]:
        """Where values lie: all that do as a whole, and those of a step."""
        for name, value in self.values.items():
            if name in inner:
                yield name, Held(step.held[name], inner[name])
            else:
                yield name, Held(Rectangle(0, value.type.shape[0], 0, value.type.shape[1]), value.base)

    def _carry(self, s: Segment, k: int, after: Step, inner: Mapping[str, Held]) -> None:
        """Copy what the next step needs of values that stage k is the last one to read, to where they begin."""
        for value, held in inner.items():
            rows, row = after.kept.get(value, 0), held.rectangle.columns * self.values[value].pitch
            reading = [i for i, _ in self.staged.readers(value) if i < s.after]
            if 0 < rows < held.rectangle.rows and max(reading) == k:
                self.carry(value, rows * row, held.base + (held.rectangle.rows - rows) * row, held.base)

    def _flags(self) -> None:
        """Which layers take and release the input, send results and end the program."""
        runs = {i: item for i, item in enumerate(self.items) if isinstance(item, Run)}
        flags: dict[int, dict[str, int]] = {i: {"release_input": 0, "last": 0} for i in runs}
        first, last = min(runs), max(runs)
        if self.feed:
            for i, after in pairwise([*self.fed, len(self.items)]):
                own = [j for j in range(i, after) if j in runs]
                flags[own[0]]["take_input"] = 1
                flags[max(j for j in own if _reads_input(runs[j]))]["release_input"] = 1
        else:
            reading = [i for i, run in runs.items() if _reads_input(run)]
            flags[first]["take_input"] = 1
            flags[reading[-1]]["release_input"] = 1
        flags[last] |= {"last": 1, "send": 1}
        if self.output_pixels:
            stage = len(self.staged.stages) - 1
            leaving = [i for i, run in runs.items() if run.stage == stage]
            each = sum(len(work.pieces) for work in self.given.work[stage])
            for i in leaving[each - 1 :: each]:
                flags[i]["send"] = 1
        for i, run in runs.items():
            self.items[i] = replace(run, layer=replace(run.layer, fields=run.layer.fields | flags[i]))


def _reads_input(run: Run) -> bool:
    return bool(run.layer.fields["src_input"] or run.layer.fields.get("srcb_input"))
