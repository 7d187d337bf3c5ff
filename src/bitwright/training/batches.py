# SPDX-License-Identifier: Apache-2.0
"""Batches as a function of seed and index: the order of every pass, and what augmentation does to each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from bitwright.data.samples import Samples
from bitwright.errors import OptionError
from bitwright.models.graph import INPUT, FloatGraph
from bitwright.network.types import Array, Ints
from bitwright.quantization.floatrun import to_value

ORDER, AUGMENT = 0, 1  # streams of random numbers


def generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """Random numbers of their own for every seed, stream and index."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], np.uint64), counter=index << 64))


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, count: int) -> Ints:
    return generator(seed, ORDER, epoch).permutation(count)


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of the samples at `indices`, of the same size always; a pass takes each sample once at most.

    pixels: augmentations, as `FinetuneOptions.pixels` gives them.
    """

    samples: Samples
    indices: Ints
    graph: FloatGraph
    size: int
    seed: int
    pixels: Mapping[str, tuple[int, int]]

    def __post_init__(self) -> None:
        if self.pixels and len(self.graph.shapes[INPUT]) != 3:
            raise OptionError("augment is for models of images, whose input has a height and a width")
        object.__setattr__(self, "size", min(self.size, len(self.indices)))

    @cached_property
    def per_epoch(self) -> int:
        """Batches of one pass; the samples that fill none are left out of it."""
        return len(self.indices) // self.size

    def __getitem__(self, index: int) -> tuple[Array, Array | None]:
        """Values of the input, float32 [n, H, W, C] or [n, C], and labels."""
        epoch, place = divmod(index, self.per_epoch)
        order = _order(self.seed, epoch, len(self.indices))
        chosen = self.indices[order[place * self.size : (place + 1) * self.size]]
        x = to_value(self.graph, self.samples.take(chosen))
        if self.pixels:
            x = augmented(x, self.pixels, generator(self.seed, AUGMENT, index))
        return x, None if self.samples.labels is None else self.samples.labels[chosen]


def augmented(x: Array, pixels: Mapping[str, tuple[int, int]], rng: np.random.Generator) -> Array:
    """Images [N, H, W, C], each flipped by chance, moved, or cut and enlarged to its old size (nearest pixels).

    flip: from left to right; shift: by so many rows and columns at most, where the border repeats; crop: a window that
    has so many rows and columns less at most.
    """
    rows, columns = (_axis(len(x), x.shape[1 + axis], _along(pixels, axis), rng) for axis in (0, 1))
    if "flip" in pixels:
        columns = np.where(rng.random(len(x))[:, None] < 0.5, columns[:, ::-1], columns)
    return x[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _along(pixels: Mapping[str, tuple[int, int]], axis: int) -> dict[str, int]:
    return {name: reach[axis] for name, reach in pixels.items()}


def _axis(count: int, size: int, pixels: Mapping[str, int], rng: np.random.Generator) -> Ints:
    """Which pixel of an axis each new pixel shows, [N, size]."""
    at = np.broadcast_to(np.arange(size), (count, size))
    if "crop" in pixels:
        window = size - rng.integers(0, min(pixels["crop"], size - 1) + 1, (count, 1))
        start = rng.integers(0, size - window + 1)
        at = start + (at * window + window // 2) // size
    if "shift" in pixels:
        reach = pixels["shift"]
        at = at + rng.integers(-reach, reach + 1, (count, 1))
    return np.clip(at, 0, size - 1)
