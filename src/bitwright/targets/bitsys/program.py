# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Lite writes that load a network: settings, descriptors, parameters, tables, weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.network.stages import Stage, Staged
from bitwright.targets.bitsys import weights
from bitwright.targets.bitsys.array import windows
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.registers import address, control_registers, encode
from bitwright.targets.bitsys.storage import Layout, Stored, groups_of
from bitwright.targets.bitsys.weights import Packet
from bitwright.tools.model import to_words

IDLE_CYCLES = 64  # without input, after which a batch that is not full starts


@dataclass(frozen=True)
class Usage:
    """What a program takes of each memory, in its own units; stream_words: 64-bit words a batch from the stream."""

    weight_lines: int
    param_groups: int
    table_entries: int
    layers: int
    stream_words: int


@dataclass(frozen=True, eq=False)
class Program:
    """Layers with the places of weights, parameters and tables; packets of those weights that are streamed."""

    layers: tuple[Layer, ...]
    packets: tuple[Packet, ...]
    usage: Usage


def place(layers: list[Layer], hardware: Hardware) -> Program:
    """The program of a network's layers; parameters lie one after the other, tables those with most entries first.

    So each table begins at a multiple of a channel's entries.
    """
    lines = sum(len(layer.weights) for layer in layers)
    counts = [-(-len(layer.post.bias) // 8) for layer in layers]
    bases, entries = [0] * len(layers), 0
    for k in sorted(range(len(layers)), key=lambda k: -layers[k].post.table_bits):
        bases[k] = entries
        entries += counts[k] << layers[k].post.table_bits if layers[k].post.table is not None else 0
    groups = 0
    placed = []
    for layer, base, count in zip(layers, bases, counts, strict=True):
        fields = windows.placed(layer.fields, hardware) | {"param_base": groups, "table_base": base}
        placed.append(replace(layer, fields=fields))
        groups += count
    found, packets = weights.place(placed, hardware)
    streamed = sum(1 + packet.lines * hardware.line_words for packet in packets)
    return Program(tuple(found), packets, Usage(lines, groups, entries, len(found), streamed))


def writes(program: Program, staged: Staged[Stage], places: Layout, hardware: Hardware) -> np.ndarray:
    """All writes in order, uint32 [n, 2]; the last one starts the hardware."""
    pairs: list[tuple[int, int]] = [*settings(staged, places)]
    for k, layer in enumerate(program.layers):
        for w, word in enumerate(encode("layer", layer.fields)):
            pairs.append((address("layers", 32 * k + w), word))
        if layer.fields.get("first_group", 0) == 0:  # the parts of a split layer share what the first one writes
            pairs += _parameters(layer)
            pairs += _tables(layer)
    blocks = [np.asarray(pairs, np.uint32).reshape(-1, 2)]
    blocks += [_weights(layer, hardware) for layer in program.layers if not layer.fields.get("streamed")]
    blocks.append(np.asarray([(_control("run"), 1)], np.uint32))
    return np.concatenate(blocks)


def _control(name: str) -> int:
    return address("control", 0) + control_registers()[name].offset


def settings(
    staged: Staged[Stage], places: Layout, input_pixels: int = 0, output_pixels: int = 0
) -> Iterator[tuple[int, int]]:
    """Writes of all that describes the streams; of pixels that come in, or leave, in parts where they do so."""
    yield _control("run"), 0
    yield _control("batch"), places.batch
    yield _control("input_base"), places.input_words << 16
    yield _control("tensors"), len(places.inputs) - 1 | len(staged.outputs) - 1 << 8
    yield _control("idle"), IDLE_CYCLES
    inputs = [_input(places.values[name], len(places.inputs) > 1) for name in places.inputs]
    if input_pixels:
        t = places.values[places.inputs[0]].type
        inputs[0] |= {"pixels": input_pixels, "words": 8 * (t.pixels // input_pixels) + -t.size % 8}
    yield from _entries("input", inputs)
    several = len(staged.outputs) > 1
    outputs = []
    for name, argmax in zip(staged.outputs, staged.argmaxes, strict=True):
        t = staged.types[name]
        bits = 32 if argmax else t.dtype.bits
        entry = {"pixels": output_pixels or t.pixels, "channels": t.channels, "argmax": int(argmax), "bits": bits}
        outputs.append(entry | {"base": places.leaving[name], "groups": groups_of(t) * several})
    yield from _entries("output", outputs)


def _input(value: Stored, several: bool) -> dict[str, int]:
    """The settings of an input."""
    dtype = value.type.dtype
    return {
        "bits": dtype.bits,
        "signed": int(dtype.signed and not dtype.bipolar),
        "stored": value.bits,
        "numbers": int(dtype.bipolar and not value.coded),
        "channels": value.type.channels,
        "pixels": value.type.pixels,
        "pitch": value.pitch,
        "base": value.base,
        "words": -(-value.type.size // 8) * several,
    }


def _entries(kind: str, settings: Sequence[Mapping[str, int]]) -> Iterator[tuple[int, int]]:
    """Writes of the settings of all inputs or outputs."""
    for k, values in enumerate(settings):
        for w, word in enumerate(encode(kind, values)):
            yield address(f"{kind}s", 4 * k + w), word


def _parameters(layer: Layer) -> Iterable[tuple[int, int]]:
    made = layer.post
    for c, (m, b, s) in enumerate(zip(made.multiplier, made.bias, made.shift, strict=True)):
        at = 32 * (layer.fields["param_base"] + c // 8) + 4 * (c % 8)
        bias = int(b) & ((1 << 58) - 1)
        for w, word in enumerate((int(m) & 0xFFFFFFFF, bias & 0xFFFFFFFF, int(s) << 26 | bias >> 32)):
            yield address("parameters", at + w), word
    for c in range(len(made.bias), -(-len(made.bias) // 8) * 8):
        at = 32 * (layer.fields["param_base"] + c // 8) + 4 * (c % 8)
        yield from ((address("parameters", at + w), 0) for w in range(3))


def _tables(layer: Layer) -> Iterable[tuple[int, int]]:
    table = layer.post.table
    if table is None:
        return
    for c, row in enumerate(table):
        first = layer.fields["table_base"] + (c // 8 << layer.post.table_bits)
        for e, entry in enumerate(row):
            yield address("tables", 8 * (first + e) + c % 8), int(entry) & 0xFFFFFFFF


def _weights(layer: Layer, hardware: Hardware) -> np.ndarray:
    """Writes of the weight lines [lines, columns], as 32-bit slices."""
    if not len(layer.weights):
        return np.zeros((0, 2), np.uint32)
    slices = to_words(weights.line_words(layer.weights, hardware).ravel(), 64).ravel()
    first = 2 * layer.fields["weight_base"] * hardware.line_words
    addresses = address("weights", 0) + 4 * (first + np.arange(len(slices)))
    return np.stack([addresses, slices], axis=1).astype(np.uint32)
