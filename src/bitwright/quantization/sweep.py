# SPDX-License-Identifier: Apache-2.0
"""Layer by layer through both networks: what needs the activations of the layers already quantized.

Two sets of values walk through the graph side by side, those of the float network and those of the
quantized one. At each layer both inputs are known, the weights are rounded and the bias corrected, and
the walk goes on with the integer weights. Values grow smaller on the way, so it begins with the samples whose first
values fit in memory; others join where there is room for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bitwright.jit import njit
from bitwright.models.graph import INPUT, FloatGraph, FloatNode, LayerNode
from bitwright.models.graph.ops import Add, Conv, Join, Layer
from bitwright.network.ops import windows
from bitwright.network.types import Array, Floats, Ints
from bitwright.quantization.floatrun import FloatRunner, to_values, widest
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.quantization.threads import one_blas_thread, side_by_side
from bitwright.quantization.weights.second_order import Moments

MAX_COLUMNS, MAX_ELEMENTS = 1 << 17, 3 << 23  # for second moments: columns of one layer, and values in them
MEAN_COLUMNS = 16384  # where only means are measured
WALK_BYTES, MEAN_BYTES = 3 << 30, 64 << 20  # of values that are known at once: for second moments, and for means
FEWEST = 16  # samples that are walked with, whatever their size
COLUMN_BYTES = 16 << 20  # of the columns that are multiplied at once
SMALL = 1 << 12  # elements of a product that are multiplied without BLAS
SQUARABLE = 1e15  # sums of products of larger values may pass the range of float32

Round = Callable[[LayerNode, Moments], LayerNode]


@one_blas_thread()
def sweep(
    graph: FloatGraph,
    quantized: FloatGraph,
    x: Array,
    round_layer: Round,
    *,
    second: bool,
    seed: int,
    jobs: int = 0,
    progress: Progress = quiet,
) -> FloatGraph:
    """`quantized` (the graph with `Quant` nodes) with every layer as `round_layer(node, moments)` makes it.

    x: calibration data [N, *input_shape]. Second moments are measured where `second` says so; `seed`
    chooses the positions that count.
    """
    size = WALK_BYTES if second else MEAN_BYTES
    random = np.random.default_rng(seed)
    walk = _Walk(graph, quantized, x, random.permutation(len(x)), jobs)
    references = {node.name: node for node in graph.layers}
    done: dict[str, FloatNode] = {}
    for node in quantized.layers:
        walk.admit(samples_that_fit(graph, len(x), size, node.name))
        reference = references[node.name]
        pair = walk.value(True, reference.inputs[0]), walk.value(False, node.inputs[0])
        added = walk.added_error(node.name)
        rounded = round_layer(node, layer_moments(reference, *pair, added, random, second=second, jobs=jobs))
        done[node.name] = rounded
        walk.finish(node.name, rounded.dequantized())
        progress("round weights", len(done), len(references))
    return quantized.with_nodes([done.get(node.name, node) for node in quantized.nodes])


def samples_that_fit(graph: FloatGraph, count: int, size: int, start: str | None = None) -> int:
    """At most `count` samples whose values fit `size` bytes: input and output of the widest node, in both networks.

    start: the layer from which on nodes count; else all. At least `FEWEST` of the samples.
    """
    names = [node.name for node in graph.nodes]
    rest = graph.nodes[names.index(start) if start else 0 :]
    return min(count, max(FEWEST, size // (2 * 4 * widest(rest, graph))))


class _Walk:
    """Values of both networks, computed when asked for and dropped after their last reader.

    x: all samples; order [N]: that in which they join, which is not that of a data set sorted by classes.
    """

    def __init__(self, graph: FloatGraph, quantized: FloatGraph, x: Array, order: Ints, jobs: int) -> None:
        self.graphs = {True: graph, False: quantized}
        self.x, self.order, self.count, self.jobs = x, order, 0, jobs
        start = to_values(graph, x[:0])
        self.values = {side: dict(start) for side in (True, False)}
        self.readers = {side: {v: len(r) for v, r in g.consumers.items()} for side, g in self.graphs.items()}
        self.replaced: dict[str, FloatNode] = {}

    def admit(self, count: int) -> None:
        """Go on with `count` samples, where these are at least twice as many as before, or all."""
        if count == self.count or (count < 2 * self.count and count < len(self.x)):
            return
        new, self.count = self.order[self.count : count], count
        for side, graph in self.graphs.items():
            values = self.values[side]
            if not side:
                graph = graph.with_nodes(self.replaced.get(node.name, node) for node in graph.nodes)
            joined = {name: [value] for name, value in values.items()}
            for _, found in FloatRunner(graph, list(values), self.jobs).batches(self.x, new):
                for name in joined:
                    joined[name].append(found[name])
            for name in list(joined):
                values[name] = np.concatenate(joined.pop(name))

    def finish(self, name: str, quantized: FloatNode) -> None:
        """The quantized network goes on with this form of a layer."""
        self.replaced[name] = quantized

    def added_error(self, name: str) -> Array | None:
        """r - r' of the value that an addition adds to a layer's output; None where there is no such known value."""
        readers = self.graphs[True].consumers[name]
        if len(readers) != 1 or not isinstance(readers[0].op, Add):
            return None
        pair = readers[0].inputs
        other = 1 - pair.index(name)
        if pair[other] == name or not self._is_known(pair[other]):
            return None
        quantized = self.graphs[False].node(readers[0].name).inputs[other]
        return self.value(True, pair[other]) - self.value(False, quantized)

    def _is_known(self, value: str) -> bool:
        """Whether all layers before a value of the float graph are quantized already."""
        if value in self.graphs[True].input_names:
            return True
        node = self.graphs[True].node(value)
        if isinstance(node.op, Layer):
            return value in self.replaced
        return all(self._is_known(v) for v in node.inputs)

    def value(self, side: bool, name: str) -> Array:
        """A value of the float (True) or quantized (False) network, [N, *shape]."""
        values = self.values[side]
        if name not in values:
            chain = self._chain(side, name)
            inputs = [self.value(side, v) for v in chain[0].inputs]
            for v in chain[0].inputs:
                self.readers[side][v] -= 1
                if self.readers[side][v] == 0:
                    del values[v]
            values[name] = self._compute(side, chain, inputs)
        return values[name]

    def _chain(self, side: bool, name: str) -> list[FloatNode]:
        """Nodes from a value that is known, shared or a pair's result up to `name`, which run as one."""
        graph = self.graphs[side]
        chain = [graph.node(name)]
        while not isinstance(chain[0].op, (Join, Layer)):
            before = chain[0].inputs[0]
            if before in graph.input_names or before in self.values[side] or len(graph.consumers[before]) > 1:
                break
            if isinstance(graph.node(before).op, Join):
                break
            chain.insert(0, graph.node(before))
        return chain

    def _compute(self, side: bool, chain: list[FloatNode], inputs: list[Array]) -> Array:
        if isinstance(chain[0].op, Join):
            return chain[0].op.join(*inputs)
        if not side:
            chain = [self.replaced.get(node.name, node) for node in chain]
        return run_chain(chain, inputs[0], self.jobs)


