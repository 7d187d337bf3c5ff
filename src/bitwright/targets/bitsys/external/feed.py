# SPDX-License-Identifier: Apache-2.0
"""An input that comes in by parts: how large they are, and how the first stage gets what it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bitwright.network.stages import Result, Stage, Staged, Window
from bitwright.targets.bitsys import lowering, storage
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.storage import Stored
from bitwright.text import unique

BAND = 16  # of the activations, the two buffers of an input that comes in by bands take a sixteenth at most
FEWEST_PIXELS = 4  # of a part of the input, whose end the input stage must see coming


@dataclass(frozen=True)
class Feed:
    """rows, columns: of a part. ends: rows of the first stage's grid, in all, that can be computed with each part.

    kept: rows before a part that lie before it in its buffer; None where the first stage copies the input.
    """

    rows: int
    columns: int
    ends: tuple[int, ...]
    kept: int | None

    @property
    def pixels(self) -> int:
        """Pixels of a part."""
        return self.rows * self.columns

    def words(self, source: Stored) -> int:
        """Words of an input buffer."""
        return (self.pixels + (self.kept or 0) * self.columns) * source.pitch


def feed(staged: Staged[Stage], hardware: Hardware) -> tuple[Staged[Stage], Feed]:
    """How the only input comes in: to its only reader; else to a stage in front, then part of the network, that copies.

    The reader computes what each part allows. It needs rows of the parts before, which go to the other buffer: the
    parts of a frame must be even, so that each has always the same buffer.
    """
    (name,) = staged.network.input_names
    source = storage.stored(name, staged, hardware)
    h, w, _ = source.type.shape
    most = hardware.act_words // (2 * BAND)
    sizes = [(r, w) for r in range(h, 0, -1) if h % r == 0] + [(1, c) for c in range(w, 0, -1) if w % c == 0]
    parts = [(r, c) for r, c in sizes if r * c >= FEWEST_PIXELS]
    rows, columns = next((s for s in parts if s[0] * s[1] * source.pitch <= most), (parts or sizes)[-1])
    found = _direct(staged, rows) if columns == w and h // rows % 2 == 0 else None
    if found is not None:
        return staged, found
    return _copied_input(staged), Feed(rows, columns, tuple(range(rows, h + 1, rows)), None)


def _direct(staged: Staged[Stage], rows: int) -> Feed | None:
    """The parts as the only stage that reads the input gets them; None where it is not the first or cannot."""
    (name,) = staged.network.input_names
    stage = staged.stages[0]
    if staged.readers(name) != [(0, 0)] or len(stage.inputs) > 1 or lowering.copies(stage):
        return None
    (h, w, _), (high, _) = stage.input_types[0].shape, tiles.grid(stage)
    ends = [
        max((g for g in range(high + 1) if tiles.rows(stage, 0, 0, g)[1] <= r), default=0)
        for r in range(rows, h + 1, rows)
    ]
    ends[-1] = high
    if any(after <= before for before, after in zip([0, *ends], ends, strict=False)):
        return None
    needed = [tiles.rows(stage, 0, *pair)[0] for pair in zip([0, *ends], ends, strict=False)]
    return Feed(rows, w, tuple(ends), max(max(0, k * rows - first) for k, first in enumerate(needed)))


def _copied_input(staged: Staged[Stage]) -> Staged[Stage]:
    """The same with a stage in front that copies the only input."""
    (name,) = staged.network.input_names
    t = staged.types[name]
    copy = unique(f"{name} in memory", staged.types)
    stages = [Stage(None, (name,), (t,), t, Window(), (Result(copy, t),))]
    for stage in staged.stages:
        stages.append(replace(stage, inputs=tuple(copy if value == name else value for value in stage.inputs)))
    return replace(staged, stages=tuple(stages), types={**staged.types, copy: t})
