# SPDX-License-Identifier: Apache-2.0
"""How values lie in the banks: width of their lanes, strip of columns in each bank, words of a pixel, address.

Bank r holds columns r * strip to (r + 1) * strip - 1; word k of pixel (y, x) lies in bank x // strip at
address + (y * strip + x % strip) * pitch + k. The pitch has room for all channels that the columns of the grid or
the lanes of a word make. Pixels begin on lines, as many words as the grid has columns, where a layer reads whole ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bitwright.network.ops import Threshold
from bitwright.network.stages import Result, Staged
from bitwright.network.types import IntType
from bitwright.targets.contract import Problem
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.isa.table import LANE_BITS
from bitwright.targets.rap.isa.timing import HEADER_STEPS, PARAM_LANES

WORD = 16
Links = dict[str, list[tuple[str, Fraction, str]]]  # by value: other values, ratios of the strips, layers that ask
MAX_STRIP, MAX_SPAN, MAX_EDGE = 1023, (1 << 15) - 1, (1 << 11) - 1


@dataclass(frozen=True)
class Storage:
    """A stored value. bits: of a lane, 32 where an element takes two words; address: first word in every bank."""

    name: str
    shape: tuple[int, int, int]
    dtype: IntType
    bits: int
    strip: int
    pitch: int
    address: int

    @property
    def lanes(self) -> int:
        """Elements a word; 1 for elements of two words."""
        return max(1, WORD // self.bits)

    @property
    def pixel_words(self) -> int:
        """Words that hold the channels of a pixel."""
        return words_of(self.shape[2], self.bits)

    def holds(self, channels: int) -> bool:
        """Whether a pixel has room for so many channels."""
        return words_of(channels, self.bits) <= self.pitch

    @property
    def image_words(self) -> int:
        """Words of all pixels, as IN writes and OUT reads them."""
        return self.shape[0] * self.shape[1] * self.pixel_words

    @property
    def span(self) -> int:
        """Words of one row of the image in one bank."""
        return self.strip * self.pitch

    @property
    def words(self) -> int:
        """Words in every bank."""
        return self.shape[0] * self.span


def words_of(elements: int, bits: int) -> int:
    """Words that hold so many elements."""
    return elements * 2 if bits == 32 else math.ceil(elements * bits / WORD)


def padded_channels(channels: int, size: int) -> int:
    """Channels that are computed: whole words of the narrowest lanes, and all columns of the grid."""
    group = max(size, WORD // min(LANE_BITS))
    return group * math.ceil(channels / group)


def whole_lines(channels: int, bits: int, size: int) -> int:
    """Channels that are computed where all columns of the grid take words of their own."""
    line = size * (WORD // bits)
    return line * math.ceil(channels / line)


def element_words(result: Result, bits: int) -> int:
    """Parameter words of an element: one, more for many thresholds, two where it is stored in two words."""
    words = threshold_words(result.op.thresholds.shape[1]) if isinstance(result.op, Threshold) else 1
    return max(words, 2) if bits == 32 else words


def threshold_words(count: int) -> int:
    """Parameter words of so many thresholds."""
    return 1 + -(-max(0, count - HEADER_STEPS) // PARAM_LANES)


def lane_bits(found: Staged[Layer], least: int) -> dict[str, int]:
    """Bits of the lanes of every stored value; 0 where no lane is wide enough.

    A value has the lanes of the layers that read it, so they hold its numbers and their weights; both operands of an
    Add have the same lanes, wide enough for a sign bit if only one of them has a sign. least: of all lanes.
    """
    types, layers = found.types, found.stages
    needed = {name: t.dtype.bits for name, t in types.items()}
    for layer in layers:
        signs = {types[name].dtype.signed for name in layer.inputs}
        for name in layer.inputs:
            extra = len(signs) == 2 and not types[name].dtype.signed
            needed[name] = max(needed[name], types[name].dtype.bits + extra, weight_bits(layer))
    pairs = [layer.inputs for layer in layers if len(layer.inputs) == 2]
    while uneven := [pair for pair in pairs if len({needed[name] for name in pair}) > 1]:  # one Add widens another's
        for pair in uneven:
            needed |= dict.fromkeys(pair, max(needed[name] for name in pair))
    bits = {name: next((w for w in LANE_BITS if w >= max(n, least)), 0) for name, n in needed.items()}
    return bits | {name: 32 for name in found.outputs if bits[name] == 0 and not found.readers(name)}


def weight_bits(layer: Layer) -> int:
    """Bits of the weights, signed where one is negative; 1 for the ones of pools and sums."""
    w = layer.window.weight
    return 1 if w is None else IntType.holding(min(int(w.min()), 0), max(int(w.max()), 0)).bits


def strips(layered: Staged[Layer], size: int) -> tuple[dict[str, int], list[Problem]]:
    """Columns of every stored value in a bank: stride times as many for the input of a layer as for its results, and
    for those of an enlargement its factor times as many as for its input.

    Values of one column lie in the first bank. Strips are the smallest that fit; problems name layers that ask for
    two different ones.
    """
    links: Links = {name: [] for name in layered.types}
    for layer in layered.stages:
        ratio = Fraction(layer.window.stride[1], layer.scale[1])
        for result in layer.results if layer.shape[1] > 1 else ():
            for name in layer.inputs:
                links[name].append((result.name, ratio, layer.name))
    scale: dict[str, Fraction] = {}
    problems: list[Problem] = []
    found: dict[str, int] = {}
    for name in layered.types:
        if name in scale:
            continue
        group = _component(name, links, scale, problems)
        unit = Fraction(
            math.lcm(*(scale[n].denominator for n in group)), math.gcd(*(scale[n].numerator for n in group))
        )
        base = unit * max(math.ceil(math.ceil(layered.types[n].shape[1] / size) / scale[n] / unit) for n in group)
        found |= {n: int(base * scale[n]) for n in group}
    return found, problems


def _component(name: str, links: Links, scale: dict[str, Fraction], problems: list[Problem]) -> list[str]:
    """All values whose strips depend on that of `name`; their ratios go into `scale`."""
    scale[name] = Fraction(1)
    group, queue = [name], [name]
    backward: Links = {}
    for source, targets in links.items():
        for target, ratio, layer in targets:
            backward.setdefault(target, []).append((source, ratio, layer))
    while queue:
        current = queue.pop()
        ahead = [(n, 1 / ratio, layer) for n, ratio, layer in links[current]]
        for other, factor, layer in ahead + backward.get(current, []):
            if other not in scale:
                scale[other] = scale[current] * factor
                group.append(other)
                queue.append(other)
            elif scale[other] != scale[current] * factor:
                rule = f"its strides ask for other columns in the banks than those of {other}"
                problems.append(Problem(layer, rule, "branches with equal strides"))
    return group


def narrow_pitches(layered: Staged[Layer], size: int, bits: Mapping[str, int]) -> dict[str, int]:
    """Words of a pixel of every stored value."""
    return {name: words_of(padded_channels(t.channels, size), bits[name]) for name, t in layered.types.items()}


def wide_pitches(layered: Staged[Layer], size: int, bits: Mapping[str, int]) -> dict[str, int]:
    """Words of a pixel of every stored value, so that layers read whole lines where that is faster."""
    pitches = narrow_pitches(layered, size, bits)
    wide = [layer for layer in layered.stages if layer.by_channel and _gains(layer, size, bits)]
    for layer in wide:
        whole = whole_lines(layer.shape[2], bits[layer.inputs[0]], size)
        for result in layer.results:
            pitches[result.name] = max(pitches[result.name], words_of(layer.channel + whole, bits[result.name]))
    for name in (name for layer in wide for name in layer.inputs):
        pitches[name] = size * math.ceil(pitches[name] / size)
    pairs = [layer.inputs for layer in layered.stages if len(layer.inputs) == 2]
    while uneven := [pair for pair in pairs if len({pitches[name] for name in pair}) > 1]:  # one stream reads both
        for pair in uneven:
            pitches |= dict.fromkeys(pair, max(pitches[name] for name in pair))
    return pitches


def _gains(layer: Layer, size: int, bits: Mapping[str, int]) -> bool:
    """Whether all columns of the grid are faster than one: the elements and the slots work at the same time."""
    narrowest = bits[layer.inputs[0]]
    work = math.prod(layer.window.kernel) * len(layer.inputs)
    drain = (WORD // narrowest) * sum(element_words(result, bits[result.name]) for result in layer.results)
    words = words_of(padded_channels(layer.shape[2], size), narrowest)
    return max(work, size * drain) * math.ceil(words / size) < max(work, drain) * words


def place(
    layered: Staged[Layer], size: int, bits: Mapping[str, int], strip: Mapping[str, int], pitch: Mapping[str, int]
) -> tuple[dict[str, Storage], int]:
    """All stored values with their addresses, and the words that every bank A needs.

    Values begin on lines. An address is free again behind the last layer that reads the value; the first gap that is
    large enough is taken.
    """
    types, layers = layered.types, layered.stages
    until = dict.fromkeys(types, 0) | dict.fromkeys(layered.outputs, len(layers))
    for index, layer in enumerate(layers):
        for name in layer.inputs:
            until[name] = max(until[name], index)
    placed: dict[str, Storage] = {}
    top = 0
    made = [list(layered.network.input_names), *([result.name for result in layer.results] for layer in layers)]
    for index, names in enumerate(made):
        for name in (n for n in names if n not in placed):
            (h, w, c), dtype = types[name].shape, types[name].dtype
            value = Storage(name, (h, w, c), dtype, bits[name], strip[name], pitch[name], 0)
            taken = [v for v in placed.values() if until[v.name] >= index - 1]
            value = replace(value, address=_gap(taken, value.words, size))
            placed[name] = value
            top = max(top, value.address + value.words)
    return placed, top


def _gap(taken: Sequence[Storage], words: int, line: int) -> int:
    """Lowest address of a gap of so many words that begins on a line."""
    address = 0
    for value in sorted(taken, key=lambda v: v.address):
        if value.address - address >= words:
            break
        address = max(address, line * math.ceil((value.address + value.words) / line))
    return address
