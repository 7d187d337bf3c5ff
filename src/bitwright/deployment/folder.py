# SPDX-License-Identifier: Apache-2.0
"""A deployment: one folder with all that brings a design onto a device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitwright.deployment.driver import NETWORKS, same_hardware, write_driver
from bitwright.deployment.vivado import write_overlay, write_vivado
from bitwright.design.io import as_json
from bitwright.devices import BOARDS, find_device
from bitwright.files import check_replaceable, new_folder
from bitwright.hardware.clock import DEFAULT_MHZ, assumed
from bitwright.targets.contract import Design

DEPLOYMENT = "deploy.json"
CONTENTS = frozenset(
    {
        DEPLOYMENT,
        "overlay.tcl",
        "reports.tcl",
        "sources",
        "__pycache__",
        "driver.py",
        "program.npy",
        "weights.npy",
        NETWORKS,
    }
)


def deploy(
    design: Design | Mapping[str, Design],
    folder: str | os.PathLike[str],
    device: str,
    *,
    clock_mhz: float = DEFAULT_MHZ,
    jobs: int = 4,
    class_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Write sources and Vivado scripts, and for a board that runs PYNQ a driver; what was written.

    design: one, or several of one hardware by the names under which the driver loads their networks. device: a part or
    board of `devices.py` with Xilinx logic. Every one gets `sources/` and `reports.tcl`, which measures the design
    alone; a board with processors also `overlay.tcl`, which builds the bitstream, and `driver.py` (with programs and
    weights where the design has them), which runs frames on it.
    clock_mhz: of the design. jobs: Vivado's. class_names: what the driver calls classes. The folder appears whole or
    not at all; an earlier deployment is replaced, unless it holds results of Vivado. Raises `DeviceError` for a device
    that is unknown to Vivado, and `OptionError` for an illegal clock, designs of different hardware, class names
    that do not fit, or a folder with other files.
    """
    folder = Path(folder)
    check_deployment_folder(folder)
    clock_mhz = assumed(clock_mhz).mhz
    part, board = find_device(device), BOARDS.get(device.lower())
    designs = {design.network.name: design} if isinstance(design, Design) else design
    first = same_hardware(designs)
    with new_folder(folder) as made:
        paths = set(write_vivado(first, device, made, clock_mhz=clock_mhz))
        if board and board.processor:
            paths |= {*write_overlay(first, board.name, made, clock_mhz=clock_mhz, jobs=jobs)}
            paths |= {*write_driver(designs, made, clock_mhz=clock_mhz, class_names=class_names)}
        found = {
            "design": first.digest,
            "target": first.target,
            "network": first.network.name,
            "networks": list(designs),
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
