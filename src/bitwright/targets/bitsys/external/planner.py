# SPDX-License-Identifier: Apache-2.0
"""A network's layers, loads and stores: which maps stay on chip, tiles of the others, places of everything.

A map stays on chip for its life where it finds room; of those that do not, the largest goes to external memory until
the rest fits. A stage that reads or writes external maps runs tile by tile, in two places each, so that the next tile's
load and the last one's store overlap the layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from bitwright.network.stages import Result, Stage, Staged, Window
from bitwright.targets.bitsys import lowering, storage
from bitwright.targets.bitsys.external import fused, tiles
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external.emission import Emission, Given, Work
from bitwright.targets.bitsys.external.items import Item, Run, traffic
from bitwright.targets.bitsys.external.space import Space
from bitwright.targets.bitsys.external.tiles import Rectangle
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.storage import Layout
from bitwright.text import unique

PLACES = 2  # of a tile on chip
SHARE = 4  # of the activations the two input buffers of a whole input take a quarter at most
TRIED = 12  # maps, at most, that are tried outside though they find room
LARGE = 8  # times the words of a map that is tried outside: at least the activations
BAND = 16  # and those of an input that comes in by bands a sixteenth
FEWEST_PIXELS = 4  # of a part of the input, whose end the input stage must see coming
WASTE = 1.5  # times an external input that tiles may read while other maps are on chip


@dataclass(frozen=True, eq=False)
class Planned:
    """Items that run once and those that run for every frame; what is loaded, uint64 words by name; words of every map.

    staged, layout: with the copy of an input that comes in by bands. input_pixels, output_pixels: of what comes in, and
    leaves, in parts; 0 where it does so as a whole. pieces: the parts that layers have. twice: about the cycles in
    which bands compute what others do, too.
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
    twice: int


class NoRoom(Exception):
    """A stage that finds no room, and the values whose place on chip it could use."""

    def __init__(self, stage: Stage, values: Iterable[str]) -> None:
        super().__init__(stage.name)
        self.stage, self.values = stage, tuple(values)


def banded_input(staged: Staged[Stage]) -> Staged[Stage]:
    """The same with a stage in front that copies the only input, which comes in by bands."""
    (name,) = staged.network.input_names
    t = staged.types[name]
    copy = unique(f"{name} in memory", staged.types)
    stages = [Stage(None, (name,), (t,), t, Window(), (Result(copy, t),))]
    for stage in staged.stages:
        stages.append(replace(stage, inputs=tuple(copy if value == name else value for value in stage.inputs)))
    return replace(staged, stages=tuple(stages), types={**staged.types, copy: t})


def plan(staged: Staged[Stage], layout: Layout, hardware: Hardware, whole: bool) -> Planned:
    """The plan; whole: everything fits on chip as `layout` says. `NoRoom` where a stage has no room even alone."""
    wide = 2 * layout.input_words > hardware.act_words // SHARE
    if whole or not wide or len(staged.network.input_names) > 1:
        return Planner(staged, layout, hardware, whole, False).run()
    banded = banded_input(staged)
    return Planner(banded, storage.layout(banded, hardware, 1), hardware, False, True).run()


