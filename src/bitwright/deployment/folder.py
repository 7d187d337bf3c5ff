# SPDX-License-Identifier: Apache-2.0
"""A deployment: one folder with all that brings a design onto a device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bitwright.deployment.driver import write_driver
from bitwright.deployment.vivado import write_overlay, write_vivado
from bitwright.design.io import as_json
from bitwright.devices import BOARDS, find_device
from bitwright.files import check_replaceable, new_folder
from bitwright.hardware.clock import DEFAULT_MHZ, assumed
from bitwright.targets.contract import Design

DEPLOYMENT = "deploy.json"
CONTENTS = frozenset({DEPLOYMENT, "driver.py", "program.npy", "weights.npy", "overlay.tcl", "reports.tcl", "sources"})


def deploy(
    design: Design, folder: str | os.PathLike[str], device: str, *, clock_mhz: float = DEFAULT_MHZ, jobs: int = 4
) -> dict[str, Any]:
    """Write sources and Vivado scripts, and for a board that runs PYNQ a driver; what was written.

    device: a part or board of `devices.py` with Xilinx logic. Every one gets `sources/` and `reports.tcl`,
    which measures the design alone; a board with processors also `overlay.tcl`, which builds the bitstream,
    and `driver.py` (with `program.npy` and `weights.npy` where the design has them), which runs frames on it.
    clock_mhz: of the design. jobs: Vivado's. The folder appears whole or not at all; an earlier deployment is
    replaced, unless it holds results of Vivado. Raises `DeviceError` for a device that is unknown to Vivado, and
    `OptionError` for an illegal clock or a folder with other files.
    """
    folder = Path(folder)
    check_deployment_folder(folder)
    clock_mhz = assumed(clock_mhz).mhz
    part, board = find_device(device), BOARDS.get(device.lower())
    with new_folder(folder) as made:
        paths = set(write_vivado(design, device, made, clock_mhz=clock_mhz))
        if board and board.processor:
            paths |= {*write_overlay(design, board.name, made, clock_mhz=clock_mhz, jobs=jobs)}
            paths |= {*write_driver(design, made, clock_mhz=clock_mhz)}
        found = {
            "design": design.digest,
            "target": design.target,
            "network": design.network.name,
            "device": part.name,
            "board": board.name if board else None,
            "part": part.part,
            "clock_mhz": clock_mhz,
            "files": sorted(path.relative_to(made).as_posix() for path in paths),
        }
        (made / DEPLOYMENT).write_text(as_json(found))
    return found


def check_deployment_folder(folder: Path) -> None:
    """Raise `OptionError` unless `folder` is free, empty or an earlier deployment without foreign files."""
    check_replaceable(folder, "deployment", DEPLOYMENT, CONTENTS)
