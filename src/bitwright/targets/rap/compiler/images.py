# SPDX-License-Identifier: Apache-2.0
"""Contents of the weight banks and of the parameter memory for one layer."""

from __future__ import annotations

import numpy as np

from bitwright.network.affine import folded
from bitwright.network.lfsr import draws
from bitwright.network.ops import Lookup, Requantize, Threshold
from bitwright.targets.rap.compiler.mapping import LayerPlan, is_shared
from bitwright.targets.rap.compiler.storage import WORD, element_words
from bitwright.targets.rap.isa.timing import HEADER_STEPS, PARAM_LANES

NEVER = (1 << 31) - 1  # a threshold above every accumulator


def pack_lanes(values: np.ndarray, bits: int) -> np.ndarray:
    """Last axis of integers, filled up with zeros, to words of lanes: uint16 [..., words]."""
    lanes = WORD // bits
    short = -values.shape[-1] % lanes
    values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, short)])
    values = (values & ((1 << bits) - 1)).reshape(*values.shape[:-1], -1, lanes)
    words: np.ndarray = np.sum(values << (np.arange(lanes) * bits), axis=-1)
    return words.astype(np.uint16)


def weights(plan: LayerPlan) -> np.ndarray:
    """Words of the weight banks in the order of use, uint16 [column, words]; no words where nothing is multiplied."""
    w = plan.layer.window.weight
    if w is None:
        return np.zeros((plan.cols, 0), np.uint16)
    bits, groups = plan.source[0].bits, plan.groups
    if plan.lanes:  # [O, KH, KW, 1]: lanes are output channels; word, row, column of the kernel, within a tile
        words = pack_lanes(np.moveaxis(w[..., 0], 0, -1), bits)
        total = plan.channel_tiles * plan.words * plan.cols
        words = np.pad(words, [(0, 0), (0, 0), (0, total - words.shape[2])])
        words = words.reshape(*words.shape[:2], plan.channel_tiles, plan.words, plan.cols)
        return np.transpose(words, (4, 2, 0, 1, 3)).reshape(plan.cols, -1)
    w = w if plan.layer.window.groups == groups else _dense(w, plan.layer.window.groups)
    per_group = w.shape[0] // groups
    padded = plan.channel_tiles * plan.words * plan.cols
    w = w.reshape(groups, per_group, *w.shape[1:])
    w = np.pad(w, [(0, 0), (0, padded - per_group), (0, 0), (0, 0), (0, 0)])
    words = pack_lanes(w, bits)  # [group, output, KH, KW, word]
    words = words.reshape(groups, plan.channel_tiles, plan.words, plan.cols, *words.shape[2:])
    words = words[:, :, :, :, :, list(plan.body.taps)] if plan.rowwise else words
    # Axes: group, tile, accumulator, column, KH, KW, word. Order of use: the body runs over (KW,) accumulators.
    order = (3, 0, 1, 4, 6, 5, 2) if plan.rowwise else (3, 0, 1, 4, 5, 6, 2)
    return np.transpose(words, order).reshape(plan.cols, -1)


def _dense(w: np.ndarray, groups: int) -> np.ndarray:
    """Weights of a grouped convolution as those of an ungrouped one, with zeros."""
    outputs, kh, kw, channels = w.shape
    full = np.zeros((outputs, kh, kw, channels * groups), np.int64)
    for o in range(outputs):
        g = o // (outputs // groups)
        full[o, :, :, g * channels : (g + 1) * channels] = w[o]
    return full


def parameters(plan: LayerPlan, slot: int) -> np.ndarray:
    """Parameter words of a slot in the order of use, uint32 [words, 4]; none for raw results."""
    op = plan.layer.results[slot].op
    if op is None:
        return np.zeros((0, PARAM_LANES), np.uint32)
    channels, bias = plan.layer.shape[2], plan.layer.window.bias
    assert not isinstance(op, Lookup)
    op = folded(op, 1, np.zeros(channels, np.int64) if bias is None else bias)
    words = element_words(plan.layer.results[slot], plan.target[slot].bits)
    table = np.zeros((plan.elements * plan.channel_tiles * plan.groups, words, PARAM_LANES), np.int64)
    if isinstance(op, Requantize):
        table[:channels] = _requantize(op, channels, words)
    else:
        table[:channels] = _threshold(op, channels, words)
    table = table[:1] if is_shared(plan, slot) else table
    return (table.reshape(-1, PARAM_LANES) & 0xFFFFFFFF).astype(np.uint32)


def _requantize(op: Requantize, channels: int, words: int) -> np.ndarray:
    """int64 [channels, words, 4]."""
    multiplier, shift, bias = (np.broadcast_to(v, channels) for v in (op.multiplier, op.shift, op.bias))
    table = np.zeros((channels, words, PARAM_LANES), np.int64)
    table[:, 0] = np.stack([multiplier, shift, bias & 0xFFFFFFFF, bias >> 32], axis=1)
    return table


def _threshold(op: Threshold, channels: int, words: int) -> np.ndarray:
    """int64 [channels, words, 4]; unused places hold what no accumulator reaches."""
    base, step = (np.broadcast_to(v, channels) for v in (op.base, op.step))
    flat = np.full((channels, words * PARAM_LANES - 1), NEVER, np.int64)
    flat[:, : op.thresholds.shape[1]] = np.clip(op.thresholds, -(1 << 31), NEVER)
    head = (base & 0xFFFF) | (step & 0xFFFF) << 16
    return np.insert(flat, HEADER_STEPS, head, axis=1).reshape(channels, words, PARAM_LANES)


def seeds(plan: LayerPlan, slot: int) -> np.ndarray:
    """Random state of every row at the first channel of every pixel of every tile, in the order of use, uint32 [n, 4].

    Rows and pixels outside the image have the state of its last element: it draws nothing that is stored.
    """
    h, w, c = plan.layer.shape
    op = plan.layer.results[slot].op
    assert isinstance(op, Requantize)
    state = draws(op.seed, h * w * c)
    y = np.arange(h)[:, None, None, None, None]
    tile = np.arange(plan.x_tiles)[:, None, None, None]
    channel = np.arange(plan.channel_tiles * plan.groups)[:, None, None] * plan.elements
    pixel = np.arange(plan.pixels)[:, None]
    x = tile * plan.pixels + pixel + np.arange(plan.machine.size) * plan.target[slot].strip
    index = np.minimum((y * w + np.minimum(x, w - 1)) * c + channel, h * w * c - 1)
    found = state[index].reshape(-1, plan.machine.size)
    short = -plan.machine.size % PARAM_LANES
    return np.pad(found, [(0, 0), (0, short)]).reshape(-1, PARAM_LANES).astype(np.uint32)
