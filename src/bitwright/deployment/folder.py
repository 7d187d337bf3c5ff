# SPDX-License-Identifier: Apache-2.0
"""A deployment: one folder with all that brings a design onto a device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitwright.deployment.bitstream import board_sources, build, makes_bitstream
from bitwright.deployment.c_driver import write_c_driver
from bitwright.deployment.driver import NETWORKS, SERIAL, WORDS, same_hardware, write_driver
from bitwright.deployment.ip import write_ip
from bitwright.deployment.rendering import Code, render
from bitwright.deployment.serial_top import CLOCK, check_rate, check_serial
from bitwright.deployment.throughput import Throughput, overlay_throughput, serial_throughput
from bitwright.deployment.vivado import write_overlay, write_sources, write_vivado
from bitwright.design.io import as_json
from bitwright.devices import BOARDS, Board, find_device
from bitwright.errors import OptionError
from bitwright.files import check_replaceable, new_folder
from bitwright.hardware.clock import DEFAULT_MHZ, assumed
from bitwright.hardware.families import families
from bitwright.targets.contract import Design

DEPLOYMENT = "deploy.json"
C = "c"
VIVADO = frozenset({"overlay.tcl", "reports.tcl"})
PROGRAMS = frozenset({"driver.py", "host.py", *(f"{name}.npy" for name in WORDS), NETWORKS, "__pycache__", C})
FAMILIES = [family.boards for family in families().values() if family.boards]
BOARD_FILES = frozenset({"README.md", *(name for b in FAMILIES for name in (b.constraints_file, b.bitstream))})
IP_CONTENTS = frozenset({DEPLOYMENT, "rtl", "bench", "component.xml", "project.tcl", "quartus.tcl"})
CONTENTS = frozenset({DEPLOYMENT, "sources"}) | VIVADO | PROGRAMS | BOARD_FILES


def deploy(
    design: Design | Mapping[str, Design],
    folder: str | os.PathLike[str],
    device: str,
    *,
    clock_mhz: float = DEFAULT_MHZ,
    jobs: int = 4,
    class_names: Sequence[str] = (),
    baud: int | None = None,
) -> dict[str, Any]:
    """Write all that brings a design onto a part or board into a folder; what was written.

    design: one, or several of one hardware by the names under which the driver loads their networks. device: of
    `devices.py`. A board with a serial line gets a bitstream and `host.py`; the clock is the fastest that routing
    allows, up to clock_mhz. Those with Xilinx parts do where openXC7 is on the PATH. Else Xilinx parts get `sources/`
    and `reports.tcl`, which measures the design alone, at clock_mhz; a board with processors also `overlay.tcl`, which
    builds the bitstream, and drivers. jobs: Vivado's. class_names: what the driver calls classes. baud: of the serial
    line, the board's own where it is None.

    The folder appears whole or not at all; an earlier deployment is replaced, unless it holds results of Vivado. Raises
    `DeviceError` for a device that gets neither, or that the design does not fit, and `OptionError` for an illegal
    clock or rate, designs of different hardware, class names that do not fit, or a folder with other files.
    """
    folder = Path(folder)
    check_deployment_folder(folder)
    clock_mhz = assumed(clock_mhz).mhz
    part, board = find_device(device), BOARDS.get(device.lower())
    designs = {design.network.name: design} if isinstance(design, Design) else design
    first = same_hardware(designs)
    if baud is not None and not (board and makes_bitstream(board)):
        raise OptionError(f"baud is of a bitstream with a serial line, which {device} does not get")
    with new_folder(folder) as made:
        if board and makes_bitstream(board):
            paths, facts = _serial(designs, board, made, clock_mhz, class_names, baud)
        else:
            paths, facts = {*write_vivado(first, device, made, clock_mhz=clock_mhz)}, {"clock_mhz": clock_mhz}
            if board and board.serial and part.traits.placing:
                placing = part.traits.placing
                facts["note"] = f"no bitstream: {placing.program} is not on the PATH ({placing.extra})"
            if board and board.processor:
                paths |= {*write_overlay(first, board.name, made, clock_mhz=clock_mhz, jobs=jobs)}
                paths |= {*write_driver(designs, made, clock_mhz=clock_mhz, class_names=class_names)}
                speed = overlay_throughput(first, clock_mhz)
                facts["throughput"] = speed.as_dict()
                paths |= {*write_c_driver(designs, made / C), _overlay_readme(made, board.name, clock_mhz, speed)}
        found = {
            "design": first.digest,
            "target": first.target,
            "network": first.network.name,
            "networks": list(designs),
            "device": part.name,
            "board": board.name if board else None,
            "part": part.part,
            **facts,
            "files": sorted(path.relative_to(made).as_posix() for path in paths),
        }
        (made / DEPLOYMENT).write_text(as_json(found))
    return found


def _overlay_readme(made: Path, board: str, clock_mhz: float, speed: Throughput) -> Path:
    """What to build, what to copy where, and what to type."""
    copied = [name for name in ("driver.py", *(f"{name}.npy" for name in WORDS), NETWORKS) if (made / name).exists()]
    files = " and ".join(f"`{name}`" for name in copied)
    several = NETWORKS in copied
    words = {"files": Code(files), "copied": " ".join(["-r", *copied] if several else copied), "several": several}
    words["throughput"] = Code(speed.text)
    path = made / "README.md"
    path.write_text(render("overlay.md.j2", board=board, clock=f"{clock_mhz:g}", **words))
    return path


def deploy_ip(design: Design, folder: str | os.PathLike[str], *, prefix: str = "") -> dict[str, Any]:
    """Write the design as a block for others' projects, see `write_ip`; what was written.

    The folder appears whole or not at all. Raises `OptionError` for a prefix that is no identifier, and for a folder
    with other files.
    """
    folder = Path(folder)
    check_replaceable(folder, "block", DEPLOYMENT, IP_CONTENTS | {entry.name for entry in _own_ip_files(folder)})
    with new_folder(folder) as made:
        paths = write_ip(design, made, prefix)
        found = {
            "design": design.digest,
            "target": design.target,
            "network": design.network.name,
            "top": prefix + design.top,
            "prefix": prefix,
            "files": sorted(path.relative_to(made).as_posix() for path in paths),
        }
        (made / DEPLOYMENT).write_text(as_json(found))
    return found


def _own_ip_files(folder: Path) -> list[Path]:
    """The file list and the core of an earlier block, which have its top's name."""
    return [path for pattern in ("*.f", "*.core") for path in folder.glob(pattern)]


