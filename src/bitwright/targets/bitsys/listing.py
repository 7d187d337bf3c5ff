# SPDX-License-Identifier: Apache-2.0
"""A program as text, read back from the writes that load it: settings, descriptors, parameters, tables, weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bitwright.targets.bitsys.registers import address_of, control_registers, decode_layer
from bitwright.text import comment

LANES, LAYER_STRIDE = 8, 32  # channels of a group; words from one descriptor to the next
WIDTH = 118  # of a line


def listing(writes: np.ndarray, names: Sequence[str] = ()) -> str:
    """The writes uint32 [n, 2] by region, what is 0 left out; `names` say what each layer computes."""
    words: dict[str, dict[int, int]] = {}
    for at, word in writes.tolist():
        region, index = address_of(at)
        words.setdefault(region, {})[index] = word
    lines = list(_settings(words["control"]))
    lines += _layers(words.get("layers", {}), names)
    lines += _parameters(words.get("parameters", {}))
    lines += _tables(words.get("tables", {}))
    return "\n".join([*lines, *_weights(words.get("weights", {}))]) + "\n"


def _settings(words: Mapping[int, int]) -> Iterator[str]:
    yield "control registers"
    names = {register.offset // 4: register.name for register in control_registers().values()}
    yield from (f"  {names[index]} = {word:#x}" for index, word in words.items())


def _layers(words: Mapping[int, int], names: Sequence[str]) -> Iterator[str]:
    for number in sorted({index // LAYER_STRIDE for index in words}):
        name = f": {comment(names[number])}" if number < len(names) else ""
        yield f"layer {number}{name}"
        fields = decode_layer({i % LAYER_STRIDE: w for i, w in words.items() if i // LAYER_STRIDE == number})
        line = " "
        for text in (f"{field}={value}" for field, value in fields.items() if value):
            if len(line) + len(text) > WIDTH:
                yield line
                line = " "
            line += f" {text}"
        yield line


def _parameters(words: Mapping[int, int]) -> Iterator[str]:
    for number in sorted({index // (4 * LANES) for index in words}):
        yield f"parameters of channel group {number}: (sum * multiplier + bias) >> shift"
        for lane in range(LANES):
            low = 4 * (LANES * number + lane)
            multiplier, bias, high = (words.get(low + w, 0) for w in range(3))
            if multiplier == bias == high == 0:
                continue
            bias |= (high & (1 << 26) - 1) << 32
            bias -= (bias >> 57) << 58
            multiplier -= (multiplier >> 31) << 32
            yield f"  lane {lane}: multiplier {multiplier}, bias {bias}, shift {high >> 26}"


def _tables(words: Mapping[int, int]) -> Iterator[str]:
    if words:
        yield "tables: an entry a line, its eight lanes"
    for entry in sorted({index // LANES for index in words}):
        values = [words.get(LANES * entry + lane, 0) for lane in range(LANES)]
        yield f"  {entry}: " + " ".join(str(value - (value >> 31 << 32)) for value in values)


def _weights(words: Mapping[int, int]) -> Iterator[str]:
    if words:
        yield "weights: 64-bit words, eight a line, the first one leftmost"
    low = sorted({index // 16 for index in words})
    for line in low:
        pairs = [words.get(16 * line + i, 0) | words.get(16 * line + i + 1, 0) << 32 for i in range(0, 16, 2)]
        yield f"  {8 * line}: " + " ".join(f"{pair:016x}" for pair in pairs)
