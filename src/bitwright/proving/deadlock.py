# SPDX-License-Identifier: Apache-2.0
"""Deadlock freedom of a circuit of streams: its emitted text, run word by word without any notion of time.

The argument is in docs/proofs.md. A contract (`contracts`) only says what a module is sure to do at last, and more
words or more room never make it do less. So what happens in one order of all that may happen, happens in every circuit
of these modules, however long each takes and whoever stalls. One frame that comes out whole, and leaves every module
as it was at first, shows it of any number of frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from bitwright.errors import ToolError
from bitwright.hardware import library
from bitwright.jit import njit
from bitwright.network.types import Array, Ints
from bitwright.proving import contracts
from bitwright.proving.contracts import CONTRACTS, CORE, FORK, MOVES, NEEDS, PASS, PATIENT, TAKES, WINDOW, YIELDS
from bitwright.proving.streams import Cell, NotUnderstood, Signals, agree, cells
from bitwright.targets.contract import Design

SHOWN, STOPS, UNKNOWN = "certified", "not certified: may stop", "not certified"
SOURCE, SINK = "s_axis", "m_axis"  # of the top
TARGETS = Path(__file__).parents[1] / "targets"  # folders of modules that are not the library's
CORE_PINS = {
    "own_front": {"s_valid_i", "s_last_i", "stop_i", "last_o"},
    "own_hold": {"next_i", "stop_o", "fetch_o", "m_valid_o", "m_ready_i"},
}
FRAMES = (1, 2)  # one by itself, and two of which the second follows at once


@dataclass(frozen=True)
class Channel:
    """A stream: what drives it and what reads it, its words a frame, and how many its driver holds at most."""

    name: str
    driver: str
    reader: str
    words: int
    room: int


@dataclass(frozen=True)
class Certificate:
    """status: SHOWN, STOPS or UNKNOWN. reason: what stands still, or what was not understood.

    channels: all streams with the capacities that the text gives. steps: moves of modules in a frame. design: digest.
    """

    status: str
    reason: str
    channels: tuple[Channel, ...]
    steps: int
    design: str

    @property
    def shown(self) -> bool:
        """Whether no stall of any kind can stop the circuit."""
        return self.status == SHOWN

    def __str__(self) -> str:
        if not self.shown:
            return f"{self.status}: {self.reason}"
        return f"{self.status}: {len(self.channels)} streams, {self.steps:,} moves a frame"

    def as_dict(self) -> dict[str, object]:
        """All of it, for JSON."""
        return {**vars(self), "channels": [vars(channel) for channel in self.channels]}


@dataclass(frozen=True)
class _Node:
    """A module at work: inputs and outputs are numbers of channels."""

    path: str
    contract: contracts.Contract
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class _End:
    """Of a stream: the signal or expression at the ready pin, and whose it is.

    is_patient: it is ready without regard to whether a word is offered. is_window: it moves only while it is ready.
    """

    ready: str
    path: str
    is_patient: bool = False
    is_window: bool = False


def certify(design: Design) -> Certificate:
    """Whether the streams of the emitted design can stop; a top of another kind is not understood."""
    try:
        _check_library(design.files, TARGETS / design.target / "rtl")
        found, signals = cells(
            design.files, design.top, f"{design.target}_", lambda name: name in CONTRACTS or name in CORE
        )
        nodes, names = _connected(found, signals)
        run = _Run(nodes, names, design.input.words, design.output.words)
        for frames in FRAMES:
            stuck = run.stuck(frames)
            if stuck:
                return Certificate(STOPS, stuck, run.channels(frames), run.steps, design.digest)
            if frames == FRAMES[0]:
                channels, steps = run.channels(1), run.steps
    except (NotUnderstood, ToolError) as error:
        return Certificate(UNKNOWN, str(error), (), 0, design.digest)
    return Certificate(SHOWN, "", channels, steps, design.digest)


def _check_library(files: Mapping[str, str], folder: Path) -> None:
    """Contracts are those of the modules of the library, byte for byte."""
    for name, text in files.items():
        module = PurePosixPath(name).stem
        own = folder / f"{module}.sv"
        if not name.endswith(".sv") or not (own.is_file() or module in library.modules()):
            continue
        if (own if own.is_file() else library.path(module)).read_text() != text:
            raise NotUnderstood(f"{name} is not the module of that name of the library")


def _connected(found: Sequence[Cell], signals: Signals) -> tuple[list[_Node], list[str]]:
    """The modules with the numbers of their channels, those of a module in a row; channel 0 enters the top."""
    cells = [(cell, _contract(cell)) for cell in _with_cores(found)]
    entering, leaving = signals.find(f"{SOURCE}_tvalid"), signals.find(f"{SINK}_tvalid")
    drivers, readers = {entering: _End(f"{SOURCE}_tready", "top")}, {leaving: _End(f"{SINK}_tready", "top")}
    for cell, made in cells:
        for known, output in ((readers, False), (drivers, True)):
            for valid, ready in _pairs(cell, output):
                name = signals.find(valid)
                if name in known:
                    raise NotUnderstood(f"stream {valid} has two ends, {cell.path} and {known[name].path}")
                known[name] = _End(ready, cell.path, cell.module in PATIENT, made.kind == WINDOW)
    for name in drivers | readers:
        _check_ends(signals, name, drivers.get(name), readers.get(name))
    numbers = {name: number for number, name in enumerate(drivers)}
    nodes = []
    for cell, made in cells:
        sides = (tuple(numbers[signals.find(v)] for v, _ in _pairs(cell, output)) for output in (False, True))
        nodes.append(_checked(_Node(cell.path, made, *sides)))
    names = list(numbers)
    names[0], names[numbers[leaving]] = f"{SOURCE}_tvalid", f"{SINK}_tvalid"
    return nodes, names


def _checked(node: _Node) -> _Node:
    """A module with as many streams as its contract speaks of."""
    kind, table = node.contract.kind, node.contract.table
    most = 2 if kind == MOVES else 1 + max(table) if kind == PASS else 1
    if len(node.inputs) > most or (kind == PASS and len(node.inputs) < most):
        raise NotUnderstood(f"{node.path} has {len(node.inputs)} inputs")
    if len(node.outputs) > 1 and kind != FORK:
        raise NotUnderstood(f"{node.path} has {len(node.outputs)} outputs")
    return node


def _pairs(cell: Cell, output: bool) -> list[tuple[str, str]]:
    """Valid and ready of each stream of a cell, inputs in the order of their names."""
    found = sorted(cell.streams(output).items())
    pairs = [pair for _, (valid, ready) in found for pair in zip(valid, ready, strict=False)]
    if not pairs or any(len(valid) != len(ready) for _, (valid, ready) in found):
        raise NotUnderstood(f"{cell.path}, a {cell.module}, has no streams of valid and ready")
    return pairs


def _check_ends(signals: Signals, name: str, driver: _End | None, reader: _End | None) -> None:
    """A stream has a driver and a reader that mean the same by ready."""
    if driver is None or reader is None:
        raise NotUnderstood(f"stream {name} has no {'driver' if driver is None else 'reader'}")
    same, always = agree(signals, driver.ready, reader.ready, name)
    if not same:
        raise NotUnderstood(f"{driver.path} and {reader.path} have two ready signals for the stream {name}")
    if driver.is_window and not (always or reader.is_patient):
        raise NotUnderstood(f"{reader.path} waits for a word of {driver.path}, which waits for it")


def _with_cores(found: Sequence[Cell]) -> list[Cell]:
    """The cells, each multiply-accumulate core as one that takes words of a window and gives results."""
    made = []
    for cell in found:
        if cell.module in CORE and not CORE_PINS[cell.module] <= cell.pins.keys():
            raise NotUnderstood(f"{cell.path} lacks pins of a {cell.module}")
    holds = {cell.pins["next_i"]: cell for cell in found if cell.module == "own_hold"}
    passes = {c.pins["m_last_o"]: c for c in found if c.module == "window_reader" and c.pins.get("m_last_o", ("",))[0]}
    for cell in found:
        if cell.module not in CORE:
            made.append(cell)
        if cell.module != "own_front":
            continue
        hold, window = holds.get(cell.pins["last_o"]), passes.get(cell.pins["s_last_i"])
        if hold is None or window is None or hold.pins["stop_o"] != cell.pins["stop_i"]:
            raise NotUnderstood(f"{cell.path} has no window before it, or nothing that holds its results behind it")
        ready = window.pins["m_ready_i"]
        if ready not in (hold.pins["fetch_o"], (f"!{cell.pins['stop_i'][0]}",)):
            raise NotUnderstood(f"{window.path} does not move with {cell.path}")
        pins = {"s_valid_i": cell.pins["s_valid_i"], "s_ready_o": ready}
        pins |= {"m_valid_o": hold.pins["m_valid_o"], "m_ready_i": hold.pins["m_ready_i"]}
        length = {"Pass": contracts.pass_length(window.parameters)}
        made.append(Cell(cell.path, "own_front", {**cell.parameters, **length}, pins))
    return made


def _contract(cell: Cell) -> contracts.Contract:
    if cell.module == "own_front":
        return contracts.core(cell.parameters, cell.parameters["Pass"])
    return contracts.contract(cell.module, cell.parameters)


class _Run:
    """The circuit at work: every module goes on as far as it can, again and again."""

    def __init__(self, nodes: list[_Node], names: list[str], words: int, out_words: int) -> None:
        self.nodes, self.names, self.words, self.out_words = nodes, names, words, out_words
        self.steps = 0
        ends = np.full((2, len(names)), -1, np.int64)
        rows, tables, oldest = [], [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
        at = old = 1
        for i, node in enumerate(nodes):
            c = node.contract
            ends[0, list(node.outputs)], ends[1, list(node.inputs)] = i, i
            row = [c.kind, *(*node.inputs, -1, -1)[:2], node.outputs[0], len(node.outputs), c.room, at, len(c.table)]
            rows.append([*row, old, len(c.oldest), c.frame, c.length, c.repeats])
            tables.append(np.asarray(c.table, np.int64))
            oldest.append(np.asarray(c.oldest, np.int64))
            at, old = at + len(c.table), old + len(c.oldest)
        self.graph = np.array(rows, np.int64), np.concatenate(tables), np.concatenate(oldest), ends
        self.sink = names.index(f"{SINK}_tvalid")
        self.counts, self.state = np.zeros((2, len(names)), np.int64), np.zeros((len(nodes), 4), np.int64)

    def stuck(self, frames: int) -> str:
        """Why so many frames from the start do not come out, in words; empty where they do."""
        self.counts[:], self.state[:] = 0, 0
        self.steps = int(_run(*self.graph, self.counts, self.state, frames * self.words, self.sink))
        offered, taken = self.counts
        missing = frames * self.out_words - int(taken[self.sink])
        waiting = [name for name, a, b in zip(self.names, offered, taken, strict=True) if a > b]
        inside = [n.path for n, s in zip(self.nodes, self.state, strict=True) if s[:3].any() or self._ahead(n, s)]
        if not missing and not waiting and not inside and taken[0] == frames * self.words:
            return ""
        stands = ", ".join(waiting[:4]) or ", ".join(inside[:4]) or "the input"
        return f"{missing:,} of {frames * self.out_words:,} words do not come out; words wait at {stands}"

    def _ahead(self, node: _Node, state: Ints) -> bool:
        """Whether a window has words of a frame that it has not given out."""
        return node.contract.kind == WINDOW and self.counts[1, node.inputs[0]] != state[3] * node.contract.frame

    def channels(self, frames: int) -> tuple[Channel, ...]:
        """The streams, by the words that went through them."""
        _, _, _, (drivers, readers) = self.graph
        found = []
        for c, name in enumerate(self.names):
            driver, reader = (self.nodes[i].path if i >= 0 else "top" for i in (drivers[c], readers[c]))
            room = self.nodes[drivers[c]].contract.room if drivers[c] >= 0 else 0
            found.append(Channel(name, driver, reader, int(self.counts[1, c]) // frames, room))
        return tuple(found)


KIND, IN, IN2, OUT, OUTS, ROOM, TABLE, PERIOD, OLDEST, WINDOWS, FRAME, LENGTH, REPEATS = range(13)
OFFERED, TAKEN = range(2)
# A module's state: move of the table (WINDOW: pass), word of the pass, repeat of the pass, frames before this one.
PHASE, ITEM, REPEAT, BEFORE = range(4)


@njit
def _moves(p: Array, s: Array, table: Ints, counts: Ints) -> int:
    steps = 0
    while True:
        flags = table[p[TABLE] + s[PHASE]]
        if counts[OFFERED, p[OUT]] - counts[TAKEN, p[OUT]] >= p[ROOM]:
            return steps
        if flags & NEEDS:
            for k in range(IN, IN2 + 1):
                if p[k] >= 0 and counts[OFFERED, p[k]] <= counts[TAKEN, p[k]]:
                    return steps
        elif s[PHASE] == 0:
            return steps
        if flags & TAKES:
            for k in range(IN, IN2 + 1):
                if p[k] >= 0:
                    counts[TAKEN, p[k]] += 1
        counts[OFFERED, p[OUT]] += (flags & YIELDS) != 0
        s[PHASE] = (s[PHASE] + 1) % p[PERIOD]
        steps += 1


@njit
def _pass(p: Array, s: Array, table: Ints, counts: Ints) -> int:
    steps = 0
    while True:
        c = p[IN + table[p[TABLE] + s[PHASE]]]
        n = counts[TAKEN, p[OUT]]
        if counts[OFFERED, p[OUT]] > n:
            return steps
        if counts[TAKEN, p[IN]] + (counts[TAKEN, p[IN2]] if p[IN2] >= 0 else 0) < n:  # it has left: its source is free
            counts[TAKEN, c] += 1
            s[PHASE] = (s[PHASE] + 1) % p[PERIOD]
            steps += 1
        elif counts[OFFERED, c] > counts[TAKEN, c]:
            counts[OFFERED, p[OUT]] += 1
        else:
            return steps


@njit
def _fork(p: Array, counts: Ints) -> int:
    steps = 0
    while True:
        n = counts[TAKEN, p[IN]]
        if counts[OFFERED, p[IN]] <= n:
            return steps
        done = True
        for o in range(p[OUT], p[OUT] + p[OUTS]):
            counts[OFFERED, o] = max(counts[OFFERED, o], n + 1)
            done = done and counts[TAKEN, o] > n
        if not done:
            return steps
        counts[TAKEN, p[IN]] = n + 1
        steps += 1


@njit
def _window(p: Array, s: Array, table: Ints, oldest: Ints, counts: Ints) -> int:
    steps = 0
    passes = p[PERIOD] // p[LENGTH]
    while True:
        outside = counts[OFFERED, p[OUT]] - counts[TAKEN, p[OUT]]  # its window is in use until it is taken
        window = s[PHASE] // (passes // p[WINDOWS])
        if outside and s[ITEM] == 0 and s[REPEAT] == 0 and s[PHASE] % (passes // p[WINDOWS]) == 0:
            window -= 1
        before = s[BEFORE]
        if window < 0:
            window, before = p[WINDOWS] - 1, before - 1
        room = before * p[FRAME] + oldest[p[OLDEST] + window] + p[ROOM]
        if counts[OFFERED, p[IN]] > counts[TAKEN, p[IN]] and counts[TAKEN, p[IN]] < room:
            counts[TAKEN, p[IN]] = min(counts[OFFERED, p[IN]], room)
        if outside:
            return steps
        wait = table[p[TABLE] + s[PHASE] * p[LENGTH] + s[ITEM]] if s[REPEAT] == 0 else -1
        if wait >= 0 and counts[TAKEN, p[IN]] <= s[BEFORE] * p[FRAME] + wait:
            return steps
        counts[OFFERED, p[OUT]] += 1
        steps += 1
        s[ITEM] += 1
        if s[ITEM] == p[LENGTH]:
            s[ITEM] = 0
            s[REPEAT] += 1
            if s[REPEAT] == p[REPEATS]:
                s[REPEAT] = 0
                s[PHASE] += 1
                if s[PHASE] == passes:
                    s[PHASE] = 0
                    s[BEFORE] += 1


@njit(nogil=True)
def _run(rows: Ints, table: Ints, oldest: Ints, ends: Ints, counts: Ints, state: Ints, words: int, sink: int) -> int:
    """Let all modules go on until none can; channel 0 offers so many words, and the sink takes whatever comes."""
    steps = 0
    counts[OFFERED, 0] = words
    queue, waits = list(range(len(rows))), np.ones(len(rows), np.bool_)
    while len(queue):
        i = queue.pop()
        waits[i] = False
        p, s = rows[i], state[i]
        before = counts.sum()
        if p[KIND] == MOVES:
            steps += _moves(p, s, table, counts)
        elif p[KIND] == PASS:
            steps += _pass(p, s, table, counts)
        elif p[KIND] == FORK:
            steps += _fork(p, counts)
        elif p[KIND] == WINDOW:
            steps += _window(p, s, table, oldest, counts)
        counts[TAKEN, sink] = counts[OFFERED, sink]
        if counts.sum() == before:
            continue
        waits[i] = True
        queue.append(i)
        for c in (p[IN], p[IN2]):
            if c >= 0 and ends[0, c] >= 0 and not waits[ends[0, c]]:
                waits[ends[0, c]] = True
                queue.append(ends[0, c])
        for c in range(p[OUT], p[OUT] + p[OUTS]):
            if ends[1, c] >= 0 and not waits[ends[1, c]]:
                waits[ends[1, c]] = True
                queue.append(ends[1, c])
    return steps
