# SPDX-License-Identifier: Apache-2.0
"""What a build folder must say for its design to be used: types and limits of everything that is read from its files.

Scripts, drivers and the simulator's job are written from these values, and a folder may come from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from bitwright.errors import ModelError
from bitwright.hardware.memory_port import MemoryPort
from bitwright.network import Network, TensorType
from bitwright.targets.contract import Design, Estimate, FrameSpec, StreamSpec, SynthesisUnit

MAX_BUS_BITS = 1 << 16
MAX_CYCLES = 1 << 53
MAX_COPIES = 1 << 20
MAX_BATCH = 1 << 16
MAX_MEMORY = 1 << 35
MAX_LATENCY = 10_000
WORD = 1 << 32


def check_design(design: Design) -> None:
    """Raise `ModelError` for the first value that no design has."""
    network = design.network
    _need(isinstance(design.target, str), "target", "text")
    _frame("input", design.input, [spec.type for spec in network.inputs])
    _frame("output", design.output, [network.types[value] for value in network.output_values])
    for unit in design.units:
        _unit(unit, len(design.estimate.rows))
    _estimate(design.estimate, network)
    for name in ("options", "parameters"):
        _need(isinstance(getattr(design, name), Mapping), name, "an object")
    _counters(design.counters)
    _need(_whole(design.batch, 1, MAX_BATCH), "batch", f"1 to {MAX_BATCH}")
    _words(design)


def _need(fact: bool, what: str, legal: str) -> None:
    if not fact:
        raise ModelError(f"{what} must be {legal}")


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _frame(name: str, frame: FrameSpec, types: Sequence[TensorType]) -> None:
    _need(len(frame.tensors) == len(types), f"tensors of stream {name}", f"the network's, {len(types)}")
    for spec, t in zip(frame.tensors, types, strict=True):
        _stream(name, spec, t)


def _stream(name: str, spec: StreamSpec, t: TensorType) -> None:
    _need(spec.type == t, f"the type of stream {name}", f"the network's, {t}")
    _need(_whole(spec.lanes, 1, MAX_BUS_BITS), f"lanes of stream {name}", f"1 to {MAX_BUS_BITS}")
    _need(_whole(spec.bus_bits, 0, MAX_BUS_BITS), f"bus_bits of stream {name}", f"0 to {MAX_BUS_BITS}")
    _need(spec.word_bits <= spec.tdata_bits <= MAX_BUS_BITS, f"a word of stream {name}", f"of 1 to {MAX_BUS_BITS} bits")


def _unit(unit: SynthesisUnit, rows: int) -> None:
    _need(isinstance(unit.name, str), "name of a unit", "text")
    _need(_whole(unit.copies, 1, MAX_COPIES), f"copies of unit {unit.name!r}", f"1 to {MAX_COPIES}")
    _need(unit.row is None or _whole(unit.row, 0, rows - 1), f"row of unit {unit.name!r}", "a row of the estimate")


def _estimate(estimate: Estimate, network: Network) -> None:
    for name in ("interval_cycles", "latency_cycles"):
        _need(_whole(getattr(estimate, name), 0, MAX_CYCLES), name, f"a whole number from 0 to {MAX_CYCLES}")
    _need(isinstance(estimate.overlap, bool), "overlap", "true or false")
    names = {node.name for node in network.nodes}
    for layer in estimate.rows:
        _need(isinstance(layer.name, str) and isinstance(layer.kind, str), "name and kind of a layer", "text")
        _need(_whole(layer.cycles, 0, MAX_CYCLES), f"cycles of layer {layer.name!r}", "a whole number")
        numbers = (type(v) in (int, float) and math.isfinite(v) for v in astuple(layer.resources))
        _need(all(numbers), f"resources of layer {layer.name!r}", "numbers")
        known = all(isinstance(name, str) and name in names for name in layer.nodes)
        _need(known, f"nodes of layer {layer.name!r}", "nodes of the network")
        _need(isinstance(layer.details, Mapping), f"details of layer {layer.name!r}", "an object")


def _counters(counters: Any) -> None:
    if counters is not None:
        _need(isinstance(counters, Mapping), "counters", "addresses by name")
        addresses = all(_whole(v, 0, WORD - 1) for v in counters.values())
        _need(addresses, "addresses of counters", "whole numbers of 32 bits")


def _words(design: Design) -> None:
    """The arrays beside the design."""
    if design.program is not None:
        _need(design.program.ndim == 2 and design.program.shape[1] == 2, "the program", "pairs of address and word")
        _need(design.program.dtype == np.uint32, "the program", "words of 32 bits")
    if design.weights is not None:
        words = design.weights.words
        fits = words.ndim == 2 and 1 <= words.shape[1] <= MAX_BUS_BITS // 32 and words.dtype == np.uint32
        _need(fits, "weights", f"words of 32 to {MAX_BUS_BITS} bits")
        _need(_whole(design.weights.frames, 1, MAX_CYCLES), "weights_frames", "a whole number from 1 on")
    if design.memory is not None:
        _memory(design.memory)


def _memory(port: MemoryPort) -> None:
    """External memory: a simulation takes as much as it says."""
    _need(port.bits in (64, 128), "bits of the memory", "64 or 128")
    _need(_whole(port.size, 1, MAX_MEMORY), "size of the memory", f"1 to {MAX_MEMORY} bytes")
    fits = port.image.ndim == 1 and port.image.dtype == np.uint32 and 4 * len(port.image) <= port.size
    _need(fits, "the memory's image", "words of 32 bits, no more than the memory's size")
    addresses = len(port.registers) == 2 and all(_whole(v, 0, WORD - 1) for v in port.registers)
    _need(addresses, "registers of the memory", "two whole numbers of 32 bits")
    for name in ("latency", "gap"):
        _need(_whole(getattr(port, name), 1, MAX_LATENCY), f"{name} of the memory", f"1 to {MAX_LATENCY}")
