# SPDX-License-Identifier: Apache-2.0
"""A scale of its own for every channel of the activations, folded into the weights: the function stays as it is.

For y = W2 f(W1 x) and s > 0 per channel, f(z / s) * s = f(z) for ReLU, so W1 / s and W2 * s compute the same, and
the value between them, divided by s, fills one grid with all its channels. The grid's step for channel c is then
t_c = step * s_c, and the layers that read the value have the output error

    sum_c N_c(t_c) sum_ok w_ock**2  +  sum_o max_ck (w_ock t_c)**2 / (12 L**2) sum_ck v_c / t_c**2

from rounding and clipping the value (N, see `channel_noise`) and from rounding their weights, whose largest code is L,
v_c being the variance of a channel (a mean error is the bias's part). Small steps take precision from the weights of
the other channels. The steps minimize the sum over all layers that read a value, each relative to its output's power,
by coordinate descent. Values that an addition joins share their scales up to a factor, so that residual networks take
part as a whole: a group ends at layers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.models.graph import FloatGraph, FloatNode, LayerNode, TypedNode, is_a
from bitwright.models.graph.ops import Add, AveragePool, Concat, Layer, Move, Op, Relu
from bitwright.network.types import Array, Floats
from bitwright.quantization.placement import Widths, own_widths
from bitwright.quantization.ranges.channel_noise import OCTAVES_BELOW, STEPS_PER_OCTAVE, Channels, observe

LEAST = 1 / 16  # of the largest scale of a group: rarely active channels keep to it
STEPS = np.arange(-24, 25) / STEPS_PER_OCTAVE  # tried around a scale, in octaves
MAX_SWEEPS, TOLERANCE = 8, 1e-3
INAUDIBLE = 1e-9  # relative output error of a value whose readers do nothing with it, whatever its step


def channel_scales(
    graph: FloatGraph, x: Array, widths: Widths, jobs: int = 0
) -> tuple[dict[str, Floats], dict[str, tuple[int, float]]]:
    """{value: s, [C]} of all values whose channels may have scales of their own; x as the model takes it.

    Second {value: (bits, step)} of the grids that go with them, of those values that layers and pools read.
    """
    groups = [(group, _channels(graph, group)) for group in find_groups(graph)]
    own = own_widths(graph, widths)
    readers = {name: _readers(graph, name) for name in graph.shapes}
    channels = {name: c for group, c in groups if c for name in group if name in own and readers[name]}
    if not channels:
        return {}, {}
    judged = {end: graph.shapes[end][-1] for name in channels for end in (_end(graph, n) for n in readers[name])}
    seen = observe(graph, judged | channels, x, jobs)
    found: dict[str, Floats] = {}
    grids: dict[str, tuple[int, float]] = {}
    for group, c in groups:
        heard = [n for n in group if n in channels and seen[n].power.any()]  # zeros are as good on any grid
        parts = {n: _part(graph, seen, n, c, own[n], widths) for n in heard}
        parts = {n: part for n, part in parts.items() if part.error.max() > INAUDIBLE}
        if parts:
            s, steps = best_scales(list(parts.values()))
            found |= {name: np.tile(s, graph.shapes[name][-1] // c) for name in group}
            grids |= {name: (own[name], step) for name, step in zip(parts, steps.tolist(), strict=True)}
    return found, grids


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer that reads a value: its largest weights [O, C], and for each row and channel the weights' number times
    the channel's variance over 12 L**2 and the power of the layer's output, where that passes a ReLU, [O, C]."""

    largest: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class Part:
    """A value of a group: steps that fit its channels' peaks [C], relative output error [C, J] for each step of its
    table (see `Channels.noise`), and the layers that read it."""

    start: Floats
    error: Floats
    readers: Sequence[Reader]

    def noise(self, octaves: Floats, c: int | None = None) -> Floats:
        """Output error of the activation, for steps 2**octaves of `start` [C] or, for channel c, of any number."""
        at = (octaves + OCTAVES_BELOW) * STEPS_PER_OCTAVE
        index = np.arange(self.error.shape[1])
        if c is not None:
            return np.asarray(np.interp(at, index, self.error[c]))
        return np.array([np.interp(a, index, e) for a, e in zip(at, self.error, strict=True)])

    def total(self, steps: Floats) -> float:
        """Output error for the steps of all channels, [C]."""
        weights = sum(((r.largest * steps).max(1) ** 2 * (r.spread / steps**2).sum(1)).sum() for r in self.readers)
        return float(self.noise(np.log2(steps / self.start)).sum() + weights)

    def of_channel(self, steps: Floats, c: int, factors: Floats) -> Floats:
        """Output error, up to a constant, with the step of channel c times each of `factors`."""
        tried = steps[c] * factors
        error = self.noise(np.log2(tried / self.start[c]), c)
        for r in self.readers:
            reach, part = r.largest * steps, r.spread / steps**2
            rest = part.sum(1) - part[:, c]
            reach[:, c] = 0
            largest = np.maximum(reach.max(1)[:, None], r.largest[:, c : c + 1] * tried)
            error = error + (largest**2 * (rest[:, None] + r.spread[:, c : c + 1] / tried**2)).sum(0)
        return error


def _readers(graph: FloatGraph, name: str) -> list[LayerNode | TypedNode[AveragePool]]:
    """Layers and pools that read a value, also where it is moved before."""
    found: list[LayerNode | TypedNode[AveragePool]] = []
    for node in graph.consumers[name]:
        if isinstance(node.op, Move):
            found += _readers(graph, node.name)
        elif is_a(node, Layer) or is_a(node, AveragePool):
            found.append(node)
    return found


