# SPDX-License-Identifier: Apache-2.0
"""What each unit of a design computes: products, weights, widths, and what the target chose for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bitwright.network import Network, Node
from bitwright.network.ops import Product
from bitwright.targets.contract import Design, LayerEstimate

BINS = 24  # of a histogram of weights
FIGURES = ("input", "output", "macs", "weights", "weight_bits", "input_bits", "histogram")
NOTHING: Mapping[str, Any] = {"nodes": [], "choice": "", **dict.fromkeys(FIGURES)}
TOLD = ("element", "taps")  # choices whose values are words


def layer_facts(design: Design, row: LayerEstimate) -> dict[str, Any]:
    """Figures of the nodes that a unit computes; None where none of them has any."""
    network = design.network
    nodes = [node for name in row.nodes for node in network.nodes if node.name == name]
    main = next((node for node in nodes if isinstance(node.op, Product)), None)
    found: dict[str, Any] = {**NOTHING, "nodes": list(row.nodes), "choice": choice(row.details)}
    if nodes:
        found["input"] = str(network.types[nodes[0].inputs[0]])
        found["output"] = str(network.types[nodes[-1].name])
    if main is not None:
        found |= _product(network, main)
    return found


def _product(network: Network, node: Node) -> dict[str, Any]:
    op = node.op
    assert isinstance(op, Product)
    source = network.types[node.inputs[0]]
    pixels = math.prod(network.types[node.name].shape[:-1])
    counts, edges = np.histogram(op.weight, bins=min(BINS, max(1, op.weight_type.levels)))
    return {
        "macs": int(op.weight.size * pixels),
        "weights": int(op.weight.size),
        "weight_bits": op.weight_type.bits,
        "input_bits": source.dtype.bits,
        "histogram": {"counts": counts.tolist(), "low": float(edges[0]), "high": float(edges[-1])},
    }


def choice(details: Mapping[str, Any]) -> str:
    """What a target's estimate says that it chose: words, and a folding of whole numbers."""
    words = [str(details[name]) for name in TOLD if details.get(name) not in (None, "plain")]
    fold = details.get("fold")
    if isinstance(fold, Mapping):
        words += [f"{name} {value}" for name, value in fold.items() if value != 1]
    return ", ".join(words)


def edges(design: Design) -> list[tuple[int, int]]:
    """(from, to) among the estimate's layers, by the values that they read; -1 stands for the network's inputs."""
    network, owner = design.network, {}
    for i, row in enumerate(design.estimate.layers):
        owner.update(dict.fromkeys(row.nodes, i))
    found: dict[tuple[int, int], None] = {}
    for node in network.nodes:
        here = owner.get(node.name)
        for name in node.inputs:
            before = -1 if name in network.input_names else _owner(network, name, owner)
            if here is not None and before is not None and before != here:
                found[before, here] = None
    return list(found)


def _owner(network: Network, name: str, owner: Mapping[str, int]) -> int | None:
    """The layer that a value comes from, through nodes that no layer owns; -1 for an input."""
    while name not in owner:
        if name in network.input_names:
            return -1
        name = network.node(name).inputs[0]
    return owner[name]
