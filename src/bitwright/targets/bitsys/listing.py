# SPDX-License-Identifier: Apache-2.0
"""A program as text, read back from the writes that load it: settings, descriptors, parameters, tables, weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bitwright.targets.bitsys.registers import address_of, control_registers, decode
from bitwright.text import comment

LANES = 8  # channels of a group
STRIDES = {"layer": 32, "input": 4, "output": 4}  # words from one entry to the next
WIDTH = 118  # of a line


def listing(writes: np.ndarray, names: Sequence[str] = ()) -> str:
    """The writes uint32 [n, 2] by region, what is 0 left out; `names` say what each layer computes."""
    words: dict[str, dict[int, int]] = {}
    for at, word in writes.tolist():
        region, index = address_of(at)
        words.setdefault(region, {})[index] = word
    lines = list(_settings(words["control"]))
    for kind in ("input", "output"):
        lines += _entries(kind, words[f"{kind}s"])
    lines += _entries("layer", words.get("layers", {}), names)
    lines += _parameters(words.get("parameters", {}))
    lines += _tables(words.get("tables", {}))
    return "\n".join([*lines, *_weights(words.get("weights", {}))]) + "\n"


def _settings(words: Mapping[int, int]) -> Iterator[str]:
    yield "control registers"
    names = {register.offset // 4: register.name for register in control_registers().values()}
    yield from (f"  {names[index]} = {word:#x}" for index, word in words.items())


def _entries(kind: str, words: Mapping[int, int], names: Sequence[str] = ()) -> Iterator[str]:
    """Descriptors of layers, or settings of inputs or outputs."""
    stride = STRIDES[kind]
    for number in sorted({index // stride for index in words}):
        name = f": {comment(names[number])}" if number < len(names) else ""
        yield f"{kind} {number}{name}"
        fields = decode(kind, {i % stride: w for i, w in words.items() if i // stride == number})
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
