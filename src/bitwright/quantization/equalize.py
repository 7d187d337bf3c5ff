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

from bitwright.models.graph import FloatGraph, FloatNode, is_a
from bitwright.models.graph.ops import Affine, Clip, Join, Layer
from bitwright.network.types import Floats, Ints
from bitwright.text import unique

MAX_ROUNDS = 30
TOLERANCE = 1e-3


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
    for node in graph.layers:
        clips: list[str] = []
        at: FloatNode = node
        while len(readers[at.name]) == 1:
            at = readers[at.name][0]
            if isinstance(at.op, Clip):
                clips.append(at.name)
            elif isinstance(at.op, Layer):
                pairs.append(Pair(node.name, at.name, tuple(clips)))
                break
            elif isinstance(at.op, Join) or not at.op.is_homogeneous:
                break
    return pairs


def _output_range(weight: Floats) -> Floats:
    largest: Floats = np.abs(weight).reshape(len(weight), -1).max(1)
    return largest


def _input_range(weight: Floats, index: Ints, channels: int) -> Floats:
    found = np.zeros(channels)
    np.maximum.at(found, index.ravel(), np.abs(weight).ravel())
    return found


def equalize(graph: FloatGraph) -> FloatGraph:
    """The same function with the ranges of neighboring layers' weights made equal, channel by channel."""
    layers = {node.name: node.op for node in graph.layers}
    pairs = find_pairs(graph)
    weights = {n: np.array(layers[n].weight) for n in {x for p in pairs for x in (p.first, p.second)}}
    total = {p: np.ones(len(weights[p.first])) for p in pairs}
    for _ in range(MAX_ROUNDS):
        change = 0.0
        for pair in pairs:
            index = layers[pair.second].input_channels(len(weights[pair.first]))
            first = _output_range(weights[pair.first])
            second = _input_range(weights[pair.second], index, len(first))
            alive = (first > 0) & (second > 0)
            s = np.where(alive, np.sqrt(first / np.where(alive, second, 1.0)), 1.0)
            s[~alive] = 1.0
            weights[pair.first] /= layers[pair.first].rows(s)
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
            built.append(FloatNode(parts[0], Affine(s, zero), inputs))
            built.append(replace(node, name=parts[1], inputs=(parts[0],)))
            built.append(FloatNode(parts[2], Affine(1 / s, zero), (parts[1],)))
            renamed[name] = parts[2]
            continue
        if is_a(node, Layer) and node.name in weights:
            bias = node.op.bias
            bias = bias / first[node.name] if node.name in first and bias is not None else bias
            node = node.having(weight=weights[node.name], bias=bias)
        built.append(replace(node, inputs=inputs))
    return graph.with_nodes(built, renamed)
