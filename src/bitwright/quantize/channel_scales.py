"""A scale of its own for every channel of the activations, folded into the weights: the function stays as it is.

For y = W2 f(W1 x) and s > 0 per channel, f(z / s) * s = f(z) for ReLU, so W1 / s and W2 * s compute the same, and
the value between them, divided by s, fills one grid with all its channels. s = sqrt(r / m), where r is the range of a
channel with the least squared error on the calibration data and m their geometric mean: half of the way, as s = r / m
would leave a channel no room beyond the values seen, and take the range from the weights. Values that an addition
joins share their scales, so that residual networks take part as a whole: a group ends at layers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bitwright.quantize.equalize import input_channels
from bitwright.quantize.floatrun import FloatRunner
from bitwright.quantize.placement import LAYERS
from bitwright.readers.floatgraph import INPUT, FloatGraph

SHARES = np.linspace(0.3, 1.0, 29)  # of a channel's largest magnitude, tried as its range
LEAST = 1 / 16  # of the largest scale of a group: channels that hardly ever speak keep to it
SAMPLES = 128
_PASSING = ("Relu", "LeakyRelu", "Add", "MaxPool", "AveragePool", "Resize", "Flatten", "Pad")  # f(x / s) = f(x) / s


def channel_scales(graph: FloatGraph, x: np.ndarray, bits: int, jobs: int = 0) -> dict[str, np.ndarray]:
    """{value: s, [C]} of all values whose channels may have scales of their own; x as the model takes it."""
    groups = {tuple(group): _channels(graph, group) for group in find_groups(graph)}
    read = {node.inputs[0] for node in graph.nodes if node.kind in (*LAYERS, "AveragePool")}
    channels = {name: c for group, c in groups.items() for name in group if name in read and c}
    if not channels:
        return {}
    seen: dict[str, list[np.ndarray]] = {name: [] for name in channels}
    for _, values in FloatRunner(graph, list(channels), jobs).batches(x[:SAMPLES]):
        for name, c in channels.items():
            seen[name].append(values[name].reshape(-1, c))
    reach = {name: ranges(np.concatenate(parts), bits) for name, parts in seen.items()}
    found = {}
    for group in groups:
        parts = [reach[name] / reach[name].max() for name in group if name in reach]
        if parts:
            largest = np.maximum(np.max(parts, axis=0), LEAST)
            s = np.sqrt(largest / np.exp(np.log(largest).mean()))
            found |= {name: np.tile(s, graph.shapes[name][-1] // len(s)) for name in group}
    return found


def ranges(values: np.ndarray, bits: int) -> np.ndarray:
    """For each channel of values [N, C] the range of a grid of `bits` bits with the least squared error, [C]."""
    levels = (1 << bits - int(values.min() < 0)) - 1
    peak = np.maximum(np.abs(values).max(0), 1e-30)
    best, least = peak, np.full(values.shape[1], np.inf)
    for share in SHARES:
        scale = share * peak / levels
        codes = np.clip(np.rint(values / scale), -levels - 1 if values.min() < 0 else 0, levels)
        error = np.square(codes * scale - values).sum(0)
        best, least = np.where(error < least, share * peak, best), np.minimum(error, least)
    return best


def find_groups(graph: FloatGraph) -> list[list[str]]:
    """Values that must share the scales of their channels, where layers alone make them and take them."""
    group_of = {name: [name] for name in (INPUT, *(node.name for node in graph.nodes))}
    for node in graph.nodes:
        if node.kind in _PASSING and not node.attributes.get("value"):
            for name in node.inputs:
                _join(group_of, node.name, name)
    fixed = {INPUT, graph.output_name}
    for node in graph.nodes:
        if node.kind not in (*LAYERS, *_PASSING) or node.attributes.get("value"):
            fixed |= {node.name, *node.inputs}
    groups = {id(group): group for group in group_of.values()}
    return [group for group in groups.values() if not fixed & set(group)]


def _join(group_of: dict[str, list[str]], a: str, b: str) -> None:
    if group_of[a] is not group_of[b]:
        whole = group_of[b] + group_of[a]
        group_of.update(dict.fromkeys(whole, whole))


def _channels(graph: FloatGraph, group: Sequence[str]) -> int:
    """Channels of a group, of which a flattened image has its pixels' times as many; 0 where its images differ."""
    images = {graph.shapes[name][-1] for name in group if len(graph.shapes[name]) == 3}
    vectors = {graph.shapes[name][-1] for name in group if len(graph.shapes[name]) == 1}
    return next(iter(images or vectors)) if len(images or vectors) == 1 else 0


def scaled(graph: FloatGraph, scales: Mapping[str, np.ndarray]) -> FloatGraph:
    """The same function, with each value of `scales` divided by its scales, channel by channel."""
    if not scales:
        return graph
    built = []
    for node in graph.nodes:
        attributes = dict(node.attributes)
        if node.kind in LAYERS:
            weight = np.array(node["weight"], np.float64)
            if node.inputs[0] in scales:
                s = scales[node.inputs[0]]
                weight *= s[input_channels(node, len(s))]
            if node.name in scales:
                s = scales[node.name]
                weight /= s.reshape(-1, *[1] * (weight.ndim - 1))
                attributes["bias"] = None if node["bias"] is None else node["bias"] / s
            attributes["weight"] = weight
        built.append(replace(node, attributes=attributes))
    return graph.with_nodes(built)
