# SPDX-License-Identifier: Apache-2.0
"""A compiled model that keeps running: words go in and come out while another program plays the board around it."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from bitwright.text import ERROR_CHARACTERS, printable
from bitwright.tools.model import Model, SimulationError

PUSH, GRANT, RUN, WRITE, READ, STATE, MEMORY, HAND_OUT, TAKE_BACK, STORE = range(1, 11)
RESPONSES = ("", "", "an error of the slave", "no register there", "nothing")


@dataclass(frozen=True)
class State:
    """cycles: since the start. waiting: words that each input still holds. found: new words of each output."""

    cycles: int
    waiting: dict[str, int]
    found: dict[str, np.ndarray]


class Served:
    """A running model, built with `driver=SERVER`. Streams by name; a `with` block ends it.

    Every method raises `SimulationError` where the model has stopped.
    """

    def __init__(self, model: Model, seed: int = 0) -> None:
        self._model = model
        self._folder = tempfile.TemporaryDirectory(prefix="bitwright-")
        for file, text in model.memory.items():
            (Path(self._folder.name) / file).write_text(text)
        sides = [[str(port.words) for port in side] for side in (model.inputs, model.outputs)]
        self._process = subprocess.Popen(
            [str(model.executable), str(seed), *sides[0], "-", *sides[1]],
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._end = weakref.finalize(self, _end, self._process, self._folder)
        self._inputs = [port.name for port in model.inputs]
        self._outputs = {port.name: port.words for port in model.outputs}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the model; so does the end of the last reference to it."""
        self._end()

    def push(self, stream: str, words: np.ndarray) -> None:
        """Offer words, uint32 [n, ceil(width/32)], after those that wait."""
        flat = np.ascontiguousarray(words, "<u4").reshape(-1)
        self._tell(PUSH, self._inputs.index(stream), len(flat), flat)

    def grant(self, stream: str, words: int) -> None:
        """Let an output deliver so many words more; it is not ready before."""
        self._tell(GRANT, list(self._outputs).index(stream), words * self._outputs[stream])

    def run(self, cycles: int) -> State:
        """Run until all words that were granted are here, without any until no word waits, or so many cycles."""
        self._tell(RUN, cycles)
        return self._state()

    def write(self, address: int, word: int) -> None:
        """Write a register; `SimulationError` where it does not answer with okay."""
        self._tell(WRITE, address, word)
        self._check(int(self._answer(1)[0]), address)

    def read(self, address: int) -> int:
        """The word of a register; `SimulationError` as `write`."""
        self._tell(READ, address)
        response, word = (int(v) for v in self._answer(2))
        self._check(response, address)
        return word

    def open_memory(self, bits: int, base: int, *, latency: int, gap: int, seed: int | None) -> None:
        """Put a memory at the AXI4 master, ideal or with a seed random (`ExternalMemory`), from an address on."""
        self._tell(MEMORY, bits // 8, *_halves(base), seed is not None, latency, gap, seed or 0)

    def hand_out(self, address: int, size: int) -> None:
        """Bytes of the memory that the model may use from now on."""
        self._tell(HAND_OUT, *_halves(address), *_halves(size))

    def take_back(self, address: int, size: int) -> None:
        """Bytes that it may use no more."""
        self._tell(TAKE_BACK, *_halves(address), *_halves(size))

    def store(self, address: int, words: np.ndarray) -> None:
        """Write words, uint32, into the memory."""
        flat = np.ascontiguousarray(words, "<u4").reshape(-1)
        self._tell(STORE, *_halves(address), len(flat), flat)

    def _check(self, response: int, address: int) -> None:
        if response:
            raise SimulationError(f"register 0x{address:x} answers {RESPONSES[response] or response}")

    def _state(self) -> State:
        head = self._answer(2 + len(self._inputs) + len(self._outputs)).astype(np.int64)
        counts = head[2 + len(self._inputs) :]
        found = {}
        for (name, words), count in zip(self._outputs.items(), counts, strict=True):
            found[name] = self._answer(int(count)).reshape(-1, words)
        waiting = dict(zip(self._inputs, (int(n) for n in head[2:]), strict=False))
        return State(int(head[0] + (head[1] << 32)), waiting, found)

    def _tell(self, *parts: int | np.ndarray) -> None:
        data = b"".join(np.asarray(part, "<u4").tobytes() for part in parts)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._stopped()

    def _answer(self, words: int) -> np.ndarray:
        assert self._process.stdout is not None
        data = self._process.stdout.read(4 * words)
        if len(data) < 4 * words:
            self._stopped()
        return np.frombuffer(data, "<u4")

    def _stopped(self) -> None:
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors="replace").strip()
        raise SimulationError(f"the model stopped: {printable(said or 'no message', ERROR_CHARACTERS)}")


def _halves(value: int) -> tuple[int, int]:
    return value & 0xFFFFFFFF, value >> 32


def _end(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
        process.communicate()
    folder.cleanup()
