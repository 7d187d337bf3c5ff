# SPDX-License-Identifier: Apache-2.0
"""Fully unrolled constant matrices: from weights and input ranges to an adder graph with shared subexpressions."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from bitwright.targets.tlmac.elements.unrolled.graph import Builder, Table, Value
from bitwright.targets.tlmac.elements.unrolled.pairs import share_pairs, signed_digits
from bitwright.targets.tlmac.elements.unrolled.tree import Term, build_sum, table_term
from bitwright.targets.tlmac.elements.unrolled.triples import share_triples

NARROW = 2  # bits of an input of which three address one table
MAX_PAIRS = 4_000_000  # of terms that are counted at a time


@dataclass(frozen=True, eq=False)
class Graph:
    """outputs: for every sum its value, shift and sign; None where all weights are 0."""

    lows: np.ndarray
    highs: np.ndarray
    values: tuple[Value, ...]
    outputs: tuple[Term | None, ...]

    @property
    def luts(self) -> int:
        return sum(value.luts for value in self.values)


def unroll(weights: np.ndarray, lows: np.ndarray, highs: np.ndarray, flips: int = 0) -> Graph:
    """The graph of  x @ weights  for weights [inputs, sums] and input words within [lows, highs], never negative.

    flips: bits that are inverted on the wires of every input.
    """
    weights = np.asarray(weights, np.int64)
    graph = Builder(np.asarray(lows, np.int64), np.asarray(highs, np.int64), flips)
    built: list[Term] = [(i, 0, 1) for i in range(len(weights))]  # what each shared value became
    left = weights
    sums: list[list[Term]] = [[] for _ in range(weights.shape[1])]
    if int(graph.highs.max()).bit_length() <= NARROW:
        found, left = share_triples(weights)
        for inputs, chosen, signs in found:
            built.append(table_term(graph, list(zip(inputs, chosen, strict=True))))
            for o in np.flatnonzero(signs):
                sums[o].append((len(built) - 1, 0, int(signs[o])))
    forms = np.stack([_form(graph, term) for term in built])
    digits = signed_digits(left)
    for i, o, d in zip(*np.nonzero(digits), strict=True):
        sums[o].append((int(i), int(d), int(digits[i, o, d])))
    sums, fresh = _shared(sums, forms, graph.highs - graph.lows)
    sums, fresh = _inlined(sums, fresh, len(built))
    for terms in fresh:
        built.append(build_sum(graph, _resolved(terms, built), False) if terms else (0, 0, 1))
    outputs = tuple(build_sum(graph, _resolved(terms, built), True) if terms else None for terms in sums)
    return Graph(graph.lows, graph.highs, tuple(graph.values), outputs)


def _shared(sums: list[list[Term]], forms: np.ndarray, spans: np.ndarray) -> tuple[list[list[Term]], list[list[Term]]]:
    """Sums with shared pairs, and the pairs; among the terms of every n-th value where all have too many pairs."""
    blocks = 1 + isqrt(sum(len(terms) ** 2 for terms in sums) // 2 // MAX_PAIRS)
    left: list[list[Term]] = [[] for _ in sums]
    fresh: list[list[Term]] = []
    for block in range(blocks):
        part = [[term for term in terms if term[0] % blocks == block] for terms in sums]
        part, made, forms = share_pairs(part, forms, spans)
        fresh += made
        for terms, more in zip(left, part, strict=True):
            terms += more
    return left, fresh


def _form(graph: Builder, term: Term) -> np.ndarray:
    value, shift, sign = term
    return sign * (graph.forms[value] << shift)


def _resolved(terms: list[Term], built: list[Term]) -> list[Term]:
    """Terms of shared values as terms of the graph's values."""
    found = []
    for value, shift, sign in terms:
        v, s, g = built[value]
        found.append((v, s + shift, g * sign))
    return found


def _inlined(sums: list[list[Term]], fresh: list[list[Term]], first: int) -> tuple[list[list[Term]], list[list[Term]]]:
    """Values that a single term reads stand in its place as their terms; their own lists become empty."""
    uses = np.zeros(first + len(fresh), np.int64)
    for terms in (*sums, *fresh):
        for value, _, _ in terms:
            uses[value] += 1
    expanded: list[list[Term]] = []

    def expand(terms: list[Term]) -> list[Term]:
        found = []
        for value, shift, sign in terms:
            if value >= first and uses[value] == 1:
                found += [(v, s + shift, g * sign) for v, s, g in expanded[value - first]]
            else:
                found.append((value, shift, sign))
        return found

    for terms in fresh:
        expanded.append(expand(terms))
    kept = [terms if uses[first + k] > 1 else [] for k, terms in enumerate(expanded)]
    return [expand(terms) for terms in sums], kept


def evaluate(graph: Graph, x: np.ndarray) -> np.ndarray:
    """x @ weights by the graph's own operations on patterns, for x [N, inputs]: [N, sums]. Checks every range."""
    patterns: list[np.ndarray] = []
    for number, value in enumerate(graph.values):
        if value.source is None:
            found = x[:, number]
        elif isinstance(value.source, Table):
            found = x[:, list(value.source.inputs)] @ np.array(value.source.weights) + value.offset
        else:
            found = np.full(len(x), value.source.constant, np.int64)
            for operand in value.source.operands:
                bits = graph.values[operand.value].bits
                part = patterns[operand.value]
                found = found + (((1 << bits) - 1 - part if operand.negate else part) << operand.shift)
        if found.min(initial=value.low) < value.low or found.max(initial=value.high) > value.high:
            raise AssertionError(f"value {number} leaves its range [{value.low}, {value.high}]")
        patterns.append(found)
    columns = np.zeros((len(x), len(graph.outputs)), np.int64)
    for o, term in enumerate(graph.outputs):
        if term is not None:
            i, shift, sign = term
            columns[:, o] = sign * ((patterns[i] - graph.values[i].offset) << shift)
    return columns
