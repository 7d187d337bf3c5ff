# SPDX-License-Identifier: Apache-2.0
"""The values of layers in simulation: what is written to the banks of feature maps.

Layers follow each other, and each writes every word of its values once: a write belongs to the next layer where it is
outside of the values of this one, or the second one of its word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from bitwright.network.types import Array
from bitwright.targets.observation import Layer, Observation, Turns, Values
from bitwright.targets.rap.compiler.storage import WORD, Storage
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.planning import RapPlan
from bitwright.tools.bench import Tap
from bitwright.tools.model import Record

CORE = "u_top.u_core"
WRITES = "writes"
OUTSIDE = "its values go through external memory in bands"


def observation(plan: RapPlan) -> Observation:
    """One tap: the writes of the grid and of the input."""
    machine = plan.options.machine
    if plan.outside is not None:
        return Observation(plan.lowered, (), (), lambda _records, _frames: {}, hidden=OUTSIDE)
    signals = tuple((f"{CORE}.{name}", bits) for name, bits in _fields(machine).items())
    layers: dict[str, Layer] = {}
    for layer in plan.layers:
        for value in layer.target:
            layers[value.name] = Layer(layer.layer.name, value.name, value.name, (WRITES,))
    tap = Tap(WRITES, signals, (f"{CORE}.w_we",))
    turns = Turns(CORE, tuple(dict.fromkeys(layer.name for layer in layers.values())), (tap,), partial(_turns, plan))
    return Observation(plan.lowered, (tap,), tuple(layers.values()), partial(_read, plan), turns)


def _fields(machine: Machine) -> dict[str, int]:
    """Bits of the signals of a write, from the lowest ones of a record."""
    address, turn = (max(machine.a_words, 2 * machine.size) - 1).bit_length(), (machine.size - 1).bit_length()
    return {"w_data": WORD * machine.size, "w_we": machine.size, "w_addr": address, "w_turn": turn}


def _steps(plan: RapPlan) -> list[tuple[Storage, ...]]:
    """The values that are written together, in order: inputs, results of layers; parts of one value are one step."""
    found: list[tuple[Storage, ...]] = [(value,) for value in plan.received]
    for layer in plan.layers:
        if layer.target != found[-1]:
            found.append(layer.target)
    return found


def _read(plan: RapPlan, records: Mapping[str, Record], frames: int) -> dict[str, Values]:
    machine = plan.options.machine
    bank, address, word, _ = _writes(records[WRITES].words, machine)
    steps = _steps(plan)
    values = {v.name: Values.unknown(frames, int(np.prod(v.shape))) for step in steps for v in step}
    for number, part in enumerate(_parts(bank, address, steps * frames, machine)):
        memory = np.full((machine.size, machine.a_words), -1, np.int64)
        memory[bank[part], address[part]] = word[part]
        for value in steps[number % len(steps)]:
            _load(memory, value, values[value.name], number // len(steps))
    return values


def _turns(plan: RapPlan, records: Mapping[str, Record]) -> dict[str, tuple[int, int | None]]:
    """From behind the last write of the layer before to a layer's own last write."""
    bank, address, _, record = _writes(records[WRITES].words, plan.options.machine)
    cycles, steps = records[WRITES].cycles[record], _steps(plan)
    ends = [part.stop for part in _parts(bank, address, steps, plan.options.machine)]
    step, found = len(plan.received) - 1, dict[str, tuple[int, int | None]]()
    for layer in plan.layers:
        step += layer.target != steps[step]
        before, end = ends[step - 1], ends[step]
        if 0 < before < len(cycles):  # something was written behind it
            first = found.get(layer.layer.name, (int(cycles[before - 1]) + 1, 0))[0]
            found[layer.layer.name] = first, int(cycles[end - 1]) if end < len(cycles) else None
    return found


def _parts(bank: Array, address: Array, steps: Sequence[Sequence[Storage]], machine: Machine) -> Iterator[slice]:
    """Which of the writes are each step's."""
    at = 0
    for step in steps:
        part = slice(at, at + machine.size * sum(value.words for value in step))
        count = _own(bank[part] * machine.a_words + address[part], address[part], step)
        yield slice(at, at + count)
        at += count


def _writes(words: Array, machine: Machine) -> tuple[Array, Array, Array, Array]:
    """Bank, address and word of every word that was written, in order, and the number of its record."""
    planes = np.unpackbits(np.ascontiguousarray(words, "<u4").view(np.uint8), axis=1, bitorder="little")
    found, low = {}, 0
    for name, bits in _fields(machine).items():
        found[name], low = planes[:, low : low + bits], low + bits

    def number(name: str) -> Array:
        return found[name].astype(np.int64) @ (1 << np.arange(found[name].shape[1]))

    data = found["w_data"].reshape(-1, machine.size, WORD).astype(np.int64) @ (1 << np.arange(WORD))
    record, bank = np.nonzero(found["w_we"])
    row = (bank - number("w_turn")[record]) % machine.size
    return bank, number("w_addr")[record], data[record, row], record


def _own(keys: Array, addresses: Array, step: Sequence[Storage]) -> int:
    """How many of the writes, from the first on, are a step's: in its values, each word once."""
    inside = np.zeros(len(keys), bool)
    for value in step:
        inside |= (addresses >= value.address) & (addresses < value.address + value.words)
    first = np.zeros(len(keys), bool)
    first[np.unique(keys, return_index=True)[1]] = True
    others = np.flatnonzero(~(inside & first))
    return int(others[0]) if len(others) else len(keys)


def _load(memory: Array, value: Storage, seen: Values, frame: int) -> None:
    """The elements of a value from the words of the banks; -1 is one that was not written."""
    h, w, c = value.shape
    y, x, k = np.ogrid[:h, :w, :c]
    wide = value.bits == 2 * WORD
    place = 2 * k if wide else k * value.bits // WORD
    bank, address = x // value.strip, value.address + (y * value.strip + x % value.strip) * value.pitch + place
    words = memory[bank, address]
    known = words >= 0
    if wide:
        high = memory[bank, address + 1]
        known &= high >= 0
        numbers = words | high << WORD
    else:
        numbers = words >> k % value.lanes * value.bits & ((1 << value.bits) - 1)
    if value.dtype.signed or value.dtype.bipolar:
        numbers = numbers - ((numbers >> (value.bits - 1) & 1) << value.bits)
    seen.found[frame] = np.where(known, numbers, 0).ravel()
    seen.known[frame] = known.ravel()
