# SPDX-License-Identifier: Apache-2.0
"""`bitwright demo`: the whole way with the embedded network."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from bitwright.commands.common import Jobs, Json, Verbose, job_count


def run(
    output: Annotated[Path, typer.Option("--output", "-o", help="build folder")] = Path("build/demo"),
    jobs: Jobs = 0,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compile, simulate and synthesize the embedded digits network, and show its figures."""
    from bitwright.commands.console import Console
    from bitwright.demo.run import DEVICE, run
    from bitwright.text import rows

    console = Console(json, verbose)
    result = run(output, console.say, job_count(jobs))
    simulation, synthesis = result.simulation, result.synthesis
    found = {
        "images": result.images,
        "network_accuracy": result.network_accuracy,
        "hardware_accuracy": result.hardware_accuracy,
        "bit_exact": simulation.bit_exact,
        "latency_cycles": simulation.latency_cycles,
        "interval_cycles": simulation.interval_cycles,
        "clock": str(synthesis.clock),
        "frames_per_second": round(synthesis.clock.frames_per_second(simulation.interval_cycles)),
        **{name: getattr(synthesis, name) for name in ("lut", "ff", "bram36", "dsp")},
    }
    console.table(f"digits on {DEVICE}", ["figure", "value"], rows(found))
    console.say(f"report: {output / 'report.html'}")
    console.say(f"next:   {activation()}bitwright check model.onnx")
    console.result(found)
    if not simulation.bit_exact:
        raise typer.Exit(1)


def activation() -> str:
    """What a shell runs before `bitwright` is found, with " && " behind it; empty where it is found already."""
    programs = Path(sys.prefix) / "bin"
    found, script = shutil.which("bitwright"), programs / "activate"
    if not script.exists() or (found is not None and Path(found).parent == programs):
        return ""
    shown = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return f". {shlex.quote(str(shown))} && "
