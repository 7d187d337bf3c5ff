# SPDX-License-Identifier: Apache-2.0
"""A trained module as the float graph that it was made of, with its codes, scales and biases."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import torch

from bitwright.models.graph import FloatGraph, LayerNode, QuantizedWeight, is_a
from bitwright.models.graph.ops import Layer, Quant
from bitwright.network.types import Array
from bitwright.training.module import GraphModule, Steps, TrainedLayer


@torch.no_grad()
def trained_graph(module: GraphModule) -> FloatGraph:
    """The graph with trained grids, integer weights and biases; widths, types and zero points are as they were.

    Scales are computed in float64, so that those of a group keep their ratios exactly.
    """
    nodes = []
    for node in module.graph.nodes:
        if is_a(node, Layer):
            node = _layer(cast(TrainedLayer, module.layers[module.keys[node.name]]), node)
        elif is_a(node, Quant) and node.name in module.groups:
            steps = cast(Steps, module.steps[module.keys[module.groups[node.name]]])
            quantizer = node.op.quantizer
            node = node.having(quantizer=replace(quantizer, scale=quantizer.scale * steps.exact()))
        nodes.append(node)
    return module.graph.with_nodes(nodes)


def _layer(layer: TrainedLayer, node: LayerNode) -> LayerNode:
    weight = (layer.u * layer.rms).cpu().numpy()
    shape, quantized = node.op.weight.shape, node.op.quantized
    node = node.having(weight=weight.astype(np.float64).reshape(shape))
    if quantized is None:
        return node.having(bias=_bias(layer, node.op.weight))
    scale = layer.scale().cpu().numpy()[:, None]
    if layer.grid.bipolar:
        codes = np.where(weight >= 0, 1, -1)
    else:  # as the kernels compute them
        codes = np.clip(np.rint(weight * (np.float32(1) / scale)), layer.grid.low, layer.grid.high)
    exact = layer.scale0 * layer.steps.exact()
    made = QuantizedWeight(codes.astype(np.int64).reshape(shape), quantized.dtype, exact)
    return node.having(quantized=made, bias=_bias(layer, codes * exact.reshape(-1, 1)))


def _bias(layer: TrainedLayer, weight: Array) -> Array | None:
    """[O], of the weights that the layer computes with."""
    if layer.v is None:
        return None
    v, unit, center = (t.detach().cpu().double().numpy() for t in (layer.v, layer.unit, layer.center))
    return np.asarray(v * unit - (weight.reshape(len(weight), -1) * center).sum(1))
