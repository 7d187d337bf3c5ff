# SPDX-License-Identifier: Apache-2.0
"""A board at a serial line in simulation: the top of the bitstream, at the other end of a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import random
import select
import threading
import tty
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.deployment.serial_top import CLOCK, CLOCK_PORTS, TOP, step_of
from bitwright.deployment.simulated import served, sources_of
from bitwright.hardware.text import module
from bitwright.tools.bench import Bench, inner_input, inner_output
from bitwright.tools.served import Served

LINE = "serial_line"
STEP = 4000  # cycles between two looks at the terminal
REST_CYCLES = 400_000  # without a byte, after which the board waits for the next one


def serial_model(files: Mapping[str, str], mhz: float, baud: int) -> Served:
    """The running top of a board, whose bytes are the streams `host` (to the board) and `board`.

    The clock of the board is that of the simulation; the line is timed by another model than the design's UARTs.
    """
    line = (resources.files("bitwright") / "deployment" / f"{LINE}.sv").read_text()
    clock = module(CLOCK, CLOCK_PORTS, _clock(step_of(baud, mhz)))
    waived = [("WIDTHTRUNC", TOP), ("WIDTHEXPAND", TOP), ("PINMISSING", LINE)]  # narrower addresses, pins tied to 1
    waiver = "`verilator_config\n" + "".join(f'lint_off -rule {rule} -file "*{name}.sv"\n' for rule, name in waived)
    texts = {**files, f"{CLOCK}.sv": clock, f"{LINE}.sv": line, "widths.vlt": waiver}
    ports = [inner_input("host", 8)], [inner_output("board", 8)]
    return served(texts, Bench(LINE, *ports, parameters={"Bit": round(65536 * mhz * 1e6 / baud)}))


def _clock(step: int) -> str:
    """The body of the clock's module: the oscillator itself, and a reset of some cycles."""
    body = "  logic [3:0] wait_q = '0;\n  always_ff @(posedge osc_i) if (wait_q != '1) wait_q <= wait_q + 4'd1;\n"
    return body + f"  assign clk_o = osc_i;\n  assign rst_o = wait_q != '1;\n  assign step_o = 16'd{step};\n"


class Line:
    """The port of a simulated board: time passes only while bytes go or are waited for. A second has `mhz` cycles."""

    def __init__(self, model: Served, cycles_a_second: float) -> None:
        self.model, self._rate, self.cycles = model, cycles_a_second, 0
        model.grant("board", 1 << 24)

    def write(self, data: bytes) -> None:
        """Queue all of them."""
        self.model.push("host", np.frombuffer(data, np.uint8).astype(np.uint32)[:, None])

    def read(self, seconds: float) -> bytes:
        """What comes within so long of simulated time."""
        end = self.cycles + max(1, int(seconds * self._rate))
        while True:
            found = self.step(STEP)
            if found or self.cycles >= end:
                return found

    def step(self, cycles: int) -> bytes:
        """Run so many cycles; the bytes that came."""
        state = self.model.run(cycles)
        self.cycles = state.cycles
        found = state.found["board"][:, 0].astype(np.uint8).tobytes()
        if found:
            self.model.grant("board", len(found))
        return found

    def close(self) -> None:
        """End the model."""
        self.model.close()


class Noise:
    """A port that drops, flips and inserts bytes both ways, each byte with this probability; it counts them."""

    def __init__(self, port: Line, probability: float, seed: int = 0) -> None:
        self.port, self.probability, self.faults = port, probability, 0
        self._random = random.Random(seed)

    def disturbed(self, data: bytes) -> bytes:
        """The bytes with faults."""
        found = bytearray()
        for byte in data:
            kind = self._random.randrange(3) if self._random.random() < self.probability else 3
            self.faults += kind < 3
            if kind == 0:
                continue
            if kind == 2:
                found.append(self._random.randrange(256))
            found.append(byte ^ (1 << self._random.randrange(8) if kind == 1 else 0))
        return bytes(found)

    def write(self, data: bytes) -> None:
        """Send what is left of them."""
        self.port.write(self.disturbed(data))

    def read(self, seconds: float) -> bytes:
        """What is left of what comes."""
        return self.disturbed(self.port.read(seconds))

    def close(self) -> None:
        """End the port."""
        self.port.close()


class Terminal:
    """The simulated board of a deployment behind a pseudo-terminal, `path`; a thread carries its bytes.

    retry_s: how long a driver must wait for an answer, as the simulation is slower than the board.
    """

    retry_s = 20.0

    def __init__(self, folder: Path, design: Mapping[str, Any]) -> None:
        self._line = Line(
            serial_model(sources_of(folder), design["clock_mhz"], design["baud"]), design["clock_mhz"] * 1e6
        )
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave  # held open, so that the master sees no end of file between two drivers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the board."""
        self._stop.set()
        self._thread.join()
        self._line.close()
        os.close(self._master)
        os.close(self._slave)

    def _carry(self) -> None:
        """Bytes both ways, until `close`."""
        last = 0
        while not self._stop.is_set():
            resting = self._line.cycles - last > REST_CYCLES
            if select.select([self._master], [], [], 0.01 if resting else 0)[0]:
                self._line.write(os.read(self._master, 65536))
                last = self._line.cycles
            elif resting:
                continue
            found = self._line.step(STEP)
            if found:
                last = self._line.cycles
                os.write(self._master, found)
