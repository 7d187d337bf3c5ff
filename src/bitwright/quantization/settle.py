# SPDX-License-Identifier: Apache-2.0
"""The last freedom of quantization: multipliers and biases that 8-bit kernels in float32 compute exactly."""

from __future__ import annotations

from dataclasses import replace

from bitwright.fast.kernels import nearest, takes
from bitwright.network.graph import Network, Node
from bitwright.network.ops import Conv2d, Requantize
from bitwright.network.ranges import intervals


def settled(network: Network) -> Network:
    """The network with the Requantize behind a convolution as one that ONNX Runtime's kernels compute exactly.

    Of a code, a bias moves by at most 1/64 and a multiplier by at most 1/4096 (see `nearest`); where no such
    Requantize is found, the layer stays as it is. The result does not depend on the machine.
    """
    ranges, nodes = intervals(network), {node.name: node for node in network.nodes}

    def changed(node: Node) -> Node:
        source = nodes.get(node.inputs[0])
        if not isinstance(node.op, Requantize) or source is None or not isinstance(source.op, Conv2d):
            return node
        if not takes(source.op, ranges[source.inputs[0]]):
            return node
        return replace(node, op=nearest(node.op, ranges[source.name]) or node.op)

    return replace(network, nodes=tuple(changed(node) for node in network.nodes))
