# SPDX-License-Identifier: Apache-2.0
"""A network's layers, loads and stores: which maps stay on chip, tiles of the others, places of everything.

A map stays on chip for its life where it finds room; of those that do not, the largest goes to external memory until
the rest fits. A stage that reads or writes external maps runs tile by tile, in two places each, so that the next tile's
load and the last one's store overlap the layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.network.stages import Result, Stage, Staged, Window
from bitwright.targets.bitsys import lowering, storage
from bitwright.targets.bitsys.array import depthwise
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.external.items import Item, Run, Span, Transfer
from bitwright.targets.bitsys.external.space import Ring, Space
from bitwright.targets.bitsys.external.tiles import Place, Rectangle
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.storage import Layout, Stored
from bitwright.text import unique

ACTIVATIONS = "activations"
PLACES = 2  # of a tile on chip
SHARE = 4  # of the activations the two input buffers take a quarter at most
FEWEST_PIXELS = 4  # of a part of the input, whose end the input stage must see coming
WASTE = 1.5  # times an external input that tiles may read while other maps are on chip


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


@dataclass(frozen=True, eq=False)
class _Work:
    """A lowered layer of a stage, in parts of its channels, by the names of what they load."""

    part: lowering.Part
    pieces: tuple[tuple[str, channel_parts.Part], ...]


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
        self.staged, self.layout, self.hardware, self.whole, self.banded = staged, layout, hardware, whole, banded
        self.spilled = {staged.stages[0].value} if banded else set[str]()
        self.payload: dict[str, np.ndarray] = {}
        made = lowering.layers(staged, layout, hardware)
        self.work = [
            self._work(k, [layer for layer in made if layer.stage is stage]) for k, stage in enumerate(staged.stages)
        ]

    def _work(self, k: int, made: Sequence[Layer]) -> list[_Work]:
        """The layers of a stage in parts of their channels; notes what they load."""
        found = []
        for i, layer in enumerate(made):
            pieces = []
            for j, piece in enumerate(channel_parts.parts(layer, self.hardware)):
                name = f"{k}.{i}.{j}"
                for kind, words in channel_parts.words(piece, self.hardware).items():
                    self.payload[f"{kind} {name}"] = words
                pieces.append((name, piece))
            found.append(_Work(layer.part, tuple(pieces)))
        return found

    def run(self) -> Planned:
        """The plan; `NoRoom` where a stage finds no room even alone."""
        while True:
            try:
                return _Attempt(self).run()
            except NoRoom as error:
                found = [v for v in error.values if v not in self.spilled]
                if not found:
                    raise
                self.spilled.add(max(found, key=lambda v: self.layout.values[v].words))


class _Attempt:
    """One pass over the stages, with `planner.spilled` in external memory."""

    def __init__(self, planner: Planner) -> None:
        self.p, self.hardware, self.staged = planner, planner.hardware, planner.staged
        self.values = dict(planner.layout.values)
        self.once: list[Item] = []
        self.items: list[Item] = []
        machine = self.hardware
        self.rings = {
            "weights": Ring("weights", machine.weight_lines, machine.line_words),
            "parameters": Ring("parameters", machine.param_groups, channel_parts.PARAM_WORDS),
            "tables": Ring("tables", machine.table_entries, channel_parts.TABLE_WORDS),
        }
        self.input_pixels = self.output_pixels = 0

    def run(self) -> Planned:
        self._preload()
        first = self._input()
        self.space = Space(self.hardware.act_words, first)
        for k, stage in enumerate(self.staged.stages):
            self.space.expire(k)
            self._stage(k, stage)
        self._flags()
        maps = {s.value: self.values[s.value].words for s in self.staged.stages if s.value in self.p.spilled}
        layout = replace(self.p.layout, values=self.values)
        if self.input_pixels:
            layout = replace(layout, input_words=first // 2)
        pieces = [piece for works in self.p.work for work in works for _, piece in work.pieces]
        pixels = self.input_pixels, self.output_pixels
        return Planned(self.staged, layout, self.once, self.items, self.p.payload, maps, *pixels, pieces)

    def _preload(self) -> None:
        """What fits as a whole, memory by memory, is loaded once."""
        pieces = [piece for works in self.p.work for work in works for piece in work.pieces]
        for kind, ring in self.rings.items():
            sizes = {name: channel_parts.size(kind, part) for name, part in pieces}
            steps = {name: channel_parts.step(kind, part) for name, part in pieces}
            if 0 < sum(sizes.values()) <= ring.size:
                for name in sorted(sizes, key=lambda name: -steps[name]):
                    if sizes[name]:
                        self.once += ring.place(f"{kind} {name}", sizes[name], steps[name])[1]

    def _input(self) -> int:
        """Words of both input buffers; an input that comes in by bands has even ones."""
        layout = self.p.layout
        if not self.p.banded:
            return 2 * layout.input_words
        stage = self.staged.stages[0]
        source = self.values[stage.inputs[0]]
        h, w = tiles.grid(stage)
        most = self.hardware.act_words // (2 * SHARE)
        sizes = [(r, w) for r in range(h, 0, -1) if h % r == 0] + [(1, c) for c in range(w, 0, -1) if w % c == 0]
        parts = [(r, c) for r, c in sizes if r * c >= FEWEST_PIXELS]
        rows, columns = next((s for s in parts if s[0] * s[1] * source.pitch <= most), (parts or sizes)[-1])
        self.band = rows, columns
        self.input_pixels = rows * columns
        return 2 * self.input_pixels * source.pitch

    def _stage(self, k: int, stage: Stage) -> None:
        target = self.values.get(stage.value)
        kept = not self.p.whole and target is not None and stage.value not in self.p.spilled
        if kept and target is not None:
            found = self.space.places([target.words])
            if found is None:
                raise NoRoom(stage, [*self._live(), stage.value])
            last = max(i for i, _ in self.staged.readers(stage.value))
            self.space.keep(found[0], target.words, last, stage.value)
            self.values[stage.value] = target = replace(target, base=found[0])
        chosen, places = self._tiles(k, stage)
        for t, tile in enumerate(chosen):
            self._tile(k, stage, tile, [own[t % len(own)] for own in places])

    def _live(self) -> list[str]:
        return [entry[3] for entry in self.space.live]

    def _external(self, stage: Stage) -> list[str]:
        """Inputs of a stage, and its result, that lie in external memory, in the order of their places."""
        return [v for v in dict.fromkeys((*stage.inputs, stage.value)) if v in self.p.spilled]

    def _tiles(self, k: int, stage: Stage) -> tuple[list[Rectangle], list[list[int]]]:
        """The tiles of a stage, and for each external value the first words of its places on chip."""
        h, w = tiles.grid(stage)
        if self.input_pixels and k == 0:
            sizes: Iterable[tuple[int, int]] = [self.band]
        elif self.p.whole or tiles.is_whole(stage) or not (self._external(stage) or self._leaves_in_parts(stage)):
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
            words = [max(self._words(stage, v, tile) for tile in chosen) for v in self._external(stage)]
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
            if v in self.p.spilled:
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

    def _leaves_in_parts(self, stage: Stage) -> bool:
        """Whether results go to an output buffer that is too small for all of them."""
        return stage.value in self.p.layout.leaving and self.p.layout.output_groups > self.hardware.output_groups

    def _leaves(self, stage: Stage, chosen: Sequence[Rectangle]) -> bool:
        """Whether what leaves does so in the order of its pixels, in equal parts that the output buffer holds."""
        if stage.value not in self.p.layout.leaving or self.p.whole:
            return True
        parts = [tiles.result(stage, tile) for tile in chosen]
        width = stage.type.shape[1]
        if not self._leaves_in_parts(stage):
            return all(r.columns == width for r in parts)
        sizes = {r.rows * r.columns for r in parts}
        if len(sizes) > 1 or any(r.columns < width and r.rows > 1 for r in parts):
            return False
        self.output_pixels = sizes.pop()
        return self.output_pixels * math.ceil(stage.type.channels / 8) <= self.hardware.output_groups

    def _tile(self, k: int, stage: Stage, tile: Rectangle, own: Sequence[int]) -> None:
        """Loads, layers and the store of a tile; own: the places of its external values."""
        places = dict(zip(self._external(stage), own, strict=True))
        sources: dict[int, tuple[Stored, Place]] = {}
        reads: list[Span] = []
        for i, name in enumerate(stage.inputs):
            value, r = self.values[name], tiles.needed(stage, i, tile)
            if name in places:
                place = Place(places[name], r.columns * value.pitch)
                if name not in stage.inputs[:i]:
                    self._move(ACTIVATIONS, name, r, places[name])
            elif value.fed and self.input_pixels:
                place = Place(0, r.columns * value.pitch)
            else:
                row = value.type.shape[1] * value.pitch
                place = Place(value.base + r.top * row + r.left * value.pitch, row)
            sources[i] = value, place
            if not value.fed and r.rows:
                reads.append(Span(ACTIVATIONS, place.base, (r.rows - 1) * place.row + r.columns * value.pitch))
        target, writes = self._target(stage, tile, places)
        for work in self.p.work[k]:
            for name, piece in work.pieces:
                self._run(k, stage, work.part, tile, (name, piece), (sources, target, reads, writes))
        if stage.value in places:
            self._move("store", stage.value, tiles.result(stage, tile), places[stage.value])

    def _target(
        self, stage: Stage, tile: Rectangle, places: Mapping[str, int]
    ) -> tuple[tuple[int, int], tuple[Span, ...]]:
        """Where a tile's result goes: first word and words of a pixel, of groups in the output buffer."""
        r, value = tiles.result(stage, tile), self.values.get(stage.value)
        pitch = math.ceil(stage.type.channels / 8) if value is None else value.pitch
        offset = (r.top * stage.type.shape[1] + r.left) * pitch
        if value is None:
            base = self.p.layout.leaving[stage.value]
            return (base if self._leaves_in_parts(stage) else base + offset, pitch), ()
        base = places[stage.value] if stage.value in places else value.base + offset
        return (base, pitch), (Span(ACTIVATIONS, base, r.rows * r.columns * pitch),)

    def _move(self, kind: str, name: str, r: Rectangle, place: int) -> None:
        """The load or the store of a rectangle of a map."""
        value = self.values[name]
        row = value.type.shape[1] * value.pitch
        words, lines = r.columns * value.pitch, r.rows
        if words * lines == 0:
            return
        offset = r.top * row + r.left * value.pitch
        outside = (Span(f"map {name}", offset, (lines - 1) * row + words),)
        if words == row:
            words, lines = words * lines, 1
        inside = (Span(ACTIVATIONS, place, words * lines),)
        ends = (inside, outside) if kind == "store" else (outside, inside)
        self.items.append(Transfer(kind, f"map {name}", offset, words, lines, row, place, *ends))

    def _run(
        self,
        k: int,
        stage: Stage,
        part: lowering.Part,
        tile: Rectangle,
        named: tuple[str, channel_parts.Part],
        ends: tuple[Mapping[int, tuple[Stored, Place]], tuple[int, int], Sequence[Span], tuple[Span, ...]],
    ) -> None:
        """A layer, behind the loads of what it lacks."""
        (name, piece), (sources, target, reads, writes) = named, ends
        places, spans = {}, list(reads)
        for kind, ring in self.rings.items():
            if size := channel_parts.size(kind, piece):
                places[kind], loads = ring.place(f"{kind} {name}", size, channel_parts.step(kind, piece))
                self.items += loads
                spans.append(ring.span(f"{kind} {name}"))
        fields = dict(piece.layer.fields)
        if not self.p.whole:
            value = self.values.get(stage.value)
            ahead = tiles.ahead(stage, part, 0 if value is None else value.bits, value is None)
            if tiles.is_whole(stage):
                fields |= self._moved(stage, part, fields, sources, target[0])
            else:
                fields |= tiles.fields(stage, part, tile, sources, (target[0] + ahead, target[1]))
            if not fields.get("vector"):
                fields |= lowering.pixel_tiles(tile.rows * tile.columns, self.hardware)
        fields["src_base"] = (fields["src_base"] + piece.offset) & 0xFFFF
        fields |= dict(channel_parts.placed(piece, places, self.hardware))
        fields = depthwise.placed(fields, self.hardware)
        self.items.append(Run(replace(piece.layer, fields=fields), tuple(spans), writes, k))

    def _moved(
        self,
        stage: Stage,
        part: lowering.Part,
        fields: Mapping[str, int],
        sources: Mapping[int, tuple[Stored, Place]],
        base: int,
    ) -> dict[str, int]:
        """The places of a layer that computes all of its stage, from where they were laid out."""
        layout, value = self.p.layout, stage.value
        source = sources[part.source][1].base - layout.values[stage.inputs[part.source]].base
        target = base - (layout.values[value].base if value in layout.values else layout.leaving[value])
        return {
            "src_base": (fields["src_base"] + source) & 0xFFFF,
            "out_base": (fields["out_base"] + target) & 0xFFFF,
        }

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
            each = sum(len(work.pieces) for work in self.p.work[stage])
            for i in leaving[each - 1 :: each]:
                flags[i]["send"] = 1
        for i, run in runs.items():
            self.items[i] = replace(run, layer=replace(run.layer, fields=run.layer.fields | flags[i]))


def _reads_input(run: Run) -> bool:
    return bool(run.layer.fields["src_input"] or run.layer.fields.get("srcb_input"))
