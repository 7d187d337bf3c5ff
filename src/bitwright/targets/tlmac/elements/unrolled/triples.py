# SPDX-License-Identifier: Apache-2.0
"""Tables of three narrow inputs that many sums share: the most frequent triples of weights, with either sign.

For every input and weight, a bit mask says in which sums it occurs. A triple of inputs with weights (a, b, c) occurs in
the sums of the three masks' intersection, and negated in that of (-a, -b, -c). Rounds with a falling bound take every
triple that still occurs at least so often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bitwright.jit import njit

GROUP = 3
MAX_INPUTS = 800  # that are searched at a time, all triples of them
MAX_WEIGHTS = 4  # distinct weights, zero apart; beyond them triples hardly repeat


Triple = tuple[tuple[int, ...], tuple[int, ...], np.ndarray]  # inputs, weights, signs [sums]: 0 where it is not


def share_triples(weights: np.ndarray) -> tuple[list[Triple], np.ndarray]:
    """Triples of the matrix [inputs, sums], and the weights that are left."""
    found, left = [], []
    for first in range(0, len(weights), MAX_INPUTS):
        triples, rest = _block_triples(weights[first : first + MAX_INPUTS])
        found += [(tuple(i + first for i in inputs), chosen, signs) for inputs, chosen, signs in triples]
        left.append(rest)
    return found, np.concatenate(left)


def _block_triples(weights: np.ndarray) -> tuple[list[Triple], np.ndarray]:
    values = np.unique(weights[weights != 0])
    values = np.union1d(values, -values)
    found: list[Triple] = []
    left = weights.copy()
    if not 1 <= len(values) <= MAX_WEIGHTS or len(weights) < GROUP:
        return found, left
    sums = weights.shape[1]
    words = -(-sums // 64)
    padded = np.zeros((len(weights), words * 64), weights.dtype)
    padded[:, :sums] = weights
    hits = padded[:, None, :] == values[:, None]
    masks = np.packbits(hits, axis=-1, bitorder="little").view(np.uint64).reshape(len(weights), len(values), words)
    masks = np.ascontiguousarray(masks)
    triples = _triples(masks, np.empty((weights.size, 6), np.int64), np.empty((weights.size, 2, words), np.uint64))
    for row, sides in zip(*triples, strict=True):
        plus, minus = (np.unpackbits(side.view(np.uint8), bitorder="little")[:sums] for side in sides)
        signs = plus.astype(np.int64) - minus
        inputs, chosen = row[:GROUP], values[row[GROUP:]]
        left[np.ix_(inputs, np.flatnonzero(signs))] = 0
        found.append((tuple(int(i) for i in inputs), tuple(int(w) for w in chosen), signs))
    return found, left


@njit
def _ones(word: Any) -> int:
    """Bits of a word, uint64, that are 1."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int(np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56)))


@njit
def _triples(masks: np.ndarray, rows: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All rounds; rows (i, j, k, weight numbers), sides: the sums with the triple and with its negation."""
    inputs, kinds, words = masks.shape
    found, bound = 0, 1 << 30
    plus, minus = np.empty(words, np.uint64), np.empty(words, np.uint64)
    while bound >= 2:
        seen = 0
        for i in range(inputs):
            for j in range(i + 1, inputs):
                for a in range((kinds + 1) // 2):
                    for b in range(kinds):
                        pairs = 0
                        for w in range(words):
                            plus[w] = masks[i, a, w] & masks[j, b, w]
                            minus[w] = masks[i, kinds - 1 - a, w] & masks[j, kinds - 1 - b, w]
                            pairs += _ones(plus[w]) + _ones(minus[w])
                        if pairs < bound and pairs <= seen:
                            continue
                        for k in range(j + 1, inputs):
                            for c in range(kinds):
                                n = 0
                                for w in range(words):
                                    n += _ones(plus[w] & masks[k, c, w])
                                    n += _ones(minus[w] & masks[k, kinds - 1 - c, w])
                                if n < bound:
                                    seen = max(seen, n)
                                    continue
                                rows[found, 0], rows[found, 1], rows[found, 2] = i, j, k
                                rows[found, 3], rows[found, 4], rows[found, 5] = a, b, c
                                for w in range(words):
                                    p = plus[w] & masks[k, c, w]
                                    m = minus[w] & masks[k, kinds - 1 - c, w]
                                    sides[found, 0, w], sides[found, 1, w] = p, m
                                    for x, y in ((i, a), (j, b), (k, c)):
                                        masks[x, y, w] &= ~p
                                        masks[x, kinds - 1 - y, w] &= ~m
                                    plus[w] &= ~p
                                    minus[w] &= ~m
                                found += 1
        bound = min(bound - 1, seen)
    return rows[:found], sides[:found]
