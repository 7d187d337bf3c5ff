# SPDX-License-Identifier: Apache-2.0
"""How values lie in the activation memory: bits of an element, words of a pixel, first word."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitwright.network import IntType, TensorType
from bitwright.network.graph import INPUT
from bitwright.network.ops import Add, Conv2d, Op, SumPool
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.stages import Stage, Staged
from bitwright.targets.bitsys.units import CONTAINER_WIDTHS, PLANE_CHANNELS, container_mode


@dataclass(frozen=True)
class Stored:
    """A value in memory, (H, W, C) of `bits` bits an element (16: two halves), one frame after the other.

    coded: a bipolar value as 0 and 1; otherwise elements are their own two's complement or unsigned code.
    """

    type: TensorType
    bits: int
    coded: bool
    planes: bool
    base: int = 0

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


def array_mode(conv: Conv2d, dtype: IntType, channels: int, fixed: bool) -> int:
    """The mode that a container layer needs: both operands fit, and only bipolar ones run as one bit.

    A zero counts as -1 in 1-bit mode. Containers are filled up with zeros, and so are weights outside of a group:
    the channels must fill the containers there, and be one group.
    """
    if fixed:
        return 3
    if dtype.bipolar and conv.weight_type.bipolar and channels % 8 == 0 and conv.groups == 1:
        return 0
    return max(1, container_mode(dtype.bits + int(dtype.bipolar)), container_mode(_weight_bits(conv)))


def _weight_bits(conv: Conv2d) -> int:
    return conv.weight_type.bits + int(conv.weight_type.bipolar)


def _adds(op: Op | None) -> bool:
    """Whether a reader adds values as they are, or zeros to them: bipolar ones must be numbers for it."""
    return isinstance(op, Add) or (isinstance(op, SumPool) and any(op.pads))


def stored(t: TensorType, readers: Sequence[Stage], hardware: Hardware) -> Stored:
    """The storage that suits all readers of a value, which has at most 16 bits, for an array at most 8."""
    dtype = t.dtype
    numbers = dtype.bipolar and any(_adds(s.op) for s in readers)
    bits = dtype.bits + int(numbers)
    if bits > 8:
        return Stored(t, 16, False, hardware.planes)
    if hardware.planes:
        return Stored(t, bits, dtype.bipolar and not numbers, True)
    arrays = [s.op for s in readers if isinstance(s.op, Conv2d)]
    mode = container_mode(bits)
    if arrays:
        mode = max(int(numbers), *(array_mode(op, dtype, t.channels, hardware.unit == "fixed") for op in arrays))
    return Stored(t, CONTAINER_WIDTHS[mode], dtype.bipolar and mode == 0, False)


@dataclass(frozen=True)
class Layout:
    """Where everything lies; the input has two buffers, one being filled while the other is computed."""

    values: Mapping[str, Stored]
    batch: int
    words: int

    @property
    def input_words(self) -> int:
        """Words of one input buffer."""
        return self.values[INPUT].words * self.batch


def layout(staged: Staged, hardware: Hardware, batch: int) -> Layout:
    """First-fit allocation by lifetime; may need more words than the memory has, which `check` reports."""
    readers = {name: [s for s in staged.stages if name in s.sources] for name in staged.types}
    output = staged.stages[-1].name
    values = {name: stored(t, readers[name], hardware) for name, t in staged.types.items() if name != output}
    end = top = 2 * values[INPUT].words * batch
    live: list[tuple[int, int, int]] = []  # first word, word after the last, last stage that reads it
    placed = {INPUT: values[INPUT]}
    for k, stage in enumerate(staged.stages[:-1]):
        live = [entry for entry in live if entry[2] >= k]
        value = values[stage.name]
        base = _gap(sorted(live), end, value.words * batch)
        last = max(i for i, s in enumerate(staged.stages) if stage.name in s.sources)
        live.append((base, base + value.words * batch, last))
        placed[stage.name] = Stored(value.type, value.bits, value.coded, value.planes, base)
        top = max(top, base + value.words * batch)
    return Layout(placed, batch, top)


def _gap(live: list[tuple[int, int, int]], start: int, size: int) -> int:
    """The first place from `start` on where `size` words are free."""
    for first, after, _ in live:
        if start + size <= first:
            return start
        start = max(start, after)
    return start
