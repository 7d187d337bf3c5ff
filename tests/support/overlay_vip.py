"""cocotb tests of the overlay's block: streams with tkeep and tlast as a DMA engine and a width converter send them."""

import itertools
import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiRam,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

VECTORS = json.loads(Path(os.environ["VECTORS"]).read_text())


def words(lines):
    return b"".join(bytes.fromhex(line) for line in lines)


def with_null_words(data, size):
    """A transfer in which every third word has no byte that is kept; they hold garbage."""
    parts, keep = bytearray(), []
    for number, first in enumerate(range(0, len(data), size)):
        if number % 3 == 1:
            parts += b"\xa5" * size
            keep += [0] * size
        parts += data[first : first + size]
        keep += [1] * size
    return AxiStreamFrame(parts, tkeep=keep)


@cocotb.test()
async def batches(dut):
    """Two batches of all frames: null words change nothing, tlast ends each batch, tkeep of results is full."""
    cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
    reset = dut.aresetn, False
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, *reset)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, *reset)
    weights = master = None
    if VECTORS["weights"] is not None:
        weights = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_weights"), dut.aclk, *reset)
    if VECTORS["control"]:
        master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk, *reset)
    program = VECTORS["program"]
    if VECTORS["memory"] is not None:
        facts = VECTORS["memory"]
        program = facts["registers"] + program
        size = 1 << (facts["size"] - 1).bit_length()
        memory = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.aclk, *reset, size=size)
        memory.write(0, words(facts["image"]))
    dut.frames.value = VECTORS["frames"]
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 16)
    dut.aresetn.value = 1
    for address, word in program:
        assert (await master.write(address, word.to_bytes(4, "little"))).resp == AxiResp.OKAY
    size, expected = len(dut.s_axis_tkeep), words(VECTORS["m_axis"])
    source.set_pause_generator(itertools.cycle([0, 0, 1, 0, 1]))
    sink.set_pause_generator(itertools.cycle([1, 0, 1, 1, 0]))
    for _ in range(2):
        await source.send(with_null_words(words(VECTORS["s_axis"]), size))
        if VECTORS["weights"]:
            await weights.send(with_null_words(words(VECTORS["weights"]), len(dut.s_axis_weights_tkeep)))
        found = await sink.recv(compact=False)
        assert bytes(found.tdata) == expected
        assert found.tkeep is None or all(found.tkeep)
    assert sink.empty()
