"""Shared tables: clusters of steps, placements and selects that hold, and what they save."""

import numpy as np
import pytest

from bitwright.targets.tlmac.elements.selects import own_selects
from bitwright.targets.tlmac.elements.sharing import (
    Groups,
    array_count,
    avoiding_clusters,
    cyclic_clusters,
    find_clusters,
    find_groups,
    place_groups,
)


def random_groups(steps=54, outputs=4, size=3, seed=0):
    w = np.random.default_rng(seed).integers(-2, 2, (steps, outputs, size))
    return w, find_groups(w, sign_sharing=True)


def test_groups_and_signs_give_the_weights():
    w, groups = random_groups()
    found = groups.values[groups.ids]
    assert np.array_equal(np.where(groups.flips[..., None], -found, found), w)


@pytest.mark.parametrize("clusters", [2, 4, 8])
def test_clusters_need_no_more_arrays_than_the_cyclic_ones(clusters):
    _, groups = random_groups()
    found = find_clusters(groups, clusters, seed=0)
    assert array_count(groups, found, clusters) < array_count(groups, cyclic_clusters(54, clusters), clusters)


def test_every_avoiding_cluster_lacks_a_group():
    """With many steps every cyclic cluster has all groups."""
    ids = np.random.default_rng(0).integers(0, 12, (400, 10)).astype(np.int32)
    groups = Groups(np.arange(12)[:, None], ids, np.zeros(ids.shape, bool))
    assert array_count(groups, cyclic_clusters(400, 8), 8) == 12
    found = avoiding_clusters(groups, 8)
    assert array_count(groups, found, 8) == 11
    assert np.bincount(found).max() <= 2 * 400 / 8


def test_avoiding_clusters_are_none_where_a_step_uses_all_groups():
    groups = Groups(np.arange(3)[:, None], np.array([[0, 1, 2], [0, 0, 0]], np.int32), np.zeros((2, 3), bool))
    assert avoiding_clusters(groups, 2) is None
    assert array_count(groups, find_clusters(groups, 2, seed=0), 2) == 3


@pytest.mark.parametrize("spare", [0, 5])
def test_a_placement_gives_every_output_its_groups(spare):
    _, groups = random_groups()
    cluster = find_clusters(groups, 4, seed=0)
    placement = place_groups(groups, cluster, 4, seed=0, spare=spare)
    assert placement.arrays == array_count(groups, cluster, 4) + spare
    assert np.array_equal(placement.content[placement.select, placement.reads], groups.ids)
    assert placement.routes[placement.reads, np.arange(groups.ids.shape[1])].all()


def test_copies_in_spare_arrays_save_wires():
    _, groups = random_groups(steps=64, outputs=48)
    cluster = find_clusters(groups, 4, seed=0)
    plain, spared = (place_groups(groups, cluster, 4, seed=0, rounds=6, spare=n).route_count for n in (0, 8))
    assert spared < 0.98 * plain


@pytest.mark.parametrize("spare", [0, 5])
def test_own_selects_show_every_output_its_groups(spare):
    _, groups = random_groups(steps=64, outputs=12)
    plain = place_groups(groups, find_clusters(groups, 4, seed=0), 4, seed=0, rounds=2, spare=spare)
    own, again = (own_selects(groups, plain, seed=0) for _ in range(2))
    assert own.select.shape == (64, plain.arrays)
    select = own.select[np.arange(64)[:, None], own.reads]
    assert np.array_equal(own.content[select, own.reads], groups.ids)
    read = {(int(e), p) for row in own.reads for p, e in enumerate(row)}
    assert read == {(int(e), int(p)) for e, p in np.argwhere(own.routes)}
    assert np.array_equal(own.reads, again.reads)


def test_own_selects_save_wires():
    """Where outputs read nearly every array with one select, about half of the wires."""
    _, groups = random_groups(steps=512, outputs=24)
    plain = place_groups(groups, find_clusters(groups, 8, seed=0), 8, seed=0, rounds=2)
    assert plain.route_count > 0.75 * plain.arrays * 24
    assert own_selects(groups, plain, seed=0).route_count < 0.6 * plain.route_count
