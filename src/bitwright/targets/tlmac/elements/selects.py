# SPDX-License-Identifier: Apache-2.0
"""A select of its own for every array: outputs find their groups on fewer arrays than with one select for all.

A step needs far fewer distinct groups than there are arrays, and every group lies on several arrays. So a step is
free to choose which array shows which group, such that outputs read arrays that they are wired to anyway.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bitwright.jit import njit
from bitwright.targets.tlmac.elements.sharing import Groups, Placement

ROUNDS = 10
SWEEPS = 2
NOWHERE = 50.0  # price of a second array where only one shows the group; far above that of a wire, at most 1


class _Search(NamedTuple):
    """What the search knows and changes.

    Where each group's outputs begin in the order of a step's outputs; the groups that an array holds; the arrays that
    hold a group, and how many do. shown [S, arrays] and reads [S, P] as chosen so far; uses [P, arrays]: steps that use
    a wire; price of a wire that n steps use; paid [2, P]: the price of each output's wire, and of the next best.
    """

    begins: np.ndarray
    order: np.ndarray
    held: np.ndarray
    holders: np.ndarray
    copies: np.ndarray
    shown: np.ndarray
    reads: np.ndarray
    uses: np.ndarray
    price: np.ndarray
    paid: np.ndarray


def own_selects(groups: Groups, placement: Placement, seed: int, rounds: int = ROUNDS) -> Placement:
    """The placement with a select for every array, and with the wires that are then still read.

    Round by round, each step is taken off and chosen anew, array by array: the group shown whose outputs save most.
    An output pays 1 / (1 + n) for a wire that n other steps use.
    """
    held = np.ascontiguousarray(placement.content.T)
    shown = np.ascontiguousarray(held.T[placement.select[:, 0]])
    reads = placement.reads.astype(np.int32)
    order = np.argsort(groups.ids, axis=1, kind="stable")
    steps, outputs = groups.ids.shape
    uses, price = np.zeros((outputs, len(held)), np.int32), 1 / (1 + np.arange(steps + 1))
    known = (_begins(groups), order, held, *_holders(held, len(groups.values)))
    _search(_Search(*known, shown, reads, uses, price, np.zeros((2, outputs))), rounds, seed)
    routes = np.zeros_like(placement.routes)
    routes[reads, np.arange(reads.shape[1])] = True
    select = (placement.content == shown[:, None, :]).argmax(1)
    return replace(placement, select=select, reads=reads, routes=routes)


def _begins(groups: Groups) -> np.ndarray:
    """Where each group's outputs begin among the outputs of a step, ordered by group: [S, U + 1]."""
    steps, total = len(groups.ids), len(groups.values)
    numbers = groups.ids + np.arange(steps)[:, None] * total
    count = np.bincount(numbers.ravel(), minlength=steps * total).reshape(steps, total)
    return np.concatenate([np.zeros((steps, 1), np.int64), count.cumsum(1)], axis=1)


def _holders(held: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Arrays that hold each group, [U, most], and how many do."""
    group, array = np.unique(np.stack([held.ravel(), np.repeat(np.arange(len(held)), held.shape[1])]), axis=1)
    group, array = group[group >= 0], array[group >= 0]
    copies = np.bincount(group, minlength=total)
    holders = np.zeros((total, copies.max()), np.int32)
    holders[group, np.arange(len(group)) - (np.cumsum(copies) - copies)[group]] = array
    return holders, copies


@njit
def _search(m: _Search, rounds: int, seed: int) -> None:
    np.random.seed(seed)
    reads, uses = m.reads, m.uses
    steps, outputs = reads.shape
    for s in range(steps):
        for p in range(outputs):
            uses[p, reads[s, p]] += 1
    for _ in range(rounds):
        for s in np.random.permutation(steps):
            for p in range(outputs):
                uses[p, reads[s, p]] -= 1
            for g in range(len(m.copies)):
                _choose(m, s, g)
            for _ in range(SWEEPS):
                if not _sweep(m, s):
                    break
            for p in range(outputs):
                uses[p, reads[s, p]] += 1


@njit
def _sweep(m: _Search, s: int) -> bool:
    """Lets every array show the group that saves most in a step; tells whether any changed."""
    held, uses, price, paid = m.held, m.uses, m.price, m.paid
    begin, order, shown, reads = m.begins[s], m.order[s], m.shown[s], m.reads[s]
    changed, first = False, np.random.randint(len(held))
    for k in range(len(held)):
        e = (first + k) % len(held)
        old, best, most = shown[e], -1, 1e-6
        if old >= 0:  # what its outputs would pay more
            for i in range(begin[old], begin[old + 1]):
                if reads[order[i]] == e:
                    most += paid[1, order[i]] - paid[0, order[i]]
        if most > NOWHERE / 2:  # no other array shows the group (or very many outputs would pay)
            continue
        for g in held[e]:
            if g < 0 or g == old:
                continue
            saved = 0.0
            for i in range(begin[g], begin[g + 1]):
                saved += max(0.0, paid[0, order[i]] - price[uses[order[i], e]])
            if saved > most:
                best, most = g, saved
        if best >= 0:
            shown[e], changed = best, True
            if old >= 0:
                _choose(m, s, old)
            _choose(m, s, best)
    return changed


@njit
def _choose(m: _Search, s: int, g: int) -> None:
    """For every output of group g in a step the cheapest array that shows it."""
    begin, order, shown, reads = m.begins[s], m.order[s], m.shown[s], m.reads[s]
    uses, price, paid = m.uses, m.price, m.paid
    for i in range(begin[g], begin[g + 1]):
        p = order[i]
        paid[:, p] = NOWHERE
        for e in m.holders[g, : m.copies[g]]:
            if shown[e] != g:
                continue
            cost = price[uses[p, e]]
            if cost < paid[0, p]:
                paid[1, p] = paid[0, p]
                paid[0, p] = cost
                reads[p] = e
            elif cost < paid[1, p]:
                paid[1, p] = cost
