# SPDX-License-Identifier: Apache-2.0
"""`bitwright deploy`: a design as files for a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import ClockMhz, Json, Output, Verbose
from bitwright.hardware.clock import DEFAULT_MHZ

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bitwright.commands.console import Console
    from bitwright.hardware.clock import Clock
    from bitwright.targets.contract import Design

Builds = Annotated[list[Path], typer.Argument(help="build folders, as `compile` writes them; several of one hardware")]
ClassNames = Annotated[Path | None, typer.Option("--class-names", help="text file, one class name per line")]
DEVICE_HELP = (
    "part or board, default that of `compile`; a board also gets a driver, one with a serial line its bitstream"
    " (docs/boards.md)"
)
DeviceName = Annotated[
    str | None,
    typer.Option("--device", "--board", help=DEVICE_HELP, show_default=False),
]


def run(
    builds: Builds,
    output: Output,
    device: DeviceName = None,
    ip: Annotated[
        bool, typer.Option("--ip", help="write an IP block for other projects instead of a board folder")
    ] = False,
    prefix: Annotated[str, typer.Option("--prefix", help="prefix of every name in an IP block, as in kws_")] = "",
    clock_mhz: ClockMhz = DEFAULT_MHZ,
    class_names: ClassNames = None,
    baud: Annotated[
        int | None, typer.Option("--baud", help="baud rate of the serial line; default: the board's")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="parallel jobs of Vivado", min=1)] = 4,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write all that brings a design onto a board into a folder: bitstream or Vivado scripts, and a driver."""
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.results import synthesized_clock
    from bitwright.errors import DataError, OptionError
    from bitwright.files import read_text

    console = Console(json, verbose)
    designs = {build.resolve().name: bw.load_design(build) for build in builds}
    if len(designs) < len(builds):
        raise OptionError("two build folders have one name; legal are different ones, as the driver loads them by name")
    design = next(iter(designs.values()))
    device = device or (None if ip else design.device or None)
    if ip == (device is not None) or (prefix and not ip):
        raise OptionError("legal is either a --device or --board, or --ip, with --prefix where names need one")
    if device is None:
        _block(console, designs, output, prefix)
        return
    known = synthesized_clock(builds[0], design.digest)
    names = read_text(class_names, DataError).splitlines() if class_names else []
    chosen = designs if len(designs) > 1 else design
    with console.busy("placing and routing, where the board gets a bitstream"):
        found = bw.deploy(chosen, output, device, clock_mhz=clock_mhz, jobs=jobs, class_names=names, baud=baud)
    for path in found["files"]:
        console.detail(f"{output / path}")
    console.say(f"{output}: {len(found['files'])} files for {found['part']} at {found['clock_mhz']:.4g} MHz")
    if "load" in found:
        console.say(f"estimated: {found['throughput']['frames_per_second']:,.0f} frames a second; README.md says more")
        console.say(f"try it without the board:  python {output / 'host.py'} --simulate")
        console.say(f"load the bitstream:        {found['load']}")
        console.say("run it:                    host.py")
    else:
        _say_vivado(console, output, found, known, clock_mhz)
    console.result({"output": str(output), **found})


def _block(console: Console, designs: Mapping[str, Design], output: Path, prefix: str) -> None:
    """Write a block, and say what is in it."""
    from bitwright.deployment import deploy_ip
    from bitwright.errors import OptionError

    if len(designs) > 1:
        raise OptionError(f"--ip writes one block, not {len(designs)}; legal is one build folder")
    found = deploy_ip(next(iter(designs.values())), output, prefix=prefix)
    for path in found["files"]:
        console.detail(f"{output / path}")
    console.say(f"{output}: {len(found['files'])} files, module {found['top']}")
    console.say(f"FuseSoC:  {found['top']}.core   IP-XACT: component.xml   files: {found['top']}.f")
    console.say(f"test it:  python {output / 'bench' / 'run.py'} (cocotb and cocotbext-axi)")
    console.result({"output": str(output), **found})


def _say_vivado(
    console: Console, output: Path, found: dict[str, Any], known: tuple[str, Clock] | None, clock_mhz: float
) -> None:
    """What to type for a part or board that Vivado builds for."""
    from bitwright.devices import BOARDS

    if known and known[0] == found["device"] and known[1].mhz < clock_mhz:
        console.say(f"the design reaches {known[1]} there: --clock-mhz must be lower")
    if "note" in found:
        console.say(found["note"])
    console.say("resources and timing:  vivado -mode batch -source reports.tcl")
    if "overlay.tcl" in found["files"]:
        console.say(f"without the board:     python {output / 'driver.py'} --simulate")
        console.say("bitstream:             vivado -mode batch -source overlay.tcl")
        console.say("on the board:          driver.py, beside overlay.bit and overlay.hwh")
        speed = found["throughput"]["frames_per_second"]
        console.say(f"estimated:             {speed:,.0f} frames a second at {clock_mhz:g} MHz; README.md says more")
    else:
        names = {
            kind: ", ".join(b.name for b in BOARDS.values() if getattr(b, kind)) for kind in ("processor", "serial")
        }
        device = found["board"] or found["device"]
        console.say(f"no overlay and no driver for {device}; the boards that run PYNQ are {names['processor']}")
        console.say(f"boards with a serial line get a bitstream and a host program: {names['serial']}")
