# SPDX-License-Identifier: Apache-2.0
"""`bitwright deploy`: a design as files for a board."""

from __future__ import annotations

from typing import Annotated

import typer

from bitwright.commands.common import Build, ClockMhz, Json, Output, Verbose
from bitwright.hardware.clock import DEFAULT_MHZ


def run(
    build: Build,
    output: Output,
    device: Annotated[str, typer.Option("--device", help="part or board; a board with PYNQ also gets a driver")],
    clock_mhz: ClockMhz = DEFAULT_MHZ,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="tasks that Vivado runs at once", min=1)] = 4,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write Vivado scripts and sources of a design, and a driver, into a folder."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.results import synthesized_clock
    from bitwright.devices import BOARDS

    console = Console(json, verbose)
    design = bw.load_design(build)
    known = synthesized_clock(build, design.digest)
    found = bw.deploy(design, output, device, clock_mhz=clock_mhz, jobs=jobs)
    files = found["files"]
    for path in files:
        console.detail(f"{output / path}")
    console.say(f"{output}: {len(files)} files for {found['part']} at {clock_mhz:g} MHz")
    if known and known[0] == found["device"] and known[1].mhz < clock_mhz:
        console.say(f"the design reaches {known[1]} there: --clock-mhz must be lower")
    console.say("resources and timing:  vivado -mode batch -source reports.tcl")
    if "overlay.tcl" in files:
        console.say("bitstream:             vivado -mode batch -source overlay.tcl")
        console.say("on the board:          driver.py, beside overlay.bit and overlay.hwh")
    else:
        boards = ", ".join(board.name for board in BOARDS.values() if board.processor)
        console.say(f"no overlay and no driver for {device}; the boards that run PYNQ are {boards}")
    console.result({"output": str(output), **found})
