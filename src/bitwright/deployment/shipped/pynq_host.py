# SPDX-License-Identifier: Apache-2.0
"""The driver of an overlay."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright.deployment.shipped.interface import Host
from bitwright.deployment.shipped.pynq_link import PynqLink

DESIGN: Mapping[str, Any] = {}
FOLDER = Path()


class Driver(Host):
    """Loads overlay.bit, or the file that is given, and runs frames through it; `simulate` does so without a board.

    memory_seed: simulated external memory gets random latencies, pauses and order; without it, it is ideal.
    """

    def __init__(
        self,
        bitfile: str | Path | None = None,
        timeout_s: float = 10.0,
        simulate: bool = False,
        memory_seed: int | None = None,
    ) -> None:
        if simulate:
            pynq = importlib.import_module("bitwright.deployment.simulated").pynq_of(FOLDER, DESIGN, memory_seed)
        else:
            pynq = importlib.import_module("pynq")
        link = PynqLink(
            pynq, Path(bitfile or FOLDER / "overlay.bit"), DESIGN["clock_mhz"], timeout_s, bool(DESIGN["memory"])
        )
        super().__init__(link, DESIGN, FOLDER)
