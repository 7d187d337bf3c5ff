# SPDX-License-Identifier: Apache-2.0
"""Shared subexpressions of constant matrices: pairs of terms that many sums have in common become values of their own.

A sum is a list of terms  sign * 2**shift * value.  A pair pattern is  value_i + sign * 2**shift * value_j  (shift < 0
moves the first instead); it occurs wherever a sum has both terms, with one common factor. Every round takes the pattern
that saves most, makes it a value, and replaces its occurrences. What a term costs in an adder tree of three-operand
adders is half its width; a pattern costs an adder of two operands.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from bitwright.jit import njit

MAX_SHIFT = 24  # exclusive; of a pattern's second term against its first
_SHIFTS = 2 * MAX_SHIFT
TREE_SHARE, TREE_FIXED = 0.5, 0.85  # LUTs of a term in a tree: so much of its width, and besides


class Terms(NamedTuple):
    """Sums of terms: term t of sum o is sign[o, t] * 2**shift[o, t] * value[o, t], for t < length[o]."""

    value: np.ndarray
    shift: np.ndarray
    sign: np.ndarray
    length: np.ndarray

    def lists(self) -> list[list[tuple[int, int, int]]]:
        """(value, shift, sign) of every term of every sum."""
        return [
            [(int(self.value[o, t]), int(self.shift[o, t]), int(self.sign[o, t])) for t in range(n)]
            for o, n in enumerate(self.length)
        ]


class _Patterns(NamedTuple):
    """How often each pattern occurs; a heap of (-gain, pattern); bits of the values, of which there may be `room`."""

    counts: dict[int, int]
    heap: list[tuple[float, int]]
    widths: np.ndarray
    room: int
    eagerness: float


class _Pattern(NamedTuple):
    """Value i plus `other` (1 or -1) * 2**move * value j; `new` is the value that it becomes."""

    i: int
    j: int
    move: int
    other: int
    new: int


def signed_digits(weights: np.ndarray) -> np.ndarray:
    """Canonical signed digits, -1, 0 or 1, of integers [...], the lowest first: [..., digits]."""
    rest, digits = np.asarray(weights, np.int64), []
    while rest.any():
        odd = rest & 1
        digit = odd * (2 - (rest & 3))  # 3 mod 4 ends in -1
        digits.append(digit)
        rest = (rest - digit) >> 1
    return np.stack(digits, axis=-1) if digits else np.zeros((*rest.shape, 1), np.int64)


def terms_of(lists: list[list[tuple[int, int, int]]]) -> Terms:
    """The same sums as arrays."""
    length = np.array([len(terms) for terms in lists], np.int64)
    value, shift, sign = (np.zeros((len(lists), max(1, int(length.max(initial=0)))), np.int64) for _ in range(3))
    for o, terms in enumerate(lists):
        for t, (v, s, g) in enumerate(terms):
            value[o, t], shift[o, t], sign[o, t] = v, s, g
    return Terms(value, shift, sign, length)


def share_pairs(
    lists: list[list[tuple[int, int, int]]], coefficients: np.ndarray, spans: np.ndarray, eagerness: float = 1.0
) -> tuple[list[list[tuple[int, int, int]]], list[list[tuple[int, int, int]]], np.ndarray]:
    """Shared pairs of the sums `lists` of values with `coefficients` [values, inputs]; spans [inputs] = max - min.

    Returns the sums that are left, the new values' terms (in order, numbered on from the given values), and the
    coefficients of all values. eagerness weighs what a pattern saves against what it costs.
    """
    terms = terms_of(lists)
    first = len(coefficients)
    room = first + int(terms.length.sum()) // 2  # every new value takes two terms out at least
    table = np.zeros((room, coefficients.shape[1]), np.int64)
    table[:first] = coefficients
    made = np.zeros((room - first, 3), np.int64)
    n = _share(terms, table, np.asarray(spans, np.int64), first, made, eagerness)
    fresh = [_pattern_terms(int(i), int(j), int(code)) for i, j, code in made[:n]]
    return terms.lists(), fresh, table[: first + n]


def _pattern_terms(i: int, j: int, code: int) -> list[tuple[int, int, int]]:
    shift, sign = (code >> 1) - MAX_SHIFT, 1 - 2 * (code & 1)
    return [(i, max(0, -shift), 1), (j, max(0, shift), sign)]


@njit
def _key(terms: Terms, o: int, t: int, u: int, room: int) -> int:
    """Number of the pattern of terms t and u of a sum: the first in order of value, then shift, leads."""
    v, a, s = terms.value[o, t], terms.shift[o, t], terms.sign[o, t]
    w, b, g = terms.value[o, u], terms.shift[o, u], terms.sign[o, u]
    if w < v or (w == v and b < a):
        v, a, s, w, b, g = w, b, g, v, a, s
    code = 2 * (b - a + MAX_SHIFT) + (1 if s != g else 0)
    return int((v * room + w) * (2 * _SHIFTS) + code)


@njit
def _width(table: np.ndarray, spans: np.ndarray, value: int) -> int:
    """Bits of a value: of the span from its least to its greatest."""
    span = 0
    for i in range(len(spans)):
        span += abs(table[value, i]) * spans[i]
    bits = 0
    while span:
        bits += 1
        span >>= 1
    return bits


@njit
def _gain(key: int, count: int, widths: np.ndarray, room: int, eagerness: float) -> float:
    """LUTs that a pattern saves: its terms out of `count` trees, one wider term into them, one adder built."""
    code, pair = key % (2 * _SHIFTS), key // (2 * _SHIFTS)
    i, j, shift = pair // room, pair % room, (code >> 1) - MAX_SHIFT
    top_i, top_j = widths[i] + max(0, -shift), widths[j] + max(0, shift)
    low = abs(shift)
    width = max(top_i, top_j) + (1 if min(top_i, top_j) > low else 0)
    adder = max(0, min(top_i, top_j) - low) + (max(top_i, top_j) - min(top_i, top_j)) * 0.1
    saved = TREE_SHARE * (widths[i] + widths[j] - width) + TREE_FIXED
    return float(eagerness * count * saved - adder)


@njit
def _count(p: _Patterns, key: int, change: int) -> None:
    n = p.counts.get(key, 0) + change
    p.counts[key] = n
    if change > 0 and n > 1:
        gain = _gain(key, n, p.widths, p.room, p.eagerness)
        if gain > 0:
            heapq.heappush(p.heap, (-gain, key))


@njit
def _all_patterns(terms: Terms, widths: np.ndarray, eagerness: float) -> _Patterns:
    """All patterns of the sums; those that save something are on the heap."""
    room = len(widths)
    counts = {0: 0}
    counts.clear()
    heap = [(0.0, -1)]
    for o in range(len(terms.length)):
        for t in range(terms.length[o]):
            for u in range(t):
                key = _key(terms, o, t, u, room)
                counts[key] = counts.get(key, 0) + 1
    for key, n in counts.items():
        gain = _gain(key, n, widths, room, eagerness)
        if n > 1 and gain > 0:
            heap.append((-gain, key))
    heapq.heapify(heap)
    return _Patterns(counts, heap, widths, room, eagerness)


@njit
def _share(terms: Terms, table: np.ndarray, spans: np.ndarray, first: int, made: np.ndarray, eagerness: float) -> int:
    """The greedy rounds; changes the sums in place and returns the number of new values."""
    room = len(table)
    widths = np.zeros(room, np.int64)
    for v in range(first):
        widths[v] = _width(table, spans, v)
    p = _all_patterns(terms, widths, eagerness)
    fresh = 0
    while len(p.heap) > 0 and fresh < len(made):
        gain, key = heapq.heappop(p.heap)
        if key < 0:
            continue
        now = _gain(key, p.counts[key], widths, room, eagerness)
        if p.counts[key] < 2 or now <= 0:
            continue
        if now < -gain - 1e-9:
            heapq.heappush(p.heap, (-now, key))
            continue
        code, pair = key % (2 * _SHIFTS), key // (2 * _SHIFTS)
        i, j, move = pair // room, pair % room, (code >> 1) - MAX_SHIFT
        other, new = -1 if code & 1 else 1, first + fresh
        table[new] = (table[i] << max(0, -move)) + other * (table[j] << max(0, move))
        widths[new] = _width(table, spans, new)
        found = 0
        for o in range(len(terms.length)):
            found += _replace(terms, o, _Pattern(i, j, move, other, new), p)
        if found:
            made[fresh] = i, j, code
            fresh += 1
    return fresh


@njit
def _replace(terms: Terms, o: int, pattern: _Pattern, p: _Patterns) -> int:
    """Replace the pattern's occurrences in one sum, keep the counts of patterns, and return how many there were."""
    value, shift, sign, length = terms.value[o], terms.shift[o], terms.sign[o], terms.length
    move, other = pattern.move, pattern.other
    found, t = 0, 0
    while t < length[o]:
        partner = -1
        if value[t] == pattern.i:
            for u in range(length[o]):
                if value[u] == pattern.j and u != t and shift[u] == shift[t] + move and sign[u] == sign[t] * other:
                    partner = u
                    break
        if partner < 0:
            t += 1
            continue
        for x in (t, partner):
            for u in range(length[o]):
                if u != x and not (x == partner and u == t):
                    _count(p, _key(terms, o, x, u, p.room), -1)
        value[t], shift[t] = pattern.new, min(shift[t], shift[partner])
        last = length[o] - 1
        value[partner], shift[partner], sign[partner] = value[last], shift[last], sign[last]
        length[o] = last
        if t == last:
            t = partner
        for u in range(length[o]):
            if u != t:
                _count(p, _key(terms, o, t, u, p.room), 1)
        found += 1
        t = 0
    return found
