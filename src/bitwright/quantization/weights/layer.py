# SPDX-License-Identifier: Apache-2.0
"""One layer to integers: weights rounded alone or by the layer's output, and the bias that restores the means."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.models.graph import LayerNode, QuantizedWeight
from bitwright.models.graph.ops import Layer
from bitwright.network.types import Array, IntType
from bitwright.quantization.weights.grids import WeightRule, quantize_weight, weight_type
from bitwright.quantization.weights.second_order import Moments, second_order


@dataclass(frozen=True)
class LayerRule:
    """How layers are quantized: the weight rule, second-order rounding or plain, bias correction or none.

    compensate: second-order rounding shifts its targets to undo errors of the layers before.
    """

    weights: WeightRule
    second_order: bool = False
    correct_bias: bool = True
    compensate: bool = True

    @property
    def needs_data(self) -> bool:
        """Whether a sweep with calibration data is needed."""
        return self.second_order or self.correct_bias


def quantize_layer(
    node: LayerNode, bits: int, rule: LayerRule, input_type: IntType, moments: Moments | None = None
) -> LayerNode:
    """The layer with integer weights of `bits` bits; `moments` of its input where the rule needs them."""
    weight = node.op.weight
    if rule.second_order:
        assert moments is not None  # as `needs_data` says
        # A bias that is corrected afterwards takes the means, so rounding need not care for them.
        about = moments.centered() if rule.correct_bias else moments
        about = about if rule.compensate else replace(about, cross=about.hessian, residual=0.0)
        codes, scales = second_order(weight.reshape(len(weight), -1), bits, rule.weights, about, input_type)
        quantized = QuantizedWeight(codes.reshape(weight.shape), weight_type(bits), scales)
    else:
        quantized = quantize_weight(weight, bits, rule.weights, input_type)
    new = node.having(quantized=quantized)
    if not rule.correct_bias:
        return new
    assert moments is not None
    return new.having(bias=corrected_bias(new.op, moments))


def corrected_bias(layer: Layer, moments: Moments) -> Array:
    """b + E[W x] - E[W' x'] + E[r - r']: the bias that restores each channel's mean; primes are quantized."""
    groups = len(moments.mean)
    old, new = (v.weight.reshape(groups, len(v.weight) // groups, -1) for v in (layer, layer.dequantized()))
    bias = 0.0 if layer.bias is None else layer.bias
    shift = np.einsum("gok,gk->go", old, moments.mean_float) - np.einsum("gok,gk->go", new, moments.mean)
    return np.asarray(bias + shift.ravel() + moments.residual_mean)
