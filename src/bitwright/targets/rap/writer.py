"""Instructions in the making: loops are closed by name, streams are given as nested loops with absolute strides."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from bitwright.targets.rap.isa import BY_NAME, encode
from bitwright.targets.rap.table import LEVELS

_ENUMS = {(i.name, f.name): dict(f.choices) for i in BY_NAME.values() for f in i.fields if f.choices}
MAX_PASSES = 1 << 14


@dataclass(frozen=True)
class Level:
    """One loop of a stream: passes, and what each adds to address, column and row, whatever the loops below do."""

    passes: int
    stride: int
    dx: int = 0
    dy: int = 0


@dataclass
class Writer:
    """Instruction words so far, with marks (index, text) for people."""

    words: list[int] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)

    def add(self, name: str, **values: int | str) -> None:
        """One instruction; names of choices are taken as text."""
        numbers = {k: _ENUMS[name, k][v] if isinstance(v, str) else int(v) for k, v in values.items()}
        self.words.append(encode(name, **numbers))

    def mark(self, text: str) -> None:
        """What begins here."""
        self.marks.append((len(self.words), text))

    @contextmanager
    def loop(self, count: int):
        """The instructions within run `count` times; without LOOP where that is once."""
        start = len(self.words)
        if count > 1:
            self.words.append(0)
        yield
        if count > 1:
            self.words[start] = encode("LOOP", count=count, end=len(self.words) - 1)

    def stream(self, name: str, address: int, levels: Sequence[Level], x: int = 0, y: int = 0) -> None:
        """STREAM and its LEVELs, innermost first; loops of one pass are left out."""
        self.add("STREAM", stream=name, addr=address, x=x, y=y)
        back = np.zeros(3, np.int64)
        parts = [part for whole in levels for part in _split(whole) if part.passes > 1]
        if len(parts) > LEVELS[name]:
            raise ValueError(f"stream {name} has {LEVELS[name]} levels; {len(parts)} are needed")
        for index, level in enumerate(parts):
            stride = np.array([level.stride, level.dx, level.dy])
            step, dx, dy = (int(v) for v in stride - back)
            self.add("LEVEL", stream=name, level=index, count=level.passes, step=step, dx=dx, dy=dy)
            back += (level.passes - 1) * stride

    def code(self) -> np.ndarray:
        return np.array(self.words, np.uint64)


def _split(level: Level) -> list[Level]:
    """A loop of more passes than a level counts as two loops, where the number has a fitting divisor."""
    if level.passes <= MAX_PASSES:
        return [level]
    inner = next(d for d in range(MAX_PASSES, 0, -1) if level.passes % d == 0)
    outer = Level(level.passes // inner, inner * level.stride, inner * level.dx, inner * level.dy)
    return [Level(inner, level.stride, level.dx, level.dy), outer]
