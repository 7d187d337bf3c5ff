# SPDX-License-Identifier: Apache-2.0
"""A compiled model of a module: words in, words and their cycle numbers out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bitwright.errors import DataError, OptionError
from bitwright.files import named_within, write_file
from bitwright.text import ERROR_CHARACTERS, printable
from bitwright.tools.bench import DUT, TOP, StreamPort, Tap
from bitwright.tools.process import first_error, outcome

SETTLE_CYCLES = 64  # after the last expected word, in which surplus words are caught
IDLE_CYCLES = 100_000
TRACE_ROOT = "TOP"  # of every waveform of Verilator's


class SimulationError(RuntimeError):
    """The hardware misbehaved in simulation: a bug of the design, not of the user."""


class ProtocolError(SimulationError):
    """A stream broke the valid/ready rules, or delivered more words than it should."""


class DeadlockError(SimulationError):
    """No word moved for longer than allowed; the message counts the words of every stream."""


_FAILURES = {"protocol": ProtocolError, "deadlock": DeadlockError, "finish": SimulationError}


@dataclass(frozen=True)
class Stalls:
    """Random pauses: in each cycle an input withholds its next word, an output its ready, with these probabilities."""

    seed: int = 0
    input: float = 0.3
    output: float = 0.3

    def __post_init__(self) -> None:
        if not (0 <= self.input < 1 and 0 <= self.output < 1):
            raise OptionError(f"stall probabilities lie in [0, 1), not {self.input} and {self.output}")


@dataclass(frozen=True, eq=False)
class ExternalMemory:
    """Memory of `size` bytes at the AXI4 master of a model, from address `base` on; it begins with `image`, uint32.

    Ideal, as tools/cpp/memory.h defines it: `latency` cycles to the first beat of a read and to the response of a
    write, `gap` cycles from beat to beat. With a `seed` it is random instead: latencies of 1 to 400 cycles and now and
    then 2,000, pauses on every channel, reads of the two IDs in any order. `outstanding`: bursts of an ID that may be
    under way. fail_read, fail_write: the burst whose response is an error, counted from 0. What no one has written may
    not be read.
    """

    image: np.ndarray
    size: int
    base: int = 0
    latency: int = 100
    gap: int = 1
    seed: int | None = None
    outstanding: int = 8
    fail_read: int = -1
    fail_write: int = -1


@dataclass(frozen=True, eq=False)
class Record:
    """What a tap saw: words uint32 [n, ceil(bits/32)], lowest bits first, and cycles int64 [n]."""

    words: np.ndarray
    cycles: np.ndarray


@dataclass(frozen=True, eq=False)
class Run:
    """What came out of `Model.run`. Cycle 0 is the first after reset and program; arrays by stream name.

    outputs: uint32 [words, ceil(width/32)], lowest bits first. accepted: cycle in which each input word
    was taken. produced: cycle in which each output word was taken. cycles: up to and including the last
    transfer. counters: value by address. traffic: bytes that were read from and written to external memory. records: of
    every tap. failure: what ended a run of a model with taps early.
    """

    outputs: Mapping[str, np.ndarray]
    accepted: Mapping[str, np.ndarray]
    produced: Mapping[str, np.ndarray]
    cycles: int
    counters: Mapping[int, int]
    traffic: tuple[int, int] = (0, 0)
    records: Mapping[str, Record] = field(default_factory=dict)
    failure: SimulationError | None = None

    def integers(self, name: str) -> np.ndarray:
        """Output words of at most 64 bits as uint64 [words]."""
        return from_words(self.outputs[name])


def to_words(values: np.ndarray, width: int) -> np.ndarray:
    """Non-negative integers of at most 64 bits [n] as uint32 [n, ceil(width/32)]."""
    values = np.asarray(values).astype(np.uint64)
    if width > 64:
        raise DataError(f"words of {width} bits must come as uint32 [n, {-(-width // 32)}]")
    if width < 64 and values.size and int(values.max()) >> width:
        raise DataError(f"a word does not fit {width} bits: {int(values.max())}")
    parts = [values & np.uint64(0xFFFFFFFF), values >> np.uint64(32)]
    return np.stack(parts[: -(-width // 32)], axis=1).astype(np.uint32)


def from_words(words: np.ndarray) -> np.ndarray:
    """uint32 [n, 1 or 2] as uint64 [n]."""
    if words.shape[1] > 2:
        raise DataError(f"words of {words.shape[1]} x 32 bits do not fit 64 bits")
    wide = words.astype(np.uint64)
    return wide[:, 0] | (wide[:, 1] << np.uint64(32)) if words.shape[1] == 2 else wide[:, 0]


TRACES = ("vcd", "fst")


def trace_format(path: str | os.PathLike[str]) -> str:
    """The format of a waveform by its file's name."""
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in TRACES:
        raise OptionError(f"trace {path}: no format of waveforms; legal are names that end in .vcd or .fst")
    return name


