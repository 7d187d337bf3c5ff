# SPDX-License-Identifier: Apache-2.0
"""The float graph: a cleaned-up model between the ONNX file and the integer network.

The readers make it, the quantizer adds quantizers to it, and `lower` turns a fully quantized float
graph into the integer `Network`. Values have shape (H, W, C) or (C,), without a batch, as in the
integer network; shape arithmetic, constants, dropout and batch norms are folded away already, and
the weights behind a flattened image are in (H, W, C) order.
"""

from bitwright.models.exact.quantizer import Quantizer
from bitwright.models.exact.rounding import ExtraRounding
from bitwright.models.graph.graph import FloatGraph, FloatNode, LayerNode, Output, Port, TypedNode, is_a, value_shape
from bitwright.models.graph.ops import QuantizedWeight, Shape
from bitwright.network.nodes import INPUT

__all__ = [
    "INPUT",
    "ExtraRounding",
    "FloatGraph",
    "FloatNode",
    "LayerNode",
    "Output",
    "Port",
    "QuantizedWeight",
    "Quantizer",
    "Shape",
    "TypedNode",
    "is_a",
    "value_shape",
]
