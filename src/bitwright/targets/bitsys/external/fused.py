# SPDX-License-Identifier: Apache-2.0
"""Stages that run together, band by band, so that what lies between them never leaves the chip."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.network.stages import Stage
from bitwright.targets.bitsys.array import depthwise
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.external.emission import Given
from bitwright.targets.bitsys.external.space import Ring
from bitwright.targets.bitsys.external.tiles import Rectangle

LAYER = 40  # cycles between layers, about
WORTH = 3  # words that need not move for each cycle, or word, that comes twice


def rectangles(stages: Sequence[Stage], tile: Rectangle) -> list[Rectangle]:
    """What each stage computes for a tile of the last one, which reads the stage before, and so on."""
    found = [tile]
    for before, stage in zip(stages[-2::-1], stages[:0:-1], strict=True):
        found.insert(0, tiles.needed(stage, stage.inputs.index(before.value), found[0]))
    return found


def saved(given: Given, stages: Sequence[Stage]) -> int:
    """Words of what lies between the stages, stored and loaded."""
    return sum(2 * given.layout.values[stage.value].words for stage in stages[:-1])


def twice(given: Given, stages: Sequence[Stage], bands: Sequence[Sequence[Rectangle]], weights: Ring) -> int:
    """About the cycles and words that bands compute and load more than once, and layers more."""
    found = 0
    for i, stage in enumerate(stages[:-1]):
        pixels = sum(band[i].rows * band[i].columns for band in bands)
        found += max(0, pixels - stage.main.pixels) * _cycles(given, stage) // stage.main.pixels
    first = given.staged.stages.index(stages[0])
    pieces = [piece for works in given.work[first : first + len(stages)] for work in works for _, piece in work.pieces]
    layers = [piece.layer.fields for piece in pieces]
    found += (len(bands) - 1) * sum(LAYER + depthwise.again(fields, given.hardware) for fields in layers)
    lines = sum(channel_parts.size("weights", piece) for piece in pieces)
    if lines > weights.size // 2:  # they may push each other out
        found += (len(bands) - 1) * lines * weights.unit
    return found


def _cycles(given: Given, stage: Stage) -> int:
    """About the cycles of a stage."""
    if not stage.window.multiplies:
        return stage.main.pixels * -(-stage.main.channels // 8)
    return stage.main.pixels * stage.window.weights.size // (given.hardware.rows * given.hardware.columns)