@dataclass(frozen=True)
class Waveform:
    """A file for a waveform: of the first `cycles`, and on until `words` output words came out.

    scopes: paths of instances in the top that it shows, with all that is in them; without any it shows all. start: the
    cycle in which it begins and from which `cycles` count, 0 for that of the first word; None to begin with the reset.
    """

    path: str | os.PathLike[str]
    cycles: int = 10_000
    words: int = 0
    scopes: tuple[str, ...] = ()
    start: int | None = None


@dataclass(frozen=True)
class Model:
    """A built executable, with the memory files that it reads when it starts. Can be sent to other processes."""

    executable: Path
    memory: Mapping[str, str]
    inputs: tuple[StreamPort, ...]
    outputs: tuple[StreamPort, ...]
    traced: str | None
    tool: str
    cached: bool
    memory_bits: int = 0
    external: ExternalMemory | None = None
    taps: tuple[Tap, ...] = ()

    def with_memory(self, external: ExternalMemory | None) -> Model:
        """The same with a memory at its AXI4 master, which a model that has one needs."""
        return replace(self, external=external)

    def run(
        self,
        words: Mapping[str, np.ndarray],
        expect: Mapping[str, int],
        *,
        stalls: Stalls | None = None,
        seed: int = 0,
        idle_cycles: int = IDLE_CYCLES,
        program: np.ndarray | Sequence[tuple[int, int]] = (),
        counters: Sequence[int] = (),
        trace: Waveform | None = None,
    ) -> Run:
        """Reset, write `program` (address, word), stream everything, read `counters`.

        words: by input stream uint32 [n, ceil(width/32)], or integers [n] for at most 64 bits.
        expect: by output stream how many words must come out; one more is a `ProtocolError`.
        idle_cycles: without any transfer for that long it is a `DeadlockError`.
        seed: of the random initial state of registers and memories. trace: of the format that the model was built for.
        A model with taps returns what it saw before a failure, with `failure`, instead of raising it.
        """
        if trace is not None and trace_format(trace.path) != self.traced:
            raise OptionError(f"the model was built with trace={self.traced!r} and does not write {trace.path}")
        with tempfile.TemporaryDirectory(prefix="bitwright-") as name, named_within(Path(name), Path(name)):
            folder = Path(name)
            for file, text in self.memory.items():
                (folder / file).write_text(text)
            lines = [f"idle {idle_cycles}", f"settle {SETTLE_CYCLES}", f"seed {stalls.seed if stalls else seed}"]
            if stalls:
                lines.append(f"stalls {int(stalls.input * 2**32)} {int(stalls.output * 2**32)}")
            lines += self._streams(folder, words, expect)
            lines += self._external(folder)
            lines += _program(folder, program) + [f"counter {address}" for address in counters]
            if trace is not None:
                lines.append(f"trace {trace.cycles} {trace.words} wave.{self.traced}")
                lines += [] if trace.start is None else [f"begin {trace.start}"]
                lines += [f"scope {TRACE_ROOT}.{TOP}.{DUT}.{scope}" for scope in trace.scopes]
            found, failure = self._execute(folder, lines)
            if trace is not None:
                write_file(Path(trace.path), (folder / f"wave.{self.traced}").read_bytes())
            if failure is not None and not self.taps:
                raise failure
            return self._collect(folder, found, failure)

    def _external(self, folder: Path) -> list[str]:
        """Write the memory's image; the line that describes it."""
        external = self.external
        if (external is None) != (self.memory_bits == 0):
            raise DataError("external memory is for models with an AXI4 master, which need it")
        if external is None:
            return []
        image = np.asarray(external.image, "<u4").reshape(-1)
        image.tofile(folder / "memory.bin")
        ideal = external.seed is None
        numbers = (self.memory_bits // 8, external.base, external.size, 16, external.outstanding, len(image))
        rest = (
            int(not ideal),
            external.latency,
            external.gap,
            external.seed or 0,
            external.fail_read,
            external.fail_write,
        )
        return [f"memory {' '.join(map(str, numbers))} memory.bin {' '.join(map(str, rest))}"]

    def _streams(self, folder: Path, words: Mapping[str, np.ndarray], expect: Mapping[str, int]) -> list[str]:
        """Write the input words; the lines that describe all streams."""
        _same_names("words", words, self.inputs)
        _same_names("expect", expect, self.outputs)
        lines = []
        for i, port in enumerate(self.inputs):
            data = np.asarray(words[port.name])
            data = to_words(data, port.width) if data.ndim == 1 else data
            if data.shape[1:] != (port.words,):
                raise DataError(f"stream {port.name} takes words [n, {port.words}], not {list(data.shape)}")
            data.astype("<u4").tofile(folder / f"in{i}.bin")
            lines.append(f"in {port.name} {port.words} {len(data)} in{i}.bin in{i}.cycles")
        for i, port in enumerate(self.outputs):
            lines.append(f"out {port.name} {port.words} {expect[port.name]} out{i}.bin out{i}.cycles")
        lines += [f"tap tap{i} {tap.words} tap{i}.bin tap{i}.cycles" for i, tap in enumerate(self.taps)]
        return lines

    def _execute(self, folder: Path, lines: Sequence[str]) -> tuple[list[list[str]], SimulationError | None]:
        """Run the executable on a job; the lines of its result, and the error that it reports."""
        (folder / "job").write_text("\n".join(lines) + "\n")
        code, output = outcome([self.executable, "job", "result"], folder)
        result = folder / "result"
        facts = [line.split(maxsplit=2) for line in result.read_text().splitlines()] if result.exists() else []
        end = next((fact for fact in facts if fact[0] == "end"), None)
        if code != 0 or end is None:
            said = printable(first_error(output), ERROR_CHARACTERS)  # what the circuit prints may hold any character
            raise SimulationError(f"the model stopped: {said}")
        return facts, None if end[1] == "ok" else _FAILURES[end[1]](end[2].strip(" ;"))

    def _collect(self, folder: Path, facts: Sequence[Sequence[str]], failure: SimulationError | None) -> Run:
        outputs, accepted, produced, records = {}, {}, {}, {}
        for i, port in enumerate(self.inputs):
            accepted[port.name] = np.fromfile(folder / f"in{i}.cycles", "<u8").astype(np.int64)
        for i, port in enumerate(self.outputs):
            outputs[port.name] = np.fromfile(folder / f"out{i}.bin", "<u4").reshape(-1, port.words)
            produced[port.name] = np.fromfile(folder / f"out{i}.cycles", "<u8").astype(np.int64)
        for i, tap in enumerate(self.taps):
            words = np.fromfile(folder / f"tap{i}.bin", "<u4").reshape(-1, tap.words)
            records[tap.name] = Record(words, np.fromfile(folder / f"tap{i}.cycles", "<u8").astype(np.int64))
        cycles = next((int(fact[1]) for fact in facts if fact[0] == "cycles"), 0)
        counters = {int(fact[1]): int(fact[2]) for fact in facts if fact[0] == "counter"}
        read, written = next(((int(fact[1]), int(fact[2])) for fact in facts if fact[0] == "traffic"), (0, 0))
        return Run(outputs, accepted, produced, cycles, counters, (read, written), records, failure)


def _same_names(what: str, given: Mapping[str, object], ports: Sequence[StreamPort]) -> None:
    legal = [port.name for port in ports]
    if sorted(given) != sorted(legal):
        raise DataError(f"{what} names streams {sorted(given)}; legal are exactly {sorted(legal)}")


def _program(folder: Path, program: np.ndarray | Sequence[tuple[int, int]]) -> list[str]:
    pairs = np.asarray(program, dtype=np.uint32).reshape(-1, 2)
    if not len(pairs):
        return []
    pairs.astype("<u4").tofile(folder / "program.bin")
    return [f"program {len(pairs)} program.bin"]
