# SPDX-License-Identifier: Apache-2.0
"""The last freedom of quantization: multipliers and biases that 8-bit kernels in float32 compute exactly."""

from __future__ import annotations

from dataclasses import replace

from bitwright.fast.kernels import factor_of, fit_kernel, nearest, takes
from bitwright.fast.staircase import steps_of
from bitwright.network.graph import Network, Node
from bitwright.network.ops import Product, Requantize
from bitwright.network.ranges import intervals


def settled(network: Network) -> Network:
    """The network with the Requantize behind a product as one that ONNX Runtime's kernels compute exactly.

    A bias moves codes by at most 1/16, and a multiplier moves by at most 8 of its 65,536 units (see `nearest`); where
    no such Requantize is found, the layer stays as it is. The result does not depend on the machine.
    """
    ranges, nodes = intervals(network), {node.name: node for node in network.nodes}

    def changed(node: Node) -> Node:
        source = nodes.get(node.inputs[0])
        if not isinstance(node.op, Requantize) or source is None or not isinstance(source.op, Product):
            return node
        sums, factor = ranges[source.name], factor_of(source.op)
        steps = steps_of(node.op, sums) if takes(source.op, ranges[source.inputs[0]]) else None
        if steps is None or fit_kernel(steps, factor):
            return node
        return replace(node, op=nearest(node.op, sums, factor) or node.op)

    return replace(network, nodes=tuple(changed(node) for node in network.nodes))
