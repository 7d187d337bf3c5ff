# SPDX-License-Identifier: Apache-2.0
"""Moves of pixels: rows and columns in any order, stretched images, images side by side, channels as pixels."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitwright.models.graph.ops.base import Pair, Shape, image
from bitwright.models.graph.ops.shapes import Concat, Move
from bitwright.network.ops.base import require
from bitwright.network.types import Array, Floats, Ints

MOST_RUNS = 33  # on an axis
TRIED = 64  # places of a run, before all are
MOST_REPEATS = 16  # of a row among rows that are picked in steps


@dataclass(frozen=True)
class Run:
    """Places (first + k * step) // repeats for k < count, which rise; or one place `count` times."""

    first: int
    step: int
    repeats: int
    count: int

    @property
    def is_one(self) -> bool:
        """Whether it is one place."""
        return self.first // self.repeats == (self.first + (self.count - 1) * self.step) // self.repeats


@functools.lru_cache(maxsize=256)
def runs(places: tuple[int, ...], whole: int) -> tuple[Run, ...]:
    """Places of `whole` as few runs; all places in order stay one where they are a part. Not many more than legal."""
    at = np.asarray(places, np.int64)
    starts = [k for k in np.flatnonzero(at == 0) if np.array_equal(at[k : k + whole], np.arange(whole))]
    if starts:
        k = int(starts[0])
        return (*_runs(at[:k]), Run(0, 1, 1, whole), *_runs(at[k + whole :]))
    return tuple(_runs(at))


def _runs(at: Ints) -> list[Run]:
    found: list[Run] = []
    while len(at) and len(found) <= MOST_RUNS:
        best = max((_longest(at, repeats) for repeats in range(1, MOST_REPEATS + 1)), key=lambda r: r.count)
        same = _first(at != at[0])
        if same >= best.count:
            best = Run(int(at[0]) * same, 1, same, same)
        found.append(best)
        at = at[best.count :]
    return found


def _first(differs: Array) -> int:
    """How many there are before the first that differs."""
    return int(np.argmax(differs)) if differs.any() else len(differs)


def _longest(at: Ints, repeats: int) -> Run:
    """The longest run from the start with so many repeats of each place."""
    best = Run(int(at[0]) * repeats, 1, repeats, 1)
    last = min(len(at) - 1, repeats)
    slope = float(repeats * (at[last] - at[0]) / max(1, last))
    for step in {max(1, math.floor(slope)), max(1, math.ceil(slope))}:
        for offset in range(repeats):
            first = int(at[0]) * repeats + offset
            for part in (at[:TRIED], at):  # most fail at once
                count = _first((first + np.arange(len(part)) * step) // repeats != part)
                if count < len(part):
                    break
            if count > best.count:
                best = Run(first, step, repeats, count)
    return best


@dataclass(frozen=True, eq=False)
class Pixels(Move):
    """Rows and columns, in any order: y[i, j] = x[rows[i], columns[j]]."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def shape(self, *inputs: Shape) -> Shape:
        h, w, c = image(inputs[0])
        for places, whole, what in ((self.rows, h, "rows"), (self.columns, w, "columns")):
            legal = len(places) > 0 and min(places) >= 0 and max(places) < whole
            require(legal, f"picks {what} {list(places[:4])}, ... of {whole}")
            count = len(runs(places, whole))
            require(count <= MOST_RUNS, f"picks {what} in {count} runs of equal steps; legal are at most {MOST_RUNS}")
        return (len(self.rows), len(self.columns), c)

    def is_trivial(self, shape: Shape) -> bool:
        return all(
            places == tuple(range(whole)) for places, whole in zip((self.rows, self.columns), shape, strict=False)
        )


@dataclass(frozen=True, eq=False)
class Stretch(Move):
    """An image with zeros between its pixels: y[factor[0] * i, factor[1] * j] = x[i, j], all else 0."""

    factor: Pair

    @property
    def is_padded(self) -> bool:
        return True

    def shape(self, *inputs: Shape) -> Shape:
        h, w, c = image(inputs[0])
        return (h * self.factor[0], w * self.factor[1], c)

    def is_trivial(self, shape: Shape) -> bool:
        return tuple(self.factor) == (1, 1)


@dataclass(frozen=True, eq=False)
class DepthToSpace(Move):
    """Blocks of factor = (f, g) pixels: y[f * i + a, g * j + b, c] = x[i, j, (c * f + a) * g + b]."""

    factor: Pair
    homogeneous: ClassVar[bool] = False

    def shape(self, *inputs: Shape) -> Shape:
        (h, w, c), (high, wide) = image(inputs[0]), self.factor
        require(c % (high * wide) == 0, f"makes blocks of {high} x {wide} pixels of {c} channels")
        return (h * high, w * wide, c // (high * wide))

    def is_trivial(self, shape: Shape) -> bool:
        return tuple(self.factor) == (1, 1)


@dataclass(frozen=True, eq=False)
class Stack(Concat):
    """The second image below the first one (axis 0), or to the right of it (axis 1)."""

    axis: int

    def shape(self, *inputs: Shape) -> Shape:
        a, b = (list(image(shape)) for shape in inputs)
        size = a[self.axis] + b[self.axis]
        a[self.axis] = b[self.axis] = size
        require(a == b, f"joins images of shapes {inputs[0]} and {inputs[1]} along axis {self.axis}")
        return tuple(a)

    def join(self, a: Floats, b: Floats) -> Floats:
        return np.concatenate([a, b], axis=1 + self.axis)
