# SPDX-License-Identifier: Apache-2.0
"""From the graph to layers: one operation on accumulators each, with the one or two results that its slots make.

An operation with more results is computed again for every further two. A layer reads stored values and writes stored
values. Requantize and Threshold join the operation before them; on a stored value they follow a copy. Flatten stores
nothing: a dense layer on an image is a convolution as large as it. ArgMax stores nothing either: it is taken of what is
sent.
Concat and Resize are copies, each of which writes some channels or every few columns and rows of the value. Lookups
have become thresholds before (`lowering`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitwright.network import Network
from bitwright.network.graph import INPUT, Node
from bitwright.network.ops import (
    Add,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    MaxPool,
    Op,
    Pad,
    Requantize,
    Resize,
    SumPool,
    Threshold,
)
from bitwright.network.types import TensorType
from bitwright.targets.contract import Problem

COMPUTE = (Conv2d, Dense, SumPool, MaxPool, Add, Pad)
POST = (Requantize, Threshold)
COPIES = (Concat, Resize)
VIEWS = (Flatten, ArgMax)  # store nothing: the output unit takes the place of the largest element
LEGAL = (*COMPUTE, *POST, *COPIES, Lookup, *VIEWS)
SLOTS = 2


@dataclass(frozen=True, eq=False)
class Result:
    """A stored value: by which operation it comes from the accumulators, None for raw ones."""

    name: str
    op: Requantize | Threshold | None
    type: TensorType


@dataclass(frozen=True, eq=False)
class Window:
    """A window over an image in the terms of Conv2d; weight [O, KH, KW, C/groups], None for pools, Add and copies."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    maximum: bool = False


@dataclass(frozen=True, eq=False)
class Layer:
    """One operation on accumulators. shape: (H, W, C) of its accumulators; inputs: stored values, two for Add.

    Its results are written from channel `channel` on, at rows origin[0] + scale[0] * y and columns origin[1] +
    scale[1] * x.
    """

    name: str
    kind: str
    window: Window
    inputs: tuple[str, ...]
    shape: tuple[int, int, int]
    accumulator: TensorType
    results: tuple[Result, ...]
    channel: int = 0
    origin: tuple[int, int] = (0, 0)
    scale: tuple[int, int] = (1, 1)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it computes: its own and those of its results."""
        return tuple(dict.fromkeys((self.name, *(result.name for result in self.results))))

    @property
    def operations(self) -> int:
        """Multiplications, or additions and comparisons where there is nothing to multiply, a frame."""
        taps = self.window.kernel[0] * self.window.kernel[1] * len(self.inputs)
        channels = 1 if self.window.weight is None else self.window.weight.shape[3]
        return int(np.prod(self.shape)) * taps * channels


def image_shape(t: TensorType) -> tuple[int, int, int]:
    """(H, W, C) of a value; a vector is one pixel."""
    height, width, channels = t.shape if len(t.shape) == 3 else (1, 1, t.shape[0])
    return height, width, channels


def stored_shape(network: Network, name: str) -> tuple[int, int, int]:
    """(H, W, C) in which a value is stored; an input image that is only flattened is stored as a vector."""
    t = network.types[name]
    if name == INPUT and all(isinstance(node.op, Flatten) for node in network.consumers[INPUT]):
        return (1, 1, t.size)
    return image_shape(t)


def stored_names(network: Network) -> dict[str, str]:
    """For every value the value that it is a view of: itself, or the input of a Flatten or ArgMax."""
    names = {INPUT: INPUT}
    for node in network.nodes:
        names[node.name] = names[node.inputs[0]] if isinstance(node.op, VIEWS) else node.name
    return names


def find_problems(network: Network) -> list[Problem]:
    """Nodes whose operation the array processor has no mapping for."""
    legal = ", ".join(op.__name__ for op in LEGAL)
    found = [
        Problem(node.name, f"{type(node.op).__name__} has no mapping", legal)
        for node in network.nodes
        if not isinstance(node.op, LEGAL)
    ]
    if found:
        return found
    for node in network.nodes:
        if isinstance(node.op, Flatten) and not _is_view(network, node):
            rule = f"it rearranges {network.types[node.inputs[0]]} for another operation than Dense"
            found.append(Problem(node.name, rule, "Flatten of the input, of a single pixel, or before Dense only"))
        if isinstance(node.op, ArgMax) and node.name != network.output_name:
            found.append(Problem(node.name, "ArgMax stands before the output", "ArgMax as the last node"))
        if isinstance(node.op, Lookup) and node.op.dtype.bipolar:
            found.append(Problem(node.name, "its table yields bipolar values", "tables of integers"))
    return found


def _is_view(network: Network, node: Node) -> bool:
    """Whether the consumers of a Flatten can read its input where it lies."""
    h, w, _ = stored_shape(network, stored_names(network)[node.inputs[0]])
    return h * w == 1 or all(isinstance(c.op, (Dense, Flatten)) for c in network.consumers[node.name])


def make_layers(network: Network) -> tuple[Layer, ...]:
    """The layers in the order of the nodes; `find_problems` must have found none."""
    names = stored_names(network)
    layers: list[Layer] = []
    for node in network.nodes:
        if isinstance(node.op, COMPUTE):
            layers += _compute_layers(network, node, names)
        elif isinstance(node.op, POST) and not isinstance(_producer(network, node), COMPUTE):
            layers.append(_copy_layer(network, node, node.inputs[0], names))
        elif isinstance(node.op, Concat):
            channels = [0, network.types[node.inputs[0]].channels]
            for name, channel in zip(node.inputs, channels, strict=True):
                layers.append(_copy_layer(network, node, name, names, channel=channel))
        elif isinstance(node.op, Resize):
            for origin in itertools.product(*map(range, node.op.factor)):
                copy = _copy_layer(network, node, node.inputs[0], names, origin=origin, scale=node.op.factor)
                layers.append(copy)
    return tuple(layers)


def _producer(network: Network, node: Node) -> Op | None:
    """The operation that makes the (first) input of a node; None for the network's input."""
    name = node.inputs[0]
    return None if name == INPUT else network.node(name).op


