"""Shared tables: clusters of steps and placements that hold, and what they save."""

import numpy as np
import pytest

from bitwright.targets.tlmac.sharing import (
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


def test_a_placement_wires_every_output_to_its_groups():
    _, groups = random_groups()
    placement = place_groups(groups, find_clusters(groups, 4, seed=0), 4, seed=0)
    for cluster in placement.place:
        used = cluster[cluster >= 0]
        assert len(set(used)) == len(used)
    arrays = np.take_along_axis(placement.place[placement.cluster], groups.ids.astype(np.int64), axis=1)
    assert arrays.min() >= 0
    assert placement.routes[arrays, np.arange(groups.ids.shape[1])].all()
