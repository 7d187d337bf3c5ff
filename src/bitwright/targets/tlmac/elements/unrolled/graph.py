# SPDX-License-Identifier: Apache-2.0
"""Adder graphs: values that are inputs, lookup tables of inputs, or sums of two or three earlier values.

Every value v is a linear form of the input words, carried as an unsigned pattern  u = v + offset,  low <= u <= high.
A subtracted operand enters as the complement of its bits,  2**bits - 1 - u,  so there are no sign extensions; what
this adds is part of the offset. Bits of a pattern may run inverted on their wires (`flips`) where only one operand
reaches their position: the lookup tables that read them take that in.

An adder is one carry chain with one LUT6_2 a position (module tlmac_unrolled_add). At position p stand the operands'
bits, a bit of the constant, and the majority of the position below where that had three bits or more:
one of them needs no LUT, all others share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

ADDRESS_BITS = 6


@dataclass(frozen=True)
class Operand:
    """An operand of an adder: the value's bits, complemented where `negate`, `shift` places to the left."""

    value: int
    shift: int
    negate: bool


@dataclass(frozen=True)
class Adder:
    """Sum of up to three operands and a constant."""

    operands: tuple[Operand, ...]
    constant: int = 0


@dataclass(frozen=True)
class Table:
    """A lookup table of inputs: the sum of weight * input word, counted from its least value."""

    inputs: tuple[int, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A value as built: its pattern is within [low, high], has `bits` bits and equals form + offset.

    flips: bits that are inverted on their wires. level: adders and tables on the longest way from an input.
    luts, carry: LUTs and positions of carry chain that build it.
    """

    source: Adder | Table | None
    low: int
    high: int
    offset: int
    flips: int = 0
    level: int = 0
    luts: int = 0
    carry: int = 0

    @property
    def bits(self) -> int:
        return max(1, self.high.bit_length())

    @property
    def is_table(self) -> bool:
        return isinstance(self.source, Table)


@dataclass(eq=False)
class Builder:
    """A graph as it grows. lows, highs [inputs]: the range of every input word; flips: its bits that run inverted."""

    lows: np.ndarray
    highs: np.ndarray
    flips: int = 0
    values: list[Value] = field(default_factory=list)
    forms: list[np.ndarray] = field(default_factory=list)
    known: dict[Adder | Table, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for i, (low, high) in enumerate(zip(self.lows, self.highs, strict=True)):
            form = np.zeros(len(self.lows), np.int64)
            form[i] = 1
            plain = Value(None, int(low), int(high), 0)
            flips = self.flips & ((1 << plain.bits) - 1)  # a bit that is never set is no bit of the word
            self._append(replace(plain, flips=flips), form)

    def reach(self, form: np.ndarray) -> tuple[int, int]:
        """Least and greatest value of a linear form."""
        ends = np.stack([form * self.lows, form * self.highs])
        return int(ends.min(0).sum()), int(ends.max(0).sum())

    def _append(self, value: Value, form: np.ndarray) -> int:
        self.values.append(value)
        self.forms.append(form)
        return len(self.values) - 1

    def form(self, operands: tuple[Operand, ...]) -> np.ndarray:
        """Linear form of a sum."""
        found = np.zeros(len(self.lows), np.int64)
        for operand in operands:
            part = self.forms[operand.value] << operand.shift
            found += -part if operand.negate else part
        return found

    def table(self, inputs: tuple[int, ...], weights: tuple[int, ...]) -> int:
        """The table's value, built if it is new."""
        source = Table(inputs, weights)
        if source not in self.known:
            form = np.zeros(len(self.lows), np.int64)
            form[list(inputs)] = weights
            low, high = self.reach(form)
            bits = max(1, (high - low).bit_length())
            address = sum(self.values[i].bits for i in inputs)
            luts = bits if address == ADDRESS_BITS else -(-bits // 2)
            self.known[source] = self._append(Value(source, 0, high - low, -low, 0, 1, luts), form)
        return self.known[source]

    def sized(self, operands: tuple[Operand, ...], constant: int, form: np.ndarray) -> tuple[int, int, int]:
        """(low, high, offset) of a sum's pattern."""
        offset = constant
        for operand in operands:
            value = self.values[operand.value]
            part = (1 << value.bits) - 1 - value.offset if operand.negate else value.offset
            offset += part << operand.shift
        low, high = self.reach(form)
        return low + offset, high + offset, offset

    def add(self, operands: tuple[Operand, ...], constant: int = 0) -> int:
        """The sum's value, built if it is new."""
        source = Adder(tuple(sorted(operands, key=lambda o: (o.value, o.shift, o.negate))), constant)
        if source not in self.known:
            form = self.form(operands)
            low, high, offset = self.sized(operands, constant, form)
            layout = adder_layout(source, self.values, max(1, high.bit_length()))
            level = 1 + max(self.values[o.value].level for o in operands)
            value = Value(source, low, high, offset, layout.flips, level, layout.luts, layout.carry)
            self.known[source] = self._append(value, form)
        return self.known[source]


@dataclass(frozen=True)
class Layout:
    """An adder's positions: LUTs, positions on the carry chain, and the result's bits that run inverted."""

    luts: int
    carry: int
    flips: int


def operand_flips(operand: Operand, values: Sequence[Value]) -> int:
    """Bits of an operand that are to be inverted where they are read."""
    value = values[operand.value]
    return value.flips ^ (((1 << value.bits) - 1) if operand.negate else 0)


def adder_layout(adder: Adder, values: list[Value], width: int) -> Layout:
    """What module tlmac_unrolled_add makes of an adder of `width` result bits."""
    spans = [(o.shift, o.shift + values[o.value].bits, operand_flips(o, values)) for o in adder.operands]
    luts, flips, chain, start, majority = 0, 0, False, width, False
    for p in range(width):
        inside = [(flip >> (p - low)) & 1 for low, high, flip in spans if low <= p < high]
        fixed = adder.constant >> p & 1
        items = len(inside) + fixed + majority
        if items >= 2 or (items == 1 and chain and any(inside)):
            luts += 1
        elif items == 1 and any(inside):
            flips |= 1 << p
        majority_next = len(inside) + fixed >= 2 and items >= 3
        if items >= 2 and (items == 2 or majority) and not chain:
            chain, start = True, p
        majority = majority_next
    return Layout(luts, width - start, flips)
