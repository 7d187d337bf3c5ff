"""Shared subexpressions of constant matrices: pairs of terms that many sums have in common become values of their own.

A sum is a list of terms  sign * 2**shift * value.  A pair pattern is  value_i + sign * 2**shift * value_j  (shift < 0
moves the first instead); it occurs wherever a sum has both terms, with one common factor. Every round takes the pattern
that saves most, makes it a value, and replaces its occurrences. What a term costs in an adder tree of three-operand
adders is half its width; a pattern costs an adder of two operands.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numba
import numpy as np

from bitwright.jit import njit

MAX_SHIFT = 24  # exclusive; of a pattern's second term against its first
_SHIFTS = 2 * MAX_SHIFT
TREE_SHARE, TREE_FIXED = 0.5, 0.85  # LUTs of a term in a tree: so much of its width, and besides


@dataclass(frozen=True, eq=False)
class Terms:
    """Sums of terms: term t of sum o is sign[o, t] * 2**shift[o, t] * value[o, t], for t < count[o]."""

    value: np.ndarray
    shift: np.ndarray
    sign: np.ndarray
    count: np.ndarray

    def lists(self) -> list[list[tuple[int, int, int]]]:
        """(value, shift, sign) of every term of every sum."""
        return [
            [(int(self.value[o, t]), int(self.shift[o, t]), int(self.sign[o, t])) for t in range(n)]
            for o, n in enumerate(self.count)
        ]


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
    count = np.array([len(terms) for terms in lists], np.int64)
    value, shift, sign = (np.zeros((len(lists), max(1, int(count.max(initial=0)))), np.int64) for _ in range(3))
    for o, terms in enumerate(lists):
        for t, (v, s, g) in enumerate(terms):
            value[o, t], shift[o, t], sign[o, t] = v, s, g
    return Terms(value, shift, sign, count)


def share_pairs(
    lists: list[list[tuple[int, int, int]]], coefficients: np.ndarray, spans: np.ndarray, eagerness: float = 1.0
) -> tuple[list[list[tuple[int, int, int]]], list[list[tuple[int, int, int]]], np.ndarray]:
    """Shared pairs of the sums `lists` of values with `coefficients` [values, inputs]; spans [inputs] = max - min.

    Returns the sums that are left, the new values' terms (in order, numbered on from the given values), and the
    coefficients of all values. eagerness weighs what a pattern saves against what it costs.
    """
    terms = terms_of(lists)
    first = len(coefficients)
    room = first + int(terms.count.sum()) // 2  # every new value takes two terms out at least
    table = np.zeros((room, coefficients.shape[1]), np.int64)
    table[:first] = coefficients
    made = np.zeros((room - first, 3), np.int64)
    n = _share(
        terms.value, terms.shift, terms.sign, terms.count, table, np.asarray(spans, np.int64), first, made, eagerness
    )
    fresh = [_pattern_terms(int(i), int(j), int(code)) for i, j, code in made[:n]]
    return terms.lists(), fresh, table[: first + n]


def _pattern_terms(i: int, j: int, code: int) -> list[tuple[int, int, int]]:
    shift, sign = (code >> 1) - MAX_SHIFT, 1 - 2 * (code & 1)
    return [(i, max(0, -shift), 1), (j, max(0, shift), sign)]


@njit
def _key(v, a, s, w, b, t, room):
    """Number of the pattern of terms (v, a, s) and (w, b, t): the first in order of value, then shift, leads."""
    if w < v or (w == v and b < a):
        v, a, s, w, b, t = w, b, t, v, a, s
    code = 2 * (b - a + MAX_SHIFT) + (1 if s != t else 0)
    return (v * room + w) * (2 * _SHIFTS) + code


@njit
def _width(table, spans, value):
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
def _gain(key, count, widths, room, eagerness):
    """LUTs that a pattern saves: its terms out of `count` trees, one wider term into them, one adder built."""
    code, pair = key % (2 * _SHIFTS), key // (2 * _SHIFTS)
    i, j, shift = pair // room, pair % room, (code >> 1) - MAX_SHIFT
    top_i, top_j = widths[i] + max(0, -shift), widths[j] + max(0, shift)
    low = abs(shift)
    width = max(top_i, top_j) + (1 if min(top_i, top_j) > low else 0)
    adder = max(0, min(top_i, top_j) - low) + (max(top_i, top_j) - min(top_i, top_j)) * 0.1
    saved = TREE_SHARE * (widths[i] + widths[j] - width) + TREE_FIXED
    return eagerness * count * saved - adder


@njit
def _count(counts, heap, widths, key, change, room, eagerness):
    n = counts.get(key, 0) + change
    counts[key] = n
    if change > 0 and n > 1:
        gain = _gain(key, n, widths, room, eagerness)
        if gain > 0:
            heapq.heappush(heap, (-gain, key))


@njit
def _share(value, shift, sign, count, table, spans, first, made, eagerness):
    """The greedy rounds; changes the sums in place and returns the number of new values."""
    room = len(table)
    widths = np.zeros(room, np.int64)
    for v in range(first):
        widths[v] = _width(table, spans, v)
    counts = numba.typed.Dict.empty(numba.int64, numba.int64)
    heap = [(0.0, np.int64(-1))]
    for o in range(len(count)):
        for t in range(count[o]):
            for u in range(t):
                key = _key(value[o, t], shift[o, t], sign[o, t], value[o, u], shift[o, u], sign[o, u], room)
                counts[key] = counts.get(key, 0) + 1
    for key, n in counts.items():
        gain = _gain(key, n, widths, room, eagerness)
        if n > 1 and gain > 0:
            heap.append((-gain, key))
    heapq.heapify(heap)
    fresh = 0
    while len(heap) > 0 and fresh < len(made):
        gain, key = heapq.heappop(heap)
        if key < 0:
            continue
        now = _gain(key, counts[key], widths, room, eagerness)
        if counts[key] < 2 or now <= 0:
            continue
        if now < -gain - 1e-9:
            heapq.heappush(heap, (-now, key))
            continue
        code, pair = key % (2 * _SHIFTS), key // (2 * _SHIFTS)
        i, j, move = pair // room, pair % room, (code >> 1) - MAX_SHIFT
        other = -1 if code & 1 else 1
        new = first + fresh
        table[new] = (table[i] << max(0, -move)) + other * (table[j] << max(0, move))
        widths[new] = _width(table, spans, new)
        found = 0
        for o in range(len(count)):
            found += _replace(
                value[o], shift[o], sign[o], count, o, i, j, move, other, new, counts, heap, widths, room, eagerness
            )
        if found:
            made[fresh] = i, j, code
            fresh += 1
    return fresh


@njit
def _replace(value, shift, sign, count, o, i, j, move, other, new, counts, heap, widths, room, eagerness):
    """Replace the pattern's occurrences in one sum, keep the counts of patterns, and return how many there were."""
    found, t = 0, 0
    while t < count[o]:
        partner = -1
        if value[t] == i:
            for u in range(count[o]):
                if value[u] == j and u != t and shift[u] == shift[t] + move and sign[u] == sign[t] * other:
                    partner = u
                    break
        if partner < 0:
            t += 1
            continue
        for x in (t, partner):
            for u in range(count[o]):
                if u != x and not (x == partner and u == t):
                    key = _key(value[x], shift[x], sign[x], value[u], shift[u], sign[u], room)
                    _count(counts, heap, widths, key, -1, room, eagerness)
        value[t], shift[t] = new, min(shift[t], shift[partner])
        last = count[o] - 1
        value[partner], shift[partner], sign[partner] = value[last], shift[last], sign[last]
        count[o] = last
        if t == last:
            t = partner
        for u in range(count[o]):
            if u != t:
                key = _key(value[t], shift[t], sign[t], value[u], shift[u], sign[u], room)
                _count(counts, heap, widths, key, 1, room, eagerness)
        found += 1
        t = 0
    return found
