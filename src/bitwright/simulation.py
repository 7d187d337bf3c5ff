# SPDX-License-Identifier: Apache-2.0
"""Cycle-accurate simulation of a design, compared with the meaning of its network."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np

from bitwright.design.packing import cut_frames, filling, pack_frames, unpack
from bitwright.errors import DataError
from bitwright.fast.evaluator import Evaluator
from bitwright.hardware.shell import WEIGHT_STREAM
from bitwright.network.bundles import bundled
from bitwright.network.bundles import parts as arrays
from bitwright.network.graph import check_integers
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.targets.contract import Design
from bitwright.text import Shown
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, Tap, axis_input, axis_output
from bitwright.tools.model import ExternalMemory, Model, ProtocolError, Run, Stalls, Waveform, trace_format

RANDOM_MEMORY = 20  # times slower than the ideal one, which estimates hold for, at most
BATCH = 8  # frames that are worth a run of their own
TIMING_FRAMES = 8  # of the extra run that measures cycles where the main one stalls
TIMING_BATCHES = 4  # at least, where frames are computed together
IDLE_FLOOR = 20_000
INPUT, OUTPUT = "s_axis", "m_axis"
MEMORY_BASE = 0x12_0000_0000  # where the external memory of a simulation begins


@dataclass(frozen=True, eq=False, repr=False)
class SimulationResult(Shown):
    """What a design did in simulation. Cycles are clock cycles, measured without stalls.

    outputs: int64 [N, *shape], of several outputs a bundle; floats: the same in the model's own units and layout.
    latency_cycles: from the edge that takes the first input word of the first frame to the edge that
    delivers its last output word. interval_cycles: between the last output words of consecutive frames,
    mean over the later half of the frames; None for a single frame. A design that computes frames in batches is timed
    with full ones, on the same frames again and again where they are too few.
    expected: the network's own evaluation; mismatches: the number of elements that differ.
    cycles, counters: summed over all runs. frames_per_second: the simulator's.
    """

    outputs: np.ndarray
    floats: np.ndarray
    expected: np.ndarray
    latency_cycles: int
    interval_cycles: float | None
    cycles: int
    counters: dict[str, int]
    seconds: float
    tool: str

    @property
    def frames(self) -> int:
        return len(self.outputs)

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds

    @property
    def predictions(self) -> np.ndarray:
        """Class of each frame, [N]: the output itself where it is one number, else the index of the first largest.

        For networks of one output.
        """
        flat = self.floats.reshape(self.frames, -1)
        return self.outputs.reshape(-1) if flat.shape[1] == 1 else flat.argmax(axis=1)

    @property
    def mismatches(self) -> int:
        return sum(int(np.count_nonzero(a != b)) for _, a, b in self._pairs())

    @property
    def bit_exact(self) -> bool:
        return self.mismatches == 0

    def first_mismatch(self) -> str | None:
        """Frame, index and both values of the first element that differs, if one does."""
        if not self.mismatches:
            return None
        name, found, expected = next((n, a, b) for n, a, b in self._pairs() if (a != b).any())
        where = tuple(int(i) for i in np.argwhere(found != expected)[0])
        output = f" of output {name!r}" if name else ""
        return f"frame {where[0]}, element {where[1:]}{output}: {found[where]} instead of {expected[where]}"

    def _pairs(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Name, values and expected ones of every output."""
        for name in self.outputs.dtype.names or ("",):
            yield (name, self.outputs[name], self.expected[name]) if name else ("", self.outputs, self.expected)

    def facts(self) -> dict[str, object]:
        """The figures but for the simulator's speed."""
        hidden = ("counters", "frames_per_second", "mismatches")
        return {name: value for name, value in self.as_dict().items() if name not in hidden}

    def as_dict(self) -> dict[str, object]:
        """The figures, without arrays, for reports."""
        names = ["frames", "latency_cycles", "interval_cycles", "bit_exact", "mismatches", "cycles", "counters"]
        return {name: getattr(self, name) for name in [*names, "frames_per_second", "tool"]}


