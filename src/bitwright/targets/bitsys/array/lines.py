# SPDX-License-Identifier: Apache-2.0
"""Lines of weights of array layers, and the fields by which the array walks over them."""

from __future__ import annotations

import math

import numpy as np

from bitwright.network import IntType
from bitwright.network.stages import Stage, Window
from bitwright.targets.bitsys.array import depthwise, windows
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.post import Sums
from bitwright.targets.bitsys.storage import Stored
from bitwright.targets.bitsys.units import CONTAINER_WIDTHS, PLANE_CHANNELS, container_words, plane_words

Lowered = tuple[dict[str, int], Sums, np.ndarray]  # fields of a layer, its sums, its lines of weights


def lines(stage: Stage, source: Stored, hardware: Hardware) -> Lowered:
    """Fields of an array layer, channel tiles included, the range of its sums, its lines [lines, columns]."""
    conv, tiles = stage.window, weight_lines(stage, source, hardware)[1]
    left = stage.main.channels - (tiles - 1) * hardware.columns
    fields = {"tiles_n": tiles, "groups_last": math.ceil(left / 8)}
    if depthwise.suits(stage, source, hardware):
        found = depthwise.weights(conv, source, hardware)
        return found[0], Sums(1, conv.offsets, *_limits(conv, source)), found[1]
    near = windows.near(conv, source, hardware)
    if near:
        conv = windows.widened(conv, hardware)
    lower = _plane_weights if hardware.planes else _container_weights
    more, sums, weights = lower(conv, source, hardware, tiles)
    if near:  # pixels of a word each
        more["tap_step"] -= 8 * (hardware.buffered(1) - 1)
    return fields | more | {"near": int(near), "taps": math.prod(conv.kernel)}, sums, weights


def tile_words(conv: Window, tiles: int, columns: int, per_word: int, available: int) -> tuple[int, int]:
    """(words of a tap that a channel tile reads, words from one tile's first to the next).

    A grouped convolution reads only the words of its outputs' groups where those advance evenly; else all.
    """
    outputs, channels = conv.weights.shape[0], conv.weights.shape[3] * conv.groups
    everything = math.ceil(channels / per_word)
    per_output = outputs // conv.groups
    spans = []
    for t in range(tiles):
        first, last = t * columns // per_output, (min((t + 1) * columns, outputs) - 1) // per_output
        low = first * conv.weights.shape[3] // per_word
        spans.append((low, math.ceil((last + 1) * conv.weights.shape[3] / per_word)))
    length = max(high - low for low, high in spans)
    step = spans[1][0] if tiles > 1 else 0
    even = all(low == t * step for t, (low, _) in enumerate(spans))
    if conv.groups > 1 and even and spans[-1][0] + length <= available:
        return length, step
    return everything, 0


def _tiled(conv: Window, tiles: int, columns: int, per_word: int, words: int, step: int) -> np.ndarray:
    """Weights [tiles, columns, taps, words * per_word] of what each tile reads, zeros outside outputs and groups."""
    outputs, kh, kw, per_group = conv.weights.shape
    width = words * per_word
    found = np.zeros((tiles * columns, kh * kw, width), np.int64)
    for k in range(outputs):
        first = k // (outputs // conv.groups) * per_group - k // columns * step * per_word
        low, high = max(first, 0), min(first + per_group, width)
        found[k, :, low:high] = conv.weights[k].reshape(kh * kw, per_group)[:, low - first : high - first]
    return found.reshape(tiles, columns, kh * kw, width)


def _limits(conv: Window, source: Stored) -> tuple[int, int]:
    """Range of the hardware's sums, which leave out the bias."""
    flat = conv.weights.reshape(len(conv.weights), -1)
    positive, negative = int(np.maximum(flat, 0).sum(1).max()), int(np.minimum(flat, 0).sum(1).min())
    low, high = source.limits
    scale = 2 if source.coded and source.planes else 1
    if source.coded and not source.planes:
        low, high = -1, 1
    return scale * (positive * min(low, 0) + negative * max(high, 0)), scale * (
        positive * max(high, 0) + negative * min(low, 0)
    )


