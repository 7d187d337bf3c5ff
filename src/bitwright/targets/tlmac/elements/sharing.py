# SPDX-License-Identifier: Apache-2.0
"""Shared tables: unique weight groups, clusters of steps, and the placement of groups on table arrays.

Every step uses one select value (its cluster); an array holds one group a cluster. So the number of arrays
is the largest cluster's number of distinct groups, and what an output must be wired to (its routes) follows
from where its groups lie. Placement after TLMAC (Gerlinghoff et al., FPGA 2024, section 4), with the
assignment problem in place of annealing. `selects` goes on from there with a select for every array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.jit import njit

ROUNDS = 16
NOISE = 0.3  # of one shared output, at the start; falls to nothing
REPEATED = 0.01  # reward for a wire that several clusters use already


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a layer: `values` [U, G]; step s and output p use group ids[s, p], negated where flips[s, p]."""

    values: np.ndarray
    ids: np.ndarray
    flips: np.ndarray


@dataclass(frozen=True, eq=False)
class Placement:
    """Where groups lie: `content` [select values, arrays] is the group of each array at each select, -1 for none.

    select [S, 1 or arrays] is the select value of each step, one for all arrays or each its own; reads [S, P] the array
    that an output reads in a step; `routes` [arrays, P] tells which outputs read which array.
    """

    select: np.ndarray
    content: np.ndarray
    reads: np.ndarray
    routes: np.ndarray

    @property
    def arrays(self) -> int:
        return len(self.routes)

    @property
    def route_count(self) -> int:
        return int(self.routes.sum())


