# SPDX-License-Identifier: Apache-2.0
"""`bitwright debug`: the first layer of a design whose values in simulation are not the network's."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import typer

from bitwright.commands.common import Build, DataFile, Jobs, Json, Seed, Verbose, job_count
from bitwright.commands.simulate import Frames, frames_of

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.debugging.layers import DebugResult

FRAMES = 8  # where nobody says how many


def run(
    build: Build,
    data: DataFile = None,
    frames: Frames = None,
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Find the first layer whose values in simulation differ from the network's; 8 frames unless --frames says more."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.io import load_design

    console = Console(json, verbose)
    design = load_design(build, changed=True)
    x, _ = frames_of(design, data, frames or FRAMES, seed)
    with console.busy(f"simulating {len(x):,} frames and recording every layer"):
        result = bw.debug(design, x, seed=seed, jobs=job_count(jobs))
    rows = [[c.layer, c.values, c.mismatches, c.missing] for c in result.layers]
    console.table(f"{build}, layer by layer", ["layer", "values", "mismatches", "missing"], rows)
    _explain(console, str(build), result)
    console.result({"data": data and str(data), **result.as_dict()})
    if result.first is not None or result.failure is not None:
        raise typer.Exit(1)


def _explain(console: Console, build: str, result: DebugResult) -> None:
    """Say what differs, where, and how to look further."""
    from bitwright.debugging.layers import OUTPUT

    first = result.first
    if result.failure is not None:
        console.say(f"the simulation ended early: {result.failure}")
    if first is None:
        if result.failure is None:
            console.say(f"all values of all layers are the network's, in {result.frames:,} frames")
        return
    what = f"{first.mismatches:,} of {first.values:,} values differ" if first.mismatches else "values never came"
    console.say(f"first difference in layer {first.layer}: {what}")
    rows = [[d.frame, ", ".join(map(str, d.index)), d.expected, d.found] for d in result.differences]
    if rows:
        console.table("", ["frame", "index (y, x, channel)", "expected", "found"], rows)
    if first.layer != OUTPUT:
        layer = shlex.quote(first.layer)
        console.say(f"its signals: bitwright simulate {shlex.quote(build)} --trace wave.vcd --trace {layer}")