def run_chain(chain: list[FloatNode], x: Array, jobs: int) -> Array:
    """The value of the last of some nodes that follow one another, for the first one's input [N, *shape]."""
    nodes, before = [], INPUT
    for node in chain:
        nodes.append(replace(node, inputs=(before,)))
        before = node.name
    layout = "HWC" if x.ndim == 4 else "C"
    part = FloatGraph.build(nodes, input_shape=x.shape[1:], input_layout=layout)
    runner = FloatRunner(part, [before], jobs)
    result = np.empty((len(x), *part.shapes[before]), np.float32)
    for start, found in runner.batches(x):
        result[start : start + runner.batch] = found[before]
    return result


def _columns(layer: Layer, x: Array, picks: Ints) -> Array:
    """Input columns [G, P, K] of a layer at output positions `picks` [n, p] of each sample."""
    if not isinstance(layer, Conv):
        return x[None].astype(np.float64)
    view = windows(x, layer.kernel, layer.stride, layer.pads, layer.dilation)
    _, _, width = view.shape[:3]
    taken: Array = view[np.arange(len(x))[:, None], picks // width, picks % width]
    taken = taken.reshape(-1, *taken.shape[2:4], layer.groups, taken.shape[4] // layer.groups)
    return np.moveaxis(taken, 3, 0).reshape(layer.groups, len(taken), -1)


def layer_moments(
    node: LayerNode,
    x: Array,
    xq: Array,
    added: Array | None,
    random: np.random.Generator,
    *,
    second: bool,
    jobs: int = 0,
) -> Moments:
    """Moments of a layer's input columns in the float (x) and the quantized (xq) network.

    added: the error r - r' of the value that is added to the layer's output, [N, *output shape].
    About `MAX_COLUMNS` output positions are taken, the same number from each sample. Without
    `second` only the means are computed, from `MEAN_COLUMNS`, and the second moments are empty.
    """
    layer = node.op
    if not isinstance(layer, Conv):
        picks, size = np.zeros((len(x), 1), np.int64), x.shape[1]
    else:
        shape = windows(x[:1], layer.kernel, layer.stride, layer.pads, layer.dilation).shape
        size = int(np.prod(shape[3:]))
        most = min(MAX_COLUMNS, MAX_ELEMENTS // size) if second else MEAN_COLUMNS
        each = int(np.clip(most // len(x), 1, shape[1] * shape[2]))
        picks = np.stack([random.choice(shape[1] * shape[2], each, replace=False) for _ in range(len(x))])
    batch = max(1, COLUMN_BYTES // max(8 * size * picks.shape[1], 2 * x[0].nbytes))

    def sums(start: int) -> dict[str, Array]:
        part = slice(start, start + batch)
        error = None if added is None else _outputs(added[part], picks[part], layer.groups)
        return _sums(_columns(layer, x[part], picks[part]), _columns(layer, xq[part], picks[part]), error, second)

    return _moments(side_by_side(sums, range(0, len(x), batch), jobs), picks.size)


def _outputs(values: Array, picks: Ints, groups: int) -> Array:
    """Output values [G, P, O/G] at the same positions as `_columns`."""
    flat = values.reshape(len(values), -1, values.shape[-1])
    taken = flat[np.arange(len(values))[:, None], picks].reshape(picks.size, groups, -1)
    return np.moveaxis(taken, 1, 0)


@njit(nogil=True)
def _small_products(a: Array, b: Array, total: Floats) -> None:
    for g in range(a.shape[0]):
        for p in range(a.shape[1]):
            for i in range(a.shape[2]):
                for j in range(b.shape[2]):
                    total[g, i, j] += np.float64(a[g, p, i]) * b[g, p, j]


def products(a: Array, b: Array) -> Array:
    """Sum over p of a[g, p, i] b[g, p, j] as [G, I, J], for a [G, P, I] and b [G, P, J]."""
    if len(a) == 1 or a.shape[2] * b.shape[2] > SMALL:
        return np.asarray(np.matmul(a.transpose(0, 2, 1), b))
    # Depthwise layers: many tiny products, of which each would cost a call of BLAS.
    total = np.zeros((len(a), a.shape[2], b.shape[2]))
    _small_products(np.ascontiguousarray(a), np.ascontiguousarray(b), total)
    return total


def _sums(x: Array, xq: Array, error: Array | None, second: bool) -> dict[str, Array]:
    """Sums of the moments over columns [G, P, K]."""
    if second and max(np.abs(v).max(initial=0) for v in (x, xq)) > SQUARABLE:
        x, xq = x.astype(np.float64), xq.astype(np.float64)
    found = {"mean": xq.sum(1, dtype=np.float64), "mean_float": x.sum(1, dtype=np.float64)}
    if second:
        found["hessian"], found["cross"] = products(xq, xq), products(x, xq)
    if error is not None:
        found["residual_mean"] = error.sum(1, dtype=np.float64)
        if second:
            found["residual"] = products(error, xq)
    return found


def _moments(parts: list[dict[str, Array]], count: int) -> Moments:
    """The means over `count` columns, from the sums of their parts, added up in order."""
    means: dict[str, Any] = {n: sum(part[n].astype(np.float64) for part in parts) / count for n in parts[0]}
    if "residual" in means:
        means["residual"] = means["residual"].reshape(-1, means["residual"].shape[-1])
    if "residual_mean" in means:
        means["residual_mean"] = means["residual_mean"].ravel()
    empty = np.zeros((len(means["mean"]), 0, 0))
    return Moments(**{"hessian": empty, "cross": empty, **means})
