# SPDX-License-Identifier: Apache-2.0
"""Adder trees: each sum of terms as tables and three-operand adders, the narrowest terms first."""

from __future__ import annotations

import heapq
from collections import defaultdict

from bitwright.targets.tlmac.elements.unrolled.graph import ADDRESS_BITS, Builder, Operand

Term = tuple[int, int, int]  # value, shift, sign
ARITY = 3


def build_sum(graph: Builder, terms: list[Term], positive: bool) -> Term:
    """One value, shifted and with a sign, that is the sum of the terms; positive: with sign +1 if it is an adder."""
    heap = [(_top(graph, term), term) for term in _with_tables(graph, terms)]
    heapq.heapify(heap)
    take = 2 if len(heap) % 2 == 0 else ARITY  # so that all later adders have three operands
    while len(heap) > 1:
        chosen = [heapq.heappop(heap)[1] for _ in range(min(take, len(heap)))]
        term = _add(graph, chosen, positive and not heap)
        heapq.heappush(heap, (_top(graph, term), term))
        take = ARITY
    return heap[0][1]


def _top(graph: Builder, term: Term) -> int:
    return term[1] + graph.values[term[0]].bits


def _add(graph: Builder, terms: list[Term], positive: bool) -> Term:
    """An adder of the terms or of their negation, whichever is narrower, freed of common zeros below."""
    low = min(shift for _, shift, _ in terms)
    found = []
    for sign in (1,) if positive else (1, -1):
        operands = tuple(Operand(value, shift - low, g * sign < 0) for value, shift, g in terms)
        form = graph.form(operands)
        high = graph.sized(operands, 0, form)[1]
        found.append((high.bit_length(), sum(o.negate for o in operands), sign, operands))
    _, _, sign, operands = min(found, key=lambda entry: entry[:2])
    return graph.add(operands), low, sign


def _with_tables(graph: Builder, terms: list[Term]) -> list[Term]:
    """The terms with those of narrow inputs gathered into tables of at most ADDRESS_BITS address bits."""
    weights: dict[int, int] = defaultdict(int)
    rest = []
    for value, shift, sign in terms:
        if graph.values[value].source is None and graph.values[value].bits <= ADDRESS_BITS // 2:
            weights[value] += sign << shift
        else:
            rest.append((value, shift, sign))
    group: list[tuple[int, int]] = []
    groups = []
    for value, weight in sorted(weights.items(), key=lambda entry: (abs(entry[1]), entry[0])):
        if not weight:
            continue
        if sum(graph.values[v].bits for v, _ in group) + graph.values[value].bits > ADDRESS_BITS:
            groups.append(group)
            group = []
        group.append((value, weight))
    if group:
        groups.append(group)
    return rest + [table_term(graph, group) for group in groups]


def table_term(graph: Builder, group: list[tuple[int, int]]) -> Term:
    """The term of a weighted sum of inputs: a table without common zeros below, its first weight positive."""
    group = sorted(group)
    shift = min((weight & -weight).bit_length() - 1 for _, weight in group)
    sign = 1 if group[0][1] > 0 else -1
    if len(group) == 1 and abs(group[0][1]) == 1 << shift:
        return group[0][0], shift, sign
    return graph.table(tuple(v for v, _ in group), tuple((sign * w) >> shift for _, w in group)), shift, sign
