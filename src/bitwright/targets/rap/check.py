# SPDX-License-Identifier: Apache-2.0
"""Reasons to refuse a network that lie in its operations, types and shapes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bitwright.network import Network
from bitwright.network.affine import channels_of
from bitwright.network.graph import Node
from bitwright.network.lowering import lookup_steps
from bitwright.network.ops import (
    Lookup,
    Requantize,
    Threshold,
)
from bitwright.network.ranges import intervals
from bitwright.network.stages import Result, Staged
from bitwright.network.types import Interval
from bitwright.targets.contract import Problem, unstaged
from bitwright.targets.rap.compiler.layers import RULES, Layer
from bitwright.targets.rap.compiler.storage import (
    MAX_EDGE,
    MAX_SPAN,
    MAX_STRIP,
    Storage,
    lane_bits,
    padded_channels,
    threshold_words,
    weight_bits,
)
from bitwright.targets.rap.isa.machine import LIMITS
from bitwright.targets.rap.options import RapOptions

MAX_ELEMENTS, MAX_CHANNELS = 1 << 20, 1 << 16
MAX_COLUMNS = 513  # of images that are sent: the way back to the first column is a `dx` of LEVEL
MAX_STEPS = 4 * 1024 - 1
MAX_BASE = (1 << 15) - 1
LAYER_INSTRUCTIONS = 11  # no layer has fewer


def table_problems(network: Network, options: RapOptions) -> list[Problem]:
    """Lookups whose thresholds are too many to be made."""
    lookups = ((node, node.op) for node in network.nodes if isinstance(node.op, Lookup))
    return [p for node, op in lookups for p in _lookup(node, op, options)]


def operation_problems(network: Network, options: RapOptions) -> list[Problem]:
    """Nodes that have no mapping, or whose copies are too many."""
    found = unstaged(network)
    for node in network.nodes:
        if node.op.repeats:
            copies, most = int(np.prod(node.op.repeats)), options.program_words // LAYER_INSTRUCTIONS
            if copies > most:
                rule = f"its factor takes {copies} copies of at least {LAYER_INSTRUCTIONS} instructions"
                found.append(Problem(node.name, rule, f"at most {most} with program_words={options.program_words}"))
    return found


def _lookup(node: Node, op: Lookup, options: RapOptions) -> Iterator[Problem]:
    """What the thresholds of a table cannot hold; it is known before they are written out, as they may be very many."""
    base = op.table[:, 0]
    words = channels_of(op) * threshold_words(lookup_steps(op))
    if words > options.param_words:
        rule = f"its table takes {words} words of parameters, more than {options.param_words}"
        yield Problem(node.name, rule, f"param_words up to {LIMITS['param_words']}, or fewer steps or channels")
    if _magnitude(base) > MAX_BASE:
        yield Problem(node.name, f"its table begins with {_magnitude(base)} or its negative", f"up to {MAX_BASE}")


def value_problems(layered: Staged[Layer], options: RapOptions) -> list[Problem]:
    """Reasons in accumulators, slots, lanes and shapes, by the names of the lowered network."""
    found = list(_shapes(layered, options))
    ranges = None if found else intervals(layered.network)  # which takes long for values that are too large anyway
    for layer in layered.stages:
        found += _accumulators(layer, ranges) if ranges else ()
        for result in layer.results:
            found += _slot(layer, result)
        group = padded_channels(1, options.size)
        if layer.channel % group:
            rule = f"its first input has {layer.channel} channels"
            found.append(Problem(layer.name, rule, f"multiples of {group}, as the channels of an image are padded to"))
    return list(dict.fromkeys([*found, *_lanes(layered, options)]))


def _accumulators(layer: Layer, ranges: dict[str, Interval]) -> Iterator[Problem]:
    """Accumulators that pass 32 bits; they hold no bias, which the slots add."""
    low, high = _sums(layer, ranges)
    if low < -(1 << 31) or high >= 1 << 31:
        yield Problem(layer.name, f"its accumulators reach from {low} to {high} without the bias", "32 signed bits")
    elif high == (1 << 31) - 1 and any(isinstance(result.op, Threshold) for result in layer.results):
        yield Problem(layer.name, f"its accumulators reach {high}", "less, as unused thresholds are 2**31 - 1")


def _sums(layer: Layer, ranges: dict[str, Interval]) -> tuple[int, int]:
    """Smallest and largest accumulator of a layer."""
    name = layer.name if isinstance(layer.op, RULES.absorbing) else layer.inputs[0]
    bias = layer.window.bias
    ends = (ranges[name].low, ranges[name].high)
    low, high = ends if bias is None else (end - bias for end in ends)
    return int(low.min()), int(high.max())


def _slot(layer: Layer, result: Result) -> Iterator[Problem]:
    """What a slot cannot compute."""
    op = result.op
    if isinstance(op, Requantize):
        if _magnitude(op.multiplier) >= 1 << 31:
            yield Problem(result.name, "a multiplier passes 32 bits", "multipliers below 2**31")
        if abs(op.zero_point) >= 1 << 32:
            yield Problem(result.name, "the zero point passes 33 bits", "zero points below 2**32")
        bias = layer.window.bias
        if bias is not None and _magnitude(bias) * _magnitude(op.multiplier) + _magnitude(op.bias) >= 1 << 62:
            rule = "its product with the bias of the layer passes 62 bits"
            yield Problem(result.name, rule, "smaller multipliers or biases")
    if isinstance(op, Threshold):
        if op.thresholds.shape[1] > MAX_STEPS:
            yield Problem(result.name, f"it has {op.thresholds.shape[1]} thresholds", f"at most {MAX_STEPS}")
        if not set(np.unique(op.step)) <= {-2, -1, 1, 2} or _magnitude(op.base) > MAX_BASE:
            yield Problem(result.name, "its base or step is too large", "16-bit bases, steps of 1 or 2")


def _magnitude(values: np.ndarray) -> int:
    """Largest absolute value, as one of Python's integers."""
    return max(-int(values.min()), int(values.max()))


