# SPDX-License-Identifier: Apache-2.0
"""What a tool left in floats in a model that it quantized."""

from __future__ import annotations

import numpy as np

from bitwright.models.graph import FloatGraph, LayerNode, QuantizedWeight, is_a
from bitwright.models.graph.ops import Layer
from bitwright.network.types import IntType

WEIGHTS = IntType(8, signed=True)


def integer_weights(graph: FloatGraph, notes: list[str]) -> FloatGraph:
    """The graph with 8-bit weights in layers that have floats, the largest of each output channel 127 or -127."""
    floats = [node for node in graph.layers if node.op.quantized is None]
    if not floats:
        return graph
    notes.extend(f"{node.kind} {node.name!r}: its float weights are rounded to 8 bits" for node in floats)
    return graph.with_nodes(_rounded(n) if is_a(n, Layer) and n.op.quantized is None else n for n in graph.nodes)


def _rounded(node: LayerNode) -> LayerNode:
    weight = node.op.weight
    largest = np.abs(weight).reshape(len(weight), -1).max(1) / WEIGHTS.max
    scale = np.where(largest > 0, largest, 1.0)
    codes = np.rint(weight / node.op.rows(scale)).astype(np.int64)
    return node.having(quantized=QuantizedWeight(codes, WEIGHTS, scale))