def weight_lines(stage: Stage, source: Stored, hardware: Hardware) -> tuple[int, int]:
    """(lines of a channel tile, channel tiles) of a layer's weights."""
    conv = stage.window
    if depthwise.suits(stage, source, hardware):
        return math.prod(conv.kernel), math.ceil(len(conv.weights) / depthwise.LANES)
    tiles = math.ceil(len(conv.weights) / hardware.columns)
    if hardware.planes:
        planes, per_word = plane_code(conv, source)[0].bits, PLANE_CHANNELS
    else:
        planes, per_word = 1, 8 // source.bits
    words, _ = tile_words(conv, tiles, hardware.columns, per_word, _operand_words(source))
    taps = conv.kernel[1]
    if windows.near(conv, source, hardware):
        taps = hardware.buffered(taps)
    return planes * conv.kernel[0] * taps * words, tiles


def _operand_words(source: Stored) -> int:
    """Operand words of a pixel in the row buffers: planes of one weight, or containers."""
    return math.ceil(source.type.channels / PLANE_CHANNELS) if source.planes else 8 * source.pitch


def _container_weights(conv: Window, source: Stored, hardware: Hardware, tiles: int) -> Lowered:
    """Lines of containers: tile, tap, word; channels reversed within a container."""
    mode = CONTAINER_WIDTHS.index(source.bits)
    per_word = 8 // source.bits
    words, step = tile_words(conv, tiles, hardware.columns, per_word, _operand_words(source))
    tiled = _tiled(conv, tiles, hardware.columns, per_word, words, step)
    lines = container_words(tiled if mode else (tiled + 1) // 2, mode, reverse=True)  # [tiles, columns, taps, words]
    taps = lines.shape[2]
    fields = {
        "mode": mode,
        "signed_b": int(conv.weight_type.signed and mode > 0),
        "tap_words": words,
        "word_step": 1,
        "tap_step": 8 * hardware.buffered(source.pitch) - (words - 1),
        "tile_step": step,
        "plane_words": taps * words,
        "tile_words": taps * words,
    }
    weights = lines.transpose(0, 2, 3, 1).reshape(-1, hardware.columns).astype(np.uint64)
    return fields, Sums(1, conv.offsets, *_limits(conv, source)), weights


def plane_code(conv: Window, source: Stored) -> tuple[IntType, bool]:
    """Type whose planes hold the weights, and whether bipolar ones are stored as bits with a correction.

    With bits q, weights 2q - 1 need the sum of the activations of each window, which the loader counts: all
    channels of its words must then be the value's own, or zeros as in an input.
    """
    bipolar = conv.weight_type.bipolar
    channels = source.type.channels
    clean = channels % PLANE_CHANNELS == 0 or (source.fed and not any(conv.pads))
    if bipolar and conv.groups == 1 and clean:
        return IntType(1), True
    return (IntType(2, True), False) if bipolar else (conv.weight_type, False)


def _plane_weights(conv: Window, source: Stored, hardware: Hardware, tiles: int) -> Lowered:
    """Lines of planes: tile, plane, tap, word."""
    code, correct = plane_code(conv, source)
    bits = source.bits
    words, step = tile_words(conv, tiles, hardware.columns, PLANE_CHANNELS, _operand_words(source))
    tiled = _tiled(conv, tiles, hardware.columns, PLANE_CHANNELS, words, step)
    lines = plane_words(
        (tiled + 1) // 2 if correct else code.encode(tiled), code.bits
    )  # [tiles, columns, taps, planes, words]
    taps = lines.shape[2]
    fields = {
        "correct": int(correct),
        "double": int(source.coded),
        "signed_b": int(code.signed),
        "stored_b": code.bits,
        "tap_words": words,
        "word_step": bits,
        "tap_step": bits * (_operand_words(source) - words + 1),
        "tile_step": step * bits,
        "plane_words": taps * words,
        "tile_words": code.bits * taps * words,
    }
    offset = conv.offsets - (conv.weights.sum(axis=(1, 2, 3)) if source.coded else 0)
    weights = lines.transpose(0, 3, 2, 4, 1).reshape(-1, hardware.columns)
    return fields, Sums(1, offset, *_limits(conv, source)), weights
