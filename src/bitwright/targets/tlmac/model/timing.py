# SPDX-License-Identifier: Apache-2.0
"""Latency and interval of a circuit: its processes and streams as a timed event graph, run for some frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitwright.hardware import event_run, events
from bitwright.hardware.events import NEEDS, WORD, YIELDS, Process
from bitwright.hardware.modules.stream_fifo import StreamFifo
from bitwright.hardware.modules.window import Window
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.patch import COLUMNS, Patch
from bitwright.targets.tlmac.circuit.plan import Ends, UnitPlan
from bitwright.targets.tlmac.circuit.stages import (
    end_slice,
    main_module,
    main_slice,
    post_module,
    readers,
    words_in_turns,
)
from bitwright.targets.tlmac.circuit.units import TURNS, Circuit, streams_of

FRAMES = 6  # to begin with; twice as many until the interval is steady
LARGE, LARGE_FRAMES = 10_000, 3  # input words of a frame against which all that the buffers hold is little
MOST = 48
STEADY = 1e-3


def cycles(circuit: Circuit, plans: tuple[UnitPlan, ...]) -> tuple[int, int]:
    """(interval, latency) in cycles where neither the input nor the output stalls.

    Latency: from the first input word to the last output word of the first frame. Interval: between frames, the mean
    over the later half of as many frames as it takes to become steady, or over a period where frames take turns.
    """
    return _steady(_whole(circuit, plans))


def unit_cycles(plan: UnitPlan) -> int:
    """Cycles a frame of a unit by itself, streams, conversions and windows included: no neighbor keeps it waiting."""
    graph = _Graph()
    inputs = [graph.add(events.SOURCE) for _ in plan.unit.inputs]
    graph.in_words = max(t.size // n for t, n in zip(plan.unit.input_types, plan.in_lanes, strict=True))
    graph.out_words = plan.unit.type.size // plan.out_lanes
    graph.leave([graph.unit(plan, inputs)], (graph.out_words,))
    return _steady(graph)[0]


def _steady(graph: _Graph) -> tuple[int, int]:
    frames = LARGE_FRAMES if graph.in_words > LARGE else FRAMES
    run = graph.run()
    while True:
        ends, start = run.ends(frames)
        gaps = np.diff(ends)
        late = gaps[frames // 2 - 1 :]
        steady = late.max() - late.min() <= STEADY * late.max() or frames >= MOST
        period = len(late) if steady else _period(gaps[1:])
        if period:
            return int(np.ceil(gaps[-period:].mean())), int(ends[0] - start)
        frames *= 2


def _period(gaps: np.ndarray) -> int:
    """After how many frames the gaps between them come again, all of them having come twice; 0 where they have not."""
    lengths = range(2, len(gaps) // 2 + 1)
    return next((p for p in lengths if np.array_equal(gaps[p:], gaps[:-p])), 0)


def first_cycles(circuit: Circuit, plans: tuple[UnitPlan, ...]) -> tuple[int, int]:
    """As `cycles` by the first two frames: right where the second one meets all that later ones meet."""
    ends, start = _whole(circuit, plans).run().ends(2)
    return int(ends[1] - ends[0]), int(ends[0] - start)


def fixed_latency(plan: UnitPlan) -> int:
    """Pipeline stages of a unit, from its last input word to the output word that needs it."""
    found = sum(window.latency for window in readers(plan))
    if plan.mac is not None:
        found += plan.mac.latency + plan.mac.window.latency
        found += plan.mac.parts - 1 if plan.mac.parts > 1 else 0
    elif plan.unit.kind == "argmax":
        found += (plan.lanes - 1).bit_length() + 2
    elif plan.unit.node is not None:
        main = main_module(plan)
        found += (max(1, main.latency) if main else 1) + (main_slice(plan) is not None)
    return found + _post_stages(plan) + (end_slice(plan) is not None)


def _post_stages(plan: UnitPlan) -> int:
    """Register stages of the elementwise modules."""
    pixels = plan.unit.type.size
    return sum(post_module(post, plan.out_lanes, pixels // post.channels).latency for post in plan.posts)


def _whole(circuit: Circuit, plans: tuple[UnitPlan, ...]) -> _Graph:
    """The graph of a circuit."""
    graph = _Graph()
    ends = Ends.of(circuit, plans)
    graph.in_words, graph.out_words = sum(ends.in_words), sum(ends.out_words)
    streams: dict[tuple[int, int], int] = {}
    for name, stream in zip(circuit.network.input_names, graph.enter(ends.in_words), strict=True):
        streams |= graph.fork(circuit, name, stream)
    for i, plan in enumerate(plans):
        stream = graph.unit(plan, [streams.pop((i, k)) for k in range(len(plan.unit.inputs))])
        streams |= graph.fork(circuit, plan.unit.value, stream)
    graph.leave([streams[len(plans), k] for k in range(len(ends.out_words))], ends.out_words)
    return graph


class _Graph:
    """Processes in the order of the stream; channels are numbered as they are made. Words are those of a frame."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.channels = 0
        self.in_words = self.out_words = 0

    def unit(self, plan: UnitPlan, inputs: list[int]) -> int:
        """All of a unit; its output channel."""
        entered = [self._enter(plan, k, stream) for k, stream in enumerate(inputs)]
        stream = self._pipe(self._main(plan, entered), _post_stages(plan))
        return self.add(events.SLICE, stream, size=2) if end_slice(plan) else stream

    def enter(self, words: tuple[int, ...]) -> list[int]:
        """The inputs, each of so many words, which come one after the other: each waits in a FIFO for the last one."""
        source = self.add(events.SOURCE)
        if len(words) == 1:
            return [source]
        first = self.add(events.FORK, self.add(events.SLICE, source, size=2), outputs=len(words))
        found = []
        for k, count in enumerate(words):
            flags = [WORD | YIELDS * (sum(words[:k]) <= n < sum(words[: k + 1])) for n in range(sum(words))]
            stream = self._moves(flags, first + k)
            found.append(self._fifo(stream, max(count, 2)) if k < len(words) - 1 else stream)
        return found

    def leave(self, streams: list[int], words: tuple[int, ...]) -> None:
        """The outputs, each of so many words, one after the other: each waits in a FIFO for the first one."""
        last, before = streams[0], words[0]
        for stream, count in zip(streams[1:], words[1:], strict=True):
            last = self.add(events.CONCAT, last, self._fifo(stream, max(count, 2)), size=before, second=count)
            before += count
        self.add(events.SINK, last, outputs=0)

    def run(self) -> event_run.Run:
        """The graph from its start."""
        return event_run.Run(self.processes, self.in_words, self.out_words)

    def add(self, kind: int, *inputs: int, outputs: int = 1, **parameters: Any) -> int:
        """One process; the number of its (first) output channel."""
        found = self.channels
        self.channels += outputs
        self.processes.append(Process(kind, inputs, tuple(range(found, self.channels)), **parameters))
        return found

    def _moves(self, flags: list[int], *inputs: int, latency: int = 1) -> int:
        return self.add(events.MOVES, *inputs, latency=latency, table=np.array(flags, np.int64))

    def _gather(self, words: int, source: int, latency: int = 1) -> int:
        """A result for every `words` words."""
        return self._moves([WORD] * (words - 1) + [WORD | YIELDS], source, latency=latency)

    def _pipe(self, source: int, stages: int) -> int:
        return self.add(events.PIPE, source, size=stages) if stages else source

    def fork(self, circuit: Circuit, value: str, stream: int) -> dict[tuple[int, int], int]:
        """The channel of every reader of a value."""
        found = streams_of(circuit, value)
        if len(found) > 1:
            stream = self.add(events.FORK, self.add(events.SLICE, stream, size=2), outputs=len(found))
        return {reader: stream + i for i, reader in enumerate(found)}

    def _enter(self, plan: UnitPlan, k: int, stream: int) -> int:
        """FIFO, converter of lanes, FIFO."""
        stream = self._fifo(stream, plan.fifo_words[k])
        return self._fifo(self._convert(plan, k, stream), plan.behind_words[k])

    def _fifo(self, stream: int, words: int) -> int:
        if words < 2:
            return self._pipe(stream, words)
        return self.add(events.FIFO, stream, size=words, latency=StreamFifo(1, words).latency)

    def _convert(self, plan: UnitPlan, k: int, stream: int) -> int:
        module = plan.converter(k)
        return self._moves(module.moves, stream) if module is not None else stream

    def _main(self, plan: UnitPlan, inputs: list[int]) -> int:
        unit = plan.unit
        if plan.mac is not None:
            return self._mac(plan.mac, inputs[0])
        if unit.kind == "add":
            return self._slice(plan, self._moves([WORD | YIELDS], *inputs))
        if unit.kind == "mul":
            first, second = inputs
            for window in readers(plan):
                second = self._bare(window, second)
            main = main_module(plan)
            assert main is not None
            return self._pipe(self._moves([WORD | YIELDS], first, second), main.latency - 1)
        if unit.kind in TURNS:
            words = words_in_turns(unit, plan.lanes)
            return self.add(events.CONCAT, *inputs, size=words[0], second=words[1])
        (stream,) = inputs
        if unit.kind == "argmax":
            stream = self._pipe(stream, (plan.lanes - 1).bit_length() + 1)
            return self._gather(-(-unit.input_types[0].channels // plan.lanes), stream)
        reduced = unit.node is not None and main_module(plan) is not None
        for window in readers(plan):
            taps = window.kernel[0] * window.kernel[1]
            stream = self._window(window, stream, taps, 1) if reduced else self._bare(window, stream)
        return self._slice(plan, stream)

    def _slice(self, plan: UnitPlan, stream: int) -> int:
        held = main_slice(plan)
        return self.add(events.SLICE, stream, size=held.words) if held else stream

    def _mac(self, mac: MacPlan, stream: int) -> int:
        for i, (patch, lanes) in enumerate(zip(mac.patches, mac.patch_lanes, strict=False)):
            stream = self._moves(_padding(patch, lanes), stream)
            if mac.between_patches is not None and i == 0:
                stream = self.add(events.SLICE, stream, size=mac.between_patches.words)
        latency = mac.delay + 2
        tile = mac.fold.tile_cycles(mac.layer)
        stream = self._window(mac.window, stream, tile, latency)
        if mac.held_words:
            stream = self.add(events.SLICE, stream, size=mac.held_words)
        return self._moves(mac.way_out.moves, stream) if mac.parts > 1 else stream

    def _bare(self, window: Window, stream: int) -> int:
        """A window reader whose words leave as they are."""
        return stream if window.is_wire else self._window(window, stream, 1, 0)

    def _window(self, window: Window, stream: int, tile: int, latency: int) -> int:
        """A window reader, and what makes a result of every `tile` words, `latency` cycles after the last."""
        if window.is_wire:
            return self._gather(tile, stream, latency)
        first, position, lag = window.waits(tile)
        return self.add(
            events.WINDOW,
            stream,
            size=tile,
            latency=window.stages + latency,
            second=window.arrival,
            depth=window.depth,
            frame=window.in_words,
            table=window.oldest,
            first=first,
            position=position,
            lag=lag,
        )


def _padding(patch: Patch, lanes: int) -> list[int]:
    """Moves of tlmac_columns (a row) or tlmac_rows (a frame): padding in front waits for a word, the rest does not."""
    p = patch.sizes(lanes)
    before, size, stride = p["PadBefore"], p["Size"], p["Stride"]
    columns = patch.module == COLUMNS
    span = (p["Dilation"] if columns else 1) * (p["Kernel"] - 1)
    flags = []
    for x in range(before + size + p["PadAfter"]):
        word = NEEDS if x < before else WORD if x < before + size else 0
        hit = YIELDS if x >= span and (x - span) % stride == 0 else 0
        flags += [word | hit] * (p["Chunks"] if columns else p["RowWords"])
    return flags
