# SPDX-License-Identifier: Apache-2.0
"""How values lie in the activation memory: bits of an element, words of a pixel, first word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bitwright.network import IntType, TensorType
from bitwright.network.ops import Add, Concat, SumPool, Weave
from bitwright.network.stages import Stage, Staged, Window
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.units import CONTAINER_WIDTHS, PLANE_CHANNELS, container_mode


@dataclass(frozen=True)
class Stored:
    """A value in memory, (H, W, C) of `bits` bits an element (16: two halves), one frame after the other.

    coded: a bipolar value as 0 and 1; otherwise elements are their own two's complement or unsigned code. fed: whether
    it comes in from the stream; base is then its place in each of the two input buffers.
    """

    type: TensorType
    bits: int
    coded: bool
    planes: bool
    base: int = 0
    fed: bool = False

    @property
    def wide(self) -> bool:
        return self.bits > 8

    @property
    def groups(self) -> int:
        """Groups of eight channels of a pixel."""
        return math.ceil(self.type.channels / 8)

    @property
    def pitch(self) -> int:
        """Words of a pixel."""
        if self.planes:
            return math.ceil(self.type.channels / PLANE_CHANNELS) * self.bits
        return math.ceil(self.groups * self.bits / 8)

    @property
    def words(self) -> int:
        """Words of a frame."""
        return self.type.pixels * self.pitch

    @property
    def signed(self) -> bool:
        return self.type.dtype.signed and not self.coded

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest element as it is stored."""
        return (0, 1) if self.coded else (self.type.dtype.min, self.type.dtype.max)


def array_mode(conv: Window, dtype: IntType, channels: int, bytes_only: bool) -> int:
    """The mode that a container layer needs: both operands fit, and only bipolar ones run as one bit.

    A zero counts as -1 in 1-bit mode. Containers are filled up with zeros, and so are weights outside of a group:
    the channels must fill the containers there, and be one group.
    """
    if bytes_only:
        return 3
    if dtype.bipolar and conv.weight_type.bipolar and channels % 8 == 0 and conv.groups == 1:
        return 0
    return max(1, container_mode(dtype.bits + int(dtype.bipolar)), container_mode(_weight_bits(conv)))


def _weight_bits(conv: Window) -> int:
    return conv.weight_type.bits + int(conv.weight_type.bipolar)


def _adds(stage: Stage) -> bool:
    """Whether a reader adds values as they are, or zeros to them: bipolar ones must be numbers for it."""
    return isinstance(stage.op, Add) or (isinstance(stage.op, SumPool) and any(stage.window.pads))


def stored(name: str, staged: Staged[Stage], hardware: Hardware) -> Stored:
    """The storage that suits all readers of a value, which has at most 16 bits, for an array at most 8.

    The first value of a Concat fills whole words of the result, and so do pixels whose rows take turns: a row of them
    is copied as one.
    """
    t = staged.types[name]
    dtype, readers = t.dtype, [s for s in staged.stages if name in s.inputs]
    numbers = dtype.bipolar and any(map(_adds, readers))
    bits = dtype.bits + int(numbers)
    if bits > 8:
        return Stored(t, 16, False, hardware.planes)
    if hardware.planes:
        return Stored(t, bits, dtype.bipolar and not numbers, True)
    arrays = [s.window for s in readers if s.window.multiplies]
    mode = container_mode(bits)
    if arrays:
        mode = max(int(numbers), *(array_mode(conv, dtype, t.channels, hardware.bytes_only) for conv in arrays))
    for s in staged.stages:
        if s.value == name and isinstance(s.op, Concat):
            mode += next(k for k in range(4) if s.input_types[0].channels * CONTAINER_WIDTHS[mode + k] % 64 == 0)
        if isinstance(s.op, Weave) and s.op.axis == 0 and name in (s.value, *s.inputs):
            mode = next(k for k in range(mode, 4) if math.ceil(t.channels / 8) * CONTAINER_WIDTHS[k] % 8 == 0)
    return Stored(t, CONTAINER_WIDTHS[mode], dtype.bipolar and mode == 0, False)


@dataclass(frozen=True)
class Layout:
    """Where everything lies; inputs have two buffers, one being filled while the other is computed.

    values: those in memory. inputs, outputs: in the order of the network's, with the words of one input buffer and the
    channel groups of the output buffer. leaving: the first channel group of every value that leaves.
    """

    values: Mapping[str, Stored]
    inputs: tuple[str, ...]
    leaving: Mapping[str, int]
    batch: int
    words: int
    input_words: int
    output_groups: int


def groups_of(t: TensorType) -> int:
    """Groups of eight channels of an image."""
    return t.pixels * math.ceil(t.channels / 8)


def layout(staged: Staged[Stage], hardware: Hardware, batch: int) -> Layout:
    """First-fit allocation by lifetime; may need more words than the memory has, which `check` reports."""
    inputs, placed, buffer = staged.network.input_names, dict[str, Stored](), 0
    for name in inputs:
        placed[name] = replace(stored(name, staged, hardware), base=buffer, fed=True)
        buffer += placed[name].words * batch
    leaving, groups = dict[str, int](), 0
    for name in dict.fromkeys(staged.outputs):
        leaving[name] = groups
        groups += groups_of(staged.types[name]) * batch
    end = top = 2 * buffer
    live: list[tuple[int, int, int]] = []  # first word, word after the last, last stage that reads it
    for k, stage in enumerate(staged.stages):
        if stage.value in leaving:
            continue
        live = [entry for entry in live if entry[2] >= k]
        value = stored(stage.value, staged, hardware)
        base = _gap(sorted(live), end, value.words * batch)
        last = max(i for i, _ in staged.readers(stage.value))
        live.append((base, base + value.words * batch, last))
        placed[stage.value] = replace(value, base=base)
        top = max(top, base + value.words * batch)
    return Layout(placed, inputs, leaving, batch, top, buffer, groups)


def _gap(live: list[tuple[int, int, int]], start: int, size: int) -> int:
    """The first place from `start` on where `size` words are free."""
    for first, after, _ in live:
        if start + size <= first:
            return start
        start = max(start, after)
    return start
