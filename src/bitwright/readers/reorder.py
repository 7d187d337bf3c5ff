"""Quantizers before pools: the maximum of few bits costs less than that of an accumulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitwright.readers.chain import ELEMENTWISE, steps_of
from bitwright.readers.floatgraph import FloatGraph, FloatNode


def quantizers_first(graph: FloatGraph) -> FloatGraph:
    """The same function with every maximum pool moved behind the quantizer that follows it.

    max(f(x)) = f(max(x)) for every function that does not fall, so pools change places with elementwise
    nodes and with the quantizer where nothing else reads the values between.
    """
    for pool in [n for n in graph.nodes if n.kind == "MaxPool"]:
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
        if at.kind == "Quant":
            return run
        if at.kind not in ELEMENTWISE or any(np.any(step.direction() < 1) for step in steps_of(at)):
            return []
    return []


def _moved(graph: FloatGraph, pool: FloatNode, run: list[FloatNode]) -> FloatGraph:
    """The pool takes the last name, so that whatever reads the quantizer reads the pool."""
    last = run[-1]
    source = pool.inputs[0]
    chain: list[FloatNode] = []
    for node in run:
        name = f"{last.name}/before pool" if node is last else node.name
        chain.append(replace(node, name=name, inputs=(source,)))
        source = name
    chain.append(replace(pool, name=last.name, inputs=(source,)))
    kept: list[FloatNode] = []
    for node in graph.nodes:
        if node is last:
            kept.extend(chain)
        elif node is not pool and all(node is not n for n in run):
            kept.append(node)
    return graph.with_nodes(kept)
