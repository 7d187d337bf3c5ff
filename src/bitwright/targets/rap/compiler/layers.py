# SPDX-License-Identifier: Apache-2.0
"""From stages to layers: one operation on accumulators each, with the one or two results that its slots make.

An operation with more results is computed again for every further two. A layer reads stored values and writes stored
values. Requantize and Threshold join the operation before them; on a stored value they follow a copy. ArgMax is taken
of what is sent. Concat, Weave and enlargements are copies, each of which writes some channels or every few columns and
rows of the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bitwright.network import Network, TensorType
from bitwright.network.ops import Add, Concat, Conv2d, Dense, Pad, Pool, Requantize, Weave
from bitwright.network.stages import Result, Rules, Stage, Staged, Window, staged

RULES = Rules(absorbing=(Conv2d, Dense, Pool, Add, Pad), results=2, wire=False)


@dataclass(frozen=True, eq=False)
class Layer(Stage):
    """A stage, or a copy that makes a part of its result.

    Its results are written from channel `channel` on, at rows origin[0] + scale[0] * y and columns origin[1] +
    scale[1] * x.
    """

    channel: int = 0
    origin: tuple[int, int] = (0, 0)
    scale: tuple[int, int] = (1, 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of its accumulators."""
        h, w, c = self.main.shape
        return h, w, c

    @property
    def by_channel(self) -> bool:
        """Whether each channel of its results comes from that of its inputs alone: separate lanes compute it."""
        window = self.window
        own = window.groups == self.shape[2] == self.input_types[0].channels
        return window.weight is None or (window.groups > 1 and own)


def make_layers(network: Network) -> Staged[Layer]:
    """The layers in the order of the nodes of a lowered network; `check` must accept them."""
    found = staged(network, RULES)
    layers = tuple(layer for stage in found.stages for layer in _layers(stage))
    return Staged(network, layers, found.stored, found.types, found.outputs, found.argmaxes)


def _layers(stage: Stage) -> Iterator[Layer]:
    op = stage.op
    if isinstance(op, Concat):
        channels = [0, stage.input_types[0].channels]
        for name, t, channel in zip(stage.inputs, stage.input_types, channels, strict=True):
            yield Layer(stage.node, (name,), (t,), t, Window(), stage.results, channel)
    elif isinstance(op, Weave):
        yield from _turns(stage, op)
    elif op is not None and op.repeats:
        copy = replace(Layer(**vars(stage)), main=stage.input_types[0], scale=op.repeats)
        yield from (replace(copy, origin=(y, x)) for y in range(op.repeats[0]) for x in range(op.repeats[1]))
    else:
        yield replace(Layer(**vars(stage)), results=tuple(_biased(stage, result) for result in stage.results))


def _turns(stage: Stage, op: Weave) -> Iterator[Layer]:
    """The copies that a Weave is: of each input every so many rows or columns, from each of these on, to its place."""
    first, whole = 0, sum(op.counts)

    def along(n: int, other: int) -> tuple[int, int]:
        return (n, other) if op.axis == 0 else (other, n)

    for name, t, count in zip(stage.inputs, stage.input_types, op.counts, strict=True):
        (h, w, c), turns = t.shape, t.shape[op.axis] // count
        size = (turns, w, c) if op.axis == 0 else (h, turns, c)
        for k in range(count) if turns > 1 else range(1):
            start = along(-k, 0)
            window = Window(stride=along(count, 1), pads=(*start, 0, 0)) if turns > 1 else Window()
            main = TensorType(size, t.dtype) if turns > 1 else t
            scale = along(whole, 1) if turns > 1 else (1, 1)
            yield Layer(stage.node, (name,), (t,), main, window, stage.results, 0, along(first + k, 0), scale)
        first += count


def _biased(stage: Stage, result: Result) -> Result:
    """Slots add a bias with the multiplication, so biased results that nothing requantizes are multiplied by 1."""
    if result.chain or stage.node is None or stage.window.bias is None:
        return result
    return replace(result, chain=(replace(stage.node, op=Requantize(result.type.dtype)),))
