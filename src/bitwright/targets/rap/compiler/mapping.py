# SPDX-License-Identifier: Apache-2.0
"""How a layer is spread over the grid and over time, chosen by its exact cycles and memory words.

Rows of the grid are strips of output columns, columns of the grid are output channels, lanes are input channels (or,
with separate lanes, the channels themselves: pools, sums, copies and depthwise convolutions, whose columns of the grid
are the words of a line or, where that gains nothing, one column alone).
An element holds a block of `body` accumulators; a tile is what all elements hold at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bitwright.network.affine import channels_of
from bitwright.network.ops import Requantize, Rounding
from bitwright.network.stages import Result
from bitwright.targets.rap.compiler import body as bodies
from bitwright.targets.rap.compiler.body import Body
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.compiler.storage import Storage, element_words, padded_channels, whole_lines, words_of
from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.machine import ACCUMULATORS, Machine


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer on the grid.

    pixels x words accumulators an element; cols columns of the grid hold channels; channel_tiles a group, groups,
    x_tiles and rows of output make the tiles; k_words words of input channels; inner: passes of the body for a tile.
    """

    layer: Layer
    source: tuple[Storage, ...]
    target: tuple[Storage, ...]
    machine: Machine
    lanes: bool
    rowwise: bool
    body: Body
    pixels: int
    words: int
    cols: int
    channel_tiles: int
    groups: int
    x_tiles: int
    k_words: int
    inner: int

    @property
    def rows(self) -> int:
        """Rows of the grid at work."""
        return 1 if self.layer.shape[1] == 1 else self.machine.size

    @property
    def tiles(self) -> int:
        return self.channel_tiles * self.groups * self.x_tiles * self.layer.shape[0]

    @property
    def loads_b(self) -> int:
        """Words of weights that a tile takes of each bank; none where nothing is multiplied."""
        return 0 if self.layer.window.weight is None else self.body.loads_b * self.inner

    @property
    def elements(self) -> int:
        """Results of a pixel of a tile in one row."""
        return self.words * self.cols * (self.source[0].lanes if self.lanes else 1)


def is_stochastic(result: Result) -> bool:
    """Whether the result needs random seeds."""
    return isinstance(result.op, Requantize) and result.op.rounding is Rounding.STOCHASTIC


def schedule(plan: LayerPlan) -> tuple[int, int]:
    """(cycles of all tiles up to the issue behind the last DRAIN, further cycles until its last read), exactly."""
    compute = _body_cycles(plan)
    drains = [
        timing.drain_cycles(
            plan.machine.size, plan.pixels, plan.elements, element_words(result, target.bits), is_stochastic(result)
        )
        for result, target in zip(plan.layer.results, plan.target, strict=True)
    ]

    def tile(now: int, free: int) -> tuple[int, int]:
        now += compute
        for drain in drains:
            now = max(now, free)
            free = now + timing.DRAIN_START + drain
            now += 1
        return now, free

    now, free = _loops(0, 0, plan.tiles, tile)
    return now, free - now


def _body_cycles(plan: LayerPlan) -> int:
    """Cycles of all passes of the body for a tile, in the loops that `Writer.loop` makes of them."""
    outer, inner = timing.nested_passes(plan.inner)
    once = (timing.LOOP if inner > 1 else 0) + inner * len(plan.body.steps)
    return once if outer == 1 else timing.LOOP + outer * (once + 1)


_Step = Callable[[int, int], tuple[int, int]]  # from (now, when the slots are free) to the same behind it


def _loops(now: int, free: int, count: int, step: _Step) -> tuple[int, int]:
    """`count` steps in the loops that `Writer.loop` makes of them."""
    outer, inner = timing.nested_passes(count)

    def passes(now: int, free: int) -> tuple[int, int]:
        return _repeat(now + (timing.LOOP if inner > 1 else 0), free, inner, step)

    def around(now: int, free: int) -> tuple[int, int]:
        now, free = passes(now, free)
        return now + 1, free  # NOP

    return passes(now, free) if outer == 1 else _repeat(now + timing.LOOP, free, outer, around)


