"""The cost model of memories against Yosys, cell by cell."""

import numpy as np
import pytest

from bitwright.hardware import library as rtl
from bitwright.hardware.closure import closure, flatten, write
from bitwright.hardware.library import with_vendor
from bitwright.hardware.memory import block_ram, index_bits, select
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import memory_file
from bitwright.tools import yosys

# Cells of Yosys 0.70 for one memory in block RAM: (width, depth, written) to (LUT, FF, BRAM36).
MEMORIES = {
    (30, 1500, False): (30, 2, 1.5),
    (8, 12000, False): (8, 2, 3.0),
    (8, 20000, False): (32, 4, 4.5),
    (9, 30000, False): (45, 4, 7.5),
    (9, 45000, False): (36, 4, 11.0),
    (20, 9000, False): (60, 4, 5.0),
    (20, 9000, True): (69, 4, 7.0),
    (24, 10000, True): (53, 3, 7.5),
    (9, 22000, True): (47, 4, 5.5),
    (100, 3000, True): (103, 2, 9.0),
    (72, 512, True): (0, 0, 1.0),
}


@pytest.mark.parametrize("shape", MEMORIES)
def test_stacked_block_rams_are_read_through_multiplexers(shape):
    found = block_ram(*shape)
    assert (found.lut, found.ff, found.bram36) == MEMORIES[shape]


def test_multiplexers_are_counted_exactly():
    """Of n inputs with a binary select, as Yosys 0.70 builds them."""
    measured = "1 1 1 2 2 3 3 3 4 4 4 4 5 5 5 6 6 7 7 7 8 8 8 9 10 10 10 10 11 11 11 11 12 12 12 13 13 14 14 14"
    assert [select(n)[0] for n in range(2, 42)] == [int(n) for n in measured.split()]
    assert [select(n)[0] for n in (1, 54, 55, 64, 65)] == [0, 18, 19, 21, 22]


def test_a_multiplexer_with_free_pins_takes_the_gates_behind_it():
    """LUTs of the last stage: of two inputs, then three and four; a small ROM has none."""
    assert [select(n)[1] for n in (2, 5, 6, 3, 4, 16)] == [3, 3, 1, 1, 0, 0]


def synthesized(top: str, files: dict[str, str], folder) -> yosys.Cells:
    """Cells of module `top` among the files."""
    files = closure(with_vendor(flatten(files), "xilinx"), top)
    options = yosys.Synthesis("xcup", top, contents=False)
    yosys.run(yosys.find(), options, write(files, folder), folder, folder / "log")
    return yosys.count((folder / yosys.STAT).read_text())


def memory(i: int, width: int, depth: int, written: bool) -> tuple[str, str]:
    """Ports and instance of memory i."""
    bits = index_bits(depth)
    ports = f"input logic [{bits - 1}:0] r_{i}, output logic [{width - 1}:0] q_{i}"
    if not written:
        text = f'rom #(.Width({width}), .Depth({depth}), .File("m{i}.mem"), .Style(1)) u_{i} (.clk_i, .re_i,'
        return ports, text + f" .addr_i(r_{i}), .data_o(q_{i}));"
    text = f"ram_sdp #(.Width({width}), .Depth({depth}), .Style(1)) u_{i} (.clk_i, .re_i, .we_i, .raddr_i(r_{i}),"
    ports += f", input logic [{bits - 1}:0] w_{i}, input logic [{width - 1}:0] d_{i}"
    return ports, text + f" .waddr_i(w_{i}), .wdata_i(d_{i}), .rdata_o(q_{i}));"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_random_block_memories_are_counted_exactly(seed, tmp_path):
    rng, files = np.random.default_rng(seed), {}
    shapes = []
    for i in range(8):
        width, written = int(rng.integers(1, 90)), bool(i % 2)
        depth = int(rng.integers(65, 40_000 // width**0.5))
        shapes.append((width, depth, written))
        if not written:
            words = [int.from_bytes(rng.bytes(12)) % (1 << width) for _ in range(depth)]
            files[f"m{i}.mem"] = memory_file(words, width)
    ports, instances = zip(*(memory(i, *shape) for i, shape in enumerate(shapes)), strict=True)
    head = f"module memories (input logic clk_i, re_i, we_i, {', '.join(ports)});"
    files |= rtl.sources(["ram_sdp", "rom"]) | {"memories.sv": "\n".join([head, *instances, "endmodule", ""])}
    cells, found = synthesized("memories", files, tmp_path), sum((block_ram(*s) for s in shapes), Resources())
    assert (found.lut, found.ff, found.bram36) == (cells.lut, cells.ff, cells.bram36)
