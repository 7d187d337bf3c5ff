# SPDX-License-Identifier: Apache-2.0
"""Tiles of a stage: which part of its inputs a part of its result needs, and the fields of a layer that computes it.

A stage's grid is that of its result, or of its source where its layers copy. A tile is a rectangle of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bitwright.network.ops import Add, Concat, Weave
from bitwright.network.stages import Stage
from bitwright.targets.bitsys.lowering import Part, copies
from bitwright.targets.bitsys.storage import Stored

FEWEST_TILES = 4  # of a stage with external maps, so that transfers overlap it, where the map has so many rows


@dataclass(frozen=True)
class Rectangle:
    """Rows [top, bottom) and columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> int:
        return self.bottom - self.top

    @property
    def columns(self) -> int:
        return self.right - self.left


@dataclass(frozen=True)
class Place:
    """Where a rectangle of a value lies on chip: the word of its first pixel, words from row to row."""

    base: int
    row: int


def is_whole(stage: Stage) -> bool:
    """Whether a stage is computed as a whole: rows or columns of two images that take turns."""
    return isinstance(stage.op, Weave)


def grid(stage: Stage) -> tuple[int, int]:
    """Rows and columns of a stage's grid."""
    h, w, _ = stage.input_types[0].shape if copies(stage) and not is_whole(stage) else stage.main.shape
    return h, w


def scale(stage: Stage) -> tuple[int, int]:
    """Rows and columns of the result for each of the grid."""
    return (stage.op.repeats or (1, 1)) if stage.op is not None else (1, 1)


def cut(stage: Stage, rows: int, columns: int) -> list[Rectangle]:
    """Tiles of so many rows and columns of the grid, at most, as even as can be: from top to bottom, left to right."""
    h, w = grid(stage)
    down, across = math.ceil(h / rows), math.ceil(w / columns)
    tops = [k * h // down for k in range(down + 1)]
    lefts = [k * w // across for k in range(across + 1)]
    return [Rectangle(tops[i], tops[i + 1], lefts[j], lefts[j + 1]) for i in range(down) for j in range(across)]


def result(stage: Stage, tile: Rectangle) -> Rectangle:
    """The rectangle of the result that a tile is."""
    r, c = scale(stage)
    return Rectangle(tile.top * r, tile.bottom * r, tile.left * c, tile.right * c)


def needed(stage: Stage, k: int, tile: Rectangle) -> Rectangle:
    """The rectangle of input k that a tile reads; empty where all of it lies in the padding."""
    if is_whole(stage):
        return Rectangle(0, stage.input_types[k].shape[0], 0, stage.input_types[k].shape[1])
    if copies(stage) or (isinstance(stage.op, Add) and k == 1):
        return tile
    h, w, _ = stage.input_types[0].shape
    rows = _span(stage, 0, tile.top, tile.bottom, h)
    columns = _span(stage, 1, tile.left, tile.right, w)
    return Rectangle(*rows, *columns)


def rows(stage: Stage, k: int, first: int, after: int) -> tuple[int, int]:
    """The rows of input k that rows [first, after) of the grid read, all of them at least one."""
    r = needed(stage, k, Rectangle(first, after, 0, 1))
    return r.top, r.bottom


def _span(stage: Stage, axis: int, first: int, after: int, size: int) -> tuple[int, int]:
    low, high = _reach(stage, axis, first, after)
    low = min(max(low, 0), size)
    return low, max(min(high, size), low)


def _reach(stage: Stage, axis: int, first: int, after: int) -> tuple[int, int]:
    """Rows or columns from the first tap to behind the last one, of which some may lie in the padding."""
    w = stage.window
    start = first * w.stride[axis] - w.pads[axis]
    last = (after - 1) * w.stride[axis] - w.pads[axis] + (w.kernel[axis] - 1) * w.dilation[axis]
    return start, last + 1


def fields(
    stage: Stage, part: Part, tile: Rectangle, sources: Mapping[int, tuple[Stored, Place]], target: tuple[int, int]
) -> dict[str, int]:
    """The fields of a layer that computes a tile of one frame.

    sources: by input, its storage and where the rectangle that the tile needs lies; target: the word of the first pixel
    of the tile's result, or its group in the output buffer, and words of a pixel there.
    """
    source, place = sources[part.source]
    read = needed(stage, part.source, tile)
    h, w = read.rows, read.columns
    oh, ow = tile.rows, tile.columns
    window, pitch = stage.window, source.pitch
    (sy, sx), (dy, dx), kw = window.stride, window.dilation, window.kernel[1]
    top = left = 0
    if not copies(stage):
        top = max(0, -_reach(stage, 0, tile.top, tile.bottom)[0]) if h else 0
        left = max(0, -_reach(stage, 1, tile.left, tile.right)[0]) if w else 0
    frames = 1
    if part.rows > 1:
        frames, h, oh, sy = h, 1, part.rows, 0
    across, down = (ow - 1) * sx * pitch, (oh - 1) * sy * place.row
    base, out_pitch = target
    made = {
        "src_base": (place.base - top * place.row - left * pitch) & 0xFFFF,
        "frames": frames,
        "step_y": sy * place.row - across,
        "step_f": h * place.row - down - across,
        "tap_y": dy * place.row - (kw - 1) * dx * pitch,
        "out_w": ow,
        "out_h": oh,
        "stride_y": sy if oh > 1 else 0,
        "stride_x": sx if ow > 1 else 0,
        "in_h": h,
        "in_w": w,
        "pad_top": top,
        "pad_left": left,
        "out_base": (base + part.column * out_pitch) & 0xFFFF,
        "out_pitch": part.step * out_pitch,
    }
    if isinstance(stage.op, Add):
        made["srcb_base"] = sources[1][1].base & 0xFFFF
    return made


def ahead(stage: Stage, part: Part, bits: int, in_groups: bool) -> int:
    """Words, or groups, from a pixel's first to the first of a part of a Concat."""
    if not isinstance(stage.op, Concat):
        return 0
    return part.channel // 8 if in_groups else part.channel * bits // 64


def sizes(h: int, w: int) -> Iterator[tuple[int, int]]:
    """Rows and columns of tiles to try: a few bands, more bands, then parts of a row."""
    for rows in dict.fromkeys(math.ceil(h / count) for count in range(min(FEWEST_TILES, h), h + 1)):
        yield rows, w
    for columns in dict.fromkeys(math.ceil(w / count) for count in range(2, w + 1)):
        yield 1, columns
