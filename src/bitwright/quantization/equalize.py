# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalization: equal weight ranges on both sides of an activation, without changing the function.

For y = W2 f(W1 x) and a positive s per channel, f(z / s) * s = f(z) for ReLU, so W1 / s and W2 * s
compute the same. s = sqrt(r1 / r2), the ranges r of channel c on both sides, makes them equal
(Nagel et al., Data-Free Quantization, 2019, section 4.1). A clip at 6 does not scale: it becomes
x / s -> x -> clip -> x / s, which lowering folds into thresholds per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bitwright.models.graph import MOVES, FloatGraph, FloatNode
from bitwright.network.types import Floats, Ints
from bitwright.quantization.placement import LAYERS
from bitwright.text import unique

MAX_ROUNDS = 30
TOLERANCE = 1e-3
_SCALING = ("Relu", "LeakyRelu")  # f(x / s) = f(x) / s for s > 0
_PASSING = (*MOVES, "AveragePool")


@dataclass(frozen=True)
class Pair:
    """Two layers with only scale-passing nodes between them, and the clips among those."""

    first: str
    second: str
    clips: tuple[str, ...]


def find_pairs(graph: FloatGraph) -> list[Pair]:
    """Pairs of layers that can be equalized: every value between them has one reader."""
    readers = graph.consumers
    pairs = []
    for node in graph.nodes:
        if node.kind not in LAYERS:
            continue
        clips, at = [], node
        while len(readers[at.name]) == 1 and at is not graph.nodes[-1]:
            at = readers[at.name][0]
            if at.kind == "Clip":
                clips.append(at.name)
            elif at.kind in LAYERS:
                pairs.append(Pair(node.name, at.name, tuple(clips)))
                break
            elif at.kind not in (*_SCALING, *_PASSING) or at.attributes.get("value"):
                break
    return pairs


def _output_range(weight: Floats) -> Floats:
    largest: Floats = np.abs(weight).reshape(len(weight), -1).max(1)
    return largest


def input_channels(node: FloatNode, channels: int) -> Ints:
    """For each weight element the input channel that it multiplies, in the weight's shape."""
    weight = node["weight"]
    if node.kind == "Dense":  # a flattened image is in (H, W, C) order
        return np.broadcast_to(np.arange(weight.shape[1]) % channels, weight.shape)
    outputs, _, _, per_group = weight.shape
    group = np.arange(outputs) // (outputs // node["groups"])
    index = group[:, None] * per_group + np.arange(per_group)
    return np.broadcast_to(index[:, None, None, :], weight.shape)


def _input_range(weight: Floats, index: Ints, channels: int) -> Floats:
    found = np.zeros(channels)
    np.maximum.at(found, index.ravel(), np.abs(weight).ravel())
    return found


def equalize(graph: FloatGraph) -> FloatGraph:
    """The same function with the ranges of neighboring layers' weights made equal, channel by channel."""
    nodes = {node.name: node for node in graph.nodes}
    pairs = find_pairs(graph)
    weights = {n: np.array(nodes[n]["weight"], np.float64) for n in {x for p in pairs for x in (p.first, p.second)}}
    total = {p: np.ones(len(weights[p.first])) for p in pairs}
    for _ in range(MAX_ROUNDS):
        change = 0.0
        for pair in pairs:
            index = input_channels(nodes[pair.second], len(weights[pair.first]))
            first = _output_range(weights[pair.first])
            second = _input_range(weights[pair.second], index, len(first))
            alive = (first > 0) & (second > 0)
            s = np.where(alive, np.sqrt(first / np.where(alive, second, 1.0)), 1.0)
            s[~alive] = 1.0
            weights[pair.first] /= s.reshape(-1, *[1] * (weights[pair.first].ndim - 1))
            weights[pair.second] *= s[index]
            total[pair] *= s
            change = max(change, float(np.abs(np.log(s)).max()))
        if change < TOLERANCE:
            break
    return _rebuild(graph, weights, total)


def _rebuild(graph: FloatGraph, weights: Mapping[str, Floats], total: Mapping[Pair, Floats]) -> FloatGraph:
    first = {pair.first: s for pair, s in total.items()}
    clipped = {clip: s for pair, s in total.items() for clip in pair.clips}
    built: list[FloatNode] = []
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(renamed.get(v, v) for v in node.inputs)
        if node.name in clipped:
            s, name = clipped[node.name], node.name
            parts = [unique(f"{name}_{part}", graph.shapes) for part in ("scaled", "clipped", "equalized")]
            zero = np.zeros(1)
            built.append(FloatNode(parts[0], "Affine", inputs, {"scale": s, "shift": zero}))
            built.append(replace(node, name=parts[1], inputs=(parts[0],)))
            built.append(FloatNode(parts[2], "Affine", (parts[1],), {"scale": 1 / s, "shift": zero}))
            renamed[name] = parts[2]
            continue
        attributes = dict(node.attributes)
        if node.name in weights:
            attributes["weight"] = weights[node.name]
        if node.name in first and attributes["bias"] is not None:
            attributes["bias"] = attributes["bias"] / first[node.name]
        built.append(replace(node, inputs=inputs, attributes=attributes))
    return graph.with_nodes(built)
