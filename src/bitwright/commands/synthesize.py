# SPDX-License-Identifier: Apache-2.0
"""`bitwright synthesize`: measured resources, and the clock that a part reaches."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from bitwright.commands.common import Build, ClockMhz, Jobs, Json, Seed, Verbose, job_count
from bitwright.hardware.clock import DEFAULT_MHZ
from bitwright.text import figure, percent

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.hardware.timing import TimingPath
    from bitwright.synthesis import SynthesisResult

BITSTREAM = "design.bit"  # also in design.io.RESULTS


def run(
    build: Build,
    device: Annotated[
        str | None, typer.Option("--device", help="part or board; default the one that `compile` was given")
    ] = None,
    clock_mhz: ClockMhz = DEFAULT_MHZ,
    dsp: Annotated[bool, typer.Option("--dsp/--no-dsp", help="allow DSP blocks for multipliers")] = True,
    fit: Annotated[bool, typer.Option("--fit/--no-fit", help="whether a design larger than the device fails")] = True,
    placer: Annotated[str, typer.Option("--placer", help="nextpnr's placer: heap, or static for full parts")] = "heap",
    router: Annotated[
        str, typer.Option("--router", help="nextpnr's router: router1, or router2 for full parts")
    ] = "router1",
    seed: Seed = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", help="number of placements, from --seed on; the median clock counts")
    ] = 1,
    jobs: Jobs = 0,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Synthesize a design for a device; where its family allows, place and route it too."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.io import as_json
    from bitwright.errors import OptionError
    from bitwright.files import write_file

    console = Console(json, verbose)
    design = bw.load_design(build)
    device = device or design.device
    if not device:
        raise OptionError(f"{build} was compiled for no part: --device with a part or board is needed")
    options = bw.SynthesisOptions(dsp, seed, seeds, placer, router)
    with console.progress() as progress:
        result = bw.synthesize(
            design,
            device,
            options=options,
            clock_mhz=clock_mhz,
            check_fit=fit,
            jobs=job_count(jobs),
            progress=progress,
        )
    found = {"design": design.digest, **result.as_dict()}
    if result.bitstream is not None:
        write_file(build / BITSTREAM, result.bitstream)
    write_file(build / "synthesis.json", as_json(found))
    _show(console, result)
    _show_clock(console, result, design.estimate.interval_cycles)
    console.result(found)


def _show(console: Console, result: SynthesisResult) -> None:
    names = ("lut", "ff", "carry", "bram36", "dsp")
    rows = []
    for unit in result.units:
        measured = [getattr(unit.resources, n) for n in names]
        estimated = unit.estimate.lut if unit.estimate else None
        clock = unit.fmax_estimated_mhz and round(unit.fmax_estimated_mhz.mid)
        rows.append([unit.name, unit.copies, *measured, estimated, clock])
    rows.append(["total", None, *(getattr(result.total, n) for n in names), None, None])
    share = result.utilization
    rows.append(["share of device", None, *(percent(share[n]) if n in share else None for n in names), None, None])
    title = f"{result.device.name}, {', '.join(result.tools)}"
    console.table(title, ["unit", "copies", *names, "lut estimated", "MHz estimated"], rows)


def _show_clock(console: Console, result: SynthesisResult, interval: int) -> None:
    """The slowest paths, and the clock with what it rests on."""
    time = "ns routed" if result.fmax_mhz is not None else "ns estimated"
    columns = [time, "of it wires", "levels", "from", "to", "layer", "what to change"]
    console.table("slowest paths", columns, [_path(path) for path in result.paths])
    for note in result.notes:
        console.say(note)
    if result.fmax_estimated_mhz is not None:
        low, mid, high = dataclasses.astuple(result.fmax_estimated_mhz)
        console.say(f"clock estimated before placement: {mid:.1f} MHz ({low:.1f} to {high:.1f})")
    if result.fmax_mhz is not None:
        seeds = ", ".join(f"{mhz:.1f}" for mhz in result.fmax_by_seed.values())
        median = f", the median of {seeds}" if len(result.fmax_by_seed) > 1 else ""
        console.say(f"clock up to {result.fmax_mhz:.1f} MHz after placement and routing{median}")
    if (clock := result.clock) is not None:
        console.say(f"{figure(clock.frames_per_second(interval))} frames/s at {clock}, {interval:,} cycles a frame")


def _path(path: TimingPath) -> list[object]:
    ends = [f"{point.name} ({point.module or point.cell})" for point in (path.start, path.end)]
    layers = dict.fromkeys(point.layer for point in (path.start, path.end) if point.layer)
    return [path.routed_ns or path.ns, percent(path.net_share, 0), path.levels, *ends, ", ".join(layers), path.hint]
