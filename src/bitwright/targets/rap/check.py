"""All reasons to refuse a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bitwright.network import Network
from bitwright.network.graph import INPUT
from bitwright.network.ops import Requantize, Threshold
from bitwright.targets.contract import Problem
from bitwright.targets.rap.layers import Layer, find_problems, make_layers, stored_names
from bitwright.targets.rap.lowering import lower, origin
from bitwright.targets.rap.options import RapOptions
from bitwright.targets.rap.storage import (
    MAX_EDGE,
    MAX_SPAN,
    MAX_STRIP,
    Storage,
    lane_bits,
    padded_channels,
    place,
    stored_shapes,
    strips,
    weight_bits,
)

MAX_ELEMENTS, MAX_CHANNELS = 1 << 20, 1 << 16
MAX_STEPS = 4 * 1024 - 1


def problems(network: Network, options: RapOptions) -> list[Problem]:
    """Reasons that lie in operations, types and shapes; how full the memories are is known behind the planning."""
    found = find_problems(network)
    if found:
        return found
    lowered = lower(network)
    return [p if p.node is None else replace(p, node=origin(network, p.node)) for p in _problems(lowered, options)]


def _problems(network: Network, options: RapOptions) -> list[Problem]:
    """Reasons by the names of the lowered network."""
    found: list[Problem] = []
    layers = make_layers(network)
    for layer in layers:
        found += _layer(layer)
        group = padded_channels(1, options.size)
        if layer.channel % group:
            rule = f"its first input has {layer.channel} channels"
            found.append(Problem(layer.name, rule, f"multiples of {group}, as the channels of an image are padded to"))
    found += list(_shapes(network, layers)) + list(_lanes(network, layers, options))
    strip, more = strips(network, layers, options.size)
    if found or more:
        return found + more
    stored, words = place(network, layers, options.machine, lane_bits(network, layers, options.lane_bits), strip)
    found += [p for value in stored.values() for p in _extent(value)]
    if words > options.a_words:
        rule = f"its values need {words} words in each bank of feature maps, which has {options.a_words}"
        found.append(Problem(None, rule, f"the option a_words of at least {words}"))
    return found


def _layer(layer: Layer) -> list[Problem]:
    """What accumulators and slots cannot hold."""
    found, dtype = [], layer.accumulator.dtype
    if dtype.max >= (1 << 31) - 1 or dtype.min < -(1 << 31):
        found.append(Problem(layer.name, f"its accumulators are {dtype}", "at most int32, below 2**31 - 1"))
    for result in layer.results:
        op = result.op
        if isinstance(op, Requantize):
            if np.abs(op.multiplier).max() >= 1 << 31:
                found.append(Problem(result.name, "a multiplier passes 32 bits", "multipliers below 2**31"))
            if abs(op.zero_point) >= 1 << 32:
                found.append(Problem(result.name, "the zero point passes 33 bits", "zero points below 2**32"))
            bias = layer.window.bias
            if bias is not None and _reach(bias, op) >= 1 << 62:
                rule = "its product with the bias of the layer passes 62 bits"
                found.append(Problem(result.name, rule, "smaller multipliers or biases"))
        if isinstance(op, Threshold):
            if op.thresholds.shape[1] > MAX_STEPS:
                rule = f"it has {op.thresholds.shape[1]} thresholds"
                found.append(Problem(result.name, rule, f"at most {MAX_STEPS}"))
            if not set(np.unique(op.step)) <= {-2, -1, 1, 2} or np.abs(op.base).max() >= 1 << 15:
                found.append(Problem(result.name, "its base or step is too large", "16-bit bases, steps of 1 or 2"))
    return found


def _reach(bias: np.ndarray, op: Requantize) -> int:
    """Largest magnitude of bias * multiplier + bias of the requantizer, in Python's integers."""
    return int(np.abs(bias).max()) * int(np.abs(op.multiplier).max()) + int(np.abs(op.bias).max())


def _shapes(network: Network, layers: tuple[Layer, ...]) -> Iterator[Problem]:
    for name, (h, w, c) in stored_shapes(network, layers).items():
        if max(h, w) > MAX_EDGE or c > MAX_CHANNELS or h * w * c > MAX_ELEMENTS:
            rule = f"shape ({h}, {w}, {c}) is too large"
            yield Problem(name, rule, f"edges up to {MAX_EDGE}, {MAX_CHANNELS} channels, {MAX_ELEMENTS} elements")
    if network.input.type.dtype.bits > 16:
        yield Problem(INPUT, f"the input is {network.input.type.dtype}", "at most 16 bits")


def _lanes(network: Network, layers: tuple[Layer, ...], options: RapOptions) -> Iterator[Problem]:
    """Values and weights that no lane holds."""
    bits = lane_bits(network, layers, options.lane_bits)
    output = stored_names(network)[network.output_name]
    for layer in layers:
        if weight_bits(layer) > 16:
            yield Problem(layer.name, f"its weights have {weight_bits(layer)} bits", "at most 16")
    for name, lane in bits.items():
        if lane == 0 or (lane == 32 and name != output):
            rule = f"{network.types[name].dtype} is read by another layer and no lane holds it"
            yield Problem(name, rule, "at most 16 bits, 15 where an unsigned value is added to a signed one")


def _extent(value: Storage) -> Iterator[Problem]:
    if value.strip > MAX_STRIP or value.span > MAX_SPAN:
        rule = f"a row of the image takes {value.span} words of a bank"
        yield Problem(value.name, rule, f"at most {MAX_SPAN} words and {MAX_STRIP} columns")
