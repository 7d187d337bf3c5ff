# SPDX-License-Identifier: Apache-2.0
"""Intervals of every value of a network, per channel: what the exactness proofs rest on."""

from __future__ import annotations

import numpy as np

from bitwright.network.graph import Network
from bitwright.network.types import Interval


def intervals(network: Network) -> dict[str, Interval]:
    """The interval of every value, inputs included, found by interval arithmetic."""
    found = {}
    for name, t in ((spec.name, spec.type) for spec in network.inputs):
        found[name] = Interval.of(np.full(t.channels, t.dtype.min), np.full(t.channels, t.dtype.max))
    for node in network.nodes:
        shape = network.types[node.inputs[0]].shape
        found[node.name] = node.op.interval(shape, *(found[name] for name in node.inputs))
    return found
