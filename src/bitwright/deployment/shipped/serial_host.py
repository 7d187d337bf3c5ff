# SPDX-License-Identifier: Apache-2.0
"""The host program of a board at a serial line."""

from __future__ import annotations

import glob
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright.deployment.shipped.interface import Host
from bitwright.deployment.shipped.serial_link import SerialLink, SerialPort

DESIGN: Mapping[str, Any] = {}
FOLDER = Path()
PLACES = ("/dev/serial/by-id/*", "/dev/ttyUSB*", "/dev/ttyACM*", "/dev/cu.usbserial*")


class Board(Host):
    """The board at a serial port, the only one there is where none is given; `simulate` runs it without hardware."""

    def __init__(self, port: str | None = None, timeout_s: float = 10.0, simulate: bool = False) -> None:
        retry_s, self._simulation = 0.05, None
        if simulate:
            simulated = importlib.import_module("bitwright.deployment.simulated_serial")
            self._simulation = simulated.Terminal(FOLDER, DESIGN)
            port, retry_s = self._simulation.path, self._simulation.retry_s
        line = SerialPort(port or only_port(), DESIGN["baud"])
        link = SerialLink(
            line, DESIGN["baud"], bytes.fromhex(DESIGN["digest"])[:8], DESIGN["in_bytes"], timeout_s, retry_s
        )
        super().__init__(link, DESIGN, FOLDER)

    def close(self) -> None:
        """Give the line back."""
        super().close()
        if self._simulation is not None:
            self._simulation.close()


def only_port() -> str:
    """The one serial port of this machine; `ValueError` where there is none or several."""
    for place in PLACES:
        found = sorted(glob.glob(place))
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"there are the serial ports {', '.join(found)}: name one")
    raise ValueError(f"there is no serial port at {', '.join(PLACES)}: name one")
