# SPDX-License-Identifier: Apache-2.0
"""What each unit of a design computes: products, weights, widths, and what the target chose for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bitwright.fast.evaluator import Evaluator
from bitwright.network import IntType, Network, Node
from bitwright.network.ops import Product
from bitwright.network.types import Array
from bitwright.targets.contract import Design, LayerEstimate
from bitwright.text import figure

BINS = 32  # of a histogram, at most
GRID_BITS = 8  # of types whose whole grid is shown
FRAMES = 64  # that histograms of activations are made of
FIGURES = ("input", "output", "macs", "weights", "weight_bits", "input_bits", "histogram", "activations")
NOTHING: Mapping[str, Any] = {"nodes": [], "choice": "", **dict.fromkeys(FIGURES)}
TOLD = ("element", "taps")  # choices whose values are words


def layer_facts(design: Design, row: LayerEstimate, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of the nodes that a unit computes; None where none of them has any. seen: `activations`, where known."""
    network = design.network
    nodes = [node for name in row.nodes for node in network.nodes if node.name == name]
    main = next((node for node in nodes if isinstance(node.op, Product)), None)
    found: dict[str, Any] = {**NOTHING, "nodes": list(row.nodes), "choice": choice(row.details)}
    if nodes:
        found["input"] = str(network.types[nodes[0].inputs[0]])
        found["output"] = str(network.types[nodes[-1].name])
        found["activations"] = seen.get(nodes[-1].name)
    if main is not None:
        found |= _product(network, main)
    return found


def _product(network: Network, node: Node) -> dict[str, Any]:
    op = node.op
    assert isinstance(op, Product)
    source = network.types[node.inputs[0]]
    pixels = math.prod(network.types[node.name].shape[:-1])
    return {
        "macs": int(op.weight.size * pixels),
        "weights": int(op.weight.size),
        "weight_bits": op.weight_type.bits,
        "input_bits": source.dtype.bits,
        "histogram": histogram(op.weight, op.weight_type),
    }


def histogram(values: Array, dtype: IntType) -> dict[str, Any]:
    """How many values lie in each of at most BINS equal parts of the grid of their type, from code low to code high.

    A part is a code where there are no more codes than parts. Of types with more than GRID_BITS the grid is the part
    that the values reach.
    """
    whole = dtype.bits <= GRID_BITS or not values.size
    low, high = (dtype.min, dtype.max) if whole else (int(values.min()), int(values.max()))
    step = 2 if dtype.bipolar else 1
    bins = min(BINS, (high - low) // step + 1)
    counts, _ = np.histogram(values, bins=bins, range=(low - step / 2, high + step / 2))
    return {"type": str(dtype), "counts": counts.tolist(), "low": low, "high": high}


def activations(network: Network, x: Array) -> dict[str, Any]:
    """Histograms of what all nodes compute for the first FRAMES of the integer inputs x, by the nodes' names."""
    names = [node.name for node in network.nodes]
    values = Evaluator(network).run(x[:FRAMES], names)
    return {name: histogram(values[name], network.types[name].dtype) for name in names}


def choice(details: Mapping[str, Any]) -> str:
    """What a target's estimate says that it chose: words, a folding of whole numbers, FIFOs before a join."""
    words = [str(details[name]) for name in TOLD if details.get(name) not in (None, "plain")]
    fold = details.get("fold")
    if isinstance(fold, Mapping):
        words += [f"{name} {value}" for name, value in fold.items() if value != 1]
    if depths := [depth for depth in details.get("fifo_words", ()) if depth]:
        words.append(f"FIFO of {' and '.join(map(figure, depths))} words")
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
