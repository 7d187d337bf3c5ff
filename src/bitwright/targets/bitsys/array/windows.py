# SPDX-License-Identifier: Apache-2.0
"""Windows of array layers as the hardware reads them: several words at once, of a pixel or of pixels in a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bitwright.network.stages import Window
from bitwright.targets.bitsys.array import depthwise
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.storage import Stored


def near(conv: Window, source: Stored, hardware: Hardware) -> bool:
    """Whether words that are read at once are those of pixels next to each other: of one word each, and faster.

    Rows of taps then have a multiple of these words, the last of which count nothing: zeros, but not of one bit.
    """
    (kh, kw), rows = conv.kernel, hardware.rows
    if hardware.port_words == 1 or kw == 1 or source.pitch > 1 or source.bits == 1 or conv.dilation[1] > 1:
        return False
    words = math.ceil(source.type.channels * source.bits / 8)
    tiles = math.ceil(len(conv.weights) / hardware.columns)

    def cycles(reads: int, taps: int) -> int:
        return max(rows * kh * reads, tiles * max(rows, kh * taps * words))

    wide = hardware.buffered(kw)
    return kh * wide <= hardware.row_words and cycles(hardware.reads(kw), wide) < cycles(kw, kw)


def widened(conv: Window, hardware: Hardware) -> Window:
    """The window with rows of whole reads of pixels, zeros behind their taps."""
    wide = hardware.buffered(conv.kernel[1])
    weights = np.pad(conv.weights, [(0, 0), (0, 0), (0, wide - conv.kernel[1]), (0, 0)])
    return replace(conv, kernel=(conv.kernel[0], wide), weight=weights)


def buffer_words(fields: Mapping[str, int], reads: int, hardware: Hardware) -> int:
    """Words of a row buffer that a window takes; reads: of a pixel."""
    return fields["taps"] * reads * (1 if fields.get("near") else hardware.port_words)


def placed(fields: dict[str, int], hardware: Hardware) -> dict[str, int]:
    """The fields of a layer as the hardware takes them, in which `inner` counts reads."""
    if fields.get("vector"):
        return fields
    if fields.get("depthwise"):
        return depthwise.placed(fields, hardware)
    if not fields.get("near"):
        return fields | {"inner": hardware.reads(fields["inner"])}
    columns, step = hardware.reads(fields["kernel_w"]), hardware.port_words * fields["tap_x"]
    return fields | {
        "kernel_w": columns,
        "tap_x": step,
        "tap_y": fields["tap_y"] + (fields["kernel_w"] - 1) * fields["tap_x"] - (columns - 1) * step,
        "dilation_x": hardware.port_words if columns > 1 else 0,
    }