class Planner:
    """Attempts with ever more maps in external memory, until one fits."""

    def __init__(self, staged: Staged[Stage], layout: Layout, hardware: Hardware, whole: bool, banded: bool) -> None:
        """layout: of `staged`; its places count where it is whole. banded: the first stage copies the input."""
        self.layout, self.hardware, self.banded = layout, hardware, banded
        self.spilled = {staged.stages[0].value} if banded else set[str]()
        self.payload: dict[str, np.ndarray] = {}
        made = lowering.layers(staged, layout, hardware)
        work = [
            self._work(k, [layer for layer in made if layer.stage is stage]) for k, stage in enumerate(staged.stages)
        ]
        self.given = Given(staged, layout, hardware, whole, work)

    def _work(self, k: int, made: Sequence[Layer]) -> list[Work]:
        """The layers of a stage in parts of their channels; notes what they load."""
        found = []
        for i, layer in enumerate(made):
            pieces = []
            for j, piece in enumerate(channel_parts.parts(layer, self.hardware)):
                name = f"{k}.{i}.{j}"
                for kind, words in channel_parts.words(piece, self.hardware).items():
                    self.payload[f"{kind} {name}"] = words
                pieces.append((name, piece))
            found.append(Work(layer.part, tuple(pieces)))
        return found

    def run(self) -> Planned:
        """The plan of the least cost: whether it is better to send out one more of the largest maps is tried."""
        spilled, best = self._fitting(self.spilled)
        words = {
            s.value: self.layout.values[s.value].words
            for s in self.given.staged.stages[:-1]
            if s.value in self.layout.values and s.value not in spilled
        }
        for v in sorted(words, key=lambda v: -words[v])[:TRIED] if spilled else ():
            if v in spilled or words[v] * LARGE < self.hardware.act_words:
                continue
            try:
                more, found = self._fitting({*spilled, v})
            except NoRoom:
                continue
            if _cost(found) < _cost(best):
                spilled, best = more, found
        return best

    def _fitting(self, spilled: AbstractSet[str]) -> tuple[set[str], Planned]:
        """What lies outside so that the rest fits, and the plan; `NoRoom` where a stage finds no room even alone."""
        outside = set(spilled)
        while True:
            try:
                return outside, _Attempt(self.given, outside).run(self.banded, self.payload)
            except NoRoom as error:
                found = [v for v in error.values if v not in outside]
                if not found:
                    raise
                outside.add(max(found, key=lambda v: self.layout.values[v].words))


def _cost(planned: Planned) -> int:
    """Words that move, and what is computed twice for as many."""
    return sum(traffic(planned.repeated)) // 8 + fused.WORTH * planned.twice


