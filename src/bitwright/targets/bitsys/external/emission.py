# SPDX-License-Identifier: Apache-2.0
"""The layers, loads and stores of tiles of a stage, one behind the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bitwright.network.stages import Stage, Staged
from bitwright.targets.bitsys import lowering
from bitwright.targets.bitsys.array import windows
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.external.items import Item, Run, Span, Transfer
from bitwright.targets.bitsys.external.space import Ring
from bitwright.targets.bitsys.external.tiles import Place, Rectangle
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.storage import Layout, Stored

ACTIVATIONS = "activations"
COPIES = "copies"
NO_STAGE = -1


@dataclass(frozen=True, eq=False)
class Work:
    """A lowered layer of a stage, in parts of its channels, by the names of what they load."""

    part: lowering.Part
    pieces: tuple[tuple[str, channel_parts.Part], ...]


@dataclass(frozen=True, eq=False)
class Given:
    """What a plan is made for: stages, places of what fits on chip as a `whole`, the layers of every stage.

    copies: what layers need that copy words, by its name.
    """

    staged: Staged[Stage]
    layout: Layout
    hardware: Hardware
    whole: bool
    work: Sequence[Sequence[Work]]
    copies: tuple[str, channel_parts.Part]


@dataclass(frozen=True)
class Held:
    """A rectangle of a value that lies on chip, row by row, from word `base` on."""

    rectangle: Rectangle
    base: int

    def word(self, r: Rectangle, value: Stored) -> int:
        """The first word of a rectangle of it."""
        down, right = r.top - self.rectangle.top, r.left - self.rectangle.left
        return self.base + (down * self.rectangle.columns + right) * value.pitch


class Emission:
    """Items in order, while values get their places."""

    def __init__(self, given: Given) -> None:
        self.given, self.hardware, self.staged = given, given.hardware, given.staged
        self.values = dict(given.layout.values)
        self.once: list[Item] = []
        self.items: list[Item] = []
        machine = self.hardware
        self.rings = {
            "weights": Ring("weights", machine.weight_lines, machine.line_words),
            "parameters": Ring("parameters", machine.param_groups, channel_parts.PARAM_WORDS),
            "tables": Ring("tables", machine.table_entries, channel_parts.TABLE_WORDS),
        }
        self.output_pixels = 0

    def tile(self, k: int, stage: Stage, tile: Rectangle, places: Mapping[str, Held]) -> None:
        """The layers of a tile; places: of all values on chip that it reads or makes."""
        sources: dict[int, tuple[Stored, Place]] = {}
        reads: list[Span] = []
        for i, name in enumerate(stage.inputs):
            value, r = self.values[name], tiles.needed(stage, i, tile)
            place = Place(places[name].word(r, value), places[name].rectangle.columns * value.pitch)
            sources[i] = value, place
            if not value.fed and r.rows:
                reads.append(Span(ACTIVATIONS, place.base, (r.rows - 1) * place.row + r.columns * value.pitch))
        target, writes = self._target(stage, tile, places)
        for work in self.given.work[k]:
            for name, piece in work.pieces:
                self._run(k, stage, work.part, tile, (name, piece), (sources, target, reads, writes))

    def _target(
        self, stage: Stage, tile: Rectangle, places: Mapping[str, Held]
    ) -> tuple[tuple[int, int], tuple[Span, ...]]:
        """Where a tile's result goes: first word and words of a pixel, of groups in the output buffer."""
        r, value = tiles.result(stage, tile), self.values.get(stage.value)
        if value is None:
            pitch, base = math.ceil(stage.type.channels / 8), self.given.layout.leaving[stage.value]
            offset = 0 if self.output_pixels else (r.top * stage.type.shape[1] + r.left) * pitch
            return (base + offset, pitch), ()
        base = places[stage.value].word(r, value)
        return (base, value.pitch), (Span(ACTIVATIONS, base, r.rows * r.columns * value.pitch),)

    def carry(self, name: str, words: int, source: int, target: int) -> None:
        """A layer that copies words of a value, maybe to a place before that has some of them; or of the input."""
        fed = self.values[name].fed
        layer = lowering.copied(name, words, (source, target), fed, self.hardware)
        places, spans = self._loaded(*self.given.copies)
        fields = dict(layer.fields) | dict(channel_parts.placed(self.given.copies[1], places, self.hardware))
        if not fed:
            spans.append(Span(ACTIVATIONS, source, words))
        writes = (Span(ACTIVATIONS, target, words),)
        self.items.append(Run(replace(layer, fields=fields), tuple(spans), writes, NO_STAGE))

    def _loaded(self, name: str, piece: channel_parts.Part) -> tuple[dict[str, int], list[Span]]:
        """Where what a part of a layer needs lies, behind the loads of what is not there."""
        places, spans = {}, []
        for kind, ring in self.rings.items():
            if size := channel_parts.size(kind, piece):
                places[kind], loads = ring.place(f"{kind} {name}", size, channel_parts.step(kind, piece))
                self.items += loads
                spans.append(ring.span(f"{kind} {name}"))
        return places, spans

    def move(self, kind: str, name: str, r: Rectangle, place: int) -> None:
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
        places, spans = self._loaded(name, piece)
        fields = dict(piece.layer.fields)
        if not self.given.whole:
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
        fields = windows.placed(fields, self.hardware)
        own = None if self.given.whole or tiles.is_whole(stage) else tiles.result(stage, tile)
        self.items.append(Run(replace(piece.layer, fields=fields), (*reads, *spans), writes, k, own))

    def _moved(
        self,
        stage: Stage,
        part: lowering.Part,
        fields: Mapping[str, int],
        sources: Mapping[int, tuple[Stored, Place]],
        base: int,
    ) -> dict[str, int]:
        """The places of a layer that computes all of its stage, from where they were laid out."""
        layout, value = self.given.layout, stage.value
        source = sources[part.source][1].base - layout.values[stage.inputs[part.source]].base
        target = base - (layout.values[value].base if value in layout.values else layout.leaving[value])
        return {
            "src_base": (fields["src_base"] + source) & 0xFFFF,
            "out_base": (fields["out_base"] + target) & 0xFFFF,
        }
