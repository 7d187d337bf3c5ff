"""Manual, constants of the hardware, trace view, example kernel, commands."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from bitwright.cli import main
from bitwright.errors import OptionError
from bitwright.network.ops import Requantize
from bitwright.network.types import IntType
from bitwright.targets.rap import hardware
from bitwright.targets.rap.isa import registers
from bitwright.targets.rap.isa.assembler import assemble
from bitwright.targets.rap.isa.fields import encode
from bitwright.targets.rap.isa.machine import Machine, Program
from bitwright.targets.rap.isa.manual import manual
from bitwright.targets.rap.isa.package import package
from bitwright.targets.rap.isa.timing import STAGES
from bitwright.targets.rap.simulator.run import ProgramError, execute
from bitwright.targets.rap.simulator.trace import trace
from bitwright.tools import verilator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("rap_matmul", ROOT / "examples/rap_matmul.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_manual_is_current():
    assert (ROOT / "docs/targets/rap-isa.md").read_text() == manual()


def test_registers_of_the_page_are_those_of_the_table():
    assert registers.table() in (ROOT / "docs/targets/rap.md").read_text()


def test_package_of_the_hardware():
    """Opcodes, operands with the first in the lowest bits, stages and cycles."""
    text = package()
    assert "    OpMAC = 6'd16,\n" in text
    assert "    logic [15:0] last;\n    logic [15:0] count;\n  } loop_t;\n" in text
    assert "  localparam int unsigned StageExecute = 12;\n" in text
    assert "  localparam int unsigned CyclesPostDepth = 24;\n" in text


@pytest.mark.parametrize("machine", [Machine(), Machine(size=8, a_words=131072, b_words=1000), Machine(size=2)])
def test_the_hardware_lints(machine, tmp_path):
    verilator.lint(hardware.sources(machine), hardware.TOP, tmp_path)


def test_example_kernel(example, run_rtl):
    rng = np.random.default_rng(5)
    x, w, multiplier = rng.integers(0, 16, (16, 64)), rng.integers(-8, 8, (64, 8)), rng.integers(1000, 4000, 8)
    machine = Machine()
    program = assemble(example.program_text(x, w, multiplier, 14), machine)
    done = execute(machine, program, np.zeros((1, 1)), 128)
    expected = Requantize(IntType(8, True), multiplier, 14).evaluate((x @ w)[None])[0]
    assert np.array_equal(IntType(8, True).decode(done.outputs).reshape(16, 8), expected)
    words, counters = run_rtl(machine, program, expect=32)
    assert np.array_equal(words.astype("<u4").view(np.uint8), expected.reshape(-1).astype(np.uint8))
    assert counters == done.counters


def test_trace():
    program = assemble("LOOP 2\nMAC c3, a0, b0, afrom=bus\nENDL\nHALT\n")
    lines = trace(Machine(), program, 22).splitlines()
    assert lines[0].split() == ["cycle", *STAGES, "array", "instruction"]
    assert lines[4].split() == ["3", "0", *"." * (len(STAGES) - 1), "-", "LOOP", "2"]
    assert lines[7].split()[:3] == ["6", "1", "."]
    assert lines[8].split()[:4] == ["7", "1", "1", "."]
    assert lines[21].split()[15:17] == ["1", "c3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NOP", "instruction 1: the program runs past its last instruction"),
        ("STREAM A, 131071\nFETCH afrom=bus\nHALT", "instruction 1: an address lies outside the memory"),
        ("STREAM A, 131071\nOUT 1, 1, 8, 4", "instruction 1: an address lies outside the memory"),
        ("start: JUMP start", "the program has not ended within 100 cycles"),
        ("IN 2, 1, 8, 4, signed\nHALT", "instruction 0: IN takes more elements than a frame has"),
        ("OUT 2, 1, 8, 4\nHALT", "instruction 0: OUT sends more elements than a frame of results has"),
        ("POST 0, raw, store=s32\nDRAIN 0, 1, 1, 1\nHALT", "a slot that stores s32 needs words >= 2"),
    ],
)
def test_programs_that_cannot_run(text, message):
    with pytest.raises(ProgramError, match=message):
        execute(Machine(), assemble(text), cycle_limit=100)


@pytest.mark.parametrize(
    "word", [encode("DRAIN", slot=0, pixels=16, words=16, cols=1), encode("ST", slot=0, col=7, **{"as": 0})]
)
def test_words_that_no_text_yields_cannot_run(word):
    program = Program(np.array([word, encode("HALT")], np.uint64))
    with pytest.raises(ProgramError, match="instruction 0: an accumulator or a column does not exist"):
        execute(Machine(), program)


def test_the_trace_makes_room_for_frames():
    text = "LEVEL O0, 0, 200, 1\nIN 400, 1, 16, 2, signed\nLEVEL A, 0, 200, 1\nOUT 400, 1, 16, 2\nHALT"
    assert "IN 400, 1, 16, 2, signed" in trace(Machine(), assemble(text), 5)


def test_machine_options():
    with pytest.raises(OptionError, match="program_words is 1; legal are 2 to 65536"):
        Machine(program_words=1)


def test_commands(tmp_path, capsys):
    source, words, back = (tmp_path / name for name in ("k.asm", "k.hex", "k2.asm"))
    source.write_text("LOOP 3\n  ADD a1, a2, b0, sat=1\nENDL\nHALT\n")
    assert main(["assemble", str(source), "-o", str(words), "--trace", "5"]) == 0
    assert main(["disassemble", str(words), "-o", str(back)]) == 0
    assert back.read_text().split() == source.read_text().split()
    source.write_text("NOP\nADD a1, a2, b9\n")
    assert main(["assemble", str(source), "-o", str(words)]) == 2
    assert f"{source}: line 2, column 13: operand bs = b9 out of range; legal are b0 to b7" in capsys.readouterr().err