def find_groups(w: np.ndarray, sign_sharing: bool) -> Groups:
    """Distinct groups of w [S, P, G]; with sign sharing a group and its negation are one."""
    steps, outputs, size = w.shape
    flat = w.reshape(-1, size)
    flips = np.zeros(len(flat), bool)
    if sign_sharing:
        first = np.take_along_axis(flat, (flat != 0).argmax(1)[:, None], axis=1)[:, 0]
        flips = first < 0
        flat = np.where(flips[:, None], -flat, flat)
    low = int(flat.min())
    base = int(flat.max()) - low + 1
    keys = (flat - low) @ (base ** np.arange(size, dtype=np.int64))
    found, ids = np.unique(keys, return_inverse=True)
    values = (found[:, None] // base ** np.arange(size)) % base + low
    return Groups(values, ids.reshape(steps, outputs).astype(np.int32), flips.reshape(steps, outputs))


def cyclic_clusters(steps: int, clusters: int) -> np.ndarray:
    """Step modulo the number of clusters: needs no memory."""
    return np.arange(steps) % clusters


def find_clusters(groups: Groups, clusters: int, seed: int) -> np.ndarray:
    """The cluster of each step such that few arrays are needed; the cyclic clusters where nothing is better."""
    found = [cyclic_clusters(len(groups.ids), clusters)]
    found += [c for c in (avoiding_clusters(groups, clusters),) if c is not None]
    found.append(local_clusters(groups, clusters, seed))
    return min(found, key=lambda cluster: array_count(groups, cluster, clusters))


def array_count(groups: Groups, cluster: np.ndarray, clusters: int) -> int:
    """Arrays that clusters need: the most groups that one of them uses."""
    used = np.zeros((clusters, len(groups.values)), bool)
    used[cluster[:, None], groups.ids] = True
    return int(used.sum(1).max())


def avoiding_clusters(groups: Groups, clusters: int) -> np.ndarray | None:
    """Clusters of about equal size, each of which does without one group; None where that cannot be.

    Where every cluster of many steps uses all groups, this saves an array. The groups to avoid are chosen one
    by one, each such that most steps without a cluster so far lack it.
    """
    steps = np.arange(len(groups.ids))
    lacks = np.ones((len(steps), len(groups.values)), bool)
    lacks[steps[:, None], groups.ids] = False
    rest = np.ones(len(steps), bool)
    avoided: list[int] = []
    for _ in range(clusters):
        votes = lacks[rest].sum(0) if rest.any() else lacks.sum(0)
        votes[avoided] = -1
        avoided.append(int(votes.argmax()))
        rest &= ~lacks[:, avoided[-1]]
    if rest.any():
        return None
    allowed, load = lacks[:, avoided], np.zeros(clusters)
    cluster = np.zeros(len(steps), np.int64)
    for s in np.argsort(allowed.sum(1), kind="stable"):  # those with the least choice first
        cluster[s] = np.where(allowed[s], load, np.inf).argmin()
        load[cluster[s]] += 1
    return cluster


def local_clusters(groups: Groups, clusters: int, seed: int, sweeps: int = 24) -> np.ndarray:
    """Local search from the cyclic clusters on sum(|U_c| ** 16), by moves and swaps of steps."""
    start = cyclic_clusters(len(groups.ids), clusters).astype(np.int64)
    unique = [np.unique(row) for row in groups.ids]
    offsets = np.cumsum([0, *map(len, unique)])
    return _search(np.concatenate(unique), offsets, start, clusters, len(groups.values), seed, sweeps)


@njit
def _search(
    members: np.ndarray, offsets: np.ndarray, cluster: np.ndarray, clusters: int, total: int, seed: int, sweeps: int
) -> np.ndarray:
    np.random.seed(seed)
    steps = len(offsets) - 1
    count = np.zeros((clusters, total), np.int32)  # steps of a cluster that use a group
    size = np.zeros(clusters, np.int64)
    for s in range(steps):
        size[cluster[s]] += _insert(members, offsets, count, s, cluster[s])
    best: np.ndarray = cluster.copy()
    best_size = size.max()
    for sweep in range(sweeps):
        reference = float(size.max())
        heat = 0.02 * (1 - sweep / sweeps)
        for s in np.random.permutation(steps):
            old = cluster[s]
            size[old] -= _remove(members, offsets, count, s, old)
            choice, lowest = old, np.inf
            for c in range(clusters):
                new = 0
                for k in range(offsets[s], offsets[s + 1]):
                    new += count[c, members[k]] == 0
                before, after = (size[c] / reference) ** 16, ((size[c] + new) / reference) ** 16
                score = (after - before) * (1 + heat * np.random.random())
                if score < lowest:
                    choice, lowest = c, score
            cluster[s] = choice
            size[choice] += _insert(members, offsets, count, s, choice)
        if size.max() < best_size:
            best, best_size = cluster.copy(), size.max()
    return best


@njit
def _insert(members: np.ndarray, offsets: np.ndarray, count: np.ndarray, s: int, c: int) -> int:
    new = 0
    for k in range(offsets[s], offsets[s + 1]):
        g = members[k]
        new += count[c, g] == 0
        count[c, g] += 1
    return new


@njit
def _remove(members: np.ndarray, offsets: np.ndarray, count: np.ndarray, s: int, c: int) -> int:
    gone = 0
    for k in range(offsets[s], offsets[s + 1]):
        g = members[k]
        count[c, g] -= 1
        gone += count[c, g] == 0
    return gone


def place_groups(
    groups: Groups, cluster: np.ndarray, clusters: int, seed: int, rounds: int = ROUNDS, spare: int = 0
) -> Placement:
    """Arrays for the groups of every cluster such that outputs need few wires.

    Round by round, each cluster in turn is taken off and put back by a maximum-weight assignment: the weight of
    group g on array e is the number of outputs of g that other clusters have wired to e already. Arrays that are
    free in a cluster, `spare` ones more than needed among them, hold second copies of groups for some outputs.
    """
    users = [_users(groups, cluster == c) for c in range(clusters)]
    arrays = max(len(ids) for ids, _ in users) + spare
    parts, where = _assign([outputs for _, outputs in users], arrays, seed, rounds)
    content = np.full((clusters, arrays), -1, np.int32)
    place = np.full((clusters, len(groups.values), groups.ids.shape[1]), -1, np.int32)
    for c, (ids, _) in enumerate(users):
        content[c, where[c]] = ids[parts[c].owner]
        part, output = np.nonzero(parts[c].outputs)
        place[c, ids[parts[c].owner[part]], output] = where[c][part]
    columns = np.arange(groups.ids.shape[1])
    reads = place[cluster[:, None], groups.ids, columns]
    routes = np.zeros((arrays, len(columns)), bool)
    routes[reads, columns] = True
    return Placement(np.asarray(cluster)[:, None], content, reads, routes)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Groups of one cluster, some of them in two parts: outputs [N, P] of each part, and its group's number."""

    outputs: np.ndarray
    owner: np.ndarray


def _assign(users: list[np.ndarray], arrays: int, seed: int, rounds: int) -> tuple[list[_Parts], list[np.ndarray]]:
    """For every cluster the parts of its groups, and the array of each part."""
    from scipy.optimize import linear_sum_assignment

    rng, clusters = np.random.default_rng(seed), len(users)
    wires = np.zeros((arrays, users[0].shape[1]), np.float32)  # clusters that use each wire
    parts, where = [_Parts(outputs, np.arange(len(outputs))) for outputs in users], [np.zeros(0, np.int64)] * clusters
    best, best_count = (parts, where), np.inf
    for turn in range(rounds):
        noise = NOISE * (1 - turn / max(1, rounds - 1)) if turn else 0.0
        for c in rng.permutation(clusters) if turn else range(clusters):
            if turn:
                alone = parts[c].outputs * (wires[where[c]] == 1)
                wires[where[c]] -= parts[c].outputs
                parts[c] = _split(users[c], parts[c], alone, arrays)
            weight = parts[c].outputs @ ((wires > 0) + REPEATED * wires).T
            weight += rng.random(weight.shape, dtype=np.float32) * max(noise, 1e-3)
            where[c] = linear_sum_assignment(weight, maximize=True)[1]
            wires[where[c]] += parts[c].outputs
        count = int((wires > 0).sum())
        if count < best_count:
            best, best_count = (list(parts), list(where)), count
    return best


def _split(users: np.ndarray, parts: _Parts, alone: np.ndarray, arrays: int) -> _Parts:
    """As many groups as arrays are free in two parts: outputs whose wire serves this cluster alone, and the others.

    alone: these outputs, of each part so far.
    """
    lonely = np.zeros_like(users)
    np.add.at(lonely, parts.owner, alone)
    count, every = lonely.sum(1), users.sum(1)
    full = (count == every) & (count > 1)  # where all are lonely, one is set apart
    first = lonely.argmax(1)
    lonely[full] = 0
    lonely[full, first[full]] = 1
    score = np.where(every > 1, lonely.sum(1), 0)
    chosen = np.argsort(-score, kind="stable")[: arrays - len(users)]
    chosen = chosen[score[chosen] > 0]
    rest = users.copy()
    rest[chosen] -= lonely[chosen]
    return _Parts(np.concatenate([rest, lonely[chosen]]), np.concatenate([np.arange(len(users)), chosen]))


def _users(groups: Groups, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Groups that the chosen steps use, and the outputs [groups, P] that use them, float32."""
    rows = groups.ids[chosen]
    ids = np.unique(rows)
    outputs = np.zeros((len(ids), rows.shape[1]), np.float32)
    outputs[np.searchsorted(ids, rows), np.arange(rows.shape[1])[None, :]] = 1
    return ids, outputs