def _results(network: Network, node: Node) -> tuple[Result, ...]:
    """What is stored of an operation's accumulators, in the order of the nodes.

    Slots add a bias with the multiplication, so biased results that nothing requantizes are multiplied by 1.
    """
    found, raw = [], node.name == network.output_name
    for consumer in network.consumers[node.name]:
        if isinstance(consumer.op, POST):
            found.append(Result(consumer.name, consumer.op, network.types[consumer.name]))
        else:
            raw = True
    if raw:
        t = network.types[node.name]
        biased = getattr(node.op, "bias", None) is not None
        found.append(Result(node.name, Requantize(t.dtype) if biased else None, t))
    return tuple({result.name: result for result in found}.values())


def _compute_layers(network: Network, node: Node, names: dict[str, str]) -> Iterator[Layer]:
    """The layer of an operation, once more for every further `SLOTS` results."""
    op, out = node.op, network.types[node.name]
    inputs = tuple(names[n] for n in node.inputs)
    h, w, c = stored_shape(network, inputs[0])
    if isinstance(op, Conv2d):
        window = Window(op.kernel, op.stride, op.pads, op.dilation, op.groups, op.pad_value, op.weight, op.bias)
    elif isinstance(op, Dense):
        window = Window((h, w), weight=op.weight.reshape(-1, h, w, c), bias=op.bias)
    elif isinstance(op, Pad):
        window = Window(pads=op.pads, pad_value=op.value)
    elif isinstance(op, (SumPool, MaxPool)):
        maximum = isinstance(op, MaxPool)
        low = network.types[inputs[0]].dtype.min if maximum else 0
        window = Window(op.kernel, op.stride, op.pads, pad_value=low, maximum=maximum)
    else:
        window = Window()
    kind = type(op).__name__
    results = _results(network, node)
    for first in range(0, len(results), SLOTS):
        yield Layer(node.name, kind, window, inputs, image_shape(out), out, results[first : first + SLOTS])


def _copy_layer(network: Network, node: Node, source: str, names: dict[str, str], **place: Any) -> Layer:
    """A copy of one input, with the operation of the node where it is one of the slots."""
    t = network.types[source]
    op = node.op if isinstance(node.op, POST) else None
    result = Result(node.name, op, network.types[node.name])
    kind = type(node.op).__name__
    return Layer(node.name, kind, Window(), (names[source],), image_shape(t), t, (result,), **place)