class _Attempt(Emission):
    """One pass over the stages."""

    def run(self, banded: bool, payload: Mapping[str, np.ndarray]) -> Planned:
        """The plan. banded: the first stage copies the input; payload: what is loaded."""
        self._preload()
        first = self._input(banded)
        self.space = Space(self.hardware.act_words, first)
        k = 0
        while k < len(self.staged.stages):
            self.space.expire(k)
            k += self._chain(k) or self._stage(k, self.staged.stages[k])
        self._flags()
        outside = self.spilled - self.inner
        maps = {s.value: self.values[s.value].words for s in self.staged.stages if s.value in outside}
        layout = replace(self.given.layout, values=self.values)
        if self.input_pixels:
            layout = replace(layout, input_words=first // 2)
        pieces = [piece for works in self.given.work for work in works for _, piece in work.pieces]
        pixels = self.input_pixels, self.output_pixels
        return Planned(self.staged, layout, self.once, self.items, payload, maps, *pixels, pieces, self.twice)

    def _preload(self) -> None:
        """What fits as a whole, memory by memory, is loaded once."""
        pieces = [piece for works in self.given.work for work in works for piece in work.pieces]
        for kind, ring in self.rings.items():
            sizes = {name: channel_parts.size(kind, part) for name, part in pieces}
            steps = {name: channel_parts.step(kind, part) for name, part in pieces}
            if 0 < sum(sizes.values()) <= ring.size:
                for name in sorted(sizes, key=lambda name: -steps[name]):
                    if sizes[name]:
                        self.once += ring.place(f"{kind} {name}", sizes[name], steps[name])[1]

    def _input(self, banded: bool) -> int:
        """Words of both input buffers; an input that comes in by bands has even ones."""
        layout = self.given.layout
        if not banded:
            return 2 * layout.input_words
        stage = self.staged.stages[0]
        source = self.values[stage.inputs[0]]
        h, w = tiles.grid(stage)
        most = self.hardware.act_words // (2 * BAND)
        sizes = [(r, w) for r in range(h, 0, -1) if h % r == 0] + [(1, c) for c in range(w, 0, -1) if w % c == 0]
        parts = [(r, c) for r, c in sizes if r * c >= FEWEST_PIXELS]
        rows, columns = next((s for s in parts if s[0] * s[1] * source.pitch <= most), (parts or sizes)[-1])
        self.band = rows, columns
        self.input_pixels = rows * columns
        return 2 * self.input_pixels * source.pitch

    def _stage(self, k: int, stage: Stage) -> int:
        """A stage by itself; 1."""
        kept = not self.given.whole and stage.value in self.values and stage.value not in self.spilled
        if kept and not self._keep(stage):
            raise NoRoom(stage, [*self._live(), stage.value])
        chosen, places = self._tiles(k, stage)
        for t, tile in enumerate(chosen):
            own = [found[t % len(found)] for found in places]
            self.tile(k, stage, tile, dict(zip(self.external(stage), own, strict=True)))
        return 1

    def _keep(self, stage: Stage) -> bool:
        """Give a result its place on chip until its last reader; False where it finds none."""
        target = self.values[stage.value]
        found = self.space.places([target.words])
        if found is None:
            return False
        last = max(i for i, _ in self.staged.readers(stage.value))
        self.space.keep(found[0], target.words, last, stage.value)
        self.values[stage.value] = replace(target, base=found[0])
        return True

    def _chain(self, k: int) -> int:
        """How many stages from k on run together, band by band: those that save the most; 0 where none do."""
        last = k
        while self._follows(last):
            last += 1
        best, end = 0, k
        live, values, inner = list(self.space.live), dict(self.values), set(self.inner)
        for until in range(k + 1, last + 1):
            stages = self.staged.stages[k : until + 1]
            found = self._bands(stages)
            gain = fused.saved(self.given, stages) - fused.WORTH * found[2] if found else 0
            best, end = (gain, until) if gain > best else (best, end)
            self.space.live, self.values, self.inner = list(live), dict(values), set(inner)
        if end == k:
            return 0
        stages = self.staged.stages[k : end + 1]
        chosen = self._bands(stages)
        assert chosen is not None
        self._together(k, stages, *chosen[:2])
        self.twice += chosen[2]
        return len(stages)

    def _follows(self, k: int) -> bool:
        """Whether the next stage alone reads the result of stage k, which lies outside, and both compute by bands."""
        if self.given.whole or k + 1 == len(self.staged.stages) or (self.input_pixels and k == 0):
            return False
        stage, after = self.staged.stages[k : k + 2]
        if any(lowering.copies(s) or self.leaves_in_parts(s) for s in (stage, after)):
            return False
        readers = [i for i, _ in self.staged.readers(stage.value)]
        once = readers == [k + 1] and after.inputs.count(stage.value) == 1
        return once and stage.value in self.spilled and stage.value not in self.given.layout.leaving

    def _bands(self, stages: Sequence[Stage]) -> tuple[list[list[Rectangle]], list[dict[str, list[int]]], int] | None:
        """The rectangles that each stage computes, band by band, places of their values on chip, stage by stage.

        And what is computed twice. As few bands as find room; None where that is more than it saves.
        """
        self.inner |= {stage.value for stage in stages[:-1]}
        final = stages[-1]
        if final.value in self.values and final.value not in self.spilled and not self._keep(final):
            return None
        h, w = tiles.grid(final)
        for rows in dict.fromkeys(math.ceil(h / count) for count in range(1, h + 1)):
            bands = [fused.rectangles(stages, tile) for tile in tiles.cut(final, rows, w)]
            if any(r.rows * r.columns == 0 for band in bands for r in band):
                return None
            twice = fused.twice(self.given, stages, bands, self.rings["weights"])
            if fused.saved(self.given, stages) <= fused.WORTH * twice:
                return None
            names = [(i, v) for i, stage in enumerate(stages) for v in self.external(stage)]
            own = [max(self._words(stages[i], v, band[i]) for band in bands) for i, v in names]
            inner = [
                max(b[i].rows * b[i].columns for b in bands) * self.values[s.value].pitch
                for i, s in enumerate(stages[:-1])
            ]
            count = min(PLACES, len(bands))
            found = self.space.places([*(size for size in own for _ in range(count)), *inner])
            if found is not None:
                places: list[dict[str, list[int]]] = [{} for _ in stages]
                for n, (i, v) in enumerate(names):
                    places[i][v] = found[n * count : (n + 1) * count]
                for i, base in enumerate(found[len(own) * count :]):
                    places[i][stages[i].value] = places[i + 1][stages[i].value] = [base]
                return bands, places, twice
        return None

    def _together(
        self, k: int, stages: Sequence[Stage], bands: list[list[Rectangle]], places: list[dict[str, list[int]]]
    ) -> None:
        for t, band in enumerate(bands):
            for i, (stage, rectangle) in enumerate(zip(stages, band, strict=True)):
                self.tile(k + i, stage, rectangle, {v: own[t % len(own)] for v, own in places[i].items()})

    def _live(self) -> list[str]:
        return [entry[3] for entry in self.space.live]

    def _tiles(self, k: int, stage: Stage) -> tuple[list[Rectangle], list[list[int]]]:
        """The tiles of a stage, and for each external value the first words of its places on chip."""
        h, w = tiles.grid(stage)
        if self.input_pixels and k == 0:
            sizes: Iterable[tuple[int, int]] = [self.band]
        elif self.given.whole or tiles.is_whole(stage) or not (self.external(stage) or self.leaves_in_parts(stage)):
            sizes = [(h, w)]
        else:
            sizes = tiles.sizes(h, w)
        kept = [v for v in (*stage.inputs, stage.value) if v in self._live()]
        for rows, columns in sizes:
            if columns < w and kept:
                raise NoRoom(stage, kept)
            chosen = tiles.cut(stage, rows, columns)
            if not self._leaves(stage, chosen):
                continue
            words = [max(self._words(stage, v, tile) for tile in chosen) for v in self.external(stage)]
            if self._wasteful(stage, chosen) and self._live():
                break
            for count in range(min(PLACES, len(chosen)), 0, -1):
                found = self.space.places([size for size in words for _ in range(count)])
                if found is not None and (count > 1 or len(chosen) == 1 or rows * columns == 1):
                    return chosen, [found[i * count : (i + 1) * count] for i in range(len(words))]
        raise NoRoom(stage, self._live())

    def _wasteful(self, stage: Stage, chosen: Sequence[Rectangle]) -> bool:
        """Whether tiles read much of an external input twice."""
        for v in stage.inputs:
            if v in self.spilled and v not in self.inner:
                read = sum(self._words(stage, v, tile) for tile in chosen)
                if read > WASTE * self.values[v].words:
                    return True
        return False

    def _words(self, stage: Stage, value: str, tile: Rectangle) -> int:
        """Words of a tile of an external value."""
        if value == stage.value:
            r = tiles.result(stage, tile)
            return r.rows * r.columns * self.values[value].pitch
        needed = [tiles.needed(stage, i, tile) for i, name in enumerate(stage.inputs) if name == value]
        return max(r.rows * r.columns for r in needed) * self.values[value].pitch

    def _leaves(self, stage: Stage, chosen: Sequence[Rectangle]) -> bool:
        """Whether what leaves does so in the order of its pixels, in equal parts that the output buffer holds."""
        if stage.value not in self.given.layout.leaving or self.given.whole:
            return True
        parts = [tiles.result(stage, tile) for tile in chosen]
        width = stage.type.shape[1]
        if not self.leaves_in_parts(stage):
            return all(r.columns == width for r in parts)
        sizes = {r.rows * r.columns for r in parts}
        if len(sizes) > 1 or any(r.columns < width and r.rows > 1 for r in parts):
            return False
        self.output_pixels = sizes.pop()
        return self.output_pixels * math.ceil(stage.type.channels / 8) <= self.hardware.output_groups

    def _flags(self) -> None:
        """Which layers take and release the input, send results and end the program."""
        runs = {i: item for i, item in enumerate(self.items) if isinstance(item, Run)}
        flags: dict[int, dict[str, int]] = {i: {"release_input": 0, "last": 0} for i in runs}
        first, last = min(runs), max(runs)
        if self.input_pixels:
            for i, run in runs.items():
                if run.stage == 0:
                    flags[i] |= {"take_input": 1, "release_input": 1}
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