def _repeat(now: int, free: int, count: int, step: _Step) -> tuple[int, int]:
    """`count` steps; from the first that leaves the slots as it found them on, all take the same time."""
    for left in range(count - 1, -1, -1):
        before, lead = now, free - now
        now, free = step(now, free)
        if free - now == lead:
            return now + left * (now - before), free + left * (now - before)
    return now, free


def cycles(plan: LayerPlan) -> int:
    """Cycles of all tiles."""
    return schedule(plan)[0]


def memory_words(plan: LayerPlan) -> tuple[int, int, int]:
    """(words read of A, words read of B, words written) of a layer, exactly; words outside the image are not read."""
    window, source, target = plan.layer.window, plan.source[0], plan.target
    h, w, _ = source.shape
    y = np.arange(plan.layer.shape[0])[:, None] * window.stride[0] - window.pads[0]
    y = y + np.arange(window.kernel[0]) * window.dilation[0]
    offsets = np.arange(plan.body.columns)[:, None] * window.stride[1] + np.arange(plan.body.phases) + plan.body.first
    if not plan.rowwise:
        offsets = offsets.reshape(-1, 1) + np.arange(window.kernel[1]) * window.dilation[1]
    x = np.arange(plan.x_tiles)[:, None] * plan.pixels * window.stride[1] - window.pads[1] + offsets.reshape(-1)
    x = x[..., None] + np.arange(plan.rows) * source.strip
    inside = int(np.sum((y >= 0) & (y < h))) * int(np.sum((x >= 0) & (x < w)))
    per_place = plan.words * plan.cols if plan.lanes else plan.k_words
    a = inside * per_place * plan.channel_tiles * plan.groups * len(plan.source)
    b = plan.loads_b * plan.tiles * plan.cols
    return a, b, sum(_written(plan, t) for t in target)


def _written(plan: LayerPlan, target: Storage) -> int:
    """Words that a slot writes."""
    h, w, _ = plan.layer.shape
    strip = target.strip // plan.layer.scale[1]
    x = np.arange(plan.x_tiles * plan.pixels)[:, None] + np.arange(plan.rows) * strip
    pixels = h * int(np.sum(x < w))
    return pixels * words_of(plan.elements, target.bits) * plan.channel_tiles * plan.groups


def weight_words(plan: LayerPlan) -> int:
    """Words of a layer in each bank of weights."""
    return plan.loads_b * plan.channel_tiles * plan.groups


def is_shared(plan: LayerPlan, slot: int) -> bool:
    """Whether all channels of a slot have the same parameters, which then lie in the memory once."""
    op, bias = plan.layer.results[slot].op, plan.layer.window.bias
    return op is not None and channels_of(op) == 1 and (bias is None or bool((bias == bias[0]).all()))


def param_words(plan: LayerPlan, slot: int) -> int:
    """Words of a slot's parameters."""
    result = plan.layer.results[slot]
    if result.op is None:
        return 0
    words = element_words(result, plan.target[slot].bits)
    return words if is_shared(plan, slot) else plan.elements * words * plan.channel_tiles * plan.groups


def seed_words(plan: LayerPlan, slot: int) -> int:
    """Words of a slot's random seeds, which lie behind its parameters."""
    pixels = plan.tiles * plan.pixels
    return pixels * timing.seed_words(plan.machine.size) if is_stochastic(plan.layer.results[slot]) else 0


def ranked(layer: Layer, stored: Mapping[str, Storage], machine: Machine, reuse: bool) -> list[LayerPlan]:
    """All mappings, that with the fewest cycles first, among equals that with the fewest memory words.

    Without `reuse` each operation loads both its words and an element has one accumulator.
    """
    plans = _candidates(layer, stored, machine, reuse)
    return sorted(plans, key=lambda p: (cycles(p), sum(memory_words(p)), p.pixels))


