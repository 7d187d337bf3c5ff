"""The RTL does what the simulator does, cycle by cycle, on random programs with every instruction."""

import re

import numpy as np
import pytest
from rap_programs import random_program

from bitwright.hardware.closure import flatten, write
from bitwright.targets.rap import hardware
from bitwright.targets.rap.isa.assembler import assemble
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.isa.registers import ADDRESS, CONTROL, DATA, ERRORS
from bitwright.targets.rap.simulator.run import execute
from bitwright.tools import verilator, yosys
from bitwright.tools.bench import Bench, axis_input, axis_output
from bitwright.tools.model import ProtocolError

MACHINES = {
    "4x4": Machine(),
    "2x2": Machine(size=2, a_words=601, b_words=512, param_words=64, program_words=1024, torus=True),
}


def check(run_rtl, machine, seed, model=None):
    text, words = random_program(seed, machine)
    program = assemble(text, machine)
    expected = execute(machine, program, np.zeros((1, 1)), 2 * words)
    sent, counters = run_rtl(machine, program, expect=words, model=model)
    values = expected.outputs[0] & 0xFFFF
    assert np.array_equal(sent, values[0::2] | values[1::2] << 16)
    assert counters == expected.counters


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("seed", range(8))
def test_random_programs(run_rtl, name, seed):
    check(run_rtl, MACHINES[name], seed)


@pytest.mark.slow
def test_yosys_reads_what_verilator_reads(run_rtl, tmp_path):
    """Types of a package are where front ends differ: the netlist that Yosys makes runs the programs, too."""
    machine = MACHINES["2x2"]
    names = write(flatten(hardware.sources(machine)), tmp_path)
    steps = (f"read_verilog -sv -defer {' '.join(names)}", "hierarchy -check -top rap", "proc; flatten; opt")
    yosys.execute(yosys.find(), ["-q", "-p", "; ".join((*steps, "write_verilog -noattr rap.v"))], tmp_path)
    plain: dict[str, str] = {}  # names in place of escaped ones
    text = re.sub(r"/\*.*?\*/", "", (tmp_path / "rap.v").read_text(), flags=re.DOTALL)
    text = re.sub(r"\\\S+", lambda name: plain.setdefault(name[0], f"escaped_{len(plain)}"), text)
    waivers = '`verilator_config\nlint_off\nlint_off -rule UNOPTFLAT -file "*"\n'
    files = {"rap.v": text, "waivers.vlt": waivers}
    model = verilator.build(files, Bench(hardware.TOP, [axis_input(32)], [axis_output(32)], axil=True))
    for seed in range(4):
        check(run_rtl, machine, seed, model)


def test_zeros_are_loaded_too(run_rtl):
    """Memories begin with random contents; words that are given as zero must be zero."""
    text = """
      .b 0 0: 1 0 0 0
      .b 1 0: 0 0 0 0
      WIDTH w16, signed, signed
      STREAM B, 0
      LEVEL B, 0, 4, 1
      LDA a0, 1
      LOOP 4
        MAC c0, a0, b0, bfrom=bus
      ENDL
      POST 0, raw, store=s16
      STREAM O0, 0
      LEVEL O0, 0, 2, 1
      DRAIN 0, 1, 1, 2
      WAIT
      STREAM A, 0
      LEVEL A, 0, 2, 1
      OUT 2, 2, 16, 2
      HALT
    """
    machine = MACHINES["4x4"]
    sent, _ = run_rtl(machine, assemble(text, machine), expect=1)
    assert sent.tolist() == [1]


def execute_writes(model, writes, counters=(ERRORS.address,)):
    run = model.run({"s_axis": np.zeros((0, 1), np.uint32)}, {"m_axis": 0}, program=np.array(writes), counters=counters)
    return [run.counters[address] for address in counters]


@pytest.mark.parametrize("ignored", [(DATA.address, 5), (CONTROL.address, 1)])
def test_writes_while_it_runs_are_noted(rap_model, ignored):
    machine = MACHINES["4x4"]
    load = hardware.loading(machine, assemble("LOOP 200\nNOP\nENDL\nHALT", machine)).tolist()
    wait, start = [(ADDRESS.address, 0)] * 100, (CONTROL.address, 1)
    model = rap_model(machine)
    assert execute_writes(model, load) == [0]
    assert execute_writes(model, [*load, ignored, *wait]) == [1]
    assert execute_writes(model, [*load, ignored, *wait, start]) == [0]


@pytest.mark.parametrize(
    ("writes", "reads", "address"),
    [
        ([(ERRORS.address, 0)], (), ERRORS.address),
        ([(0x14, 0)], (), 0x14),
        ([(0x40, 0)], (), 0x40),
        ([(0x0D, 0)], (), 0x0D),
        ([], (DATA.address,), DATA.address),
        ([], (0x3C,), 0x3C),
        ([], (0x41,), 0x41),
        ([], (0x68,), 0x68),
        ([], (0xFC,), 0xFC),
    ],
)
def test_addresses_without_a_register_answer_an_error(rap_model, writes, reads, address):
    with pytest.raises(ProtocolError, match=f"s_axil answers 3 at address {address:#010x}"):
        execute_writes(rap_model(MACHINES["4x4"]), writes or np.zeros((0, 2), int), reads)
