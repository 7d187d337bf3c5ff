"""The AXI4-Lite writes that load a network: settings, descriptors, parameters, tables, weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from bitwright.network.graph import INPUT
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.registers import address, control_registers, encode_layer
from bitwright.targets.bitsys.stages import Staged
from bitwright.targets.bitsys.storage import Layout

IDLE_CYCLES = 64  # without input, after which a batch that is not full starts


@dataclass(frozen=True)
class Usage:
    """What a program takes of each memory, in its own units."""

    weight_lines: int
    param_groups: int
    table_entries: int
    layers: int


def place(layers: list[Layer]) -> tuple[list[Layer], Usage]:
    """Layers with the places of their weights, parameters and tables, one after the other."""
    lines = groups = entries = 0
    placed = []
    for layer in layers:
        count = -(-len(layer.post.bias) // 8)
        fields = layer.fields | {"weight_base": lines, "param_base": groups, "table_base": entries}
        placed.append(replace(layer, fields=fields))
        lines += len(layer.weights)
        groups += count
        entries += count << layer.post.table_bits if layer.post.table is not None else 0
    return placed, Usage(lines, groups, entries, len(layers))


def writes(layers: list[Layer], staged: Staged, places: Layout, hardware: Hardware) -> np.ndarray:
    """All writes in order, uint32 [n, 2]; the last one starts the hardware."""
    pairs: list[tuple[int, int]] = [*_settings(staged, places)]
    for k, layer in enumerate(layers):
        for w, word in enumerate(encode_layer(layer.fields)):
            pairs.append((address("layers", 32 * k + w), word))
        pairs += _parameters(layer)
        pairs += _tables(layer)
    blocks = [np.asarray(pairs, np.uint32).reshape(-1, 2)]
    blocks += [_weights(layer, hardware) for layer in layers if len(layer.weights)]
    blocks.append(np.asarray([(_control("run"), 1)], np.uint32))
    return np.concatenate(blocks)


def _control(name: str) -> int:
    return address("control", 0) + control_registers()[name].offset


def _settings(staged: Staged, places: Layout) -> Iterable[tuple[int, int]]:
    value, result = places.values[INPUT], staged.stages[-1].result
    dtype = value.type.dtype
    sign = int(dtype.signed and not dtype.bipolar)
    yield _control("run"), 0
    yield _control("batch"), places.batch
    yield _control("input_type"), dtype.bits | sign << 4 | value.bits << 5 | value.type.channels << 16
    yield _control("input_base"), places.input_words << 16
    yield _control("input_shape"), value.type.pixels | value.pitch << 16
    yield _control("output_shape"), result.pixels | result.channels << 16 | int(staged.argmax) << 31
    yield _control("output_bits"), 32 if staged.argmax else result.dtype.bits
    yield _control("idle"), IDLE_CYCLES


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
    lines = layer.weights
    if hardware.planes:
        parts = np.stack([lines & np.uint64(0xFFFFFFFF), lines >> np.uint64(32)], axis=-1)
        slices = parts.reshape(len(lines), -1)
    else:
        shifted = lines.reshape(len(lines), -1, 4) << (np.uint64(8) * np.arange(4, dtype=np.uint64))
        slices = shifted.sum(-1, dtype=np.uint64)
    first = layer.fields["weight_base"] * hardware.slices
    addresses = address("weights", 0) + 4 * (first + np.arange(slices.size))
    return np.stack([addresses, slices.ravel()], axis=1).astype(np.uint32)
