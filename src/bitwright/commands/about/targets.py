# SPDX-License-Identifier: Apache-2.0
"""`bitwright targets`: the targets, their options, and the devices."""

from __future__ import annotations

import dataclasses

from bitwright.commands.common import Json, Verbose


def run(json: Json = False, verbose: Verbose = False) -> None:
    """List the targets with their options, and the devices."""
    from bitwright import targets
    from bitwright.commands.console import Console
    from bitwright.devices import BOARDS, DEVICES
    from bitwright.options import described

    console = Console(json, verbose)
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
    console.result({"targets": found, "devices": {d.name: dataclasses.asdict(d) for d in DEVICES.values()}})