def _serial(
    designs: Mapping[str, Design],
    board: Board,
    made: Path,
    most_mhz: float,
    class_names: Sequence[str],
    baud: int | None,
) -> tuple[set[Path], dict[str, Any]]:
    """Files and facts of a board with a serial line."""
    first, serial = next(iter(designs.values())), board.serial
    boards = find_device(board.name).traits.boards
    assert serial is not None
    assert boards is not None
    for design in designs.values():
        check_serial(design)
    rate = serial.baud if baud is None else baud
    check_rate(rate)
    sources = board_sources(first, board)
    built = build(first, board, sources, most_mhz, rate)
    paths = {*write_sources({**sources, f"{CLOCK}.sv": built.clock_source}, made)}
    mhz = built.clock_mhz
    paths |= {*write_driver(designs, made, SERIAL, clock_mhz=mhz, class_names=class_names, extra={"baud": rate})}
    command = f"{serial.loader} {boards.bitstream}"
    speed = serial_throughput(first, mhz, rate)
    words = {"board": board.name, "command": command, "note": Code(serial.note), "baud": rate}
    words["throughput"] = Code(speed.text)
    clock = f"{mhz:.4g} MHz, of {built.fmax_mhz:.4g} MHz that routing allows"
    texts = {
        boards.constraints_file: boards.constraints(serial.pins, serial.oscillator_mhz),
        "README.md": render("board.md.j2", **words, clock=clock),
    }
    for name, text in texts.items():
        (made / name).write_text(text)
    (made / boards.bitstream).write_bytes(built.content)
    paths |= {made / name for name in (*texts, boards.bitstream)}
    told = {"baud": rate, "load": command, "note": serial.note, "throughput": speed.as_dict()}
    return paths, built.as_dict() | told


def check_deployment_folder(folder: Path) -> None:
    """Raise `OptionError` unless `folder` is free, empty or an earlier deployment without foreign files."""
    check_replaceable(folder, "deployment", DEPLOYMENT, CONTENTS)
