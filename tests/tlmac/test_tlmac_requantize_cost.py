"""The cost model of rescaling against Yosys, cell by cell."""

import numpy as np
import pytest

from bitwright.hardware import library as rtl
from bitwright.hardware.closure import closure, flatten, write
from bitwright.hardware.library import with_vendor
from bitwright.hardware.module import Module
from bitwright.hardware.text import instance
from bitwright.network import IntType
from bitwright.network.ops import Requantize
from bitwright.targets.tlmac.circuit.stages import post_module
from bitwright.targets.tlmac.circuit.units import Post
from bitwright.tools import yosys


def module(source: IntType, target: IntType, factor: int, shift: int, lanes: int = 1, **others) -> Module:
    """One scale for 8 channels."""
    others = {name: np.array([v]) if name == "bias" else v for name, v in others.items()}
    op = Requantize(target, multiplier=np.array([factor]), shift=np.array([shift]), **others)
    return post_module(Post("q", op, 8, source, target), lanes, 1)


GATES = (0, 1)  # one more than Yosys's: it builds the enables of four stages of 10 or 11 LUTs
# LUT, FF, CARRY4 and DSP of Yosys 0.70, with the registers that go into a multiplier packed.
MEASURED = {
    "shifted up": ((IntType(8, True), IntType(12, True), 8, 0), (11, 39, 0, 0)),
    "never clamps": ((IntType(9), IntType(8), 4, 6, 2), (14, 67, 4, 0)),
    "by a shift": ((IntType(12, True), IntType(8, True), 1, 4), (16, 34, 3, 0)),
    "by a power of two": ((IntType(16, True), IntType(8, True), 2, 4), (22, 61, 4, 0)),
    "clamps by setting registers": ((IntType(16), IntType(8), 1, 4), (9, 42, 4, 0)),
    "a multiplier": ((IntType(14), IntType(8), 0xDE30, 21), (17, 25, 3, 1)),
    "narrower": ((IntType(8, True), IntType(8, True), 1, 3), (8, 25, 2, 0)),
    "a zero point": ((IntType(8), IntType(8, True), 1, 0, 1, -128), (15, 31, 1, 0)),
    "a bias": ((IntType(16, True), IntType(8), 1, 6, 1, 0, 1000), (27, 60, 8, 0)),
}


def measured(name: str) -> tuple[Module, tuple[int, ...]]:
    (source, target, factor, shift, *rest), cells = MEASURED[name]
    others = dict(zip(("zero_point", "bias"), rest[1:], strict=False))
    return module(source, target, factor, shift, *rest[:1], **others), cells


@pytest.mark.parametrize("name", MEASURED)
def test_one_scale_for_all_channels_is_counted_exactly(name):
    made, cells = measured(name)
    found = made.cost
    assert (found.ff, found.carry, found.dsp) == cells[1:]
    assert found.lut - cells[0] in GATES


def channels() -> Module:
    """Scales, biases and shifts of 48 channels, on 2 lanes."""
    rng = np.random.default_rng(0)
    fields = {"multiplier": (40_000, 65_535), "bias": (-(1 << 30), 1 << 30), "shift": (22, 25)}
    op = Requantize(IntType(8), **{name: rng.integers(*limits, 48) for name, limits in fields.items()})
    return post_module(Post("q", op, 48, IntType(19), IntType(8)), 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MEASURED, "channels"])
def test_rescaling_is_counted_as_yosys_builds_it(name, tmp_path):
    """Exactly with one scale, but for a gate; else registers and carries within 2 %, LUTs within 20 %."""
    made = channels() if name == "channels" else measured(name)[0]
    widths = made.lanes * made.in_bits, made.lanes * made.out_bits
    ports = "input logic clk_i, rst_i, s_valid_i, m_ready_i, output logic s_ready_o, m_valid_o"
    ports += f", input logic [{widths[0] - 1}:0] s_data_i, output logic [{widths[1] - 1}:0] m_data_o"
    names = ("clk_i", "rst_i", "s_data_i", "s_valid_i", "s_ready_o", "m_data_o", "m_valid_o", "m_ready_i")
    unit = instance(made.rtl, "i_unit", made.parameters("q"), {n: n for n in names})
    text = f"module unit ({ports});\n{unit}endmodule\n"
    sources = flatten(rtl.sources([made.rtl]) | made.files("q") | {"unit.sv": text})
    files = closure(with_vendor(sources, "xilinx"), "unit")
    options = yosys.Synthesis("xcup", "unit", contents=False)
    yosys.run(yosys.find(), options, write(files, tmp_path), tmp_path, tmp_path / "log")
    cells, found = yosys.count((tmp_path / yosys.STAT).read_text()), made.cost
    if name != "channels":
        assert (found.ff, found.carry, found.dsp) == (cells.ff, cells.carry, cells.dsp)
        assert found.lut - cells.lut in GATES
        return
    assert found.dsp == cells.dsp
    assert (found.ff, found.carry) == pytest.approx((cells.ff, cells.carry), rel=0.02)
    assert found.lut == pytest.approx(cells.lut, rel=0.2)
