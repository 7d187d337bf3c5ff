# SPDX-License-Identifier: Apache-2.0
"""Quantizers before pools: the maximum of few bits costs less than that of an accumulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.models.graph import FloatGraph, FloatNode
from bitwright.models.graph.ops import Elementwise, MaxPool, Quant


def quantizers_first(graph: FloatGraph) -> FloatGraph:
    """The same function with every maximum pool moved behind the quantizer that follows it.

    max(f(x)) = f(max(x)) for every function that does not fall, so pools change places with elementwise
    nodes and with the quantizer where nothing else reads the values between.
    """
    for name in [n.name for n in graph.of(MaxPool)]:
        pool = graph.node(name)
        run = _run(graph, pool)
        if run:
            graph = _moved(graph, pool, run)
    return graph


def _run(graph: FloatGraph, pool: FloatNode) -> list[FloatNode]:
    """The elementwise nodes from a pool to the quantizer behind it, or nothing."""
    run: list[FloatNode] = []
    at = pool
    while len(graph.consumers[at.name]) == 1:
        at = graph.consumers[at.name][0]
        run.append(at)
        if isinstance(at.op, Quant):
            return run
        if not isinstance(at.op, Elementwise) or any(np.any(step.direction() < 1) for step in at.op.steps):
            return []
    return []


def _moved(graph: FloatGraph, pool: FloatNode, run: list[FloatNode]) -> FloatGraph:
    """The run reads what the pool read, the pool reads the quantizer, and what read that reads the pool."""
    first, last = run[0], run[-1]
    kept: list[FloatNode] = []
    for node in graph.nodes:
        if node is first:
            node = replace(node, inputs=pool.inputs)
        elif node is not last:
            node = replace(node, inputs=tuple(pool.name if i == last.name else i for i in node.inputs))
        if node.name != pool.name:
            kept.append(node)
        if node.name == last.name:
            kept.append(replace(pool, inputs=(last.name,)))
    return graph.with_nodes(kept, {last.name: pool.name})
