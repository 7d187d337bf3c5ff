# SPDX-License-Identifier: Apache-2.0
"""`bitwright targets`: the targets, their options, and the devices; and hardware of a size that suits a part."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import Json, Verbose

if TYPE_CHECKING:
    from bitwright.commands.console import Console

FILL = 0.8
Fit = Annotated[str | None, typer.Option("--fit", help="choose the size of this target's hardware for --device")]
Part = Annotated[str | None, typer.Option("--device", help="with --fit: part or board to fill")]
Fill = Annotated[float, typer.Option("--fill", help="with --fit: maximum share of the device, 0 to 1")]
File = Annotated[Path | None, typer.Option("--output", "-o", help="with --fit: write the hardware's TOML file here")]
Given = Annotated[
    list[str], typer.Option("--option", "-O", help="with --fit: key=value, a field of that file that stays as it is")
]


def run(
    fit: Fit = None,
    device: Part = None,
    fill: Fill = FILL,
    option: Given = [],  # noqa: B006
    output: File = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List the targets with their options, and the devices; with --fit, choose a target's hardware for a part."""
    from bitwright.commands.console import Console
    from bitwright.errors import OptionError

    console = Console(json, verbose)
    if fit is not None:
        console.result(_fitted(console, fit, device, fill, option, output))
        return
    given = {"--device": device is not None, "--fill": fill != FILL, "--option": bool(option), "--output": bool(output)}
    if any(given.values()):
        names = ", ".join(name for name, is_given in given.items() if is_given)
        raise OptionError(f"{names} without --fit; legal is --fit TARGET --device PART")
    console.result(_listed(console))


def _fitted(
    console: Console, name: str, device: str | None, fill: float, option: Sequence[str], output: Path | None
) -> dict[str, Any]:
    """The hardware that a target chooses for a part."""
    from bitwright import targets
    from bitwright.devices import find_device
    from bitwright.errors import OptionError
    from bitwright.files import write_file
    from bitwright.targets.sizing import Sizable

    target = targets.get(name)
    if not isinstance(target, Sizable):
        legal = ", ".join(n for n in targets.names() if isinstance(targets.get(n), Sizable))
        raise OptionError(f"target {name} has no hardware of any size; --fit takes {legal}")
    if device is None:
        raise OptionError("--fit needs a part; legal is --device PART or board, as `bitwright targets` lists them")
    part = find_device(device)
    found = target.sized(part, fill, option)
    console.say(f"{found.name} for {part.name}, by the cost model at most {fill:.0%} of each resource")
    rows = [
        [kind, round(getattr(found.resources, kind), 1), getattr(part, kind), f"{share:.1%}"]
        for kind, share in found.utilization.items()
    ]
    console.table("", ["resource", "estimated", "of", "share"], rows)
    if part.estimate_note:
        console.say(part.estimate_note)
    if output is None:
        console.lines(found.text)
    else:
        write_file(output, found.text)
        console.say(f"wrote {output}; `-O {found.option}={output}` takes it")
    facts = {"target": name, "device": part.name, "fill": fill, "utilization": dict(found.utilization)}
    return facts | {"resources": dataclasses.asdict(found.resources), "sizes": dict(found.sizes), "toml": found.text}


def _listed(console: Console) -> dict[str, Any]:
    """Targets with their options, and devices."""
    from bitwright import targets
    from bitwright.devices import BOARDS, DEVICES
    from bitwright.options import described

    found = {}
    for name in targets.names():
        target = targets.get(name)
        options = described(target.options)
        found[name] = {"summary": target.summary, "options": options}
        console.say(f"{name}: {target.summary}")
        rows = [[key, row["default"], row["doc"]] for key, row in options.items()]
        console.table("", ["option", "default", "meaning"], rows)
        console.say("")
    boards: dict[str, str] = {}
    for board in BOARDS.values():
        boards[board.device] = f"{boards.get(board.device, '')} {board.name}".strip()
    parts = [[d.name, boards.get(d.name, ""), d.lut_cell, d.lut, d.ff, d.bram36, d.dsp] for d in DEVICES.values()]
    console.table("devices", ["device", "boards", "cell", "lut", "ff", "bram36", "dsp"], parts)
    return {"targets": found, "devices": {d.name: dataclasses.asdict(d) for d in DEVICES.values()}}
