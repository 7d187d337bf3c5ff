# SPDX-License-Identifier: Apache-2.0
"""Instructions in the making: loops are closed by name, streams are given as nested loops with absolute strides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from bitwright.targets.rap.isa.fields import BY_NAME, EncodingError, encode
from bitwright.targets.rap.isa.table import ADDRESS_BITS, LEVELS
from bitwright.targets.rap.isa.timing import nested_passes

_ENUMS = {(i.name, f.name): dict(f.choices) for i in BY_NAME.values() for f in i.fields if f.choices}
_FIELDS = {(i.name, f.name): f for i in BY_NAME.values() for f in i.fields}
MAX_PASSES = _FIELDS["LEVEL", "count"].high
_STEP = _FIELDS["LEVEL", "step"]


@dataclass(frozen=True)
class Level:
    """One loop of a stream: passes, and what each adds to address, column and row, whatever the loops below do."""

    passes: int
    stride: int
    dx: int = 0
    dy: int = 0

    @property
    def steps(self) -> np.ndarray:
        """What a pass adds, int64 [3]."""
        return np.array([self.stride, self.dx, self.dy])

    def grouped(self, passes: int) -> Level:
        """The loop around so many passes of this one: what each of its passes adds; its passes are rounded up."""
        return Level(-(-self.passes // passes), passes * self.stride, passes * self.dx, passes * self.dy)


@dataclass
class Writer:
    """Instruction words so far, with marks (index, text) for people. `EncodingError` where a number fits no field."""

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
    def loop(self, count: int) -> Iterator[None]:
        """The instructions within run `count` times: by one LOOP, by two around them, or, for once, by none."""
        outer, inner = nested_passes(count)
        with self._loop(outer):
            with self._loop(inner):
                yield
            if outer > 1:
                self.add("NOP")  # loops end on instructions of their own

    @contextmanager
    def _loop(self, count: int) -> Iterator[None]:
        start = len(self.words)
        if count > 1:
            self.words.append(0)
        yield
        if count > 1:
            self.words[start] = encode("LOOP", count=count, end=len(self.words) - 1)

    def stream(self, name: str, address: int, levels: Sequence[Level], x: int = 0, y: int = 0) -> None:
        """STREAM and its LEVELs, innermost first; loops of one pass are left out.

        Addresses count modulo the memory, so a step that is too long for its field goes the other way round.
        """
        _check_reach(name, levels, x, y)
        self.add("STREAM", stream=name, addr=address, x=x, y=y)
        back = np.zeros(3, np.int64)
        for index, level in enumerate(_fitted(name, levels)):
            step, dx, dy = (int(v) for v in level.steps - back)
            if not _STEP.low <= step <= _STEP.high:
                step = (step + (1 << ADDRESS_BITS - 1)) % (1 << ADDRESS_BITS) - (1 << ADDRESS_BITS - 1)
            self.add("LEVEL", stream=name, level=index, count=level.passes, step=step, dx=dx, dy=dy)
            back += (level.passes - 1) * level.steps

    def code(self) -> np.ndarray:
        return np.array(self.words, np.uint64)


def _check_reach(name: str, levels: Sequence[Level], x: int, y: int) -> None:
    """Columns and rows that the stream visits must fit their counters."""
    for what, start, steps in (
        ("x", x, [(v.passes, v.dx) for v in levels]),
        ("y", y, [(v.passes, v.dy) for v in levels]),
    ):
        limits = _FIELDS["STREAM", what]
        moves = [(passes - 1) * step for passes, step in steps]
        low, high = start + sum(min(m, 0) for m in moves), start + sum(max(m, 0) for m in moves)
        if low < limits.low or high > limits.high:
            raise EncodingError(f"{what} = {low} to {high} in stream {name}", f"{limits.low} to {limits.high}")


def _fitted(name: str, levels: Sequence[Level]) -> list[Level]:
    """The loops of more than one pass, each with as many passes as a LEVEL counts."""
    used = [level for level in levels if level.passes > 1]
    if len(used) > LEVELS[name] or any(level.passes > MAX_PASSES for level in used):
        used = _merged(used)
    parts = list(itertools.chain.from_iterable(_split(name, v, last=v is used[-1]) for v in used))
    if len(parts) > LEVELS[name]:
        raise EncodingError(f"{len(parts)} loops in stream {name}", f"at most {LEVELS[name]}")
    return parts


def _merged(levels: Sequence[Level]) -> list[Level]:
    """The same way with one loop for two where the outer one goes on as the inner one does."""
    found: list[Level] = []
    for level in levels:
        inner = found[-1] if found else None
        if inner and np.array_equal(level.steps, inner.passes * inner.steps):
            found[-1] = Level(inner.passes * level.passes, inner.stride, inner.dx, inner.dy)
        else:
            found.append(level)
    return found


def _split(name: str, level: Level, last: bool) -> list[Level]:
    """A loop of more passes than a LEVEL counts as several, by divisors; the `last` loop may have passes to spare."""
    if level.passes <= MAX_PASSES:
        return [level]
    inner = MAX_PASSES if last else next(d for d in range(MAX_PASSES, 0, -1) if level.passes % d == 0)
    if inner == 1:
        rule = f"a loop of {level.passes} passes in stream {name}"
        raise EncodingError(rule, f"up to {MAX_PASSES}, or products of such numbers")
    return [Level(inner, level.stride, level.dx, level.dy), *_split(name, level.grouped(inner), last)]
