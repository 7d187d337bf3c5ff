# SPDX-License-Identifier: Apache-2.0
"""`bitwright prove`: whether the netlist of every unit is its RTL, and the RTL the network's operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bitwright.commands.common import Build, DataFile, Jobs, Json, Seed, Verbose, job_count
from bitwright.commands.simulate import Frames, frames_of

if TYPE_CHECKING:
    from bitwright.proving.equivalence import Equivalence
    from bitwright.proving.units import UnitProof

FRAMES = 64  # where nobody says how many


def run(
    build: Build,
    data: DataFile = None,
    frames: Frames = None,
    device: Annotated[str, typer.Option("--device", help="part or board whose netlist is proven")] = "xczu3eg",
    cycles: Annotated[int, typer.Option("--cycles", help="random cycles of RTL and netlist, in 64 runs")] = 2000,
    seconds: Annotated[int, typer.Option("--seconds", help="most that a unit's search beyond induction takes")] = 60,
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show that the netlist of every unit is its RTL, and its RTL the network's operation; 64 frames by default."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.io import load_design

    console = Console(json, verbose)
    design = load_design(build, changed=True)
    x, _ = frames_of(design, data, frames or FRAMES, seed)
    with console.busy(f"proving {len(design.units)} units"):
        result = bw.prove(design, x, device=device, cycles=cycles, seconds=seconds, seed=seed, jobs=job_count(jobs))
    rows = [[unit.name, _netlist(unit.netlist), _operation(unit)] for unit in result.units]
    console.table(f"{build} for {result.device}", ["unit", "netlist is RTL", "RTL is operation"], rows)
    console.say(f"deadlock freedom: {result.deadlock}")
    if result.failure is not None:
        console.say(f"the simulation ended early: {result.failure}")
    console.result({"data": data and str(data), **result.as_dict()})
    if not result.good:
        raise typer.Exit(1)


def _netlist(found: Equivalence) -> str:
    """How sure it is, in words."""
    if found.reason:
        return f"{found.status}: {found.reason}"
    return found.status if not found.tested else f"{found.cycles:,} random cycles, not proven"


def _operation(unit: UnitProof) -> str:
    if unit.mismatches:
        return f"{unit.mismatches:,} values differ or never came"
    return f"{unit.operation}, {unit.values:,} values" if unit.operation else ""