def _candidates(layer: Layer, stored: Mapping[str, Storage], machine: Machine, reuse: bool) -> Iterator[LayerPlan]:
    window = layer.window
    source = tuple(stored[name] for name in layer.inputs)
    target = tuple(stored[result.name] for result in layer.results)
    groups = window.groups if not layer.by_channel and _aligned(layer, source[0], machine) else 1
    k_words = 1 if layer.by_channel else words_of(source[0].shape[2] // groups, source[0].bits)
    strip = target[0].strip // layer.scale[1] if layer.shape[1] > 1 else 1
    taps = window.kernel[0] * window.kernel[1]
    for cols, lanes, total in _columns(layer, groups, source, target, machine):
        for pixels in range(1, min(strip, ACCUMULATORS) + 1 if reuse else 2):
            fitting = [n for n in range(1, ACCUMULATORS // pixels + 1) if total % n == 0]
            legal = [n for n in fitting if _packs(n * cols * lanes, n, total, target)]
            for words in legal if reuse else legal[:1]:
                for rowwise, body in _bodies(layer, pixels, words, strip, cols, reuse):
                    inner = k_words * (window.kernel[0] if rowwise else taps) * len(source)
                    yield LayerPlan(
                        layer, source, target, machine, layer.by_channel, rowwise, body, pixels, words, cols,
                        total // words, groups, -(-strip // pixels), k_words, inner,
                    )  # fmt: skip


def _columns(
    layer: Layer, groups: int, source: tuple[Storage, ...], target: tuple[Storage, ...], machine: Machine
) -> Iterator[tuple[int, int, int]]:
    """(columns of the grid, channels of an accumulator, accumulators of a column for a pixel) of every kind that fits.

    Lines of words go to all columns where the sources consist of whole lines and the targets have room for as many.
    """
    channels, size, lanes = layer.shape[2], machine.size, source[0].lanes
    padded = padded_channels(channels // groups, size)
    if not layer.by_channel:
        yield size, 1, padded // size
        return
    yield 1, lanes, padded // lanes
    whole = whole_lines(channels, source[0].bits, size)
    if all(s.pitch % size == 0 for s in source) and all(t.holds(layer.channel + whole) for t in target):
        yield size, lanes, whole // (size * lanes)


def _aligned(layer: Layer, source: Storage, machine: Machine) -> bool:
    """Whether the groups of a convolution begin on words of input and on columns of the grid."""
    groups, channels = layer.window.groups, layer.shape[2]
    per_group = channels // groups
    whole = per_group == padded_channels(per_group, machine.size)
    return (source.shape[2] // groups) % source.lanes == 0 and whole


def _packs(elements: int, words: int, total: int, target: tuple[Storage, ...]) -> bool:
    """Whether the results of a pixel fill whole stored words, or are all its channels."""
    return words == total or all(elements % t.lanes == 0 for t in target)


def _bodies(layer: Layer, pixels: int, words: int, strip: int, cols: int, reuse: bool) -> Iterator[tuple[bool, Body]]:
    """(runs over a kernel row, body) of every kind that fits."""
    window = layer.window
    if layer.by_channel:
        yield False, bodies.streaming(pixels, words, "wide" if cols > 1 else "bus", window.weight is not None)
        return
    if not reuse:
        yield False, bodies.single(pixels, words)
        return
    yield False, bodies.single(pixels, words)
    if window.kernel[1] == 1 or window.dilation[1] > 1 or layer.shape[1] == 1:
        return
    found = [bodies.cyclic(pixels, words, window.kernel[1], window.stride[1])]
    if pixels == strip:
        found.append(bodies.passing(pixels, words, window.kernel[1], window.stride[1], window.pads[1]))
    yield from ((True, body) for body in found if body is not None)
