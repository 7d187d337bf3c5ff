# SPDX-License-Identifier: Apache-2.0
"""Modules as float graphs: a user's own, and a trained one, with its codes, scales and biases."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from typing import Any, cast

import numpy as np
import onnx
import torch

from bitwright.errors import DataError, ModelError
from bitwright.models.graph import FloatGraph, FloatNode, LayerNode, QuantizedWeight, TypedNode, is_a
from bitwright.models.graph.ops import Layer, Quant, Relu
from bitwright.models.onnx.reader import read_model
from bitwright.network import Network
from bitwright.network.ops import Requantize
from bitwright.network.types import Array
from bitwright.training.groups import source_of
from bitwright.training.module import GraphModule, Steps, TrainedLayer

OPSET = 17


def graph_of(module: Any, x: np.ndarray, output: str | None = None) -> FloatGraph:
    """The float graph of a `torch.nn.Module` in evaluation mode; x: samples [N, ...], of which one gives the shape.

    The module is left as it is, its mode too. Raises `ModelError` where PyTorch cannot export it, `DataError` for x
    that is no array of samples.
    """
    samples = np.asarray(x)
    if samples.ndim < 2 or not len(samples):
        raise DataError(f"calibration data have shape {samples.shape}; legal is (N, ...), N >= 1")
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"the model is a {type(module).__name__}; legal are ONNX files, float graphs, torch modules")
    mode, file = module.training, io.BytesIO()
    parameter = next(module.parameters(), None)
    one = torch.from_numpy(np.ascontiguousarray(samples[:1], np.float32))
    one = one if parameter is None else one.to(parameter.device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about itself
            torch.onnx.export(module.eval(), (one,), file, dynamo=False, opset_version=OPSET)
    except Exception as error:  # whatever the module or the exporter raises
        first = str(error).strip().partition(chr(10))[0]
        raise ModelError(f"{type(module).__name__} cannot be exported to ONNX: {first}") from error
    finally:
        module.train(mode)
    model = onnx.load_from_string(file.getvalue())
    return read_model(model, name=type(module).__name__.lower(), output=output)


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


def as_computed(graph: FloatGraph, network: Network) -> FloatGraph:
    """A quantized graph whose weights have the scales that its integer network computes with.

    The network multiplies sums by fixed point numbers of few bits. A scale that is another by as little as that
    rounding moves a code here and there, and the layers behind spread the difference.
    """
    requantized = {node.name: (node.inputs[0], node.op) for node in network.nodes if isinstance(node.op, Requantize)}
    nodes = []
    for node in graph.nodes:
        if is_a(node, Layer) and node.op.quantized is not None:
            factor = _factor(graph, node, requantized)
            if factor is not None:
                quantized = replace(node.op.quantized, scale=factor)
                node = node.having(quantized=quantized)
        nodes.append(node)
    return graph.with_nodes(nodes)


def _factor(graph: FloatGraph, node: LayerNode, requantized: dict[str, tuple[str, Requantize]]) -> Array | None:
    """Scales [O] of a layer's weights that its network's multipliers stand for; None where it has none of its own."""
    read, name = _reader(graph, node), source_of(graph, node.inputs[0])
    source = None if name is None else graph.node(name)
    if read is None or source is None or not is_a(source, Quant) or read.name not in requantized:
        return None
    product, op = requantized[read.name]
    before, after = source.op.quantizer.scale, read.op.quantizer.scale
    if product != node.name or before.size > 1 or np.any(op.multiplier == 0):
        return None
    scale = np.ldexp(op.multiplier.astype(np.float64), -op.shift) * after / before
    return np.broadcast_to(scale, len(node.op.weight)).copy()


def _reader(graph: FloatGraph, node: FloatNode) -> TypedNode[Quant] | None:
    """The quantizer that reads a value, behind ReLUs or without; the first of several."""
    for reader in graph.consumers[node.name]:
        found = reader if is_a(reader, Quant) else _reader(graph, reader) if isinstance(reader.op, Relu) else None
        if found is not None:
            return found
    return None


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
