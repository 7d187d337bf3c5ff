# SPDX-License-Identifier: Apache-2.0
"""What the hardware does in external memory, in the order of its records, and what each of these waits for.

A layer waits for loads and stores before it in the list, a transfer for layers and stores; loads, stores and layers
each keep their order. A record says how many of those before it may still be unfinished, so nothing waits for what
comes later, and no order of events can stop the hardware. The list repeats for every frame: distances hold across its
end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bitwright.targets.bitsys.external.tiles import Rectangle
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.registers import LAYER_WORDS, encode, encode_record, record_fields

KINDS = {"activations": 1, "weights": 2, "parameters": 3, "tables": 4}
STORE = 5
LAYER_RECORD, TRANSFER_RECORD = 1 + LAYER_WORDS // 2, 3  # 64-bit words


@dataclass(frozen=True)
class Span:
    """Words [first, first + count) of a memory: one on chip, or a map in external memory, by its name."""

    memory: str
    first: int
    count: int

    def meets(self, other: Span) -> bool:
        """Whether they have a word in common."""
        if self.memory != other.memory:
            return False
        return self.first < other.first + other.count and other.first < self.first + self.count


@dataclass(frozen=True, eq=False)
class Run:
    """A layer that runs, with all its fields; of `stage`. tile: rows and columns of the result, None for all."""

    layer: Layer
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]
    stage: int
    tile: Rectangle | None = None
    kind: str = field(default="layer", init=False)


@dataclass(frozen=True, eq=False)
class Transfer:
    """A load of `kind`, or a store: lines of `words` words, outside `step` apart, on chip one behind the other.

    name: what is moved; offset: its first word there. place: the first word on chip, as records count.
    """

    kind: str
    name: str
    offset: int
    words: int
    lines: int
    step: int
    place: int
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]

    @property
    def total(self) -> int:
        """Words that are moved."""
        return self.words * self.lines


Item = Run | Transfer


def kind_of(item: Item) -> str:
    """ "layer", "load" or "store"."""
    return item.kind if item.kind in ("layer", "store") else "load"


def load(kind: str, name: str, words: int, place: int) -> Transfer:
    """A load of all of something that is one line."""
    return Transfer(kind, name, 0, words, 1, 0, place, (), (Span(kind, place, words),))


WAITS = {"layer": ("load", "store"), "load": ("layer", "store"), "store": ("layer", "store")}


def waits(once: Sequence[Item], repeated: Sequence[Item]) -> list[dict[str, int]]:
    """For every item of both lists: by kind, how many before it may be unfinished when it begins.

    What holds in the first frame, behind the items that run once, and in all later ones.
    """
    line = [*once, *repeated, *repeated]
    kinds = [kind_of(item) for item in line]
    bounds = {kind: record_fields("record")[f"{kind}s"].limits[1] for kind in WAITS}
    found: list[dict[str, int]] = []
    for k, item in enumerate(line):
        allowed = {}
        for kind in WAITS[kinds[k]]:
            before, most = 0, bounds[kind]
            for j in range(k - 1, -1, -1):
                if kinds[j] != kind:
                    continue
                if before >= most or _conflict(line[j], item):
                    break
                before += 1
            else:
                before = most
            allowed[kind] = min(before, most)
        found.append(allowed)
    n = len(repeated)
    first, later = found[len(once) : len(once) + n], found[len(once) + n :]
    return found[: len(once)] + [{kind: min(a[kind], b[kind]) for kind in a} for a, b in zip(first, later, strict=True)]


def _conflict(before: Item, item: Item) -> bool:
    """Whether one writes what the other reads or writes."""
    return _meet(before.writes, item.reads) or _meet(before.reads, item.writes) or _meet(before.writes, item.writes)


def _meet(a: Iterable[Span], b: Sequence[Span]) -> bool:
    return any(x.meets(y) for x in a for y in b)


def record_words(items: Sequence[Item]) -> int:
    """64-bit words of their records."""
    return sum(LAYER_RECORD if isinstance(item, Run) else TRANSFER_RECORD for item in items)


def traffic(repeated: Sequence[Item]) -> tuple[int, int]:
    """Bytes that a frame, or a batch, reads and writes: records included."""
    moved = [item for item in repeated if isinstance(item, Transfer)]
    read = sum(item.total for item in moved if item.kind != "store") + record_words(repeated)
    return 8 * read, 8 * sum(item.total for item in moved if item.kind == "store")


def records(items: Sequence[Item], allowed: Sequence[dict[str, int]], places: dict[str, int]) -> np.ndarray:
    """The records, uint64 [words]; places: the first external word of everything that is moved, by its name."""
    words: list[int] = []
    for item, waiting in zip(items, allowed, strict=True):
        kind = 0 if isinstance(item, Run) else KINDS.get(item.kind, STORE)
        words.append(encode_record("record", {"kind": kind} | {f"{name}s": n for name, n in waiting.items()}))
        if isinstance(item, Run):
            halves = encode("layer", item.layer.fields)
            words += [halves[k] | halves[k + 1] << 32 for k in range(0, LAYER_WORDS, 2)]
        else:
            values = {"offset": places[item.name] + item.offset, "step": item.step, "words": item.words}
            bits = encode_record("transfer", values | {"lines": item.lines, "place": item.place})
            words += [bits & (1 << 64) - 1, bits >> 64]
    return np.array(words, np.uint64)
