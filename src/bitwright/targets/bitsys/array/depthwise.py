# SPDX-License-Identifier: Apache-2.0
"""Depthwise layers on the array: a column multiplies a channel of its own, the pixels of a tile share what they read.

A tile is as many pixels of a row as divide the row; tiles below each other are a strip. The windows of a strip are read
as one wide and high window; every row buffer takes the columns of its own pixel from each row of it, into a ring of
rows. A layer's fields are those of windows of single pixels until `placed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bitwright.network.stages import Stage, Window
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.registers import fields as register_fields
from bitwright.targets.bitsys.storage import Stored

LANES = 8  # channels of a tile: bytes of a word
WIDEST = register_fields("layer")["kernel_w"].limits[1]
MOST_TAPS = register_fields("layer")["row_taps"].limits[1]  # of a row or a column of a window
MOST_PLACES = register_fields("layer")["ring_rows"].limits[1]


def suits(stage: Stage, source: Stored, hardware: Hardware) -> bool:
    """Whether a layer is computed so: one channel in and out each, bytes, no dilation, and faster."""
    conv = stage.window
    channels = source.type.channels
    if hardware.planes or source.bits != 8 or channels == 1 or conv.dilation != (1, 1):
        return False
    if conv.groups != channels or len(conv.weights) != channels or max(conv.kernel) > MOST_TAPS:
        return False
    kernel, stride, columns = conv.kernel, conv.stride[1], stage.main.shape[1]
    pixels = tile_pixels(columns, kernel[1], stride, hardware)
    words = conv.stride[0] * ((pixels - 1) * stride + kernel[1])
    taps, rows = math.prod(kernel), hardware.rows
    reads = hardware.reads(source.pitch) / source.pitch
    return max(words * reads, taps, rows) * rows < max(rows * taps * reads, LANES * taps, rows) * pixels


def tile_pixels(columns: int, kernel: int, stride: int, hardware: Hardware) -> int:
    """Pixels of a tile: the most that the array has rows for and that divide a row of the result."""
    found = (t for t in range(min(hardware.rows, columns), 0, -1) if columns % t == 0)
    return next(t for t in found if max(t * stride, (t - 1) * stride + kernel) <= WIDEST)


def weights(conv: Window, source: Stored, hardware: Hardware) -> tuple[dict[str, int], np.ndarray]:
    """Fields, and lines [lines, columns]: eight channels, taps."""
    outputs, taps = len(conv.weights), math.prod(conv.kernel)
    tiles = math.ceil(outputs / LANES)
    own = np.zeros((tiles * LANES, taps), np.int64)
    own[:outputs] = conv.weights.reshape(outputs, taps)
    lines = np.zeros((tiles, taps, hardware.columns), np.uint64)
    lines[:, :, :LANES] = (own & 0xFF).astype(np.uint64).reshape(tiles, LANES, taps).transpose(0, 2, 1)
    fields = {
        "depthwise": 1,
        "mode": 3,
        "signed_b": int(conv.weight_type.signed),
        "tiles_n": tiles,
        "groups_last": 1,
        "tap_words": 1,
        "word_step": LANES,
        "tap_step": LANES * hardware.buffered(source.pitch),
        "tile_step": LANES,
        "taps": taps,
        "plane_words": taps,
        "tile_words": taps,
    }
    return fields, lines.reshape(-1, hardware.columns)


def tile_groups(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Groups of eight channels of a channel tile."""
    return 1 if fields.get("depthwise") else hardware.columns // 8


def again(fields: Mapping[str, int], hardware: Hardware) -> int:
    """Reads that a depthwise layer does again for every band of rows that it is computed in more; 0 for others."""
    if not fields.get("depthwise"):
        return 0
    stride, kernel, columns = (fields[name] for name in ("stride_x", "kernel_w", "out_w"))
    pixels = tile_pixels(columns, kernel, stride, hardware)
    wide = (pixels - 1) * stride + kernel
    return (
        max(0, fields["kernel_h"] - fields["stride_y"]) * wide * hardware.reads(fields["inner"]) * (columns // pixels)
    )


def placed(fields: dict[str, int], hardware: Hardware) -> dict[str, int]:
    """Of a depthwise layer those of the window of a tile."""
    stride, kernel, columns = (fields[name] for name in ("stride_x", "kernel_w", "out_w"))
    inner = hardware.buffered(fields["inner"])
    pixels = tile_pixels(columns, kernel, stride, hardware)
    wide, more = (pixels - 1) * stride + kernel, (pixels - 1) * fields["step_x"]
    rows, row = fields["kernel_h"], kernel * inner
    places = min(2 * hardware.row_words // row, MOST_PLACES)
    down, height = fields["stride_y"], fields["out_h"]
    high = (height - 1) * down + rows
    if fields["frames"] > 1 or max(high, height) > WIDEST or down > rows:
        height, high = 1, rows
    last = 1 << register_fields("layer")["row_words"].bits
    return fields | {
        "inner": hardware.reads(fields["inner"]),
        "kernel_w": wide,
        "kernel_h": high,
        "dilation_x": int(wide > 1),
        "dilation_y": int(high > 1),
        "tap_y": fields["tap_y"] - (wide - kernel) * fields["tap_x"],
        "out_w": columns // pixels,
        "out_h": fields["out_h"] // height,
        "step_x": pixels * fields["step_x"],
        "step_y": fields["step_y"] + more,
        "step_f": fields["step_f"] + more,
        "stride_x": pixels * stride if columns > pixels else 0,
        "stride_y": down if height == 1 else 0,
        "tiles_m": fields["frames"] * fields["out_h"] * (columns // pixels),
        "rows_last": pixels,
        "row_step": stride,
        "row_taps": kernel,
        "row_words": stride * inner % last,
        "row_back": (pixels - 1) * stride * inner % last,
        "tile_down": down,
        "tile_taps": rows,
        "strip_rows": height,
        "ring_rows": places,
        "ring_words": places * row,
        "ring_down": min(down, rows) * row,
        "ring_next": rows * row,
        "out_down": columns * fields["out_pitch"] & 0xFFFF,
    }