def _shapes(layered: Staged[Layer], options: RapOptions) -> Iterator[Problem]:
    """Values that are too large; those in bands may have any number of elements, where the streams do not take them."""
    inputs = layered.network.input_names
    streamed = dict.fromkeys((*inputs, *layered.outputs))
    for name, t in layered.types.items():
        h, w, c = t.shape
        whole = name in streamed or not options.m_axi
        if max(h, w) > MAX_EDGE or c > MAX_CHANNELS or (whole and h * w * c > MAX_ELEMENTS):
            rule = f"shape ({h}, {w}, {c}) is too large"
            legal = f"edges up to {MAX_EDGE}, {MAX_CHANNELS} channels"
            yield Problem(name, rule, f"{legal}, {MAX_ELEMENTS} elements" if whole else legal)
    for name in streamed:
        h, w, _ = layered.types[name].shape
        if h > 1 and w > MAX_COLUMNS:
            rule = f"it has {w} columns, which IN and OUT take row by row"
            yield Problem(name, rule, f"up to {MAX_COLUMNS} columns, or a single row")
    for name in inputs:
        if layered.types[name].dtype.bits > 16:
            yield Problem(name, f"the input is {layered.types[name].dtype}", "at most 16 bits")


def _lanes(layered: Staged[Layer], options: RapOptions) -> Iterator[Problem]:
    """Values and weights that no lane holds."""
    for layer in layered.stages:
        if weight_bits(layer) > 16:
            yield Problem(layer.name, f"its weights have {weight_bits(layer)} bits", "at most 16")
    for name, lane in lane_bits(layered, options.lane_bits).items():
        if lane == 0 or (lane == 32 and name not in layered.outputs):
            rule = f"{layered.types[name].dtype} is read by another layer and no lane holds it"
            yield Problem(name, rule, "at most 16 bits, 15 where an unsigned value is added to a signed one")


def extent_problems(value: Storage) -> Iterator[Problem]:
    """A row of an image that is too long for the fields of SHAPE."""
    if value.strip > MAX_STRIP or value.span > MAX_SPAN:
        rule = f"a row of the image takes {value.span} words of a bank"
        yield Problem(value.name, rule, f"at most {MAX_SPAN} words and {MAX_STRIP} columns")