def simulate(
    design: Design,
    x: np.ndarray | Mapping[str, np.ndarray],
    *,
    stalls: Stalls | None = None,
    seed: int = 0,
    trace: str | os.PathLike[str] | Waveform | None = None,
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress = quiet,
) -> SimulationResult:
    """Stream the frames `x` through the compiled design.

    x: integers [N, *input shape], or floats in the model's own layout and units, which the network's
    InputSpec quantizes; of several inputs by their names. stalls: random pauses on all streams, and an external
    memory of random latencies and pauses. seed: of the initial state of registers.
    trace: file for a waveform up to the end of the first result, VCD or FST by its name, or a `Waveform` that says how
    long it is. Many frames are split over `jobs` models. progress: called with what is done ("simulator", "frames"),
    how much of it, of how much.
    Raises `DataError` where x does not fit, and `SimulationError` where the hardware breaks the stream
    rules or stops.
    """
    x = inputs_of(design, x)
    wave = trace if trace is None or isinstance(trace, Waveform) else Waveform(trace, 0, design.output.words)
    progress("simulator", 0, 1)
    model = compile_model(design, trace=trace_format(wave.path) if wave else None, cache_dir=cache_dir, jobs=jobs)
    progress("simulator", 1, 1)
    parts = np.array_split(x, max(1, min(jobs, len(x) // BATCH)))
    traces = [wave, *[None] * (len(parts) - 1)]
    start = time.perf_counter()
    progress("frames", 0, len(x))
    pending = joblib.Parallel(n_jobs=jobs, backend="threading", return_as="generator")(
        joblib.delayed(_stream)(design, model, part, stalls, seed + i, file)
        for i, (part, file) in enumerate(zip(parts, traces, strict=True))
    )
    runs, done = list[Run](), 0
    for part, run in zip(parts, pending, strict=True):
        runs, done = [*runs, run], done + len(part)
        progress("frames", done, len(x))
    seconds = time.perf_counter() - start
    outputs = np.concatenate([outputs_of(design, run) for run in runs])
    latency, interval = _timing(design, _timed(design, model, x, runs[0] if stalls is None else None, seed))
    return SimulationResult(
        outputs=outputs,
        floats=design.network.dequantize(outputs),
        expected=Evaluator(design.network).run(x),
        latency_cycles=latency,
        interval_cycles=interval,
        cycles=sum(run.cycles for run in runs),
        counters=_counters(design, runs),
        seconds=seconds,
        tool=model.tool,
    )


def record(
    design: Design,
    x: np.ndarray,
    taps: Sequence[Tap],
    *,
    stalls: Stalls | None = None,
    seed: int = 0,
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
) -> tuple[Run, str]:
    """One run over the integers x, with what taps see in it; and the tool that made it.

    A run that fails is returned with its `failure`.
    """
    model = compile_model(design, taps=taps, cache_dir=cache_dir, jobs=jobs)
    return _stream(design, model, x, stalls, seed), model.tool


def compile_model(
    design: Design,
    *,
    trace: str | None = None,
    taps: Sequence[Tap] = (),
    cache_dir: str | os.PathLike[str] | None = None,
    jobs: int = 2,
) -> Model:
    """The design's simulation model, from the cache where it has been built before; `trace` as in `verilator.build`."""
    inputs = [axis_input(design.input.tdata_bits, INPUT)]
    if design.weights is not None:
        inputs.append(axis_input(design.weights.tdata_bits, WEIGHT_STREAM))
    outputs = [axis_output(design.output.tdata_bits, OUTPUT)]
    memory = design.memory.bits if design.memory is not None else 0
    bench = Bench(design.top, inputs, outputs, design.has_control, taps=taps, memory=memory)
    return verilator.build(design.files, bench, trace=trace, cache_dir=cache_dir, jobs=jobs)


def stream_words(design: Design, x: np.ndarray) -> dict[str, np.ndarray]:
    """The words of all input streams for the integers x [N, *input shape]."""
    words = {INPUT: pack_frames(design.input, arrays(x, design.network.input_names).values())}
    if design.weights is not None:
        words[WEIGHT_STREAM] = design.weights.passes(len(x))
    return words


def inputs_of(design: Design, x: np.ndarray | Mapping[str, np.ndarray]) -> np.ndarray:
    """The integers of the frames to simulate."""
    network = design.network
    given = arrays(x, network.input_names)
    for spec in network.inputs:
        if len(given[spec.name]) == 0:
            raise DataError("no frames to simulate")
        if given[spec.name].dtype.kind == "f":
            given[spec.name] = spec.quantize(given[spec.name])
    return check_integers(network, given)


def _stream(
    design: Design,
    model: Model,
    x: np.ndarray,
    stalls: Stalls | None,
    seed: int,
    trace: Waveform | None = None,
) -> Run:
    """One run of the model over the frames of x."""
    idle = max(IDLE_FLOOR, 4 * design.estimate.latency_cycles, 4 * design.estimate.interval_cycles)
    if design.memory is not None and stalls is not None:
        idle *= RANDOM_MEMORY
    memory = external_memory(design, None if stalls is None else stalls.seed)
    return model.with_memory(memory).run(
        stream_words(design, x),
        {OUTPUT: len(x) * design.output.words},
        stalls=stalls,
        seed=seed,
        idle_cycles=idle,
        program=_program(design),
        counters=tuple((design.counters or {}).values()),
        trace=trace,
    )


def _program(design: Design) -> np.ndarray:
    """All register writes: where external memory lies, then the design's own."""
    own = np.zeros((0, 2), np.uint32) if design.program is None else design.program
    if design.memory is None:
        return own
    return np.concatenate([np.array(design.memory.placed(MEMORY_BASE), np.uint32), own])


def external_memory(design: Design, seed: int | None) -> ExternalMemory | None:
    """The memory behind the design's port: ideal, or random with a seed; None where there is no port."""
    port = design.memory
    if port is None:
        return None
    return ExternalMemory(port.image, port.size, MEMORY_BASE, latency=port.latency, gap=port.gap, seed=seed)


def outputs_of(design: Design, run: Run) -> np.ndarray:
    """The values of a run's output words, after a look at tlast and at the bits that must be zero."""
    frames, words = design.output, run.outputs[OUTPUT]
    position, bit = divmod(frames.tdata_bits, 32)
    last = (words[:, position] >> np.uint32(bit) & 1).reshape(-1, frames.words)
    wrong = np.argwhere(last != (np.arange(frames.words) == frames.words - 1))
    if len(wrong):
        frame, word = (int(i) for i in wrong[0])
        raise ProtocolError(f"{OUTPUT}: tlast is {last[frame, word]} at word {word} of {frames.words} of frame {frame}")
    found = {}
    for end, spec, part in zip(design.network.outputs, frames.tensors, cut_frames(frames, words), strict=True):
        filled = filling(replace(spec, bus_bits=frames.tdata_bits), part)
        if filled.any():
            raise ProtocolError(f"{OUTPUT}: bits without an element are not zero in frame {int(np.argmax(filled))}")
        found[end.name] = unpack(spec, part)
    return bundled(found)


def _timed(design: Design, model: Model, x: np.ndarray, run: Run | None, seed: int) -> Run:
    """A run without stalls to take times from: the one there is, unless it has too few full batches."""
    if design.batch == 1:
        return _stream(design, model, x[:TIMING_FRAMES], None, seed) if run is None else run
    if run is not None and _frames(design, run) >= TIMING_BATCHES * design.batch:
        return run
    count = max(TIMING_BATCHES, math.ceil(TIMING_FRAMES / design.batch)) * design.batch
    return _stream(design, model, np.resize(x, (count, *x.shape[1:])), None, seed)


def _frames(design: Design, run: Run) -> int:
    return len(run.produced[OUTPUT]) // design.output.words


def _timing(design: Design, run: Run) -> tuple[int, float | None]:
    """(latency, interval) in cycles, as `SimulationResult` defines them."""
    ends = run.produced[OUTPUT][design.output.words - 1 :: design.output.words]
    latency = int(ends[0] - run.accepted[INPUT][0])
    ends = ends[design.batch - 1 :: design.batch]
    if len(ends) < 2:
        return latency, None
    first = len(ends) // 2 - (len(ends) == 2)
    return latency, float(ends[-1] - ends[first]) / (len(ends) - 1 - first) / design.batch


def _counters(design: Design, runs: list[Run]) -> dict[str, int]:
    return {name: sum(run.counters[a] for run in runs) for name, a in (design.counters or {}).items()}
