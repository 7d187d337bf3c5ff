"""A select of its own for every array: outputs find their groups on fewer arrays than with one select for all.

A step needs far fewer distinct groups than there are arrays, and every group lies on several arrays. So a step is
free to choose which array shows which group, such that outputs read arrays that they are wired to anyway.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.jit import njit
from bitwright.targets.tlmac.elements.sharing import Groups, Placement

ROUNDS = 10
SWEEPS = 2
NOWHERE = 50.0  # price of a second array where only one shows the group; far above that of a wire, at most 1


def own_selects(groups: Groups, placement: Placement, seed: int, rounds: int = ROUNDS) -> Placement:
    """The placement with a select for every array, and with the wires that are then still read.

    Round by round, each step is taken off and chosen anew, array by array: the group shown whose outputs save most.
    An output pays 1 / (1 + n) for a wire that n other steps use.
    """
    held = np.ascontiguousarray(placement.content.T)
    shown = np.ascontiguousarray(held.T[placement.select[:, 0]])
    reads = placement.reads.astype(np.int32)
    order = np.argsort(groups.ids, axis=1, kind="stable")
    _search(groups.ids, _begins(groups), order, held, *_holders(held, len(groups.values)), shown, reads, rounds, seed)
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
def _search(ids, begins, order, held, holders, copies, shown, reads, rounds, seed):
    """Changes shown [S, arrays] and reads [S, P]."""
    np.random.seed(seed)
    steps, outputs = ids.shape
    uses = np.zeros((outputs, len(held)), np.int32)  # steps that use a wire
    for s in range(steps):
        for p in range(outputs):
            uses[p, reads[s, p]] += 1
    price = 1 / (1 + np.arange(steps + 1))
    paid = np.zeros((2, outputs))  # by each output: the price of its wire, and of the next best
    for _ in range(rounds):
        for s in np.random.permutation(steps):
            for p in range(outputs):
                uses[p, reads[s, p]] -= 1
            for g in range(len(copies)):
                _choose(g, begins[s], order[s], holders, copies, shown[s], uses, price, reads[s], paid)
            for _ in range(SWEEPS):
                if not _sweep(begins[s], order[s], held, holders, copies, shown[s], uses, price, reads[s], paid):
                    break
            for p in range(outputs):
                uses[p, reads[s, p]] += 1


@njit
def _sweep(begin, order, held, holders, copies, shown, uses, price, reads, paid):
    """Lets every array show the group that saves most; tells whether any changed."""
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
                _choose(old, begin, order, holders, copies, shown, uses, price, reads, paid)
            _choose(best, begin, order, holders, copies, shown, uses, price, reads, paid)
    return changed


@njit
def _choose(g, begin, order, holders, copies, shown, uses, price, reads, paid):
    """For every output of group g the cheapest array that shows it."""
    for i in range(begin[g], begin[g + 1]):
        p = order[i]
        paid[:, p] = NOWHERE
        for e in holders[g, : copies[g]]:
            if shown[e] != g:
                continue
            cost = price[uses[p, e]]
            if cost < paid[0, p]:
                paid[1, p] = paid[0, p]
                paid[0, p] = cost
                reads[p] = e
            elif cost < paid[1, p]:
                paid[1, p] = cost
