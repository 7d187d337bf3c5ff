# SPDX-License-Identifier: Apache-2.0
"""`bitwright synthesize`: measured resources, and the clock where the part is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bitwright.commands.common import Build, Jobs, Json, Seed, Verbose, job_count

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.synthesis import SynthesisResult

BITSTREAM = "design.bit"  # also in design.io.RESULTS


def run(
    build: Build,
    device: Annotated[str, typer.Option("--device", help="part or board; `bitwright targets` lists them")],
    clock_mhz: Annotated[float, typer.Option("--clock-mhz", help="clock that placement aims at", min=1)] = 200,
    dsp: Annotated[bool, typer.Option("--dsp/--no-dsp", help="whether multipliers may become DSP blocks")] = True,
    fit: Annotated[bool, typer.Option("--fit/--no-fit", help="whether a design larger than the device fails")] = True,
    placer: Annotated[str, typer.Option("--placer", help="of nextpnr: heap, or static for full parts")] = "heap",
    router: Annotated[str, typer.Option("--router", help="of nextpnr: router1, or router2 for full parts")] = "router1",
    seed: Seed = 1,
    jobs: Jobs = 0,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Synthesize a design for a device; where its family allows, place and route it too."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.io import as_json
    from bitwright.files import write_file

    console = Console(json, verbose)
    design = bw.load_design(build)
    with console.progress() as progress:
        result = bw.synthesize(
            design,
            device,
            dsp=dsp,
            check_fit=fit,
            clock_mhz=clock_mhz,
            seed=seed,
            placer=placer,
            router=router,
            jobs=job_count(jobs),
            progress=progress,
        )
    found = {"design": design.digest, **result.as_dict()}
    if result.bitstream is not None:
        write_file(build / BITSTREAM, result.bitstream)
    write_file(build / "synthesis.json", as_json(found))
    _show(console, result)
    console.result(found)


def _show(console: Console, result: SynthesisResult) -> None:
    names = ("lut", "ff", "carry", "bram36", "dsp")
    rows = []
    for unit in result.units:
        measured = [getattr(unit.resources, n) for n in names]
        estimated = unit.estimate.lut if unit.estimate else None
        rows.append([unit.name, unit.copies, *measured, estimated])
    rows.append(["total", None, *(getattr(result.total, n) for n in names), None])
    share = result.utilization
    rows.append(["share of device", None, *(f"{share[n]:.1%}" if n in share else None for n in names), None])
    title = f"{result.device.name}, {', '.join(result.tools)}"
    console.table(title, ["unit", "copies", *names, "lut estimated"], rows)
    if result.fmax_mhz is not None:
        console.say(f"clock up to {result.fmax_mhz:.1f} MHz after placement and routing")
