"""The simulated overlay at the level of its registers, for the C driver, which is loaded as a shared library."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np

from bitwright.deployment.simulated import Overlay

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-ffp-contract=off"]
PLACES = {
    "input": 1 << 32,
    "output": 5 << 32,
    "weights": 9 << 32,
    "memory": 0x12 << 32,
}  # as the engines see them: high words, too
DMA, FRAMES, DESIGN, WEIGHTS_DMA = range(4)
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32)
CACHE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Io(ctypes.Structure):
    _fields_ = (
        ("context", ctypes.c_void_p),
        ("read", READ),
        ("write", WRITE),
        ("flush", CACHE),
        ("invalidate", CACHE),
        *((name, ctypes.c_void_p) for name in PLACES),
        *((f"{name}_address", ctypes.c_uint64) for name in PLACES),
        *((f"{name}_bytes", ctypes.c_size_t) for name in PLACES),
        ("polls", ctypes.c_uint32),
    )


class Device(ctypes.Structure):
    _fields_ = (
        ("io", ctypes.c_void_p),
        ("network", ctypes.c_uint),
        ("weights_begun", ctypes.c_int),
        ("placed", ctypes.c_void_p),
    )


class Memory:
    """A buffer as the processor sees it (`host`) and as the engines do (`memory`)."""

    def __init__(self, size):
        self.host, self.memory, self.nbytes = np.zeros(size, np.uint8), np.full(size, 0xA5, np.uint8), size


class Part:
    """A network's own bytes of the memory, as the design sees them."""

    def __init__(self, memory, start, size):
        self.memory = memory[start : start + size]


class RegisterBoard:
    """Buffers, and registers of the DMA engines, over `simulated.Overlay`; parts: of networks, sizes by their start."""

    def __init__(self, folder, design, sizes, polls=1_000_000, parts=None):
        self.parts = parts or {}
        self.overlay = Overlay(folder, design, self.part, memory_seed=7)
        sizes = {"memory": 4} | sizes
        sizes = {name: sizes[name] for name in PLACES}
        self.memories = {name: Memory(size) for name, size in sizes.items()}
        self.registers = {}
        self.refused = []
        self.io = Io(
            None,
            READ(self.read),
            WRITE(self.write),
            CACHE(self.flush),
            CACHE(self.invalidate),
            *(m.host.ctypes.data for m in self.memories.values()),
            *PLACES.values(),
            *sizes.values(),
            polls,
        )

    def _memory(self, address):
        name = next(name for name, place in PLACES.items() if place <= address < place + (1 << 32))
        return self.memories[name], address - PLACES[name]

    def part(self, address):
        start = address - PLACES["memory"]
        assert start in self.parts, f"no network begins at 0x{address:x}"
        return Part(self.memories["memory"].memory, start, self.parts[start])

    def _channel(self, block, offset):
        engine = self.overlay.dma if block == DMA else self.overlay.weights_dma
        return engine.recvchannel if offset >= 0x30 else engine.sendchannel

    def read(self, context, block, offset):
        if block == DESIGN:
            return self.overlay.design.read(offset)
        if block == FRAMES:
            return self.overlay.frames.read(offset)
        assert offset % 0x30 == 4, "only the status is read"
        return 2 if self._channel(block, offset).idle else 0

    def write(self, context, block, offset, word):
        if block == DESIGN:
            return self.overlay.design.write(offset, word)
        if block == FRAMES:
            return self.overlay.frames.write(offset, word)
        self.registers[block, offset] = word
        if offset % 0x30 == 0x28:
            base = offset - 0x28
            assert self.registers[block, base] & 1, "the engine does not run"
            address = self.registers[block, base + 0x18] | self.registers[block, base + 0x1C] << 32
            memory, start = self._memory(address)
            self._channel(block, offset).transfer(memory, start, word)
        return None

    def _part(self, start, size):
        for memory in self.memories.values():
            first = (start or 0) - memory.host.ctypes.data
            if 0 <= first < len(memory.host):
                return memory, slice(first, first + size)
        raise AssertionError("no buffer of the board")

    def flush(self, context, start, size):
        memory, part = self._part(start, size)
        memory.memory[part] = memory.host[part]

    def invalidate(self, context, start, size):
        memory, part = self._part(start, size)
        memory.host[part] = memory.memory[part]


def library(source: Path) -> ctypes.CDLL:
    """The driver, compiled without a warning."""
    built = source.with_suffix(".so")
    command = ["gcc", *FLAGS, "-fPIC", "-shared", "-nostdlib", "-fno-builtin", source, "-o", built]
    subprocess.run([str(part) for part in command], check=True)
    loaded = ctypes.CDLL(str(built))
    prefix = source.stem
    for name in ("inputs", "outputs", "class"):
        getattr(loaded, f"{prefix}_{name}").restype = ctypes.c_size_t
    getattr(loaded, f"{prefix}_text").restype = ctypes.c_char_p
    return loaded
