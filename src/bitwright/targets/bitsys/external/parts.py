# SPDX-License-Identifier: Apache-2.0
"""Layers in parts of their output channels, so that weights, parameters, tables and windows fit the hardware."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bitwright.targets.bitsys.array import windows
from bitwright.targets.bitsys.array.depthwise import tile_groups
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.weights import line_words

PARAM_WORDS = 16  # 64-bit words of a group's parameters
TABLE_WORDS = 4  # and of an entry of a group's tables


@dataclass(frozen=True, eq=False)
class Part:
    """Channel groups [first, first + groups) of a layer, with fields that read its words of a window alone.

    offset: words from a source pixel's first to the first of these. weights: its lines, uint64 [lines, columns]. The
    layer's fields still lack places.
    """

    layer: Layer
    first: int
    groups: int
    weights: np.ndarray
    offset: int = 0

    @property
    def entries(self) -> int:
        """Entries of the part's tables."""
        made = self.layer.post
        return 0 if made.table is None else self.groups << made.table_bits


def parts(layer: Layer, lines: int, hardware: Hardware) -> list[Part]:
    """The layer in as few parts as the memories allow; one channel tile each where they are too small all the same.

    lines: of weights that a part may have.
    """
    fields = layer.fields
    groups = math.ceil(len(layer.post.bias) / 8)
    if fields.get("vector"):
        return [Part(layer, 0, groups, layer.weights)]
    tiles = fields["tiles_n"]
    found = []
    for count in dict.fromkeys(math.ceil(tiles / pieces) for pieces in range(1, tiles + 1)):
        found = [_part(layer, k, min(k + count, tiles), hardware) for k in range(0, tiles, count)]
        if all(_fits(part, lines, hardware) for part in found):
            break
    return found


def _fits(part: Part, lines: int, hardware: Hardware) -> bool:
    fields = part.layer.fields
    return (
        len(part.weights) <= lines
        and part.groups <= hardware.param_groups
        and part.entries <= hardware.table_entries
        and windows.buffer_words(fields, hardware.reads(fields["inner"]), hardware) <= hardware.row_words
    )


def _part(layer: Layer, first: int, after: int, hardware: Hardware) -> Part:
    """Channel tiles [first, after) of a layer; all of them are the layer itself."""
    fields, tiles, per_tile = layer.fields, layer.fields["tiles_n"], tile_groups(layer.fields, hardware)
    groups = math.ceil(len(layer.post.bias) / 8)
    if after - first == tiles:
        return Part(layer, 0, groups, layer.weights)
    more = {"tiles_n": after - first, "first_group": first * per_tile}
    if after < tiles:
        more["groups_last"] = per_tile
    own, offset = _words(fields, first, after, hardware)
    lines = layer.weights[first * fields["tile_words"] : after * fields["tile_words"]]
    made = replace(layer, fields=fields | more | own, tiles=(first, after), weights=lines)
    return Part(made, first * per_tile, min(after * per_tile, groups) - first * per_tile, lines, offset)


def _words(fields: dict[str, int], first: int, after: int, hardware: Hardware) -> tuple[dict[str, int], int]:
    """Fields that load only the words of a pixel which channel tiles [first, after) read, and the first of these.

    Where the tiles do not advance, all of them read all words. Row buffers count bytes, or planes of 64 channels.
    """
    step, unit = fields["tile_step"], fields["word_step"]
    if not step:
        return {}, 0
    per_word = 1 if hardware.planes else 8  # distances to a word of 64 bits
    end = (after - 1) * step + fields["tap_words"] * unit
    low, high = first * step // per_word, math.ceil(end / per_word)
    pixel = hardware.buffered(high - low) * per_word  # distance from pixel to pixel
    own = {"inner": high - low, "tile_start": first * step - low * per_word}
    return own | {"tap_step": pixel - (fields["tap_words"] - 1) * unit}, low


def words(part: Part, hardware: Hardware) -> dict[str, np.ndarray]:
    """What a part needs in each memory, as uint64 words in the order of the memory: weights, parameters, tables."""
    made = part.layer.post
    channels = slice(8 * part.first, 8 * (part.first + part.groups))
    found = {"weights": line_words(part.weights, hardware).ravel()} if len(part.weights) else {}
    columns = [np.zeros((8 * part.groups, 4), np.uint64)]
    pieces = (made.multiplier & 0xFFFFFFFF, made.bias & 0xFFFFFFFF, (made.bias >> 32 & 0x3FFFFFF) | made.shift << 26)
    for k, piece in enumerate(pieces):
        own = np.asarray(piece, np.int64)[channels]
        columns[0][: len(own), k] = own.astype(np.uint64)
    found["parameters"] = _pairs(columns[0])
    if made.table is not None:
        entries = np.zeros((8 * part.groups, made.table.shape[1]), np.uint64)
        own = made.table[channels]
        entries[: len(own)] = (own & 0xFFFFFFFF).astype(np.uint64)
        found["tables"] = _pairs(entries.reshape(part.groups, 8, -1).transpose(0, 2, 1))
    return found


def _pairs(values: np.ndarray) -> np.ndarray:
    """32-bit words, in order, two to a 64-bit word."""
    flat = values.reshape(-1, 2)
    made: np.ndarray = flat[:, 0] | flat[:, 1] << np.uint64(32)
    return made


def placed(part: Part, places: dict[str, int], hardware: Hardware) -> Iterator[tuple[str, int]]:
    """The fields of a part whose weights, parameters and tables begin at these lines, groups and entries."""
    if "weights" in places:
        yield "weight_base", places["weights"]
    yield "param_base", (places["parameters"] - part.first) % hardware.param_groups
    shift = part.layer.post.table_bits
    yield "table_base", (places.get("tables", 0) - (part.first << shift)) % hardware.table_entries


def size(kind: str, part: Part) -> int:
    """Lines, groups or entries of a part."""
    return {"weights": len(part.weights), "parameters": part.groups, "tables": part.entries}[kind]


def step(kind: str, part: Part) -> int:
    """What its first entry is a multiple of."""
    return 1 << part.layer.post.table_bits if kind == "tables" and part.entries else 1