def _end(graph: FloatGraph, node: FloatNode) -> str:
    """The value by which the output of a layer is judged: behind the additions and the ReLU that alone read it."""
    while len(graph.consumers[node.name]) == 1 and isinstance(graph.consumers[node.name][0].op, (Add, Relu)):
        node = graph.consumers[node.name][0]
        if isinstance(node.op, Relu):
            break
    return node.name


def _part(graph: FloatGraph, seen: Mapping[str, Channels], name: str, c: int, bits: int, widths: Widths) -> Part:
    """The part of a value of `bits` bits and c channels."""
    value = seen[name]
    levels = max((1 << bits - int(value.signed)) - 1, 1)
    importance, layers = np.zeros(c), []
    error: Floats | float = 0.0
    for node in _readers(graph, name):
        layer = node.op
        if isinstance(layer, AveragePool):
            error = error + value.noise(levels, int(np.prod(layer.kernel))) / float(value.power.sum())
            continue
        end = seen[_end(graph, node)]
        power = float(end.power.sum())
        if not power:
            continue  # no error passes to an output that is always zero
        weight, index = layer.weight, layer.input_channels(c)
        rows = np.broadcast_to(layer.rows(np.arange(len(weight))), weight.shape)
        passed = end.counts[:, -1] / power  # a ReLU lets no error pass where its output is zero
        importance += np.bincount(index.ravel(), (np.square(weight) * passed[rows]).ravel(), c)
        largest, count = np.zeros((2, len(weight), c))
        np.maximum.at(largest, (rows, index), np.abs(weight))
        np.add.at(count, (rows, index), 1.0)
        codes = max((1 << widths.layers[node.name][0] - 1) - 1, 1)
        layers.append(Reader(largest, count * passed[:, None] * value.variance / (12 * codes**2)))
    return Part(value.peak / levels, error + importance[:, None] * value.noise(levels), layers)


def best_scales(parts: Sequence[Part]) -> tuple[Floats, Floats]:
    """Scales [C] of a group, of geometric mean 1, and steps of its values with the least error of all readers."""
    s = np.max([p.start / p.start.max() for p in parts], axis=0)
    s = np.maximum(s, LEAST * s.max())
    steps = np.array([float(p.start.max()) for p in parts])  # of the grids, where s is 1
    error = np.inf
    for _ in range(MAX_SWEEPS):
        for k, part in enumerate(parts):
            steps[k] *= 2.0 ** STEPS[np.argmin([part.total(s * steps[k] * 2.0**o) for o in STEPS])]
        for c in range(len(s)):
            tried = sum(p.of_channel(s * t, c, 2.0**STEPS) for p, t in zip(parts, steps, strict=True))
            s[c] *= 2.0 ** STEPS[np.argmin(tried)]
        before, error = error, sum(p.total(s * t) for p, t in zip(parts, steps, strict=True))
        if error > before * (1 - TOLERANCE):
            break
    s = np.maximum(s, LEAST * s.max())
    mean = float(np.exp(np.log(s).mean()))
    return s / mean, steps * mean


def find_groups(graph: FloatGraph) -> list[list[str]]:
    """Values that must share the scales of their channels, where layers alone make them and take them."""
    group_of = {name: [name] for name in (*graph.input_names, *(node.name for node in graph.nodes))}
    for node in graph.nodes:
        if _passes(node.op):
            for name in node.inputs:
                _join(group_of, node.name, name)
    fixed = {*graph.input_names, *graph.output_values}
    for node in graph.nodes:
        if not isinstance(node.op, Layer) and not _passes(node.op):
            fixed |= {node.name, *node.inputs}
    groups = {id(group): group for group in group_of.values()}
    return [group for group in groups.values() if not fixed & set(group)]


def _passes(op: Op) -> bool:
    """Whether f(x / s) = f(x) / s, channel by channel."""
    return op.is_homogeneous and not isinstance(op, Concat)


def _join(group_of: dict[str, list[str]], a: str, b: str) -> None:
    if group_of[a] is not group_of[b]:
        whole = group_of[b] + group_of[a]
        group_of.update(dict.fromkeys(whole, whole))


def _channels(graph: FloatGraph, group: Sequence[str]) -> int:
    """Channels of a group, of which a flattened image has its pixels' times as many; 0 where its images differ."""
    images = {graph.shapes[name][-1] for name in group if len(graph.shapes[name]) == 3}
    vectors = {graph.shapes[name][-1] for name in group if len(graph.shapes[name]) == 1}
    return next(iter(images or vectors)) if len(images or vectors) == 1 else 0


def scaled(graph: FloatGraph, scales: Mapping[str, Floats]) -> FloatGraph:
    """The same function, with each value of `scales` divided by its scales, channel by channel."""
    if not scales:
        return graph
    built = []
    for node in graph.nodes:
        if is_a(node, Layer):
            weight, bias = np.array(node.op.weight), node.op.bias
            if node.inputs[0] in scales:
                s = scales[node.inputs[0]]
                weight *= s[node.op.input_channels(len(s))]
            if node.name in scales:
                s = scales[node.name]
                weight /= node.op.rows(s)
                bias = None if bias is None else bias / s
            node = node.having(weight=weight, bias=bias)
        built.append(node)
    return graph.with_nodes(built)
