# SPDX-License-Identifier: Apache-2.0
"""Where weights lie: on chip for good where all fit, else partly streamed, in packets that share a part of the memory.

A packet holds the weights of one layer and is written anew for every batch, in the order of the layers. A layer whose
weights are too many for one packet becomes several layers, each with some of the output channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.targets.bitsys.array.depthwise import tile_groups
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.registers import encode_packet, packet_fields

MOST_AHEAD = (1 << packet_fields()["ahead"].bits) - 2  # the hardware counts one packet more


@dataclass(frozen=True)
class Packet:
    """Weights of layer `layer`, streamed to lines base.. of the memory.

    ahead: earlier packets that may still be in use while this one is written.
    """

    layer: int
    base: int
    lines: int
    ahead: int


def place(layers: Sequence[Layer], hardware: Hardware) -> tuple[list[Layer], tuple[Packet, ...]]:
    """Layers with the places of their weights, maybe split, and the packets of a batch in order.

    The streamed layers take half of the memory, two packets at least, so that one comes in while another is in use;
    they take all of it, and then packets as large as the memory, where that is what the number of layers allows.
    """
    lines = hardware.weight_lines
    if sum(len(layer.weights) for layer in layers) <= lines or not hardware.weight_stream:
        return _on_chip(layers, range(len(layers)), 0), ()
    for area, most in ((lines // 2, lines // 4), (lines, lines // 2), (lines, lines)):
        placed, streamed = _split(layers, lines - area, most, hardware)
        packets = _packets(placed, streamed, area)
        if len(placed) <= hardware.layers and all(packet.lines <= area for packet in packets):
            break
    resident = [k for k in range(len(placed)) if k not in set(streamed)]
    placed = _on_chip(placed, resident, area)
    for packet in packets:
        layer = placed[packet.layer]
        placed[packet.layer] = replace(layer, fields=layer.fields | {"weight_base": packet.base, "streamed": 1})
    return placed, packets


def _on_chip(layers: Sequence[Layer], resident: Sequence[int], first: int) -> list[Layer]:
    """Layers of which those named follow each other from line `first` on."""
    placed = list(layers)
    for k in resident:
        placed[k] = replace(layers[k], fields=layers[k].fields | {"weight_base": first})
        first += len(layers[k].weights)
    return placed


def _split(layers: Sequence[Layer], room: int, most: int, hardware: Hardware) -> tuple[list[Layer], list[int]]:
    """Layers, the streamed ones in parts of at most `most` lines (`_parts`); and which are streamed.

    What stays on chip are the largest layers that `room` lines hold: that leaves the least to stream.
    """
    resident = set()
    for k in sorted(range(len(layers)), key=lambda k: -len(layers[k].weights)):
        if len(layers[k].weights) <= room:
            resident.add(k)
            room -= len(layers[k].weights)
    parts: list[Layer] = []
    streamed: list[int] = []
    for k, layer in enumerate(layers):
        made = [layer] if k in resident else _parts(layer, most, hardware)
        streamed += [] if k in resident else range(len(parts), len(parts) + len(made))
        parts += made
    return parts, streamed


def _parts(layer: Layer, most: int, hardware: Hardware) -> list[Layer]:
    """The layer in parts of as many channel tiles as `most` lines hold, one at least."""
    fields, tiles, groups = layer.fields, layer.fields["tiles_n"], tile_groups(layer.fields, hardware)
    step = max(1, most // fields["tile_words"])
    if step >= tiles:
        return [layer]
    found = []
    for first in range(0, tiles, step):
        after = min(first + step, tiles)
        more = {"tiles_n": after - first, "tile_start": first * fields["tile_step"], "first_group": first * groups}
        if after < tiles:
            more |= {"groups_last": groups, "last": 0, "release_input": 0}
        lines = layer.weights[first * fields["tile_words"] : after * fields["tile_words"]]
        found.append(replace(layer, fields=fields | more, weights=lines, tiles=(first, after)))
    return found


def _packets(layers: Sequence[Layer], streamed: Sequence[int], area: int) -> tuple[Packet, ...]:
    """Packets one behind the other in the first `area` lines, from line 0 again where the next one does not fit."""
    spans, at = [], 0
    for k in streamed:
        size = len(layers[k].weights)
        at = at if at + size <= area else 0
        spans.append((at, at + size))
        at += size
    return tuple(
        Packet(layer, first, after - first, _ahead(spans, i))
        for i, (layer, (first, after)) in enumerate(zip(streamed, spans, strict=True))
    )


def _ahead(spans: Sequence[tuple[int, int]], index: int) -> int:
    """How many packets right before this one, the batches being a cycle, have no line of its place."""
    first, after = spans[index]
    for distance in range(1, len(spans)):
        low, high = spans[index - distance]
        if low < after and first < high:
            return min(distance - 1, MOST_AHEAD)
    return min(len(spans) - 1, MOST_AHEAD)


def line_words(lines: np.ndarray, hardware: Hardware) -> np.ndarray:
    """Weight lines [n, columns] as the memory's 64-bit words, uint64 [n, line_words]; column 0 in the lowest bits."""
    if hardware.planes:
        return lines
    shifts = np.uint64(8) * np.arange(8, dtype=np.uint64)
    words: np.ndarray = (lines.reshape(len(lines), -1, 8) << shifts).sum(-1, dtype=np.uint64)
    return words


def stream_words(layers: Sequence[Layer], packets: Sequence[Packet], hardware: Hardware) -> np.ndarray:
    """What the stream carries for a batch: heads and lines of all packets, uint64 [words]."""
    found = [np.zeros(0, np.uint64)]
    for packet in packets:
        head = encode_packet({"base": packet.base, "lines": packet.lines, "ahead": packet.ahead})
        found += [np.array([head], np.uint64), line_words(layers[packet.layer].weights, hardware).ravel()]
    return np.concatenate(found)
