# SPDX-License-Identifier: Apache-2.0
"""Boards in simulation: what a driver reaches is the Verilated top that it was shipped with."""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.deployment.vivado import side_ports
from bitwright.errors import ModelError, UserError
from bitwright.files import read_text
from bitwright.hardware.library import without_vendor
from bitwright.hardware.shell import control, stream_master, stream_slave
from bitwright.hardware.text import CLOCK_PORTS, Port, instance, module, wired
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, axis_input, axis_output
from bitwright.tools.served import Served

ACCESS_CYCLES = 8  # that a processor needs at least from one register to the next
STEP = 2000  # cycles between two looks at a DMA engine
OVERLAY = "bitwright_overlay"
# A wrapper's address ports may be wider or narrower than the design's.
NARROW = "`verilator_config\n" + "".join(
    f'lint_off -rule {rule} -file "*{OVERLAY}.v"\n' for rule in ("WIDTHTRUNC", "WIDTHEXPAND")
)
BOARD, GPIO, WEIGHTS = "simulated_overlay", "s_gpio", "s_axis_weights"


def sources_of(folder: Path) -> dict[str, str]:
    """The texts of a deployment's sources by name, with primitives that simulate; `ModelError` where there are none."""
    paths = sorted((folder / "sources").glob("*"))
    if not paths:
        raise ModelError(f"{folder} holds no sources to simulate")
    return without_vendor({path.name: read_text(path, ModelError) for path in paths}) | {"narrow.vlt": NARROW}


def served(files: Mapping[str, str], bench: Bench) -> Served:
    """The running model of a board; `RuntimeError`, as drivers know it, where a tool is missing or refuses it."""
    try:
        return Served(verilator.build(files, bench, driver=verilator.SERVER))
    except UserError as error:
        raise RuntimeError(str(error)) from None


def pynq_of(folder: Path, design: Mapping[str, Any]) -> Any:
    """What a driver needs of pynq, for the overlay of a deployment: DMA engines, a GPIO, registers, buffers.

    Memory is as incoherent as a board's: `memory` gets what is flushed, the host what was invalidated.
    """
    clocks = types.SimpleNamespace()
    return types.SimpleNamespace(Overlay=lambda _: Overlay(folder, design), Clocks=clocks, allocate=_allocate)


class Buffer(np.ndarray[Any, Any]):
    """An array of the host, and `memory`, what the device sees."""

    memory: np.ndarray

    def flush(self) -> None:
        """To the memory."""
        self.memory[:] = self.view(np.ndarray).view(np.uint8)

    def invalidate(self) -> None:
        """From the memory."""
        self.view(np.ndarray).view(np.uint8)[:] = self.memory

    def freebuffer(self) -> None:
        """Give it back."""


def _allocate(shape: Any, dtype: Any) -> Buffer:
    made = np.zeros(shape, dtype).view(Buffer)
    made.memory = np.random.default_rng(0).integers(0, 256, made.nbytes, np.uint8)
    return made


class Overlay:
    """The Verilated overlay of a deployment: dma, weights_dma, frames and design, as pynq gives them."""

    def __init__(self, folder: Path, design: Mapping[str, Any]) -> None:
        widths = {"s_axis": design["in_bytes"], "m_axis": design["out_bytes"], WEIGHTS: design["weights_bytes"]}
        files = sources_of(folder) | {f"{BOARD}.sv": _board(widths, design["control"])}
        inputs = [axis_input(8 * widths[name], name) for name in ("s_axis", WEIGHTS) if widths[name]]
        bench = Bench(BOARD, [axis_input(32, GPIO), *inputs], [axis_output(8 * widths["m_axis"])], design["control"])
        self._model = served(files, bench)
        self.frames = types.SimpleNamespace(write=self._frames)
        self.design = types.SimpleNamespace(write=self._model.write, read=self._model.read)
        receiver = _Receiver(self._model, widths["m_axis"])
        channel = types.SimpleNamespace
        self.dma = channel(sendchannel=_Sender(self._model, "s_axis", widths["s_axis"]), recvchannel=receiver)
        if widths[WEIGHTS]:
            self.weights_dma = channel(sendchannel=_Sender(self._model, WEIGHTS, widths[WEIGHTS]))
        receiver.senders = [self.dma.sendchannel, *([self.weights_dma.sendchannel] if widths[WEIGHTS] else [])]
        for sender in receiver.senders:
            sender.receiver = receiver

    def _frames(self, address: int, value: int) -> None:
        if address:
            raise ValueError(f"the GPIO has no register {address}")
        self._model.push(GPIO, np.full((ACCESS_CYCLES, 1), value, np.uint32))
        while self._model.run(100).waiting[GPIO]:
            pass


