# SPDX-License-Identifier: Apache-2.0
"""The sources of a machine's hardware, and the AXI4-Lite writes that load a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bitwright.hardware import library as rtl
from bitwright.hardware.memory_port import PAGE, MemoryPort
from bitwright.hardware.shell import MEMORY_PREFIX, memory_bus, top_ports
from bitwright.hardware.text import instance, module, wired
from bitwright.targets.rap.isa.machine import STREAM_BITS, Machine, Program, banks
from bitwright.targets.rap.isa.package import package
from bitwright.targets.rap.isa.registers import (
    ADDRESS,
    ADDRESS_BITS,
    CONTROL,
    COUNTER_BASE,
    COUNTERS,
    DATA,
    MEMORIES,
    MEMORY_HIGH,
    MEMORY_LOW,
    SELECT,
)
from bitwright.targets.rap.options import RapOptions

TOP = "rap"
BEAT_BITS = 64  # of external memory
CODE, PARAMS, BANK_A, BANK_B = range(len(MEMORIES))
_RTL = Path(__file__).parent / "rtl"


def sources(machine: Machine) -> dict[str, str]:
    """Every source file by path; module `rap` is the top."""
    own = {path.name: path.read_text() for path in _RTL.iterdir()}
    return rtl.needed([TOP], own | {"rap_pkg.sv": package(), f"{TOP}.sv": _top(machine)})


def _top(machine: Machine) -> str:
    ports = top_ports(STREAM_BITS, STREAM_BITS, address_bits=ADDRESS_BITS, memory_bits=BEAT_BITS * machine.external)
    parameters = {
        "Size": machine.size,
        "AWords": machine.a_words,
        "BWords": machine.b_words,
        "ParamWords": machine.param_words,
        "ProgramWords": machine.program_words,
        "Torus": int(machine.torus),
        "External": int(machine.external),
    }
    pins = wired(port for port in ports if not port.name.startswith(MEMORY_PREFIX)) | memory_bus(machine.external)
    grid = f"{machine.size} x {machine.size} elements{', joined to a torus' if machine.torus else ''}"
    remarks = [f"Target rap: {grid}. Networks are programs: no file depends on one."]
    unused = ""
    if not machine.external:
        pins["m_axi_o"], unused = "unused", "  logic [199:0] unused;\n"
    return module(TOP, ports, unused + instance("rap_top", "u_top", parameters, pins), remarks)


def loading(machine: Machine, program: Program) -> np.ndarray:
    """AXI4-Lite writes (address, word), uint32 [n, 2], that fill the memories and start the processor."""
    writes: list[np.ndarray] = []
    code = np.ascontiguousarray(program.code.astype("<u8")).view("<u4")
    writes += _memory(CODE, 0, code)
    if len(program.params):
        writes += _memory(PARAMS, 0, program.params.reshape(-1))
    for kind, segments, words in ((BANK_A, program.a, machine.a_words), (BANK_B, program.b, machine.b_words)):
        image = banks(machine, segments, words)
        for bank, parts in sorted(segments.items()):
            end = max(address + len(values) for address, values in parts)
            words_32 = np.pad(image[bank, :end], (0, end % 2)).view("<u4")  # a word beyond the end is not written
            writes += _memory(kind, bank, words_32)
    return np.concatenate([*writes, np.array([[CONTROL.address, 1]])]).astype(np.uint32)


def _memory(kind: int, bank: int, words: np.ndarray) -> list[np.ndarray]:
    """Writes of data words from address 0 of one memory on."""
    data = np.stack([np.full(len(words), DATA.address), words.astype(np.int64)], axis=1)
    return [np.array([[SELECT.address, kind | bank << 4], [ADDRESS.address, 0]]), data]


def memory_port(program: Program, options: RapOptions) -> MemoryPort | None:
    """External memory, where the machine has it."""
    if not options.machine.external:
        return None
    size = max(PAGE, -(-program.memory_bytes // PAGE) * PAGE)
    image = np.pad(program.memory, (0, len(program.memory) % 2)).view(np.uint32)
    registers = MEMORY_LOW.address, MEMORY_HIGH.address
    return MemoryPort(BEAT_BITS, image, size, registers, options.memory_latency, options.memory_gap)


def counter_addresses() -> dict[str, int]:
    """AXI4-Lite address of each counter, in the order of the simulator's."""
    return {name: COUNTER_BASE + 4 * i for i, name in enumerate(COUNTERS)}
