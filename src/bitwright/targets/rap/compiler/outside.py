# SPDX-License-Identifier: Apache-2.0
"""The program of a network whose values, weights and parameters lie in external memory.

Every value has a place of its own there, in lines of the banks. A frame is a sequence of sections: bands of the input
that are stored, bands of layers, bands of the output that are loaded. Weights and parameters of the next layer, or part
of one, are loaded while the one before computes, where both fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bitwright.network.stages import Staged
from bitwright.network.types import TensorType
from bitwright.targets.contract import FrameSpec, StreamSpec
from bitwright.targets.rap.compiler import images
from bitwright.targets.rap.compiler.bands import Band, Move, heights, place_lines, row_step
from bitwright.targets.rap.compiler.codegen import Code, layer_parameters, receive, send_value, write_layer
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.compiler.mapping import LayerPlan
from bitwright.targets.rap.compiler.storage import Storage
from bitwright.targets.rap.compiler.writer import Writer
from bitwright.targets.rap.isa.machine import Machine, Program
from bitwright.targets.rap.isa.table import INTO, PLACE_BYTES
from bitwright.targets.rap.isa.transfers import BEAT_BYTES, line_beats, places, unit_beats

MOST = 1 << 16  # addresses of one transfer
_INTO = ("b", "param")


@dataclass(frozen=True, eq=False)
class Step:
    """A band and how it lies on the grid."""

    band: Band
    plan: LayerPlan


@dataclass(frozen=True, eq=False)
class Section:
    """What a part of the program does: a layer's band, what it sends, or neither; `owner` is whose cycles they are."""

    owner: str
    kind: str
    plan: LayerPlan | None = None
    sent: Storage | None = None


@dataclass(frozen=True, eq=False)
class Outside:
    """A program with external memory. moved: bytes that a frame reads and writes."""

    code: Code
    sections: tuple[Section, ...]
    moved: tuple[int, int]


