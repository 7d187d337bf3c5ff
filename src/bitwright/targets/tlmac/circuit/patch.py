# SPDX-License-Identifier: Apache-2.0
"""Kernel taps side by side: exact rewritings of a convolution into one with a smaller kernel and more channels.

pairs    stride columns become channels (the stream's order is the same): fewer, wider pixels.
columns  the taps of a kernel row become channels, through a shift register.
rows     the taps of a kernel column become channels, through a memory of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.hardware.memory import index_bits, is_block, ram
from bitwright.hardware.modules.control import counter
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import Sized
from bitwright.network import TensorType
from bitwright.targets.tlmac.layer import MacLayer

COLUMNS, ROWS = "tlmac_columns", "tlmac_rows"


@dataclass(frozen=True, eq=False)
class Patch:
    """One module in front of the window reader: tlmac_columns or tlmac_rows, for a layer with its input."""

    module: str
    layer: MacLayer  # before the rewriting

    @property
    def taps(self) -> int:
        return self.layer.kernel[self.module == COLUMNS]

    @property
    def cycles(self) -> int:
        """Words a frame that pass through, padding included, at one word a pixel."""
        height, width, _ = self.layer.input.shape
        top, left, bottom, right = self.layer.pads
        if self.module == COLUMNS:
            return height * (left + width + right)
        return (top + height + bottom) * width

    def sizes(self, lanes: int) -> dict[str, int]:
        """Numbers that say how words of `lanes` channels go through."""
        layer = self.layer
        height, width, channels = layer.input.shape
        axis = int(self.module == COLUMNS)
        found = {
            "Lanes": lanes,
            "Bits": layer.in_bits,
            "Size": (height, width)[axis],
            "Kernel": layer.kernel[axis],
            "Stride": layer.stride[axis],
            "PadBefore": layer.pads[axis],
            "PadAfter": layer.pads[axis + 2],
            "PadLane": int(layer.input.dtype.encode(np.array(layer.pad_value))),
        }
        if axis:
            return found | {"Chunks": channels // lanes, "Dilation": layer.dilation[1]}
        return found | {"RowWords": width * channels // lanes}

    def parameters(self, lanes: int) -> dict[str, object]:
        """Parameters for words of `lanes` channels."""
        sizes = self.sizes(lanes)
        return {**sizes, "PadLane": Sized(sizes["PadLane"], self.layer.in_bits)}

    def cost(self, lanes: int) -> Resources:
        """Resources for words of `lanes` channels."""
        p = self.sizes(lanes)
        width, kernel = lanes * p["Bits"], p["Kernel"]
        padded = p["PadBefore"] + p["Size"] + p["PadAfter"]
        control = counter(padded) + Resources(lut=8 + 2 * (p["Stride"] > 1), ff=2 + (p["Stride"] > 1))
        fill = width if padded > p["Size"] else 0
        if self.module == COLUMNS:
            gap = p["Dilation"] * p["Chunks"]
            held = (kernel - 1) * (1 if gap > 3 else gap) + 1
            shift = (kernel - 1) * width * (gap > 3) * -(-gap // 32)
            return control + counter(p["Chunks"]) + Resources(lut=fill + shift, ff=held * width)
        depth, memory = p["RowWords"], (kernel - 1) * width
        rows = ram(memory, depth, is_block(memory, depth))
        return control + counter(depth) + rows + Resources(lut=fill, ff=width + index_bits(depth) + 1)


def with_pairs(layer: MacLayer) -> MacLayer | None:
    """Column pairs (or as many as the stride) as channels; None where that does not fit the width."""
    step = layer.stride[1]
    height, width, channels = layer.input.shape
    if step == 1 or width % step or layer.dilation[1] != 1 or layer.groups != 1:
        return None
    top, left, bottom, _ = layer.pads
    before = -(-left // step)
    first = before * step - left
    kernel = -(-(layer.kernel[1] + first) // step)
    after = layer.out_size[1] - 1 + kernel - before - width // step
    if after < 0:
        return None  # the last columns are not used, and there is no cropping
    w = np.pad(layer.weight, ((0, 0), (0, 0), (first, kernel * step - first - layer.kernel[1]), (0, 0)))
    w = w.reshape(*w.shape[:2], kernel, step * channels)
    return replace(
        layer,
        input=TensorType((height, width // step, step * channels), layer.input.dtype),
        weight=np.ascontiguousarray(w),
        stride=(layer.stride[0], 1),
        pads=(top, before, bottom, after),
    )


def with_columns(layer: MacLayer) -> MacLayer | None:
    """Kernel columns as channels, (channel, column) in this order; None where there is one column."""
    if layer.kernel[1] == 1:
        return None
    height, _, channels = layer.input.shape
    top, _, bottom, _ = layer.pads
    w = layer.weight.transpose(0, 1, 3, 2).reshape(layer.outputs, layer.kernel[0], 1, -1)
    return replace(
        layer,
        input=TensorType((height, layer.out_size[1], channels * layer.kernel[1]), layer.input.dtype),
        weight=np.ascontiguousarray(w),
        stride=(layer.stride[0], 1),
        pads=(top, 0, bottom, 0),
        dilation=(layer.dilation[0], 1),
    )


def with_rows(layer: MacLayer) -> MacLayer | None:
    """Kernel rows as channels of a layer with one kernel column, (channel, row) in this order; or None."""
    _, width, channels = layer.input.shape
    if layer.kernel[0] == 1 or layer.kernel[1] != 1 or layer.dilation[0] != 1 or width < 2 or any(layer.pads[1::2]):
        return None
    if layer.stride[1] != 1:
        return None
    w = layer.weight.transpose(0, 2, 3, 1).reshape(layer.outputs, 1, 1, -1)
    return replace(
        layer,
        input=TensorType((layer.out_size[0], width, channels * layer.kernel[0]), layer.input.dtype),
        weight=np.ascontiguousarray(w),
        stride=(1, 1),
        pads=(0, 0, 0, 0),
    )


@dataclass(frozen=True, eq=False)
class Variant:
    """A layer as it is computed, and the modules that bring its input there.

    name: the rewritings, joined by "+": pairs, columns, rows; "plain" for none.
    """

    name: str
    layer: MacLayer
    patches: tuple[Patch, ...] = ()

    @property
    def taps(self) -> int:
        """Taps side by side in a word."""
        found = 1
        for patch in self.patches:
            found *= patch.taps
        return found


def variants(layer: MacLayer) -> list[Variant]:
    """All ways to set taps side by side, the plain layer first."""
    found = []
    for prefix, base in (("", layer), ("pairs+", with_pairs(layer))):
        if base is None:
            continue
        found.append(Variant(prefix.rstrip("+") or "plain", base))
        columns = with_columns(base)
        wide = (
            Variant(prefix, base) if columns is None else Variant(f"{prefix}columns+", columns, (Patch(COLUMNS, base),))
        )
        if columns is not None:
            found.append(replace(wide, name=wide.name.rstrip("+")))
        rows = with_rows(wide.layer)
        if rows is not None:
            found.append(Variant(f"{wide.name}rows", rows, (*wide.patches, Patch(ROWS, wide.layer))))
    return found