class _Sender:
    """The DMA channel from memory to a stream."""

    receiver: _Receiver

    def __init__(self, model: Served, name: str, word_bytes: int) -> None:
        self._model, self._name, self._bytes, self.waiting = model, name, word_bytes, 0

    def transfer(self, buffer: Buffer, start: int = 0, nbytes: int = 0) -> None:
        nbytes = nbytes or buffer.nbytes - start
        if nbytes % self._bytes or self.waiting:
            raise RuntimeError(f"DMA: {nbytes} bytes for words of {self._bytes}, with {self.waiting} still waiting")
        words = np.zeros((nbytes // self._bytes, -(-self._bytes // 4) * 4), np.uint8)
        words[:, : self._bytes] = buffer.memory[start : start + nbytes].reshape(-1, self._bytes)
        self._model.push(self._name, words.view("<u4"))
        self.waiting = nbytes

    @property
    def idle(self) -> bool:
        self.receiver.step()
        return self.waiting == 0


class _Receiver:
    """The DMA channel from the stream to memory; a transfer ends with the tlast that must come with its last word."""

    senders: list[_Sender]

    def __init__(self, model: Served, word_bytes: int) -> None:
        self._model, self._bytes = model, word_bytes
        self._buffer: Buffer | None = None
        self._next = self._end = 0

    def transfer(self, buffer: Buffer, start: int, nbytes: int) -> None:
        if self._buffer is not None or nbytes % self._bytes:
            raise RuntimeError(f"DMA: {nbytes} bytes of words of {self._bytes}, or a transfer is under way")
        self._buffer, self._next, self._end = buffer, start, start + nbytes
        self._model.grant("m_axis", nbytes // self._bytes)

    @property
    def idle(self) -> bool:
        self.step()
        return self._buffer is None

    def step(self) -> None:
        """Run the model, and take what came out."""
        state = self._model.run(STEP)
        for sender in self.senders:
            sender.waiting = state.waiting[sender._name]
        for word in state.found["m_axis"].view(np.uint8):
            if self._buffer is None:
                raise RuntimeError("DMA: a word after the end of the transfer")
            self._buffer.memory[self._next : self._next + self._bytes] = word[: self._bytes]
            self._next += self._bytes
            if bool(word[self._bytes] & 1) != (self._next == self._end):
                raise RuntimeError(f"DMA: tlast {self._end - self._next} bytes before the end of the transfer")
            if self._next == self._end:
                self._buffer = None


def _board(widths: Mapping[str, int], registers: bool) -> str:
    """The overlay with this project's clock and reset; its GPIO is a stream of the values that are written."""
    streams = [*stream_slave("s_axis", 8 * widths["s_axis"]), *stream_master("m_axis", 8 * widths["m_axis"])]
    streams += stream_slave(WEIGHTS, 8 * widths[WEIGHTS]) if widths[WEIGHTS] else ()
    ports = [*CLOCK_PORTS, *stream_slave(GPIO, 32), *streams, *(control() if registers else ())]
    body = f"  logic [31:0] frames_q;\n  assign {GPIO}_tready = 1'b1;\n"
    body += "  always_ff @(posedge clk_i)\n    if (rst_i) frames_q <= 1;\n"
    body += f"    else if ({GPIO}_tvalid) frames_q <= {GPIO}_tdata;\n"
    body += "  // verilator lint_off WIDTHTRUNC\n"
    inner: list[Port] = [port for port in ports if port not in CLOCK_PORTS and not port.name.startswith(GPIO)]
    pins = {"aclk": "clk_i", "aresetn": "!rst_i", "frames": "frames_q"} | wired(inner)
    for port in side_ports(inner):
        pins[port.name] = "" if port.output else "1'b0" if port.name.endswith("tlast") else "'1"
    return module(BOARD, ports, body + instance(OVERLAY, "u_overlay", {}, pins) + "  // verilator lint_on WIDTHTRUNC\n")
