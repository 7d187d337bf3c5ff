# SPDX-License-Identifier: Apache-2.0
"""Boards in simulation: what a driver reaches is the Verilated top that it was shipped with."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bitwright.deployment.vivado import side_ports
from bitwright.errors import ModelError, UserError
from bitwright.files import read_text
from bitwright.hardware.library import without_vendor
from bitwright.hardware.memory_port import PAGE
from bitwright.hardware.shell import control, memory_master, stream_master, stream_slave
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
BOARD, GPIO, QUIET, WEIGHTS = "simulated_overlay", "s_gpio", "s_quiet", "s_axis_weights"
BUSY = 8  # the GPIO's second register
BASE = 0x12_0000_0000  # of buffers


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


def pynq_of(folder: Path, design: Mapping[str, Any], memory_seed: int | None = None) -> Any:
    """What a driver needs of pynq, for the overlay of a deployment: DMA engines, a GPIO, registers, buffers.

    Memory is as incoherent as a board's: `memory` gets what is flushed, the host what was invalidated. memory_seed: of
    random latencies, pauses and order at the design's memory port, which is ideal without one.
    """
    buffers = Buffers()
    made = types.SimpleNamespace(Clocks=types.SimpleNamespace(), allocate=buffers.allocate)
    made.Overlay = lambda _: Overlay(folder, design, buffers.at, memory_seed)
    return made


class Stored(Protocol):
    """What a device sees of a buffer: bytes."""

    memory: np.ndarray


class Buffer(np.ndarray[Any, Any]):
    """An array of the host, and `memory`, what the device sees."""

    memory: np.ndarray
    device_address: int

    def flush(self) -> None:
        """To the memory."""
        self.memory[:] = self.view(np.ndarray).view(np.uint8)

    def invalidate(self) -> None:
        """From the memory."""
        self.view(np.ndarray).view(np.uint8)[:] = self.memory

    def freebuffer(self) -> None:
        """Give it back."""


class Buffers:
    """Buffers of the host in the device's memory, each from a page on."""

    def __init__(self) -> None:
        self._made: dict[int, Buffer] = {}
        self._next = BASE

    def allocate(self, shape: Any, dtype: Any) -> Buffer:
        """A buffer, filled with zeros as the host sees it."""
        made = np.zeros(shape, dtype).view(Buffer)
        made.memory = np.random.default_rng(0).integers(0, 256, made.nbytes, np.uint8)
        made.device_address = self._next
        self._made[self._next] = made
        self._next += (made.nbytes // PAGE + 2) * PAGE
        return made

    def at(self, address: int) -> Buffer:
        """The buffer from an address on; `RuntimeError` where there is none."""
        if address not in self._made:
            raise RuntimeError(f"no buffer begins at 0x{address:x}, where the design is to find its memory")
        return self._made[address]


class Overlay:
    """The Verilated overlay of a deployment: dma, weights_dma, frames and design, as pynq gives them.

    buffers: which one begins at an address, for a design with external memory. It finds there what was flushed when its
    registers got the address, and may touch no other bytes.
    """

    def __init__(
        self,
        folder: Path,
        design: Mapping[str, Any],
        buffers: Callable[[int], Stored] | None = None,
        memory_seed: int | None = None,
    ) -> None:
        widths = {"s_axis": design["in_bytes"], "m_axis": design["out_bytes"], WEIGHTS: design["weights_bytes"]}
        memory = design["memory"]
        bits = memory["bits"] if memory else 0
        files = sources_of(folder) | {f"{BOARD}.sv": _board(widths, design["control"], bits)}
        inputs = [axis_input(8 * widths[name], name) for name in ("s_axis", WEIGHTS) if widths[name]]
        inputs = [axis_input(32, GPIO), *([axis_input(1, QUIET)] if memory else []), *inputs]
        outputs = [axis_output(8 * widths["m_axis"])]
        self._model = served(files, Bench(BOARD, inputs, outputs, design["control"], memory=bits))
        self.frames = types.SimpleNamespace(write=self._frames, read=self._busy)
        self.design = types.SimpleNamespace(write=self._model.write, read=self._model.read)
        if memory and buffers:
            self.design.write = _Memory(self._model, memory, buffers, memory_seed).write
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

    def _busy(self, address: int) -> int:
        """Whether the reset waits for the memory: a word that is not taken until then."""
        if address != BUSY:
            raise ValueError(f"the GPIO has no register {address} to read")
        if not self._model.run(ACCESS_CYCLES).waiting[QUIET]:
            self._model.push(QUIET, np.zeros((1, 1), np.uint32))
        return int(self._model.run(ACCESS_CYCLES).waiting[QUIET] > 0)


class _Memory:
    """What lies behind the design's memory port: the buffer whose address its registers have."""

    def __init__(
        self, model: Served, facts: Mapping[str, Any], buffers: Callable[[int], Stored], seed: int | None
    ) -> None:
        self._model, self._buffers = model, buffers
        self._registers = dict.fromkeys(facts["registers"], 0)
        self._given: tuple[int, int] | None = None
        model.open_memory(facts["bits"], BASE, latency=facts["latency"], gap=facts["gap"], seed=seed)

    def write(self, address: int, word: int) -> None:
        """Write a register of the design; the one of the high half of its memory's address completes that."""
        self._model.write(address, word)
        if address not in self._registers:
            return
        self._registers[address] = word
        low, high = self._registers
        if address != high:
            return
        if self._given is not None:
            self._model.take_back(*self._given)
        place = self._registers[low] | self._registers[high] << 32
        memory = self._buffers(place).memory
        self._given = place, len(memory)
        self._model.hand_out(*self._given)
        self._model.store(place, memory.view("<u4"))


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


def _board(widths: Mapping[str, int], registers: bool, memory: int) -> str:
    """The overlay with this project's clock and reset; its GPIO is a stream of the values that are written."""
    streams = [*stream_slave("s_axis", 8 * widths["s_axis"]), *stream_master("m_axis", 8 * widths["m_axis"])]
    streams += stream_slave(WEIGHTS, 8 * widths[WEIGHTS]) if widths[WEIGHTS] else ()
    streams += memory_master(memory) if memory else ()
    quiet = stream_slave(QUIET, 1) if memory else ()
    ports = [*CLOCK_PORTS, *stream_slave(GPIO, 32), *quiet, *streams, *(control() if registers else ())]
    body = f"  logic [31:0] frames_q;\n  assign {GPIO}_tready = 1'b1;\n"
    body += f"  logic busy;\n  assign {QUIET}_tready = !busy;\n" if memory else ""
    body += "  always_ff @(posedge clk_i)\n    if (rst_i) frames_q <= 1;\n"
    body += f"    else if ({GPIO}_tvalid) frames_q <= {GPIO}_tdata;\n"
    body += "  // verilator lint_off WIDTHTRUNC\n"
    own = (*CLOCK_PORTS, *stream_slave(GPIO, 32), *quiet)
    inner: list[Port] = [port for port in ports if port not in own]
    pins = {"aclk": "clk_i", "aresetn": "!rst_i", "frames": "frames_q"} | wired(inner)
    pins |= {"busy": "busy"} if memory else {}
    for port in side_ports(inner):
        pins[port.name] = "" if port.output else "1'b0" if port.name.endswith("tlast") else "'1"
    return module(BOARD, ports, body + instance(OVERLAY, "u_overlay", {}, pins) + "  // verilator lint_on WIDTHTRUNC\n")
