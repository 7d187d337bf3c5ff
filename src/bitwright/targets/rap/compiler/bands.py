# SPDX-License-Identifier: Apache-2.0
"""Layers in bands of rows and parts of their channels, for values and weights that lie in external memory.

A band of the result is computed from the rows that its windows see, halo included, which are loaded anew for every
band. Layers that write parts of one value (Concat, enlargements) make each band together: a stored band is whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bitwright.network.affine import parameters
from bitwright.network.graph import Node
from bitwright.network.stages import Result
from bitwright.network.types import TensorType
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.compiler.storage import Storage
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.isa.table import PLACE_BYTES
from bitwright.targets.rap.isa.transfers import BEAT_BYTES, line_beats

CHANNELS = 16  # parts of a layer are multiples of it: whole words of every width


@dataclass(frozen=True)
class Move:
    """Lines [first, first + count) of a value, as they lie in external memory, and their address in banks A."""

    value: str
    first: int
    count: int
    address: int


@dataclass(frozen=True, eq=False)
class Band:
    """A layer that makes some rows of its results; loads: what it reads; stores: what is complete behind it."""

    layer: Layer
    source: tuple[Storage, ...]
    target: tuple[Storage, ...]
    loads: tuple[Move, ...]
    stores: tuple[Move, ...]

    @property
    def stored(self) -> dict[str, Storage]:
        """Where its values lie."""
        pairs = [*zip(self.layer.inputs, self.source, strict=True)]
        return dict(pairs) | {t.name: t for t in self.target}


def place_lines(size: int) -> int:
    """Lines of the banks that a place of external memory holds."""
    return PLACE_BYTES // (BEAT_BYTES * line_beats(size))


def row_step(value: Storage, size: int) -> int:
    """How many rows begin at places of external memory: bands are multiples of it."""
    lines = place_lines(size)
    return lines // math.gcd(value.span, lines)


def heights(rows: int, step: int) -> Iterator[int]:
    """Rows of a band, the most first."""
    yield rows
    yield from range((rows - 1) // step * step, 0, -step)


def banded(layers: Sequence[Layer], whole: Mapping[str, Storage], machine: Machine) -> list[Band] | int:
    """The bands of layers that make one value, or several, together; or the words of a bank that the least need."""
    targets = [whole[result.name] for result in layers[0].results]
    step = math.lcm(*(row_step(t, machine.size) for t in targets))
    rows, least = targets[0].shape[0], 0
    for height in heights(rows, step):
        found, least = _cut(layers, whole, targets, height, machine.size)
        if least <= machine.a_words:
            return found
    return least


def _cut(
    layers: Sequence[Layer], whole: Mapping[str, Storage], targets: Sequence[Storage], height: int, size: int
) -> tuple[list[Band], int]:
    """Bands of so many rows, and the words that they need of a bank."""
    found: list[Band] = []
    most, rows = 0, targets[0].shape[0]
    for first in range(0, rows, height):
        end, top = min(first + height, rows), 0
        placed: list[Storage] = []
        stores: list[Move] = []
        for t in targets:
            placed.append(replace(t, shape=(end - first, *t.shape[1:]), address=top))
            stores.append(Move(t.name, first * t.span, (end - first) * t.span, top))
            top = _aligned(top + (end - first) * t.span)
        made = [b for layer in layers if (b := _band(layer, whole, tuple(placed), (first, end), top, size))]
        most = max([most, top, *(move.address + move.count for b in made for move in b.loads)])
        found += [*made[:-1], replace(made[-1], stores=tuple(stores))]
    return found, most


def _band(
    layer: Layer, whole: Mapping[str, Storage], target: tuple[Storage, ...], rows: tuple[int, int], at: int, size: int
) -> Band | None:
    """What a layer adds to rows [first, end) of its results; sources are placed from `at` on."""
    (first, end), scale, origin = rows, layer.scale[0], layer.origin[0]
    r0 = max(0, math.ceil((first - origin) / scale))
    r1 = min(layer.shape[0], math.ceil((end - origin) / scale))
    if r0 >= r1:
        return None
    low, high, top = _inputs(layer, r0, r1)
    source: list[Storage] = []
    loads: list[Move] = []
    for name in layer.inputs:
        value, lines = whole[name], place_lines(size)
        begin = low * value.span // lines * lines
        move = Move(name, begin, high * value.span - begin, at)
        inside = at + low * value.span - begin
        source.append(replace(value, shape=(high - low, *value.shape[1:]), address=inside))
        loads.append(move)
        at = _aligned(at + move.count)
    window = replace(layer.window, pads=(top, *layer.window.pads[1:]))
    main = TensorType((r1 - r0, *layer.shape[1:]), layer.main.dtype)
    part = replace(layer, window=window, main=main, origin=(origin + scale * r0 - first, layer.origin[1]))
    return Band(part, tuple(source), target, tuple(loads), ())


def _inputs(layer: Layer, r0: int, r1: int) -> tuple[int, int, int]:
    """Rows [low, high) of the input that rows [r0, r1) of the result see, and the padding above them."""
    window, rows = layer.window, layer.input_types[0].shape[0]
    above = r0 * window.stride[0] - window.pads[0]
    below = (r1 - 1) * window.stride[0] - window.pads[0] + (window.kernel[0] - 1) * window.dilation[0] + 1
    low = min(max(above, 0), rows - 1)
    return low, max(low + 1, min(below, rows)), low - above


def _aligned(words: int) -> int:
    """The next address that begins a place of every size of grid, and a line."""
    return -(-words // CHANNELS) * CHANNELS


def parts(band: Band, count: int) -> list[Band]:
    """The band in parts of its channels; the first loads what they read, the last stores what they make."""
    channels = band.layer.shape[2]
    each = -(-channels // (count * CHANNELS)) * CHANNELS
    if each >= channels:
        return [band]
    found = [replace(band, layer=_part(band.layer, c, min(c + each, channels)), loads=(), stores=()) for c in
             range(0, channels, each)]  # fmt: skip
    found[0] = replace(found[0], loads=band.loads)
    found[-1] = replace(found[-1], stores=band.stores)
    return found


def divisible(layer: Layer) -> bool:
    """Whether parts of its channels read all of its input."""
    return not layer.by_channel and layer.window.groups == 1


def _part(layer: Layer, first: int, end: int) -> Layer:
    """Channels [first, end) of a layer."""
    window = layer.window
    bias = None if window.bias is None else window.bias[first:end]
    window = replace(window, weight=window.weights[first:end], bias=bias)
    main = TensorType((*layer.shape[:2], end - first), layer.main.dtype)
    results = tuple(_sliced(result, first, end) for result in layer.results)
    return replace(layer, window=window, main=main, results=results, channel=layer.channel + first)


def _sliced(result: Result, first: int, end: int) -> Result:
    """A result whose operation has the parameters of channels [first, end) alone."""
    return replace(result, chain=tuple(_narrowed(node, first, end) for node in result.chain))


def _narrowed(node: Node, first: int, end: int) -> Node:
    values = {name: getattr(node.op, name) for name in parameters(node.op)}  # type: ignore[arg-type]
    own = {name: value[first:end] for name, value in values.items() if len(value) > 1}
    return replace(node, op=replace(node.op, **own)) if own else node
