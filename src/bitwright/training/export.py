# SPDX-License-Identifier: Apache-2.0
"""A trained module as the float graph that it was made of, with its codes, scales and biases."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import torch

from bitwright.models.graph import FloatGraph, FloatNode, QuantizedWeight
from bitwright.training.module import GraphModule, Layer, Steps


@torch.no_grad()
def trained_graph(module: GraphModule) -> FloatGraph:
    """The graph with trained grids, integer weights and biases; widths, types and zero points are as they were.

    Scales are computed in float64, so that those of a group keep their ratios exactly.
    """
    nodes = []
    for node in module.graph.nodes:
        key = module.keys[node.name]
        if key in module.layers:
            node = _layer(cast(Layer, module.layers[key]), node)
        elif node.name in module.groups:
            steps = cast(Steps, module.steps[module.keys[module.groups[node.name]]])
            quantizer = node["quantizer"]
            new = replace(quantizer, scale=quantizer.scale * steps.exact())
            node = replace(node, attributes={**node.attributes, "quantizer": new})
        nodes.append(node)
    return module.graph.with_nodes(nodes)


def _layer(layer: Layer, node: FloatNode) -> FloatNode:
    weight = (layer.u * layer.rms).cpu().numpy()
    bias = None if layer.v is None else (layer.v.cpu().double() * layer.unit.cpu().double()).numpy()
    shape = node["weight"].shape
    attributes = {**node.attributes, "weight": weight.astype(np.float64).reshape(shape), "bias": bias}
    if node.quantized is None:
        return replace(node, attributes=attributes)
    scale = layer.scale().cpu().numpy()[:, None]
    if layer.grid.bipolar:
        codes = np.where(weight >= 0, 1, -1)
    else:  # as the kernels compute them
        codes = np.clip(np.rint(weight * (np.float32(1) / scale)), layer.grid.low, layer.grid.high)
    exact = layer.scale0 * layer.steps.exact()
    quantized = QuantizedWeight(codes.astype(np.int64).reshape(shape), node.quantized.dtype, exact)
    return replace(node, attributes=attributes, quantized=quantized)
