# SPDX-License-Identifier: Apache-2.0
"""`bitwright simulate`: stream data through the compiled design, cycle by cycle."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import Build, DataFile, Jobs, Json, Seed, Verbose, job_count

if TYPE_CHECKING:
    import numpy as np

    from bitwright.commands.console import Console
    from bitwright.targets.contract import Design
    from bitwright.tools.model import Stalls, Waveform

RANDOM_FRAMES = 16
RESULT = "simulation.json"  # also in design_io.RESULTS
Frames = Annotated[
    int | None, typer.Option("--frames", help="number of frames; default: all of --data, or 16 random ones", min=1)
]
StallShare = Annotated[
    float, typer.Option("--stalls", help="probability of a pause on both streams, 0 to 1 (exclusive)")
]
TRACE = "write a waveform, FILE.vcd or FILE.fst, up to the first result; the name of a LAYER shows that one alone"
Trace = Annotated[list[str], typer.Option("--trace", help=TRACE, show_default=False)]
DEFAULT_WAVE = "wave.vcd"
TraceCycles = Annotated[
    int | None, typer.Option("--trace-cycles", help="length of the waveform in cycles instead", min=1)
]


def run(
    build: Build,
    data: DataFile = None,
    frames: Frames = None,
    stalls: StallShare = 0.0,
    trace: Trace = [],  # noqa: B006
    trace_cycles: TraceCycles = None,
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Simulate a design and compare it with its network, bit for bit."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.io import as_json
    from bitwright.design.results import synthesized_clock, with_earlier
    from bitwright.files import write_file
    from bitwright.hardware.clock import DEFAULT_MHZ, Clock
    from bitwright.reporting.layers import activations
    from bitwright.simulation import inputs_of
    from bitwright.text import figure, rows
    from bitwright.tools.model import Stalls

    console = Console(json, verbose)
    design = bw.load_design(build)
    known = synthesized_clock(build, design.digest)
    x, labels = frames_of(design, data, frames, seed)
    pauses = Stalls(seed, stalls, stalls) if stalls else None
    wave = _waveform(console, design, x, trace, trace_cycles, (pauses, seed, job_count(jobs)))
    with console.busy(f"simulating {len(x):,} frames"):
        result = bw.simulate(design, x, stalls=pauses, seed=seed, trace=wave, jobs=job_count(jobs))
    found: dict[str, Any] = {"design": design.digest, "data": data and str(data), **result.as_dict()}
    if labels is not None:
        found["accuracy"] = float((result.predictions == labels).mean())
    if data is not None:
        found["activations"] = activations(design.network, inputs_of(design, x))
    write_file(build / RESULT, as_json(with_earlier(found, build / RESULT)))
    hidden, shown = ("design", "counters", "activations"), {"frames_per_second": "frames_per_second (of the simulator)"}
    told = rows({shown.get(name, name): value for name, value in found.items() if name not in hidden})
    console.table(f"{build}, simulated", ["figure", "value"], told)
    if wave is not None:
        console.say(f"{wave.path}: {_length(wave)}; open it with `gtkwave {shlex.quote(str(wave.path))}`")
    if result.interval_cycles:
        where, clock = known or ("", Clock(DEFAULT_MHZ))
        speed = figure(clock.frames_per_second(result.interval_cycles))
        console.say(f"{speed} frames/s of the hardware at {clock}{where and f' on {where}'}")
    if not result.bit_exact:
        console.say(f"the hardware differs from its network: {result.first_mismatch()}")
    console.result(found)
    if not result.bit_exact:
        raise typer.Exit(1)


def _waveform(
    console: Console,
    design: Design,
    x: np.ndarray,
    names: list[str],
    cycles: int | None,
    run: tuple[Stalls | None, int, int],
) -> Waveform | None:
    """The waveform of --trace: files and layers in any order. run: stalls, seed and jobs of the simulation."""
    import bitwright as bw
    from bitwright.debugging.waveform import waveform
    from bitwright.errors import OptionError
    from bitwright.tools.model import TRACES

    files = [name for name in names if Path(name).suffix.lower().removeprefix(".") in TRACES]
    layers = [name for name in names if name not in files]
    if len(files) > 1:
        raise OptionError(f"--trace names {len(files)} files; legal is one, and any number of layers")
    if not names:
        return None
    path = files[0] if files else DEFAULT_WAVE
    found, (stalls, seed, jobs) = bw.Waveform(path, 0, design.output.words), run
    if layers:
        with console.busy("looking for the layer"):
            found = waveform(design, x, path, layers, stalls=stalls, seed=seed, jobs=jobs)
    return replace(found, cycles=cycles, words=0) if cycles else found


def _length(wave: Waveform) -> str:
    """Which cycles a waveform holds."""
    if wave.start is None:
        return f"the first {wave.cycles:,} cycles" if wave.cycles else "the cycles up to the first result"
    end = f"{wave.start + wave.cycles - 1:,}" if wave.cycles else "the first result"
    return f"cycles {wave.start:,} to {end} from the first word on, in which the layer works"


def frames_of(design: Design, data: Path | None, frames: int | None, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Inputs and labels: of the data file, or random integers of the input type."""
    import numpy as np

    from bitwright.data.samples import open_samples
    from bitwright.network.bundles import bundled

    specs = design.network.inputs
    if data is None:
        random, made = np.random.default_rng(seed), {}
        for spec in specs:
            words = random.integers(0, 1 << spec.type.dtype.bits, (frames or RANDOM_FRAMES, *spec.type.shape))
            made[spec.name] = spec.type.dtype.decode(words)
        return bundled(made), None
    read = open_samples(data, *specs)
    read = read.first(frames) if frames else read
    return read.prepared(), read.labels