@dataclass(eq=False)
class _Payload:
    """Weights and parameters of a step, each once; place and addresses of each in external memory."""

    size: int
    words: list[np.ndarray] = field(default_factory=list)
    known: dict[tuple[str, bytes], tuple[int, int]] = field(default_factory=dict)
    top: int = 0

    def add(self, into: str, content: np.ndarray) -> tuple[int, int]:
        """Place of some addresses' contents, uint16 [addresses, words], and how many they are."""
        key = (into, content.tobytes())
        if key not in self.known:
            self.known[key] = self.top, len(content)
            taken = places(self.size, INTO[into], len(content))
            flat = content.reshape(-1)
            self.words.append(np.pad(flat, (0, taken * PLACE_BYTES // 2 - len(flat))))
            self.top += taken
        return self.known[key]


_Needs = tuple[tuple[int, int], ...]  # place and addresses of weights and of parameters


@dataclass(eq=False)
class _Emitter:
    """The program so far, and what of weights and parameters is on chip."""

    machine: Machine
    values: Mapping[str, int]  # place of each value
    writer: Writer = field(default_factory=Writer)
    sections: list[Section] = field(default_factory=list)
    read: int = 0
    written: int = 0
    current: _Needs | None = None
    at: tuple[int, ...] = (0, 0)  # their addresses
    ahead: tuple[_Needs, tuple[int, ...]] | None = None  # what is loaded beside, and where

    def begin(self, mark: str, section: Section) -> None:
        self.writer.mark(mark)
        self.sections.append(section)

    def load(self, into: str, address: int, count: int, place: int) -> None:
        for addr, part, start in self._parts(into, address, count, place):
            self.writer.add("LDM", into=into, addr=addr, count=part, place=start)
        self.read += self._bytes(into, count)

    def moves(self, moves: Sequence[Move]) -> None:
        """Rows of values into banks A."""
        for m in moves:
            self.load("a", m.address, m.count, self._place(m))

    def store(self, moves: Sequence[Move]) -> None:
        for m in moves:
            for addr, part, start in self._parts("a", m.address, m.count, self._place(m)):
                self.writer.add("STM", addr=addr, count=part, place=start)
            self.written += self._bytes("a", m.count)

    def _parts(self, into: str, address: int, count: int, place: int) -> Iterator[tuple[int, int, int]]:
        """Address, number and place of what one instruction each transfers."""
        for first in range(0, count, MOST):
            start = place + places(self.machine.size, INTO[into], first)
            yield address + first, min(MOST, count - first), start

    def _place(self, move: Move) -> int:
        return self.values[move.value] + move.first // place_lines(self.machine.size)

    def _bytes(self, into: str, count: int) -> int:
        return count * unit_beats(self.machine.size, INTO[into]) * BEAT_BYTES

    def contents(self, needs: _Needs, following: _Needs | None, waits: bool) -> None:
        """Have weights and parameters on chip, and begin to load those that follow. waits: other loads are begun."""
        changed = needs != self.current
        if changed:
            if self.ahead and self.ahead[0] == needs:
                self.at = self.ahead[1]
            else:
                self.writer.add("WAIT")
                self.at = (0, 0)
                self._fill(needs, self.at)
            self.current, self.ahead = needs, None
        if changed or waits:
            self.writer.add("WAITM")
        if following is not None and self.ahead is None:
            depths = self.machine.b_words, self.machine.param_words
            rows = zip(self.at, needs, following, depths, strict=True)
            free = [_beside(at, own[1], other[1], depth) for at, own, other, depth in rows]
            if all(place is not None for place in free):
                at = tuple(place or 0 for place in free)
                self._fill(following, at)
                self.ahead = following, at

    def _fill(self, needs: _Needs, at: Sequence[int]) -> None:
        for into, (place, count), address in zip(_INTO, needs, at, strict=True):
            self.load(into, address, count, place)


def _beside(at: int, count: int, other: int, depth: int) -> int | None:
    """Where `other` words lie beside `count` that begin at `at`, if they do."""
    if at + count + other <= depth:
        return at + count
    return 0 if other <= at else None


def value_places(whole: Mapping[str, Storage], size: int, first: int) -> tuple[dict[str, int], int]:
    """Places of all values from one on, and the first behind them."""
    found = {}
    for name, value in whole.items():
        found[name] = first
        first += places(size, INTO["a"], value.words)
    return found, first


def generate_outside(
    layered: Staged[Layer],
    steps: Sequence[Step],
    whole: Mapping[str, Storage],
    machine: Machine,
    frames: tuple[FrameSpec, FrameSpec],
) -> Outside:
    """Instructions of a frame, and what lies in external memory."""
    payload = _Payload(machine.size)
    needs = [_needs(step.plan, payload) for step in steps]
    values, top = value_places(whole, machine.size, payload.top)
    out = _Emitter(machine, values)
    for name, spec in zip(layered.network.input_names, frames[0].tensors, strict=True):
        _receive(out, whole[name], spec)
    for index, (step, own) in enumerate(zip(steps, needs, strict=True)):
        layer = step.band.layer
        out.begin(f"{layer.kind} {layer.name}", Section(layer.name, layer.kind, step.plan))
        out.moves(step.band.loads)
        following = next((other for other in needs[index:] if other != own), None)
        out.contents(own, following, bool(step.band.loads))
        write_layer(out.writer, step.plan, *out.at)
        if step.band.stores:
            out.begin(f"store {layer.name}", Section(layer.name, layer.kind))
            out.store(step.band.stores)
    for number, spec in enumerate(frames[1].tensors):
        _send(out, layered, number, whole[layered.outputs[number]], spec)
    image = np.concatenate([np.zeros(0, np.uint16), *payload.words])
    program = Program(out.writer.code(), memory=image, memory_bytes=top * PLACE_BYTES)
    words, params = (sum(count for _, count in {own[k] for own in needs}) for k in range(2))
    code = Code(program, tuple(out.writer.marks), words, params)
    return Outside(code, tuple(out.sections), (out.read, out.written))


def _needs(plan: LayerPlan, payload: _Payload) -> _Needs:
    """Where weights and parameters of a step lie in external memory."""
    size = plan.machine.size
    words = images.weights(plan)
    lines = np.zeros((words.shape[1], line_beats(size) * BEAT_BYTES // 2), np.uint16)
    lines[:, : len(words)] = words.T
    table = np.concatenate([np.zeros((0, 4), np.uint32), *layer_parameters(plan)])
    params = np.ascontiguousarray(table.astype("<u4")).view("<u2")
    return payload.add("b", lines), payload.add("param", params)


def rows_of(value: Storage, spec: StreamSpec, elements: int, machine: Machine) -> int | None:
    """Rows of the bands in which a value is received or sent: whole stream words, and as many as banks A hold.

    elements: of a row in the stream.
    """
    whole_words = spec.lanes // math.gcd(elements, spec.lanes)
    step = math.lcm(row_step(value, machine.size), whole_words)
    fitting = (n for n in heights(value.shape[0], step) if n * value.span <= machine.a_words)
    return next(fitting, None)


def _bands(value: Storage, height: int) -> Iterator[tuple[Storage, Move]]:
    for first in range(0, value.shape[0], height):
        rows = min(height, value.shape[0] - first)
        part = replace(value, shape=(rows, *value.shape[1:]), address=0)
        yield part, Move(value.name, first * value.span, part.words, 0)


def _receive(out: _Emitter, value: Storage, spec: StreamSpec) -> None:
    height = rows_of(value, spec, value.shape[1] * value.shape[2], out.machine)
    assert height is not None
    for part, move in _bands(value, height):
        out.begin(f"input {value.name}", Section(f"input {value.name}", "input"))
        receive(out.writer, part, replace(spec, type=TensorType(part.shape, spec.type.dtype)))
        out.store([move])


def _send(out: _Emitter, layered: Staged[Layer], number: int, value: Storage, spec: StreamSpec) -> None:
    argmax = bool(layered.argmaxes[number])
    elements = value.shape[1] * (1 if argmax else value.shape[2])
    height = rows_of(value, spec, elements, out.machine)
    assert height is not None
    bands = list(_bands(value, height))
    last = number == len(layered.outputs) - 1
    name = layered.network.outputs[number].name
    for index, (part, move) in enumerate(bands):
        out.begin(f"output {name}", Section(f"output {name}", "output", sent=part))
        out.moves([move])
        out.writer.add("WAITM")
        more = not last or index < len(bands) - 1
        send_value(out.writer, part, spec, argmax, more)
    if last:
        out.writer.add("JUMP", target=0)
